//! What the receiver asks of a provider: is this delivery genuine, and what does it say?

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::signatures::{Delivery, Forged, Verified};
use super::{Notice, ProviderError};
use crate::domain::Origin;

/// How a provider signs its deliveries and what they mean.
pub trait WebhookScheme: std::fmt::Debug + Send + Sync {
    /// Checks a delivery against the secrets that are valid now; any of them may have signed it.
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged>;

    /// Reads what a delivery says. An unknown type is [`super::Word::Other`], never an error.
    fn read(&self, delivery: &Delivery<'_>, origin: Origin) -> Result<Vec<Notice>, Malformed>;

    /// The media types its deliveries come in.
    fn media_types(&self) -> &'static [&'static str];

    /// What it wants as an answer: media type and body.
    fn answer(&self) -> (&'static str, &'static str) {
        ("text/plain", "")
    }
}

/// A delivery that is not what the provider documents. Never says any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the delivery could not be read: {what}")]
pub struct Malformed {
    /// What is wrong with it.
    pub what: &'static str,
}

/// A webhook as it is at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The provider's id of it.
    pub id: String,
    /// Where it sends to.
    pub url: String,
    /// Whether it signs; none where the provider does not say.
    pub signs: Option<bool>,
    /// Whose acts it tells, if it tells exactly what we ask for; else it wants repair.
    pub tells: Option<Origin>,
}

/// Creates and removes webhooks at a provider.
#[async_trait]
pub trait WebhookAdmin: std::fmt::Debug + Send + Sync {
    /// Whose acts are told to an endpoint of their own: one hook is made for each.
    fn origins(&self) -> &'static [Origin];

    /// Whether there is one place for a hook, which a new one has to take over.
    fn has_one_place(&self) -> bool {
        false
    }

    /// Reads the hooks there are.
    async fn hooks(&self) -> Result<Vec<Hook>, ProviderError>;

    /// Creates a hook that tells everything of `origin` to `url`; returns it with the signing
    /// secret, which is shown this once.
    async fn create(
        &self,
        url: &str,
        origin: Origin,
    ) -> Result<(Hook, Option<SecretString>), ProviderError>;

    /// Brings a hook back to what we ask for.
    async fn repair(&self, id: &str, url: &str, origin: Origin) -> Result<(), ProviderError>;

    /// Removes a hook; one that is gone already is no error.
    async fn remove(&self, id: &str) -> Result<(), ProviderError>;
}
