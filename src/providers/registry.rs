//! The providers there are: one line each.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{
    ListWriter, NoticeReader, ProviderError, TextSender, Transport, WebhookAdmin, WebhookScheme,
    bird, mailchimp, sinch, twilio,
};
use crate::clock::SharedClock;
use crate::domain::Channel;

/// The providers there are.
pub const PROVIDERS: &[Provider] =
    &[mailchimp::PROVIDER, bird::PROVIDER, sinch::PROVIDER, twilio::PROVIDER];

/// A provider as configuration and composition know it.
#[derive(Debug, Clone, Copy)]
pub struct Provider {
    /// Its name in configuration.
    pub name: &'static str,
    /// The channel of its lists.
    pub channel: Channel,
    /// Whether it keeps who is on a list; else the list lives with us, and each of several on one
    /// sender has its own word on everybody.
    pub keeps_list: bool,
    /// Checks its own settings before anything is opened.
    pub check: fn(&Map<String, Value>) -> Result<(), BadSettings>,
    /// Opens an account.
    pub connect: fn(Opening) -> Result<Arc<dyn ListAccount>, BadSettings>,
    /// How its webhooks are verified and read; none where it has none.
    pub webhook: Option<ReadScheme>,
}

/// Makes the scheme of an account's webhooks out of its settings.
pub type ReadScheme = fn(&Map<String, Value>) -> Result<Arc<dyn WebhookScheme>, BadSettings>;

/// What an account is opened with.
#[derive(Debug)]
pub struct Opening {
    /// The provider's own settings.
    pub settings: Map<String, Value>,
    /// The credential.
    pub key: SecretString,
    /// How requests leave.
    pub transport: Arc<dyn Transport>,
    /// Time.
    pub clock: SharedClock,
}

/// An account at a provider; its lists share the connections.
#[async_trait]
pub trait ListAccount: fmt::Debug + Send + Sync {
    /// Reads the id and name of every list there is in the account.
    async fn lists(&self) -> Result<Vec<(String, String)>, ProviderError>;

    /// Returns one list; nothing is sent yet. `fields` and `tags` say what is read of members
    /// that are read singly (L25).
    fn list(&self, id: &str, fields: BTreeSet<String>, tags: bool) -> Arc<dyn ListWriter>;

    /// The sender that texts come from and replies go to, as notices name it.
    fn sender(&self) -> Option<&str> {
        None
    }

    /// Reads what the account was told, where members do not show all of it.
    fn notices(&self) -> Option<Arc<dyn NoticeReader>> {
        None
    }

    /// Sends single texts, where the account can.
    fn texts(&self) -> Option<Arc<dyn TextSender>> {
        None
    }

    /// Creates webhooks for a list, or for the whole account, where the provider has an API for it.
    fn webhooks(&self, _list: &str) -> Option<Arc<dyn WebhookAdmin>> {
        None
    }
}

/// Settings that a provider does not take, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSettings(pub String);

/// Finds a provider by its name in configuration.
#[must_use]
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}
