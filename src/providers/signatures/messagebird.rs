//! `MessageBird` webhooks, before it became Bird: `MessageBird-Signature-JWT`.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::jwt::{Algorithm, claims, time};
use super::parts::{header, same, sha256_hex};
use super::{Delivery, Forged, Signature, Verified};

/// Checks `MessageBird`'s token, and that it is for this URL and this body (`MessageBird` docs,
/// Verify HTTP requests; `MessageBird` Python SDK, `request_validator.py`).
///
/// The token says itself when it ends; there is no window to set.
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageBird;

/// Seconds by which the clocks may differ, as the official library has it.
const LEEWAY: i64 = 1;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    nbf: i64,
    exp: i64,
    jti: Option<String>,
    url_hash: String,
    payload_hash: Option<String>,
}

impl Signature for MessageBird {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let token = header(delivery.headers, "messagebird-signature-jwt")?;
        let allowed = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
        let claims: Claims = claims(token, &allowed, secrets)?;
        if claims.iss != "MessageBird"
            || !same(&sha256_hex(delivery.url.as_bytes()), &claims.url_hash)
        {
            return Err(Forged::Mismatch);
        }
        match claims.payload_hash.filter(|hash| !hash.is_empty()) {
            Some(hash) if !delivery.body.is_empty() && same(&sha256_hex(delivery.body), &hash) => {}
            None if delivery.body.is_empty() => {}
            _ => return Err(Forged::Mismatch),
        }
        let seconds = now.timestamp();
        if claims.nbf > seconds + LEEWAY || claims.exp <= seconds - LEEWAY {
            return Err(Forged::Stale);
        }
        Ok(Verified { unique: claims.jti, signed_at: Some(time(claims.nbf)?) })
    }
}
