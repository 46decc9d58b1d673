//! Standard Webhooks, as Bird and others sign: `webhook-id`, `-timestamp`, `-signature`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, TimeDelta, Utc};
use hmac::Hmac;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::parts::{
    FIVE_MINUTES, any_secret, candidates, fresh, header, same, seconds, tag, undotted,
};
use super::{Delivery, Forged, Signature, Verified};

/// Checks the HMAC-SHA256 of id, time and raw body (Standard Webhooks specification 1.0, Bird
/// docs, Webhooks). A secret is base64, with or without its `whsec_`.
#[derive(Debug, Clone, Copy)]
pub struct StandardWebhooks {
    /// How old a delivery may be: five minutes, as the official libraries have it.
    pub window: TimeDelta,
}

impl Default for StandardWebhooks {
    fn default() -> Self {
        Self { window: FIVE_MINUTES }
    }
}

/// Secrets are handed out with and without padding.
const SECRET: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl StandardWebhooks {
    /// Signs a delivery of ours; none where the secret is none.
    #[must_use]
    pub fn sign(secret: &SecretString, id: &str, at: DateTime<Utc>, body: &[u8]) -> Option<String> {
        let secret = secret.expose_secret();
        let key = SECRET.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
        if key.is_empty() {
            return None;
        }
        let time = at.timestamp().to_string();
        let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
        Some(format!("v1,{}", STANDARD.encode(tag::<Hmac<Sha256>>(&key, &parts)?)))
    }
}

impl Signature for StandardWebhooks {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let id = undotted(delivery.headers, "webhook-id")?;
        let time = header(delivery.headers, "webhook-timestamp")?;
        let list = candidates(header(delivery.headers, "webhook-signature")?, ' ')?;
        let signed_at = seconds(time)?;
        let theirs = || list.iter().filter_map(|one| one.strip_prefix("v1,"));
        if theirs().next().is_none() {
            return Err(Forged::Unsupported);
        }
        any_secret(secrets, |secret| {
            let key = SECRET.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?;
            if key.is_empty() {
                return None;
            }
            let parts = [id.as_bytes(), b".", time.as_bytes(), b".", delivery.body];
            let ours = STANDARD.encode(tag::<Hmac<Sha256>>(&key, &parts)?);
            Some(theirs().any(|theirs| same(&ours, theirs)))
        })?;
        fresh(signed_at, now, self.window)?;
        Ok(Verified { unique: Some(id.to_owned()), signed_at: Some(signed_at) })
    }
}
