//! The headers every client sends and reads.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};

/// Makes an `Authorization` header of a token, marked as secret; none where it cannot be one.
pub fn bearer(token: &SecretString) -> Option<HeaderValue> {
    secret(&format!("Bearer {}", visible(token.expose_secret())?))
}

/// Makes an `Authorization` header of a user and a password, marked as secret; none where they
/// cannot be such.
pub fn basic(user: &str, password: &SecretString) -> Option<HeaderValue> {
    let (user, password) = (visible(user)?, visible(password.expose_secret())?);
    if user.contains(':') {
        return None;
    }
    secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn visible(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
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
    fn a_credential_goes_as_asked_for_or_not_at_all() {
        let bearer = |key: &str| bearer(&SecretString::from(key));
        let basic = |user: &str, key: &str| basic(user, &SecretString::from(key));
        assert_eq!(bearer(" k-us6\n").unwrap(), "Bearer k-us6");
        assert!(bearer("k-us6").unwrap().is_sensitive());
        assert_eq!(basic("listwarden", "k-us6").unwrap(), "Basic bGlzdHdhcmRlbjprLXVzNg==");
        assert_eq!(basic("listwarden", "a b"), None);
        assert_eq!(basic("a:b", "c"), None);
        assert_eq!(bearer(""), None);
    }
}
