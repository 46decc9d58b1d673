//! What a deployment may say about a Sinch account; the credential comes apart from it.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::numbers::digits;
use crate::providers::http::base_url;

/// The most requests at once; Sinch names no number, only "too many outstanding requests" (429).
const MOST_IN_FLIGHT: usize = 50;

/// Settings of one Sinch account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The project; its key is `KEY_ID:KEY_SECRET` of an access key.
    pub project_id: Option<String>,
    /// The service plan, instead of a project; its key is the plan's API token.
    pub service_plan_id: Option<String>,
    /// The region the project or plan is in.
    pub region: Region,
    /// The app of the Conversation API whose consent lists are read; none without consent
    /// management. Needs a project.
    pub app_id: Option<String>,
    /// The number that texts come from and replies go to, as `+44…` or a short code.
    pub sender: String,
    /// Where the SMS API is.
    pub base_url: Option<String>,
    /// Where tokens are given out.
    pub auth_url: Option<String>,
    /// Where the Conversation API is.
    pub conversation_url: Option<String>,
    /// Requests under way at once for the account, 1 to 50.
    pub in_flight: usize,
    /// How often a request is tried before it is left to the next run.
    pub tries: u32,
    /// How callbacks prove who sent them.
    pub webhook_auth: WebhookAuth,
    /// The user of callbacks that come with HTTP Basic.
    pub webhook_user: String,
    /// How old a callback's signature may be. Retries go on for 23 hours, and it is not documented
    /// that they are stamped anew.
    pub webhook_window_seconds: u32,
}

/// The region an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// United States, where Sinch opens accounts unless asked otherwise.
    #[default]
    Us,
    /// European Union.
    Eu,
    /// Australia; service plans only.
    Au,
    /// Brazil; service plans only.
    Br,
    /// Canada; service plans only.
    Ca,
}

impl Region {
    /// Returns the region as hosts name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Au => "au",
            Self::Br => "br",
            Self::Ca => "ca",
        }
    }
}

/// How callbacks prove who sent them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookAuth {
    /// By `x-sinch-webhook-signature`.
    #[default]
    Signed,
    /// By HTTP Basic, where Sinch does not sign for the account: it proves who sent the callback
    /// and nothing about its body or its age.
    Basic,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            project_id: None,
            service_plan_id: None,
            region: Region::Us,
            app_id: None,
            sender: String::new(),
            base_url: None,
            auth_url: None,
            conversation_url: None,
            in_flight: 5,
            tries: 5,
            webhook_auth: WebhookAuth::Signed,
            webhook_user: "listwarden".to_owned(),
            webhook_window_seconds: 300,
        }
    }
}

/// Why the settings do not do; the text says what to change. Never repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// None of both, or both.
    #[error("give either project_id (with an access key) or service_plan_id (with its API token)")]
    Whose,
    /// Not an id.
    #[error("an id is empty or holds characters that no id has: copy it from the Sinch dashboard")]
    Id,
    /// Projects are in two regions.
    #[error("region must be us or eu for a project: for the others give service_plan_id")]
    Region,
    /// Consent lists belong to a project.
    #[error("app_id needs project_id: consent lists are read with the project's access key")]
    App,
    /// Nowhere to reply to.
    #[error("sender must be the number replies go to, as +447700900001, or a short code")]
    Sender,
    /// Not a URL to send requests to.
    #[error("base_url, auth_url and conversation_url must be plain http(s) URLs: leave them out")]
    BaseUrl,
    /// Too many or too few at once.
    #[error("in_flight must be 1 to 50")]
    InFlight,
    /// No try at all.
    #[error("tries must be at least 1")]
    Tries,
    /// Not a user that fits a header.
    #[error("webhook_user must be a word without a colon")]
    WebhookUser,
    /// Not something that fits a header.
    #[error(
        "the key is none that Sinch gives out: for a project paste KEY_ID:KEY_SECRET, for a service plan its API token"
    )]
    Key,
}

impl Settings {
    /// Checks all that can be checked without the key.
    pub fn check(&self) -> Result<(), SettingsError> {
        let whose = [&self.project_id, &self.service_plan_id];
        if whose.iter().filter(|id| id.is_some()).count() != 1 {
            return Err(SettingsError::Whose);
        }
        let ids = whose.into_iter().chain([&self.app_id]).flatten();
        if !ids.into_iter().all(|id| is_id(id)) {
            return Err(SettingsError::Id);
        }
        let everywhere = matches!(self.region, Region::Us | Region::Eu);
        let user = &self.webhook_user;
        for (sound, error) in [
            (self.service_plan_id.is_some() || everywhere, SettingsError::Region),
            (self.app_id.is_none() || self.project_id.is_some(), SettingsError::App),
            (digits(&self.sender).is_some(), SettingsError::Sender),
            ((1..=MOST_IN_FLIGHT).contains(&self.in_flight), SettingsError::InFlight),
            (self.tries > 0, SettingsError::Tries),
            (is_id(user), SettingsError::WebhookUser),
        ] {
            if !sound {
                return Err(error);
            }
        }
        let urls = [&self.base_url, &self.auth_url, &self.conversation_url];
        let sound = urls.into_iter().flatten().all(|url| base_url(url).is_some());
        if sound { Ok(()) } else { Err(SettingsError::BaseUrl) }
    }

    /// Returns the id that paths of the SMS API begin with, and the account is known by.
    pub(super) fn id(&self) -> &str {
        let id = self.project_id.as_deref().or(self.service_plan_id.as_deref());
        id.unwrap_or_default()
    }

    /// Returns where the SMS API is, up to the account's own part of it.
    pub(super) fn sms_base(&self) -> Result<String, SettingsError> {
        let zone = if self.project_id.is_some() { "zt." } else { "" };
        let host = format!("https://{zone}{}.sms.api.sinch.com", self.region.word());
        Ok(format!("{}/xms/v1/{}", plain(self.base_url.as_deref(), &host)?, self.id()))
    }

    /// Returns where tokens are given out.
    pub(super) fn token_url(&self) -> Result<String, SettingsError> {
        let host = plain(self.auth_url.as_deref(), "https://auth.sinch.com")?;
        Ok(format!("{host}/oauth2/token"))
    }

    /// Returns where the consent lists are; none without an app.
    pub(super) fn consents_base(&self) -> Result<Option<String>, SettingsError> {
        let (Some(project), Some(app)) = (&self.project_id, &self.app_id) else { return Ok(None) };
        let host = format!("https://{}.conversation.api.sinch.com", self.region.word());
        let host = plain(self.conversation_url.as_deref(), &host)?;
        Ok(Some(format!("{host}/v1/projects/{project}/apps/{app}/consents")))
    }
}

/// Splits the key of a project in id and secret.
pub(super) fn access_key(key: &SecretString) -> Result<(String, SecretString), SettingsError> {
    let (id, secret) = key.expose_secret().trim().split_once(':').ok_or(SettingsError::Key)?;
    Ok((id.to_owned(), SecretString::from(secret)))
}

fn plain(given: Option<&str>, usual: &str) -> Result<String, SettingsError> {
    base_url(given.unwrap_or(usual)).ok_or(SettingsError::BaseUrl)
}

/// Only such an id can become part of a path or a header.
fn is_id(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=80).contains(&text.len()) && text.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> Settings {
        let sender = "+447700900001".to_owned();
        Settings { project_id: Some("p-1".to_owned()), sender, ..Settings::default() }
    }

    #[test]
    fn the_host_follows_from_the_region_and_from_whose_the_key_is() {
        let eu = Settings { region: Region::Eu, app_id: Some("a".into()), ..project() };
        assert_eq!(eu.sms_base().unwrap(), "https://zt.eu.sms.api.sinch.com/xms/v1/p-1");
        assert_eq!(eu.token_url().unwrap(), "https://auth.sinch.com/oauth2/token");
        assert_eq!(
            eu.consents_base().unwrap().unwrap(),
            "https://eu.conversation.api.sinch.com/v1/projects/p-1/apps/a/consents"
        );
        let plan = Settings {
            project_id: None,
            service_plan_id: Some("plan".into()),
            region: Region::Br,
            ..project()
        };
        assert_eq!(plan.sms_base().unwrap(), "https://br.sms.api.sinch.com/xms/v1/plan");
        assert_eq!(plan.consents_base(), Ok(None));
        let near = Settings { base_url: Some("http://127.0.0.1:9/".into()), ..project() };
        assert_eq!(near.sms_base().unwrap(), "http://127.0.0.1:9/xms/v1/p-1");
    }

    #[test]
    fn settings_out_of_bounds_are_named() {
        let check = |change: fn(&mut Settings)| {
            let mut settings = project();
            change(&mut settings);
            settings.check()
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(check(|s| s.project_id = None), Err(SettingsError::Whose));
        assert_eq!(check(|s| s.service_plan_id = Some("x".into())), Err(SettingsError::Whose));
        assert_eq!(check(|s| s.project_id = Some("a/../b".into())), Err(SettingsError::Id));
        assert_eq!(check(|s| s.app_id = Some(String::new())), Err(SettingsError::Id));
        assert_eq!(check(|s| s.region = Region::Ca), Err(SettingsError::Region));
        assert_eq!(check(|s| s.sender = "Clinic".into()), Err(SettingsError::Sender));
        assert_eq!(check(|s| s.sender = "54321".into()), Ok(()));
        assert_eq!(check(|s| s.in_flight = 51), Err(SettingsError::InFlight));
        assert_eq!(check(|s| s.tries = 0), Err(SettingsError::Tries));
        assert_eq!(check(|s| s.webhook_user = "a:b".into()), Err(SettingsError::WebhookUser));
        assert_eq!(check(|s| s.auth_url = Some("ftp://x".into())), Err(SettingsError::BaseUrl));
        let of_plan = |s: &mut Settings| {
            (s.service_plan_id, s.app_id) = (s.project_id.take(), Some("a".into()));
        };
        assert_eq!(check(of_plan), Err(SettingsError::App));
        assert!(serde_json::from_str::<Settings>(r#"{"projectid": "x"}"#).is_err());
    }

    #[test]
    fn a_projects_key_has_two_halves() {
        assert!(access_key(&SecretString::from("id:secret")).is_ok());
        assert_eq!(access_key(&SecretString::from("token")).err(), Some(SettingsError::Key));
    }
}
