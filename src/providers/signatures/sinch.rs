//! Sinch webhooks: `x-sinch-webhook-signature` with its nonce and timestamp.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::Hmac;
use secrecy::SecretString;
use sha2::Sha256;

use super::parts::{
    FIVE_MINUTES, any_secret, fresh, header, optional, same, seconds, tag, undotted,
};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Sinch's HMAC-SHA256 of raw body, nonce and time (Sinch docs, Conversation API webhooks;
/// Sinch Python SDK, `authentication_validation.py`).
#[derive(Debug, Clone, Copy)]
pub struct Sinch {
    /// How old a delivery may be: ours, Sinch's own libraries look at no age. It retries for a
    /// day and does not say whether a retry is stamped anew.
    pub window: TimeDelta,
}

impl Default for Sinch {
    fn default() -> Self {
        Self { window: FIVE_MINUTES }
    }
}

impl Signature for Sinch {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let theirs = header(delivery.headers, "x-sinch-webhook-signature")?;
        let nonce = undotted(delivery.headers, "x-sinch-webhook-signature-nonce")?;
        let time = header(delivery.headers, "x-sinch-webhook-signature-timestamp")?;
        let algorithm = optional(delivery.headers, "x-sinch-webhook-signature-algorithm")?;
        if algorithm.is_some_and(|name| !name.eq_ignore_ascii_case("HmacSHA256")) {
            return Err(Forged::Unsupported);
        }
        let signed_at = seconds(time)?;
        any_secret(secrets, |secret| {
            let parts = [delivery.body, b".", nonce.as_bytes(), b".", time.as_bytes()];
            let ours = STANDARD.encode(tag::<Hmac<Sha256>>(secret.as_bytes(), &parts)?);
            Some(same(&ours, theirs))
        })?;
        fresh(signed_at, now, self.window)?;
        Ok(Verified { unique: Some(nonce.to_owned()), signed_at: Some(signed_at) })
    }
}
