//! Vonage webhooks of the Messages, Dispatch and Voice APIs: a bearer token.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::jwt::{Algorithm, claims, time};
use super::parts::{A_DAY, fresh, header, same, sha256_hex};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Vonage's token, HS256, and that it is for this body (Vonage docs, Signed webhooks;
/// Vonage's own library checks neither issuer nor body).
#[derive(Debug, Clone, Copy)]
pub struct Vonage {
    /// How old a delivery may be. Retries may go on for a day, and nothing says whether one is
    /// signed anew: hence a day; `jti` tells duplicates.
    pub window: TimeDelta,
}

impl Default for Vonage {
    fn default() -> Self {
        Self { window: A_DAY }
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    exp: Option<i64>,
    nbf: Option<i64>,
    jti: Option<String>,
    payload_hash: Option<String>,
}

impl Signature for Vonage {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let value = header(delivery.headers, "authorization")?;
        let (scheme, token) = value.split_once(' ').ok_or(Forged::Unsupported)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Forged::Unsupported);
        }
        let claims: Claims = claims(token, &[Algorithm::Hs256], secrets)?;
        if claims.iss != "Vonage" {
            return Err(Forged::Mismatch);
        }
        match claims.payload_hash {
            Some(hash) if same(&sha256_hex(delivery.body), &hash) => {}
            None if delivery.body.is_empty() => {}
            _ => return Err(Forged::Mismatch),
        }
        let signed_at = time(claims.iat)?;
        fresh(signed_at, now, self.window)?;
        let seconds = now.timestamp();
        let expired = claims.exp.is_some_and(|exp| exp <= seconds);
        if expired || claims.nbf.is_some_and(|nbf| nbf > seconds) {
            return Err(Forged::Stale);
        }
        Ok(Verified { unique: claims.jti, signed_at: Some(signed_at) })
    }
}
