//! Klaviyo system webhooks: `Klaviyo-Signature` and `Klaviyo-Timestamp`.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Hmac;
use secrecy::SecretString;
use serde::Deserialize;
use sha2::Sha256;

use super::parts::{A_DAY, any_secret, fresh, header, same, seconds, tag};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Klaviyo's HMAC-SHA256 of raw body and time (Klaviyo docs, Working with system webhooks;
/// the order of the two is from public receivers, Klaviyo publishes no verifier).
///
/// The age is taken from `meta.timestamp` in the signed body: the header has been seen as an HTTP
/// date five hours ahead of it, so it is a time only for want of the other.
#[derive(Debug, Clone, Copy)]
pub struct Klaviyo {
    /// How old a delivery may be; Klaviyo says nothing of retries: hence a day.
    pub window: TimeDelta,
}

impl Default for Klaviyo {
    fn default() -> Self {
        Self { window: A_DAY }
    }
}

#[derive(Deserialize)]
struct Body {
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    timestamp: Option<DateTime<Utc>>,
}

impl Signature for Klaviyo {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let theirs = header(delivery.headers, "klaviyo-signature")?;
        let time = header(delivery.headers, "klaviyo-timestamp")?;
        any_secret(secrets, |secret| {
            let parts = [delivery.body, time.as_bytes()];
            let ours = hex::encode(tag::<Hmac<Sha256>>(secret.as_bytes(), &parts)?);
            Some(same(&ours, theirs))
        })?;
        // The signed text has no separator: only a body that is JSON to its end is whole.
        let body: Body = serde_json::from_slice(delivery.body).map_err(|_| Forged::Malformed)?;
        let stated = body.meta.and_then(|meta| meta.timestamp);
        let signed_at = stated.or_else(|| any_time(time)).ok_or(Forged::Malformed)?;
        fresh(signed_at, now, self.window)?;
        Ok(Verified { unique: None, signed_at: Some(signed_at) })
    }
}

/// Reads the header in any of the forms it has been seen in.
fn any_time(text: &str) -> Option<DateTime<Utc>> {
    let long =
        || DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text));
    seconds(text).ok().or_else(|| Some(long().ok()?.to_utc()))
}
