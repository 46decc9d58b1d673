//! The headers we send and read.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};

use super::super::settings::{Auth, SettingsError};

/// Makes the `Authorization` header; it is marked as secret.
pub fn credential(auth: Auth, key: &SecretString) -> Result<HeaderValue, SettingsError> {
    let key = key.expose_secret().trim();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SettingsError::Key);
    }
    let text = match auth {
        Auth::Bearer => format!("Bearer {key}"),
        Auth::Basic => format!("Basic {}", STANDARD.encode(format!("listwarden:{key}"))),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| SettingsError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Tells whether the provider itself answered, rather than something on the way to it.
pub fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        matches!(essence, "application/json" | "application/problem+json")
    })
}

/// Reads `Retry-After` in both its forms (RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some((until.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_its_forms() {
        let read = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            retry_after(&headers, DateTime::UNIX_EPOCH)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Thu, 01 Jan 1970 00:01:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_key_goes_as_asked_for_or_not_at_all() {
        let header = |auth, key: &str| credential(auth, &SecretString::from(key));
        assert_eq!(header(Auth::Bearer, " k-us6\n").unwrap(), "Bearer k-us6");
        assert_eq!(header(Auth::Basic, "k-us6").unwrap(), "Basic bGlzdHdhcmRlbjprLXVzNg==");
        assert_eq!(header(Auth::Basic, "a b"), Err(SettingsError::Key));
        assert_eq!(header(Auth::Bearer, ""), Err(SettingsError::Key));
    }
}
