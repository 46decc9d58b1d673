//! Twilio webhooks: `X-Twilio-Signature`, in its two schemes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::Hmac;
use secrecy::SecretString;
use sha1::Sha1;
use sha2::Sha256;

use super::parts::{any_secret, form, header, is_form, optional, same, sha256_hex, tag, url_parts};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Twilio's HMAC of the URL and the sorted form (Twilio docs, Webhooks security).
///
/// The scheme is configured, not read from the delivery: else a sender could choose SHA-1 for a
/// key that is only used with SHA-256. An account that moves from one scheme to the other has
/// both, each with its own secrets. Neither covers a time or an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Twilio {
    /// HMAC-SHA1 with the primary or secondary auth token: what Twilio does by default.
    #[default]
    AuthToken,
    /// HMAC-SHA256 with a `SharedKey`, announced by `X-Twilio-Webhooks-Signature-Settings`.
    SharedKey,
}

impl Twilio {
    const fn algorithm(self) -> &'static str {
        match self {
            Self::AuthToken => "HMAC_SHA1",
            Self::SharedKey => "HMAC_SHA256",
        }
    }

    fn tag(self, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
        match self {
            Self::AuthToken => tag::<Hmac<Sha1>>(key, parts),
            Self::SharedKey => tag::<Hmac<Sha256>>(key, parts),
        }
    }
}

impl Signature for Twilio {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        _now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let theirs = header(delivery.headers, "x-twilio-signature")?;
        let settings = optional(delivery.headers, "x-twilio-webhooks-signature-settings")?;
        if !algorithm(settings.unwrap_or_default()).eq_ignore_ascii_case(self.algorithm()) {
            return Err(Forged::Unsupported);
        }
        let params = covered(delivery)?;
        let urls = urls(delivery.url)?;
        any_secret(secrets, |secret| {
            let mut found = false;
            for url in &urls {
                let parts = [url.as_bytes(), params.as_bytes()];
                let ours = STANDARD.encode(self.tag(secret.as_bytes(), &parts)?);
                found |= same(&ours, theirs);
            }
            Some(found)
        })?;
        Ok(Verified::default())
    }
}

/// The algorithm that the settings header names; without one it is the old scheme.
fn algorithm(settings: &str) -> &str {
    settings
        .split(',')
        .filter_map(|field| field.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .find(|(name, value)| *name == "algorithm" && !value.is_empty())
        .map_or(Twilio::AuthToken.algorithm(), |(_, value)| value)
}

/// The part of the signed text that stands for the body: each distinct name with each of its
/// distinct values, sorted. Any other body must have its hash in the signed query.
fn covered(delivery: &Delivery<'_>) -> Result<String, Forged> {
    let mut pairs = if is_form(delivery.headers)? { form(delivery.body)? } else { Vec::new() };
    if pairs.is_empty() {
        let query = url_parts(delivery.url)?.query.unwrap_or_default();
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        match fields.find(|(name, _)| *name == "bodySHA256") {
            Some((_, hash)) if same(&sha256_hex(delivery.body), hash) => {}
            None if delivery.body.is_empty() => {}
            _ => return Err(Forged::Mismatch),
        }
    }
    pairs.sort();
    pairs.dedup();
    Ok(pairs.into_iter().map(|(name, value)| name + &value).collect())
}

/// The URL as either side may have written it: Twilio signs with or without the port.
fn urls(url: &str) -> Result<[String; 2], Forged> {
    let parts = url_parts(url)?;
    let (host, port) = parts.host_and_port();
    let usual = if parts.scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    let port = port.unwrap_or(usual);
    let rest = &url[parts.scheme.len() + "://".len() + parts.authority.len()..];
    let scheme = parts.scheme;
    Ok([format!("{scheme}://{host}{rest}"), format!("{scheme}://{host}:{port}{rest}")])
}
