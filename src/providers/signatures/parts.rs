//! What the schemes share: headers, times, forms, URLs, and comparing in constant time.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{KeyInit, Mac};
use http::{HeaderMap, header};
use percent_encoding::percent_decode;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Forged;

/// Longest header read, in bytes: the longest there is, a JWT, has some hundreds.
const LONGEST_HEADER: usize = 8 << 10;
/// Most parameters read of a form or a query; the largest delivery known has some dozens.
const MOST_PARAMETERS: usize = 1_000;
/// Most signatures tried of one delivery: more than any provider has secrets at once.
const MOST_CANDIDATES: usize = 16;
/// Furthest a sender's clock may run ahead of ours.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Five minutes: the window most providers and the Standard Webhooks use.
pub(super) const FIVE_MINUTES: TimeDelta = TimeDelta::minutes(5);
/// A day: the window where a retry may carry the signature of the first attempt.
pub(super) const A_DAY: TimeDelta = TimeDelta::days(1);

/// Reads a header that must be there, once.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Forged> {
    optional(headers, name)?.filter(|value| !value.is_empty()).ok_or(Forged::Missing)
}

/// Reads a header that may be missing, but not be there twice.
pub(super) fn optional<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a str>, Forged> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Forged::Repeated);
    }
    if value.len() > LONGEST_HEADER {
        return Err(Forged::Malformed);
    }
    value.to_str().map(Some).map_err(|_| Forged::Malformed)
}

/// Splits a list of signatures, and refuses one that is too long to try.
pub(super) fn candidates(list: &str, separator: char) -> Result<Vec<&str>, Forged> {
    let found: Vec<_> = list.split(separator).take(MOST_CANDIDATES + 1).collect();
    if found.len() > MOST_CANDIDATES { Err(Forged::Malformed) } else { Ok(found) }
}

/// Reads a nonce or an id that stands between dots in the signed text: with a dot of its own,
/// the text could be cut up in another way and still verify.
pub(super) fn undotted<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Forged> {
    let value = header(headers, name)?;
    if value.contains('.') { Err(Forged::Malformed) } else { Ok(value) }
}

/// Reads seconds since 1970: digits only, no sign, no leading zero, no overflow.
pub(super) fn seconds(text: &str) -> Result<DateTime<Utc>, Forged> {
    let plain = (1..=12).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0');
    let seconds = if plain { text.parse().ok() } else { None };
    seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)).ok_or(Forged::Malformed)
}

/// Refuses what was signed longer than `window` ago, or in the future; both ends are inside.
pub(super) fn fresh(
    signed_at: DateTime<Utc>,
    now: DateTime<Utc>,
    window: TimeDelta,
) -> Result<(), Forged> {
    // Whole seconds, as the providers' own libraries count.
    let age = now.timestamp().saturating_sub(signed_at.timestamp());
    let ahead = window.min(AHEAD).num_seconds();
    if age > window.num_seconds() || age < -ahead { Err(Forged::Stale) } else { Ok(()) }
}

/// Tries every secret: one that fits is enough; one that is no key (`None`) is told if none fits.
pub(super) fn any_secret(
    secrets: &[SecretString],
    fits: impl Fn(&str) -> Option<bool>,
) -> Result<(), Forged> {
    let mut unusable = secrets.is_empty();
    for secret in secrets.iter().map(ExposeSecret::expose_secret) {
        match if secret.is_empty() { None } else { fits(secret) } {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => unusable = true,
        }
    }
    Err(if unusable { Forged::Secret } else { Forged::Mismatch })
}

/// Computes the authentication code of `parts`, one after the other.
pub(super) fn tag<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac.finalize().into_bytes().to_vec())
}

/// Compares in a time that tells nothing but the lengths.
///
/// Both sides are text as it is sent, hex or base64: so there is one spelling of a signature, and
/// upper-case hex or base64 with spare bits is refused, as the providers' own libraries do.
pub(super) fn same(ours: &str, theirs: &str) -> bool {
    ours.as_bytes().ct_eq(theirs.as_bytes()).into()
}

/// The SHA-256 of `bytes` in lower-case hex.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Tells whether the body is said to be a form.
pub(super) fn is_form(headers: &HeaderMap) -> Result<bool, Forged> {
    let kind = optional(headers, header::CONTENT_TYPE.as_str())?.unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    Ok(kind.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// Decodes a form or a query, in the order sent; text that is not UTF-8 is refused.
pub(super) fn form(encoded: &[u8]) -> Result<Vec<(String, String)>, Forged> {
    let mut pairs = Vec::new();
    for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == MOST_PARAMETERS {
            return Err(Forged::Malformed);
        }
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(halves.next().unwrap_or_default())?;
        let value = decoded(halves.next().unwrap_or_default())?;
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decoded(text: &[u8]) -> Result<String, Forged> {
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_decode(&spaced).decode_utf8().map_err(|_| Forged::Malformed)?;
    Ok(decoded.into_owned())
}

/// A URL in the pieces the schemes sign, each as it was written.
#[derive(Clone, Copy)]
pub(super) struct UrlParts<'a> {
    /// The scheme.
    pub scheme: &'a str,
    /// User, host and port.
    pub authority: &'a str,
    /// The path; may be empty.
    pub path: &'a str,
    /// The query without its question mark.
    pub query: Option<&'a str>,
}

/// Takes a URL apart without changing a byte of it.
pub(super) fn url_parts(url: &str) -> Result<UrlParts<'_>, Forged> {
    let (scheme, rest) = url.split_once("://").ok_or(Forged::Malformed)?;
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    if scheme.is_empty() || authority.is_empty() {
        return Err(Forged::Malformed);
    }
    Ok(UrlParts { scheme, authority, path, query })
}

impl<'a> UrlParts<'a> {
    /// The authority without its port, and the port.
    pub(super) fn host_and_port(&self) -> (&'a str, Option<&'a str>) {
        let host = self.authority.rfind('@').map_or(0, |at| at + 1);
        let closed = self.authority.rfind(']').map_or(host, |at| at + 1).max(host);
        match self.authority[closed..].rfind(':') {
            Some(colon) => {
                let (place, port) = self.authority.split_at(closed + colon);
                (place, Some(&port[1..]).filter(|port| !port.is_empty()))
            }
            None => (self.authority, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_digits_and_nothing_else() {
        for wrong in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "01",
            "0",
            "1.0",
            "1e9",
            "9223372036854775807",
            "9999999999999",
            "٣",
        ] {
            assert_eq!(seconds(wrong), Err(Forged::Malformed), "{wrong:?}");
        }
        assert_eq!(seconds("1767225600").unwrap().timestamp(), 1_767_225_600);
        assert!(seconds("999999999999").is_ok());
    }

    #[test]
    fn both_ends_of_a_window_are_inside() {
        let at = |seconds| DateTime::from_timestamp(seconds, 999_000_000).unwrap();
        let window = TimeDelta::seconds(300);
        for inside in [700, 1_000, 1_300] {
            assert_eq!(fresh(at(inside), at(1_000), window), Ok(()), "{inside}");
        }
        for outside in [699, 1_301] {
            assert_eq!(fresh(at(outside), at(1_000), window), Err(Forged::Stale), "{outside}");
        }
        assert_eq!(fresh(at(1_301), at(1_000), A_DAY), Err(Forged::Stale));
        assert_eq!(
            fresh(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, A_DAY),
            Err(Forged::Stale)
        );
        assert_eq!(
            fresh(DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC, A_DAY),
            Err(Forged::Stale)
        );
    }

    #[test]
    fn a_form_is_decoded_once_and_strictly() {
        let pairs = form(b"a+b=c%2Bd&&e&=f&g=h=i&%zz=%").unwrap();
        let texts: Vec<_> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(texts, [("a b", "c+d"), ("e", ""), ("", "f"), ("g", "h=i"), ("%zz", "%")]);
        assert_eq!(form(b"a=%ff"), Err(Forged::Malformed));
        assert_eq!(form("a&".repeat(1_001).as_bytes()), Err(Forged::Malformed));
    }

    #[test]
    fn a_port_is_found_behind_users_and_in_six() {
        let found = |url| url_parts(url).map(|parts| parts.host_and_port()).ok();
        assert_eq!(found("https://h/p?q:1"), Some(("h", None)));
        assert_eq!(found("https://h:8443?q"), Some(("h", Some("8443"))));
        assert_eq!(found("https://u:p@h/"), Some(("u:p@h", None)));
        assert_eq!(found("https://u:p@h:1/"), Some(("u:p@h", Some("1"))));
        assert_eq!(found("https://[::1]/"), Some(("[::1]", None)));
        assert_eq!(found("https://[::1]:1/"), Some(("[::1]", Some("1"))));
        for wrong in ["", "/hook", "https://", "://h", "https:///p"] {
            assert_eq!(found(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_secret_that_is_no_key_does_not_hide_one_that_fits() {
        let secrets =
            |texts: &[&str]| texts.iter().map(|t| SecretString::from(*t)).collect::<Vec<_>>();
        let fits = |secret: &str| (secret != "bad").then_some(secret == "good");
        assert_eq!(any_secret(&secrets(&["bad", "good"]), fits), Ok(()));
        assert_eq!(any_secret(&secrets(&["bad", "old"]), fits), Err(Forged::Secret));
        assert_eq!(any_secret(&secrets(&["old"]), fits), Err(Forged::Mismatch));
        assert_eq!(any_secret(&secrets(&[""]), |_| Some(true)), Err(Forged::Secret));
        assert_eq!(any_secret(&[], |_| Some(true)), Err(Forged::Secret));
    }
}
