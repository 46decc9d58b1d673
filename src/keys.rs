//! The keyring: one current secret and any number of retired ones, each the root of derived keys.
//!
//! What is written is always under the current secret; what was written under a retired one stays
//! readable. Suppression and ledger keys are retired, never deleted: without them an address that
//! must never be contacted could not be recognised any more (L28). A retired secret itself may go once
//! what is derived from it is kept in the store, sealed under the current one.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The length of a secret and of each key derived from it.
const LENGTH: usize = 32;
/// Part of every address hash: raised when the way addresses are normalised changes (L28).
const NORMALISER: u8 = 1;
/// The length of a key's id, in hexadecimal digits.
const ID: usize = 8;
/// The length of the nonce that [`Keyring::seal`] takes.
pub const NONCE: usize = 24;

/// Why a text is no keyring, or a sealed value does not open. Never repeats a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing but blank lines and comments.
    #[error("the key file holds no key: make one with `openssl rand -hex 32`")]
    Empty,
    /// A line that is not a key.
    #[error(
        "line {line} of the key file is not 32 bytes in hex or base64: make a key with `openssl rand -hex 32`"
    )]
    Malformed {
        /// Its number, from 1.
        line: usize,
    },
    /// Two lines with the same key.
    #[error("line {line} of the key file repeats an earlier key: delete it")]
    Repeated {
        /// Its number, from 1.
        line: usize,
    },
    /// Sealed under a key that is not in the ring.
    #[error("the value was sealed with a key that is not in the key file: add it as a retired key")]
    Unknown,
    /// Changed since it was sealed, or moved to another place.
    #[error("the sealed value was changed or does not belong here: enter it anew")]
    Damaged,
}

/// A keyed hash of an address, under one key of the ring.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressHash {
    /// The key's id.
    pub key_id: String,
    /// 64 hexadecimal digits.
    pub hash: String,
}

/// One secret of 32 bytes.
pub struct Secret(SecretBox<[u8; LENGTH]>);

impl Secret {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: [u8; LENGTH]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok().or_else(|| STANDARD.decode(text).ok())?;
        bytes.try_into().ok().map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The keys derived from one secret.
struct Key {
    id: String,
    seal: Secret,
    suppression: Secret,
    ledger: Secret,
    /// None of one that is kept for what it wrote: it signs nobody in.
    session: Option<Secret>,
    seen: Secret,
}

impl Key {
    fn derive(secret: &Secret) -> Self {
        let root = Hkdf::<Sha256>::new(None, secret.0.expose_secret());
        let derived = |purpose: &str| {
            let mut key = [0_u8; LENGTH];
            let info = [b"listwarden/1/", purpose.as_bytes()].concat();
            // 32 bytes are far below the 8,160 that HKDF-SHA256 can give.
            if root.expand(&info, &mut key).is_err() {
                unreachable!("HKDF-SHA256 gives 32 bytes");
            }
            key
        };
        let id = hex::encode(&Sha256::digest(derived("id"))[..ID / 2]);
        let key = |purpose| Secret::new(derived(purpose));
        Self {
            id,
            seal: key("seal"),
            suppression: key("suppression"),
            ledger: key("ledger"),
            session: Some(key("session")),
            seen: key("seen"),
        }
    }

    /// All that there is of it, to be sealed.
    fn whole(&self) -> Vec<u8> {
        let keys = [&self.seal, &self.suppression, &self.ledger, &self.seen];
        let keys = keys.map(|key| *key.0.expose_secret());
        [self.id.as_bytes(), keys.as_flattened()].concat()
    }

    fn of_whole(whole: &[u8]) -> Option<Self> {
        let (id, keys) = whole.split_at_checked(ID)?;
        let (keys, []) = keys.as_chunks::<LENGTH>() else { return None };
        let [seal, suppression, ledger, seen] = keys.try_into().ok()?;
        Some(Self {
            id: String::from_utf8(id.to_vec()).ok()?,
            seal: Secret::new(seal),
            suppression: Secret::new(suppression),
            ledger: Secret::new(ledger),
            session: None,
            seen: Secret::new(seen),
        })
    }

    fn address_hash(&self, clinic: Uuid, channel: &str, normalized: &str) -> AddressHash {
        let parts: [&[u8]; 4] =
            [&[NORMALISER], clinic.as_bytes(), channel.as_bytes(), normalized.as_bytes()];
        AddressHash { key_id: self.id.clone(), hash: mac(&self.suppression, &parts) }
    }
}

/// Digests what is read of somebody, so that the same is known again without being kept.
///
/// Under a key, so that nobody can try out what it was of, nor make another text of the same digest.
#[derive(Clone)]
pub struct Digests(Sha256);

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digests(***)")
    }
}

impl Digests {
    fn new(key: &Secret, context: &[&[u8]]) -> Self {
        let mut digests = Self(Sha256::new_with_prefix(key.0.expose_secret()));
        for part in context {
            digests.add(part);
        }
        digests
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// Digests the parts of one row, in their order.
    #[must_use]
    pub fn of<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> i64 {
        let mut row = self.clone();
        parts.into_iter().for_each(|part| row.add(part));
        let hash: [u8; 32] = row.0.finalize().into();
        hash.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
    }
}

/// The current key, the retired ones, and those of which only what is derived from them is left.
pub struct Keyring {
    current: Key,
    retired: Vec<Key>,
    kept: OnceLock<Vec<Key>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys().map(|key| &key.id).collect();
        f.debug_struct("Keyring").field("keys", &ids).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Makes a ring of the `current` secret and the `retired` ones.
    #[must_use]
    pub fn new(current: &Secret, retired: &[Secret]) -> Self {
        Self::of(Key::derive(current), retired.iter().map(Key::derive).collect())
    }

    /// Reads a ring: one key a line in hex or base64, the current one first; `#` opens a comment.
    pub fn parse(text: &SecretString) -> Result<Self, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in text.expose_secret().lines().enumerate() {
            let line_text = line.split('#').next().unwrap_or_default().trim();
            if line_text.is_empty() {
                continue;
            }
            let line = number + 1;
            let key = Key::derive(&Secret::parse(line_text).ok_or(KeyError::Malformed { line })?);
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyError::Repeated { line });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(KeyError::Empty)?;
        Ok(Self::of(current, keys.collect()))
    }

    const fn of(current: Key, retired: Vec<Key>) -> Self {
        Self { current, retired, kept: OnceLock::new() }
    }

    /// Writes 32 random bytes as a line of a key file.
    #[must_use]
    pub fn generate(random: [u8; LENGTH]) -> SecretString {
        hex::encode(random).into()
    }

    /// Returns the id of the current key.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    /// Tells whether the ring has the key `id`.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.find(id).is_some()
    }

    /// Returns the ids of the keys that are not the current one.
    pub fn other_ids(&self) -> impl Iterator<Item = &str> {
        self.keys().skip(1).map(|key| key.id.as_str())
    }

    /// Seals what is derived from the key `id` under the current one, so that the ring can do without
    /// the key itself; none where the ring has no such key.
    #[must_use]
    pub fn seal_key(&self, id: &str, nonce: [u8; NONCE]) -> Option<Result<Vec<u8>, KeyError>> {
        self.find(id).map(|key| self.seal(nonce, &place_of(id), &key.whole()))
    }

    /// Takes in what [`Keyring::seal_key`] sealed, each by the id of its key; once. One that the ring
    /// has is left as it is, and so is one whose own key is missing.
    pub fn take_in(&self, mut sealed: Vec<(String, Vec<u8>)>) {
        sealed.retain(|(id, _)| !self.has(id));
        let mut kept: Vec<Key> = Vec::new();
        // What was sealed under a key that is itself kept opens after that one.
        loop {
            let before = sealed.len();
            sealed.retain(|(id, sealed)| {
                let whole = self.open_by(&kept, &place_of(id), sealed).ok();
                let key = whole.and_then(|whole| Key::of_whole(&whole));
                let fits = key.filter(|key| key.id == *id).map(|key| kept.push(key));
                fits.is_none()
            });
            if sealed.len() == before {
                break;
            }
        }
        self.kept.set(kept).ok();
    }

    /// Tells whether `sealed` is what [`Keyring::seal_key`] sealed of the key `id` under the current key.
    #[must_use]
    pub fn keeps(&self, id: &str, sealed: &[u8]) -> bool {
        let whole =
            self.is_current(sealed).then(|| self.open(&place_of(id), sealed).ok()).flatten();
        whole.and_then(|whole| Key::of_whole(&whole)).is_some_and(|key| key.id == id)
    }

    /// Tells whether `sealed` is sealed under the current key.
    #[must_use]
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(self.current.id.as_bytes())
    }

    /// Returns the hashes of an address under every key, the current one first (L28).
    ///
    /// They include the clinic's id: the same address in two clinics cannot be told to be the same.
    #[must_use]
    pub fn address_hashes(
        &self,
        clinic: Uuid,
        channel: &str,
        normalized: &str,
    ) -> Vec<AddressHash> {
        self.keys().map(|key| key.address_hash(clinic, channel, normalized)).collect()
    }

    /// Returns the code that chains a line of the ledger, under the key `key_id`; none where the
    /// ring has no such key.
    #[must_use]
    pub fn ledger_mac(&self, key_id: &str, parts: &[&[u8]]) -> Option<String> {
        self.find(key_id).map(|key| mac(&key.ledger, parts))
    }

    /// Returns the code that signs a session, under the key `key_id`; none where the ring has no
    /// such key, or only keeps what it wrote.
    #[must_use]
    pub fn session_mac(&self, key_id: &str, parts: &[&[u8]]) -> Option<String> {
        let key = self.find(key_id)?.session.as_ref()?;
        Some(mac(key, parts))
    }

    /// Returns what digests rows read in one context; in another the same row has another digest.
    #[must_use]
    pub fn digests(&self, context: &[&[u8]]) -> Digests {
        Digests::new(&self.current.seen, context)
    }

    /// Seals `plain` under the current key, bound to the place `place` (table, column, row).
    ///
    /// The result names its key, so [`Keyring::open`] finds it after a rotation.
    pub fn seal(
        &self,
        nonce: [u8; NONCE],
        place: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let payload = Payload { msg: plain, aad: place };
        let sealed = cipher(&self.current)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| KeyError::Damaged)?;
        Ok([self.current.id.as_bytes(), &nonce, &sealed].concat())
    }

    /// Opens what [`Keyring::seal`] sealed for the same `place`.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.open_by(&[], place, sealed)
    }

    fn open_by(&self, more: &[Key], place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (id, rest) = sealed.split_at_checked(ID).ok_or(KeyError::Damaged)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(KeyError::Damaged)?;
        let key = self.keys().chain(more).find(|key| key.id.as_bytes() == id);
        let payload = Payload { msg: rest, aad: place };
        cipher(key.ok_or(KeyError::Unknown)?)
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| KeyError::Damaged)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        let kept = self.kept.get().into_iter().flatten();
        std::iter::once(&self.current).chain(&self.retired).chain(kept)
    }

    fn find(&self, id: &str) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }
}

/// Where what is derived from a key is kept.
fn place_of(id: &str) -> Vec<u8> {
    format!("keys_used/kept/{id}").into_bytes()
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.seal.0.expose_secret().into())
}

/// HMAC-SHA256 in hex over `parts`, each preceded by its length so that no two lists of parts
/// read the same.
fn mac(key: &Secret, parts: &[&[u8]]) -> String {
    // HMAC takes a key of its block's length; a shorter one is filled up with zeros (RFC 2104).
    let mut block = [0_u8; 64];
    block[..LENGTH].copy_from_slice(key.0.expose_secret());
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(text: &str) -> Result<Keyring, KeyError> {
        Keyring::parse(&text.to_owned().into())
    }

    fn line(byte: u8) -> String {
        Keyring::generate([byte; LENGTH]).expose_secret().to_owned()
    }

    #[test]
    fn an_address_is_recognised_after_a_rotation() {
        let clinic = Uuid::from_u128(7);
        let old = ring(&line(1)).unwrap().address_hashes(clinic, "email", "ann@mail.test");
        let rotated = ring(&format!("{}\n{}\n", line(2), line(1))).unwrap();
        let new = rotated.address_hashes(clinic, "email", "ann@mail.test");
        assert_eq!(new[1], old[0]);
        assert_ne!(new[0].hash, old[0].hash);
    }

    #[test]
    fn clinics_and_channels_share_no_hash() {
        let ring = ring(&line(1)).unwrap();
        let hash = |clinic, channel| {
            ring.address_hashes(Uuid::from_u128(clinic), channel, "x").remove(0).hash
        };
        assert_ne!(hash(1, "email"), hash(2, "email"));
        assert_ne!(hash(1, "email"), hash(1, "sms"));
        assert_eq!(hash(1, "email").len(), 64);
    }

    #[test]
    fn a_row_has_its_digest_by_key_context_and_parts() {
        let of = |key, context: &str, parts: [&str; 2]| {
            let ring = ring(&line(key)).unwrap();
            ring.digests(&[context.as_bytes()]).of(parts.map(str::as_bytes))
        };
        let digest = of(1, "a", ["x", "y"]);
        assert_eq!(of(1, "a", ["x", "y"]), digest);
        for other in [of(2, "a", ["x", "y"]), of(1, "b", ["x", "y"]), of(1, "a", ["xy", ""])] {
            assert_ne!(other, digest);
        }
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_unchanged() {
        let ring = ring(&line(1)).unwrap();
        let sealed = ring.seal([9; NONCE], b"table/column/1", b"token").unwrap();
        assert_eq!(ring.open(b"table/column/1", &sealed).as_deref(), Ok(&b"token"[..]));
        assert_eq!(ring.open(b"table/column/2", &sealed), Err(KeyError::Damaged));
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(ring.open(b"table/column/1", &changed), Err(KeyError::Damaged));
        assert_eq!(ring.open(b"table/column/1", &sealed[..9]), Err(KeyError::Damaged));
    }

    #[test]
    fn a_value_sealed_with_a_retired_key_still_opens() {
        let sealed = ring(&line(1)).unwrap().seal([9; NONCE], b"p", b"token").unwrap();
        let rotated = ring(&format!("{}\n{}", line(2), line(1))).unwrap();
        assert_eq!(rotated.open(b"p", &sealed).as_deref(), Ok(&b"token"[..]));
        assert_eq!(ring(&line(2)).unwrap().open(b"p", &sealed), Err(KeyError::Unknown));
    }

    #[test]
    fn a_key_that_is_kept_does_all_that_the_key_itself_did_and_signs_nobody_in() {
        let [one, two, three] = [1, 2, 3].map(line);
        let old = ring(&one).unwrap();
        let value = old.seal([9; NONCE], b"p", b"token").unwrap();
        let kept = |by: &str, id: &str| {
            (id.to_owned(), ring(by).unwrap().seal_key(id, [8; NONCE]).unwrap().unwrap())
        };
        // The first is kept under the second, which is kept under the third.
        let second = ring(&two).unwrap();
        let both = [
            kept(&format!("{two}\n{one}"), old.current_id()),
            kept(&format!("{three}\n{two}"), second.current_id()),
        ];
        let new = ring(&three).unwrap();
        assert!(!new.has(old.current_id()) && new.open(b"p", &value).is_err());
        new.take_in(both.to_vec());
        assert_eq!(new.open(b"p", &value).as_deref(), Ok(&b"token"[..]));
        let hash = |ring: &Keyring| ring.address_hashes(Uuid::from_u128(7), "email", "x");
        assert!(hash(&new).contains(&hash(&old)[0]));
        let chained = |ring: &Keyring| ring.ledger_mac(old.current_id(), &[b"line"]);
        assert_eq!(chained(&new), chained(&old));
        let signed = |ring: &Keyring| ring.session_mac(old.current_id(), &[b"who"]);
        assert!(signed(&old).is_some() && signed(&new).is_none(), "but it signs nobody in");
        assert_eq!(new.other_ids().count(), 2);
        assert!(!format!("{new:?}").contains("01010101"));
    }

    #[test]
    fn a_kept_key_that_was_changed_or_put_in_another_s_place_is_not_taken_in() {
        let both = ring(&format!("{}\n{}", line(2), line(1))).unwrap();
        let old = ring(&line(1)).unwrap();
        let sealed = both.seal_key(old.current_id(), [8; NONCE]).unwrap().unwrap();
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        for wrong in [(old.current_id(), changed), ("00000000", sealed)] {
            let new = ring(&line(2)).unwrap();
            new.take_in(vec![(wrong.0.to_owned(), wrong.1)]);
            assert_eq!(new.other_ids().count(), 0);
        }
    }

    #[test]
    fn a_key_file_is_read_or_its_bad_line_named() {
        let base64 = STANDARD.encode([3; LENGTH]);
        assert!(ring(&format!("# ours\n{base64} # current\n\n{}", line(1))).is_ok());
        assert_eq!(ring("\n# none\n").err(), Some(KeyError::Empty));
        assert_eq!(ring("# x\nhunter2").err(), Some(KeyError::Malformed { line: 2 }));
        let twice = format!("{}\n{}", line(1), line(1));
        assert_eq!(ring(&twice).err(), Some(KeyError::Repeated { line: 2 }));
    }

    #[test]
    fn no_secret_shows() {
        let shown = format!("{:?} {:?}", ring(&line(1)).unwrap(), Secret::new([1; LENGTH]));
        assert!(!shown.contains("01010101"), "{shown}");
    }
}
