//! Plivo webhooks: `X-Plivo-Signature-V3` and its nonce.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::Hmac;
use http::Method;
use secrecy::SecretString;
use sha2::Sha256;

use super::parts::{
    any_secret, candidates, form, header, is_form, optional, same, tag, undotted, url_parts,
};
use super::{Delivery, Forged, Signature, Verified};

/// Checks Plivo's HMAC-SHA256 of URL, sorted parameters and nonce, version 3 (Plivo docs,
/// Signature validation; Plivo Python SDK, `signature_v3.py`).
///
/// Version 2 is refused: it does not cover the body. Version 3 covers no time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plivo;

impl Signature for Plivo {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        _now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        let list = match header(delivery.headers, "x-plivo-signature-v3") {
            Err(Forged::Missing)
                if optional(delivery.headers, "x-plivo-signature-v2")?.is_some() =>
            {
                return Err(Forged::Unsupported);
            }
            list => candidates(list?, ',')?,
        };
        let nonce = undotted(delivery.headers, "x-plivo-signature-v3-nonce")?;
        let signed = signed(delivery)?;
        any_secret(secrets, |secret| {
            let parts = [signed.as_bytes(), b".", nonce.as_bytes()];
            let ours = STANDARD.encode(tag::<Hmac<Sha256>>(secret.as_bytes(), &parts)?);
            Some(list.iter().any(|theirs| same(&ours, theirs)))
        })?;
        Ok(Verified { unique: Some(nonce.to_owned()), signed_at: None })
    }
}

/// The signed text but for the nonce: the URL to its path, the sorted query, the sorted form.
fn signed(delivery: &Delivery<'_>) -> Result<String, Forged> {
    let url = url_parts(delivery.url)?;
    let mut query = form(url.query.unwrap_or_default().as_bytes())?;
    query.sort();
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = query.join("&");

    if delivery.method != Method::GET && delivery.method != Method::POST {
        return Err(Forged::Unsupported);
    }
    let is_form = delivery.method == Method::POST && is_form(delivery.headers)?;
    let mut params = if is_form { form(delivery.body)? } else { Vec::new() };
    if params.is_empty() && !delivery.body.is_empty() {
        return Err(Forged::Mismatch);
    }
    params.sort();
    let params: String = params.into_iter().map(|(name, value)| name + &value).collect();

    let path = without_params(url.path);
    let base = format!("{}://{}{path}", url.scheme.to_ascii_lowercase(), url.authority);
    Ok(match (query.is_empty(), params.is_empty()) {
        (true, true) => base,
        (false, true) => format!("{base}?{query}"),
        (true, false) => format!("{base}?{params}"),
        (false, false) => format!("{base}?{query}.{params}"),
    })
}

/// The path without what stands behind a semicolon in its last segment: Plivo leaves that out.
fn without_params(path: &str) -> &str {
    let last = path.rfind('/').unwrap_or(0);
    path[last..].find(';').map_or(path, |at| &path[..last + at])
}
