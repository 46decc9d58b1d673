//! What a deployment may say about a Twilio account; the credential comes apart from it.

use http::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::providers::http::{base_url, basic};
use crate::providers::signatures;

/// Requests under way at once that a deployment may ask for; Twilio publishes no limit of its own.
const MOST_IN_FLIGHT: usize = 50;

/// Settings of one Twilio account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The account's id, `AC` and 32 hex digits.
    pub account_sid: String,
    /// Where texts come from and replies go to: a number in E.164, or a messaging service (`MG…`).
    /// It is the list's audience as well.
    pub sender: String,
    /// Where messages are sent and the log is read.
    #[serde(default = "api")]
    pub base_url: String,
    /// Where messaging services are.
    #[serde(default = "messaging")]
    pub messaging_url: String,
    /// Requests under way at once for the account, 1 to 50.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// How often a request is tried before it is left to the next run.
    #[serde(default = "tries")]
    pub tries: u32,
    /// How deliveries are signed.
    #[serde(default)]
    pub webhook_signing: Signing,
}

fn api() -> String {
    "https://api.twilio.com".to_owned()
}

fn messaging() -> String {
    "https://messaging.twilio.com".to_owned()
}

const fn in_flight() -> usize {
    5
}

const fn tries() -> u32 {
    5
}

/// How deliveries are signed (Twilio docs, Webhooks security).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signing {
    /// HMAC-SHA1 with the account's auth token: Twilio's default.
    #[default]
    AuthToken,
    /// HMAC-SHA256 with a `SharedKey`.
    SharedKey,
}

impl Signing {
    /// Returns the scheme that checks it.
    pub(super) const fn scheme(self) -> signatures::Twilio {
        match self {
            Self::AuthToken => signatures::Twilio::AuthToken,
            Self::SharedKey => signatures::Twilio::SharedKey,
        }
    }
}

/// Why the settings do not do; the text says what to change. Never repeats the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not an account's id.
    #[error("account_sid must be AC and 32 hex digits, as the console shows it")]
    Account,
    /// Neither a number nor a messaging service.
    #[error(
        "sender must be a number such as +447700900001, or a messaging service: MG and 32 hex digits"
    )]
    Sender,
    /// Not a URL to send requests to.
    #[error(
        "base_url and messaging_url must be plain http(s) URLs: leave them out, unless under test"
    )]
    BaseUrl,
    /// Too many or too few at once.
    #[error("in_flight must be 1 to 50")]
    InFlight,
    /// No try at all.
    #[error("tries must be at least 1")]
    Tries,
    /// Not something that fits a header.
    #[error("the credential is neither an API key (SK…:secret) nor an auth token: paste it again")]
    Key,
}

impl Settings {
    /// Checks all that can be checked without a credential.
    pub fn check(&self) -> Result<(), SettingsError> {
        if !is_sid("AC", &self.account_sid) {
            return Err(SettingsError::Account);
        }
        if !self.sends_by_service() && !is_number(&self.sender) {
            return Err(SettingsError::Sender);
        }
        if !(1..=MOST_IN_FLIGHT).contains(&self.in_flight) {
            return Err(SettingsError::InFlight);
        }
        if self.tries == 0 {
            return Err(SettingsError::Tries);
        }
        [&self.base_url, &self.messaging_url]
            .iter()
            .all(|url| base_url(url).is_some())
            .then_some(())
            .ok_or(SettingsError::BaseUrl)
    }

    /// Tells whether the sender is a messaging service rather than a number.
    pub(super) fn sends_by_service(&self) -> bool {
        is_sid("MG", &self.sender)
    }

    /// Makes the `Authorization` header of an API key (`SK…:secret`), or else of an auth token;
    /// tells as well whether it is an API key.
    pub(super) fn credential(
        &self,
        key: &SecretString,
    ) -> Result<(HeaderValue, bool), SettingsError> {
        let text = key.expose_secret().trim();
        let (user, password, is_key) = match text.split_once(':') {
            Some((sid, secret)) if is_sid("SK", sid) => (sid, secret, true),
            None => (self.account_sid.as_str(), text, false),
            Some(_) => return Err(SettingsError::Key),
        };
        let header = basic(user, &SecretString::from(password)).ok_or(SettingsError::Key)?;
        Ok((header, is_key))
    }
}

/// Tells whether a text is a Twilio id: two letters and 32 hex digits.
fn is_sid(kind: &str, text: &str) -> bool {
    text.strip_prefix(kind)
        .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "AC00000000000000000000000000000001";

    fn check(more: &serde_json::Value) -> Option<SettingsError> {
        let mut all = json!({"account_sid": ACCOUNT, "sender": "+447700900001"});
        all.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        serde_json::from_value::<Settings>(all).unwrap().check().err()
    }

    #[test]
    fn settings_out_of_bounds_are_named() {
        use SettingsError::{Account, BaseUrl, InFlight, Sender, Tries};
        for (more, expected) in [
            (json!({}), None),
            (json!({"sender": "MG0000000000000000000000000000000a"}), None),
            (json!({"webhook_signing": "shared_key"}), None),
            (json!({"account_sid": "AC1"}), Some(Account)),
            (json!({"account_sid": "AC0000000000000000000000000000000/"}), Some(Account)),
            (json!({"sender": "Clinic"}), Some(Sender)),
            (json!({"sender": "07700900001"}), Some(Sender)),
            (json!({"sender": "MG1"}), Some(Sender)),
            (json!({"in_flight": 0}), Some(InFlight)),
            (json!({"in_flight": 51}), Some(InFlight)),
            (json!({"tries": 0}), Some(Tries)),
            (json!({"base_url": "https://me:pw@x.test"}), Some(BaseUrl)),
            (json!({"messaging_url": "x.test"}), Some(BaseUrl)),
        ] {
            assert_eq!(check(&more), expected, "{more}");
        }
        assert!(serde_json::from_value::<Settings>(json!({"sender": "+447700900001"})).is_err());
        let misspelt = json!({"account_sid": ACCOUNT, "sender": "+447700900001", "inflight": 1});
        assert!(serde_json::from_value::<Settings>(misspelt).is_err());
    }

    #[test]
    fn an_api_key_and_an_auth_token_are_told_apart() {
        let settings: Settings =
            serde_json::from_value(json!({"account_sid": ACCOUNT, "sender": "+447700900001"}))
                .unwrap();
        let is_key = |text: &str| settings.credential(&text.into()).map(|(_, is_key)| is_key);
        assert_eq!(is_key("SK00000000000000000000000000000002:s3cret"), Ok(true));
        assert_eq!(is_key(" 0123456789abcdef0123456789abcdef\n"), Ok(false));
        for bad in ["", "SK1:s", "SK00000000000000000000000000000002:", "a b"] {
            assert_eq!(is_key(bad), Err(SettingsError::Key), "{bad:?}");
        }
    }
}
