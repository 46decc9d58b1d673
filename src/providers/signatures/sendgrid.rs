//! `SendGrid` event webhooks: `X-Twilio-Email-Event-Webhook-Signature`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::DecodePublicKey as _;
use secrecy::SecretString;

use super::parts::{A_DAY, any_secret, fresh, header, seconds};
use super::{Delivery, Forged, Signature, Verified};

/// Checks `SendGrid`'s ECDSA signature, P-256 with SHA-256, of time and raw body (Twilio `SendGrid`
/// docs, Event Webhook security features). A "secret" is its public key: base64 of the DER.
#[derive(Debug, Clone, Copy)]
pub struct SendGrid {
    /// How old a delivery may be: ours, `SendGrid`'s own library looks at no age. Retries
    /// may go on for a day, and nothing says whether one is stamped anew: hence a day.
    pub window: TimeDelta,
}

impl Default for SendGrid {
    fn default() -> Self {
        Self { window: A_DAY }
    }
}

impl Signature for SendGrid {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let theirs = header(delivery.headers, "x-twilio-email-event-webhook-signature")?;
        let time = header(delivery.headers, "x-twilio-email-event-webhook-timestamp")?;
        let signed_at = seconds(time)?;
        let theirs = STANDARD.decode(theirs).map_err(|_| Forged::Malformed)?;
        let theirs = DerSignature::from_bytes(&theirs).map_err(|_| Forged::Malformed)?;
        let signed = [time.as_bytes(), delivery.body].concat();
        any_secret(secrets, |secret| {
            let key = STANDARD.decode(secret).ok()?;
            let key = VerifyingKey::from_public_key_der(&key).ok()?;
            Some(key.verify(&signed, &theirs).is_ok())
        })?;
        fresh(signed_at, now, self.window)?;
        Ok(Verified { unique: None, signed_at: Some(signed_at) })
    }
}
