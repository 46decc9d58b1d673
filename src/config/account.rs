//! A clinic's account at a list provider.

use super::AccountConfig;
use super::section::Section;
use crate::domain::Channel;
use crate::patients::nearest::nearest;
use crate::providers::{PROVIDERS, provider};

/// Reads an account; its settings are left to its provider.
pub(super) fn read(name: &str, section: &Section<'_>) -> Option<(String, AccountConfig)> {
    section.check_slug("", name);
    let known = || PROVIDERS.iter().map(|provider| provider.name);
    let cure = format!("Known: {}", known().collect::<Vec<_>>().join(", "));
    let provider_name = section.required("provider", &cure);
    let key_secret = match section.item("api_key") {
        None => {
            section.missing(
                "api_key",
                "Write the name of the secret that holds the key, such as api_key = \"main_key\"",
            );
            None
        }
        Some(_) => section.secret_name("api_key"),
    };
    let help = section.text("help_text");
    let webhook_secrets = section.secret_names("webhook_secrets");
    let settings = section.rest();
    let name_given = provider_name?;
    let Some(provider) = provider(&name_given) else {
        let cure =
            nearest(&name_given, known()).map_or(cure, |meant| format!("Did you mean {meant}?"));
        section.problem("provider", "is no provider that is known", &cure);
        return None;
    };
    if help.is_some() && provider.channel != Channel::Sms {
        let cure = "Remove the line: only text messages ask for HELP";
        section.problem("help_text", "is for providers of text messages", cure);
    }
    if let Err(bad) = (provider.check)(&settings) {
        section.problem("provider", "does not take the account's settings", &bad.to_string());
    }
    let provider = provider.name.to_owned();
    Some((
        name.to_owned(),
        AccountConfig { provider, key_secret: key_secret?, help, webhook_secrets, settings },
    ))
}
