//! Signed tokens as two providers use them: HMAC only, the algorithm from a short list.
//!
//! Written here rather than taken from a JWT crate: what is needed is one HMAC and five claims,
//! while a crate brings RSA and elliptic curves along and a second crypto provider to choose.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::Hmac;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Sha256, Sha384, Sha512};

use super::Forged;
use super::parts::{any_secret, same, tag};

/// An algorithm a token may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "HS384")]
    Hs384,
    #[serde(rename = "HS512")]
    Hs512,
    #[serde(other)]
    Other,
}

/// What the provider says about its token. Extensions we do not know must be refused (RFC 7515).
#[derive(Deserialize)]
struct Header {
    alg: Algorithm,
    crit: Option<serde::de::IgnoredAny>,
    b64: Option<serde::de::IgnoredAny>,
}

/// Checks the signature of a token and reads its claims; their meaning is the caller's.
pub(super) fn claims<C: DeserializeOwned>(
    token: &str,
    allowed: &[Algorithm],
    secrets: &[SecretString],
) -> Result<C, Forged> {
    let (signed, theirs) = token.rsplit_once('.').ok_or(Forged::Malformed)?;
    let (head, body) = signed.split_once('.').ok_or(Forged::Malformed)?;
    if body.contains('.') {
        return Err(Forged::Malformed);
    }
    let head: Header = json(head)?;
    if !allowed.contains(&head.alg) || head.crit.is_some() || head.b64.is_some() {
        return Err(Forged::Unsupported);
    }
    any_secret(secrets, |secret| {
        let (key, parts) = (secret.as_bytes(), [signed.as_bytes()]);
        let ours = match head.alg {
            Algorithm::Hs256 => tag::<Hmac<Sha256>>(key, &parts)?,
            Algorithm::Hs384 => tag::<Hmac<Sha384>>(key, &parts)?,
            Algorithm::Hs512 => tag::<Hmac<Sha512>>(key, &parts)?,
            Algorithm::Other => return Some(false),
        };
        Some(same(&URL_SAFE_NO_PAD.encode(ours), theirs))
    })?;
    json(body)
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, Forged> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| Forged::Malformed)?;
    serde_json::from_slice(&text).map_err(|_| Forged::Malformed)
}

/// Turns a claim into a time.
pub(super) fn time(seconds: i64) -> Result<DateTime<Utc>, Forged> {
    DateTime::from_timestamp(seconds, 0).ok_or(Forged::Malformed)
}
