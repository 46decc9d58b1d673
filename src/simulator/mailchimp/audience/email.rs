//! Which addresses Mailchimp accepts, and how it keys them.

use md5::{Digest, Md5};

use super::refusal::Refusal;

/// The MD5 of a lowercased address: the key of a member in its audience.
pub type Hash = [u8; 16];

/// Domains that Mailchimp answers "looks fake or invalid".
const FAKE_DOMAINS: &[&str] = &[
    "example.com",
    "example.net",
    "example.org",
    "guerrillamail.com",
    "mailinator.com",
    "test.com",
    "trash-mail.com",
];

/// Local parts that Mailchimp takes for a test.
const FAKE_LOCAL_PARTS: &[&str] = &["foo"];

/// Role addresses: allowed one at a time, refused when many members are added at once.
const ROLES: &[&str] = &[
    "abuse",
    "admin",
    "billing",
    "compliance",
    "devnull",
    "dns",
    "ftp",
    "hostmaster",
    "no-reply",
    "noreply",
    "null",
    "postmaster",
    "privacy",
    "root",
    "security",
    "spam",
    "support",
    "sysadmin",
    "undisclosed-recipients",
    "unsubscribe",
    "webmaster",
];

/// Returns the key of `email`: the MD5 of the whole address in lower case.
#[must_use]
pub fn hash(email: &str) -> Hash {
    Md5::digest(email.to_lowercase().as_bytes()).into()
}

/// Returns the MD5 of `email` as it was typed, as very old audiences keyed it.
#[must_use]
pub fn legacy_hash(email: &str) -> Hash {
    Md5::digest(email.as_bytes()).into()
}

/// Reads a 32-digit key from a path.
#[must_use]
pub fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}

/// Refuses what Mailchimp refuses of an address, whoever sends it.
pub fn check(email: &str) -> Result<(), Refusal> {
    let Some((local, domain)) = email.rsplit_once('@') else { return Err(Refusal::InvalidEmail) };
    let (local, domain) = (local.to_lowercase(), domain.to_lowercase());
    if !well_formed(&local, &domain) {
        return Err(Refusal::InvalidEmail);
    }
    if FAKE_DOMAINS.contains(&domain.as_str()) || FAKE_LOCAL_PARTS.contains(&local.as_str()) {
        return Err(Refusal::Fake(email.to_owned()));
    }
    Ok(())
}

/// Tells whether `email` names a role rather than a person.
#[must_use]
pub fn is_role(email: &str) -> bool {
    let local = email.split('@').next().unwrap_or_default().to_lowercase();
    ROLES.contains(&local.as_str())
}

/// An ASCII local part and a dotted domain; internationalised domains pass.
fn well_formed(local: &str, domain: &str) -> bool {
    let spaced = |part: &str| part.chars().any(|c| c.is_whitespace() || c.is_control());
    let labels_filled = domain.split('.').all(|label| !label.is_empty());
    !local.is_empty()
        && local.is_ascii()
        && local.len() <= 64
        && !local.contains(['@', ',', ';', '<', '>', '(', ')'])
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && labels_filled
        && !spaced(local)
        && !spaced(domain)
}
