//! What a deployment may say about a Bird account; the credential comes apart from it.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::providers::http::base_url;

/// The most requests at once; Bird names no number.
const MOST_IN_FLIGHT: usize = 50;

/// Settings of one Bird workspace.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The number that texts come from and replies go to, as `+44…`, or a short code.
    pub sender: String,
    /// Where the API is; by the key's region unless it is said.
    pub base_url: Option<String>,
    /// Requests under way at once for the account, 1 to 50.
    pub in_flight: usize,
    /// How often a request is tried before it is left to the next run.
    pub tries: u32,
    /// How old a webhook's signature may be.
    pub webhook_window_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sender: String::new(),
            base_url: None,
            in_flight: 5,
            tries: 5,
            webhook_window_seconds: 300,
        }
    }
}

/// Why the settings do not do; the text says what to change. Never repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nowhere to reply to.
    #[error("sender must be the number replies go to, as +447700900001, or a short code")]
    Sender,
    /// Not a URL to send requests to.
    #[error("base_url must be a plain http(s) URL: leave it out")]
    BaseUrl,
    /// Too many or too few at once.
    #[error("in_flight must be 1 to 50")]
    InFlight,
    /// No try at all.
    #[error("tries must be at least 1")]
    Tries,
    /// Not a key of the platform API.
    #[error(
        "the key is none of Bird's platform API: paste one that begins with bk_ and the region, as bk_eu1_…; keys of MessageBird and of the older Bird API do not work"
    )]
    Key,
}

impl Settings {
    /// Checks all that can be checked without the key.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (sound, error) in [
            (is_number(&self.sender), SettingsError::Sender),
            (
                self.base_url.as_deref().is_none_or(|url| base_url(url).is_some()),
                SettingsError::BaseUrl,
            ),
            ((1..=MOST_IN_FLIGHT).contains(&self.in_flight), SettingsError::InFlight),
            (self.tries > 0, SettingsError::Tries),
        ] {
            if !sound {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Returns where the API is: as it is said, or where the key's region is.
    pub(super) fn api_base(&self, region: &str) -> Result<String, SettingsError> {
        let usual = format!("https://{region}.platform.bird.com");
        base_url(self.base_url.as_deref().unwrap_or(&usual)).ok_or(SettingsError::BaseUrl)
    }
}

/// Reads the region out of a key, `bk_{region}_…`: only such a one can become part of a host.
pub(super) fn region(key: &SecretString) -> Result<String, SettingsError> {
    let rest = key.expose_secret().trim().strip_prefix("bk_").ok_or(SettingsError::Key)?;
    let (region, token) = rest.split_once('_').ok_or(SettingsError::Key)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let sound = (1..=20).contains(&region.len()) && region.bytes().all(plain) && !token.is_empty();
    if sound { Ok(region.to_owned()) } else { Err(SettingsError::Key) }
}

/// A number in international form, or a short code; a name cannot be replied to.
fn is_number(text: &str) -> bool {
    let (digits, long) = text.strip_prefix('+').map_or((text, false), |digits| (digits, true));
    let lengths = if long { 7..=15 } else { 3..=8 };
    lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_follows_from_the_keys_region() {
        let settings = Settings::default();
        let region = |key: &str| region(&SecretString::from(key));
        assert_eq!(region(" bk_eu1_s3cret\n").as_deref(), Ok("eu1"));
        assert_eq!(settings.api_base("eu1").unwrap(), "https://eu1.platform.bird.com");
        let near = Settings { base_url: Some("http://127.0.0.1:9/".into()), ..settings };
        assert_eq!(near.api_base("eu1").unwrap(), "http://127.0.0.1:9");
        for key in ["bk_eu1", "bk__x", "bk_eu1_", "bk_evil.test/_x", "live_abc", "bm_eu1_x", ""] {
            assert_eq!(region(key), Err(SettingsError::Key), "{key}");
        }
    }

    #[test]
    fn settings_out_of_bounds_are_named() {
        let check = |change: fn(&mut Settings)| {
            let mut settings =
                Settings { sender: "+447700900001".to_owned(), ..Settings::default() };
            change(&mut settings);
            settings.check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|s| s.sender = "24680".into()), Ok(()));
        assert_eq!(check(|s| s.sender = "Clinic".into()), Err(SettingsError::Sender));
        assert_eq!(check(|s| s.sender = "447700900001".into()), Err(SettingsError::Sender));
        assert_eq!(check(|s| s.in_flight = 51), Err(SettingsError::InFlight));
        assert_eq!(check(|s| s.tries = 0), Err(SettingsError::Tries));
        assert_eq!(check(|s| s.base_url = Some("ftp://x".into())), Err(SettingsError::BaseUrl));
        assert!(serde_json::from_str::<Settings>(r#"{"audience": "x"}"#).is_err());
    }
}
