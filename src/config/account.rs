//! A clinic's account at a list provider.

use serde_json::{Map, Value};

use super::AccountConfig;
use super::section::Section;
use crate::domain::Channel;
use crate::patients::nearest::nearest;

/// A setting that a provider does not take.
pub(super) struct WrongSetting {
    /// The key at fault.
    key: String,
    /// What to do about it.
    cure: String,
}

/// A provider as configuration knows it.
pub(super) struct Provider {
    /// Its name in configuration.
    pub(super) name: &'static str,
    /// The channel of its lists.
    pub(super) channel: Channel,
    /// Checks the provider's own settings: the key at fault, and what to do.
    check: fn(&Map<String, Value>) -> Result<(), WrongSetting>,
}

/// The providers there are; one line each.
pub(super) const PROVIDERS: &[Provider] =
    &[Provider { name: "mailchimp", channel: Channel::Email, check: |_| Ok(()) }];

pub(super) fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}

/// Reads an account; its settings are left to its provider.
pub(super) fn read(name: &str, section: &Section<'_>) -> Option<(String, AccountConfig)> {
    section.check_slug("", name);
    let known = || PROVIDERS.iter().map(|provider| provider.name);
    let cure = format!("Known: {}", known().collect::<Vec<_>>().join(", "));
    let provider_name = section.required("provider", &cure);
    let key_secret = match section.item("api_key") {
        None => {
            section.missing("api_key", "Write the name of the secret that holds the key, such as api_key = \"mailchimp_key\"");
            None
        }
        Some(_) => section.secret_name("api_key"),
    };
    let settings = section.rest();
    let name_given = provider_name?;
    let Some(provider) = provider(&name_given) else {
        let cure =
            nearest(&name_given, known()).map_or(cure, |meant| format!("Did you mean {meant}?"));
        section.problem("provider", "is no provider that is known", &cure);
        return None;
    };
    if let Err(WrongSetting { key, cure }) = (provider.check)(&settings) {
        section.problem(&key, "is not what the provider takes", &cure);
    }
    let provider = provider.name.to_owned();
    Some((name.to_owned(), AccountConfig { provider, key_secret: key_secret?, settings }))
}
