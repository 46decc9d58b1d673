//! Mailchimp audience webhooks: `X-Mailchimp-Signature: t=…,v1=…`.

use chrono::{DateTime, TimeDelta, Utc};
use hmac::Hmac;
use secrecy::SecretString;
use sha2::Sha256;

use super::parts::{any_secret, candidates, fresh, header, same, seconds, tag};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Mailchimp's HMAC-SHA256 of time and raw body (Mailchimp docs, Webhooks).
#[derive(Debug, Clone, Copy)]
pub struct Mailchimp {
    /// How old a delivery may be. Mailchimp's samples say five minutes, but it retries for 75 and
    /// does not say whether a retry is stamped anew: hence two hours.
    pub window: TimeDelta,
}

impl Default for Mailchimp {
    fn default() -> Self {
        Self { window: TimeDelta::hours(2) }
    }
}

impl Signature for Mailchimp {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let fields = candidates(header(delivery.headers, "x-mailchimp-signature")?, ',')?;
        let all = |name: &'static str| {
            let halves = fields.iter().filter_map(|field| field.trim().split_once('='));
            halves.filter(move |(key, _)| *key == name).map(|(_, value)| value)
        };
        let mut times = all("t");
        let time = times.next().ok_or(Forged::Malformed)?;
        if times.next().is_some() {
            return Err(Forged::Repeated);
        }
        let signed_at = seconds(time)?;
        if all("v1").next().is_none() {
            return Err(Forged::Unsupported);
        }
        any_secret(secrets, |secret| {
            let parts = [time.as_bytes(), b".", delivery.body];
            let ours = hex::encode(tag::<Hmac<Sha256>>(secret.as_bytes(), &parts)?);
            Some(all("v1").any(|theirs| same(&ours, theirs)))
        })?;
        fresh(signed_at, now, self.window)?;
        Ok(Verified { unique: None, signed_at: Some(signed_at) })
    }
}
