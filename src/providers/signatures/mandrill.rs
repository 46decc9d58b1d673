//! Mandrill (Mailchimp Transactional) webhooks: `X-Mandrill-Signature`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::Hmac;
use secrecy::SecretString;
use sha1::Sha1;

use super::parts::{any_secret, form, header, is_form, same, tag};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Mandrill's HMAC-SHA1 of the URL and the sorted form (Mailchimp Transactional help,
/// Authenticating webhook requests). It covers no time and no id.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mandrill;

impl Signature for Mandrill {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        _now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let theirs = header(delivery.headers, "x-mandrill-signature")?;
        if !is_form(delivery.headers)? && !delivery.body.is_empty() {
            return Err(Forged::Mismatch);
        }
        let mut pairs = form(delivery.body)?;
        pairs.sort();
        if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(Forged::Malformed);
        }
        let params: String = pairs.into_iter().map(|(name, value)| name + &value).collect();
        any_secret(secrets, |secret| {
            let parts = [delivery.url.as_bytes(), params.as_bytes()];
            let ours = STANDARD.encode(tag::<Hmac<Sha1>>(secret.as_bytes(), &parts)?);
            Some(same(&ours, theirs))
        })?;
        Ok(Verified::default())
    }
}
