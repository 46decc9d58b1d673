//! What a deployment may say about a Mailchimp account; the API key comes apart from it.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::providers::http::base_url;

/// Requests that Mailchimp takes at once from one user is 10; one is left for people.
const MOST_IN_FLIGHT: usize = 9;

/// Settings of one Mailchimp account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the API is; by default the data centre that the key names, else the common host.
    pub base_url: Option<String>,
    /// How the key is sent; Mailchimp takes both for keys and for OAuth tokens.
    pub auth: Auth,
    /// Requests under way at once for the account, 1 to 9.
    pub in_flight: usize,
    /// From how many single calls on they go as one job (`/batches`).
    pub single_call_limit: usize,
    /// How often a request is tried before it is left to the next run.
    pub tries: u32,
    /// The pause before asking after a job that reads, at first; it doubles up to 30 s.
    pub job_poll_seconds: u64,
    /// How long a job that reads may take.
    pub job_patience_seconds: u64,
    /// How old a webhook's signature may be. Retries go on for 75 minutes, and it is not documented
    /// that they are stamped anew; a replay is harmless.
    pub webhook_window_seconds: u32,
}

/// How the API key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// `Authorization: Basic base64(listwarden:KEY)`.
    Basic,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: None,
            auth: Auth::Bearer,
            in_flight: MOST_IN_FLIGHT,
            single_call_limit: 200,
            tries: 5,
            job_poll_seconds: 2,
            job_patience_seconds: 900,
            webhook_window_seconds: 7_200,
        }
    }
}

/// Why the settings do not do; the text says what to change. Never repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a URL to send requests to.
    #[error(
        "base_url is not a plain http(s) URL: leave it out, or give one like https://us6.api.mailchimp.com/3.0"
    )]
    BaseUrl,
    /// Too many or too few at once.
    #[error("in_flight must be 1 to 9: Mailchimp takes 10 at once from one user")]
    InFlight,
    /// No try at all.
    #[error("tries must be at least 1")]
    Tries,
    /// Not something that fits a header.
    #[error("the API key is empty or holds characters that no key has: paste it again")]
    Key,
}

impl Settings {
    /// Checks all that can be checked without a key.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !(1..=MOST_IN_FLIGHT).contains(&self.in_flight) {
            return Err(SettingsError::InFlight);
        }
        if self.tries == 0 {
            return Err(SettingsError::Tries);
        }
        self.base_url.as_deref().map_or(Ok(()), |url| parse_base(url).map(drop))
    }

    /// Returns the base URL, without a slash at its end.
    pub(super) fn base(&self, key: &SecretString) -> Result<String, SettingsError> {
        match (&self.base_url, data_centre(key)) {
            (Some(url), _) => parse_base(url),
            (None, Some(dc)) => Ok(format!("https://{dc}.api.mailchimp.com/3.0")),
            (None, None) => Ok("https://api.mailchimp.com/3.0".to_owned()),
        }
    }

    /// Returns the pauses between looks at a job that reads, until its patience ends.
    pub(super) fn job_pauses(&self) -> impl Iterator<Item = Duration> + use<> {
        let patience = Duration::from_secs(self.job_patience_seconds);
        let mut waited = Duration::ZERO;
        let mut pause = Duration::from_secs(self.job_poll_seconds.max(1));
        std::iter::from_fn(move || {
            let this = pause;
            pause = (pause * 2).min(Duration::from_secs(30));
            waited += this;
            (waited <= patience).then_some(this)
        })
    }
}

fn parse_base(text: &str) -> Result<String, SettingsError> {
    base_url(text).ok_or(SettingsError::BaseUrl)
}

/// Reads the data centre that a key ends in (`…-us6`). Only this shape can become part of a host.
pub(super) fn data_centre(key: &SecretString) -> Option<String> {
    let (_, dc) = key.expose_secret().trim().rsplit_once('-')?;
    let digits = dc.strip_prefix("us")?;
    let sound = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| dc.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: Option<&str>, key: &str) -> Result<String, SettingsError> {
        let settings = Settings { base_url: url.map(str::to_owned), ..Settings::default() };
        settings.base(&SecretString::from(key))
    }

    #[test]
    fn the_host_comes_from_the_setting_or_the_key_and_never_from_a_strange_key() {
        for (url, key, expected) in [
            (None, "0123abcd-us6", Ok("https://us6.api.mailchimp.com/3.0")),
            (None, "0123abcd", Ok("https://api.mailchimp.com/3.0")),
            (None, "0123-us6.evil.test/", Ok("https://api.mailchimp.com/3.0")),
            (None, "0123-us", Ok("https://api.mailchimp.com/3.0")),
            (Some("http://127.0.0.1:9/3.0/"), "0-us6", Ok("http://127.0.0.1:9/3.0")),
            (Some("ftp://x.test"), "0-us6", Err(SettingsError::BaseUrl)),
            (Some("https://me:pw@x.test"), "0-us6", Err(SettingsError::BaseUrl)),
            (Some("https://x.test/?apikey=1"), "0-us6", Err(SettingsError::BaseUrl)),
        ] {
            assert_eq!(base(url, key), expected.map(str::to_owned), "{url:?}");
        }
    }

    #[test]
    fn settings_out_of_bounds_are_named() {
        let check = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|s| s.in_flight = 10), Err(SettingsError::InFlight));
        assert_eq!(check(|s| s.in_flight = 0), Err(SettingsError::InFlight));
        assert_eq!(check(|s| s.tries = 0), Err(SettingsError::Tries));
        assert!(serde_json::from_str::<Settings>(r#"{"in_fligth": 3}"#).is_err());
    }

    #[test]
    fn a_job_that_reads_is_asked_after_at_growing_pauses_within_its_patience() {
        let settings = Settings { job_patience_seconds: 100, ..Settings::default() };
        let pauses: Vec<u64> = settings.job_pauses().map(|p| p.as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30]);
    }
}
