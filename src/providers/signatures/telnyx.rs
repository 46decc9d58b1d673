//! Telnyx webhooks: `telnyx-signature-ed25519` and `telnyx-timestamp`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::VerifyingKey;
use secrecy::SecretString;

use super::parts::{FIVE_MINUTES, any_secret, fresh, header, seconds};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Telnyx's Ed25519 signature of time and raw body (Telnyx docs, Receiving webhooks;
/// Telnyx Python SDK, `webhook_verification.py`). A "secret" is its public key in base64.
#[derive(Debug, Clone, Copy)]
pub struct Telnyx {
    /// How old a delivery may be: five minutes, as Telnyx's own library has it.
    pub window: TimeDelta,
}

impl Default for Telnyx {
    fn default() -> Self {
        Self { window: FIVE_MINUTES }
    }
}

impl Signature for Telnyx {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let theirs = header(delivery.headers, "telnyx-signature-ed25519")?;
        let time = header(delivery.headers, "telnyx-timestamp")?;
        let signed_at = seconds(time)?;
        let theirs = STANDARD.decode(theirs).map_err(|_| Forged::Malformed)?;
        let theirs =
            ed25519_dalek::Signature::from_slice(&theirs).map_err(|_| Forged::Malformed)?;
        let signed = [time.as_bytes(), b"|", delivery.body].concat();
        any_secret(secrets, |secret| {
            let key = STANDARD.decode(secret).ok()?;
            let key = VerifyingKey::from_bytes(key.as_slice().try_into().ok()?).ok()?;
            Some(key.verify_strict(&signed, &theirs).is_ok())
        })?;
        fresh(signed_at, now, self.window)?;
        Ok(Verified { unique: None, signed_at: Some(signed_at) })
    }
}
