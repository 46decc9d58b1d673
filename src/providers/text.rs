//! Single text messages: the answer to HELP. Invitations go with the writes of a list.

use async_trait::async_trait;
use uuid::Uuid;

use super::{ProviderError, Refusal};
use crate::domain::{Address, Personal};

/// Sends single text messages from the account's sender.
#[async_trait]
pub trait TextSender: std::fmt::Debug + Send + Sync {
    /// Sends `body` to one number. `id` names the attempt, so that a provider which takes such ids
    /// sends it once however often it is asked.
    async fn text(
        &self,
        id: Uuid,
        to: &Address,
        body: &Personal,
    ) -> Result<TextSent, ProviderError>;
}

/// What became of a text message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextSent {
    /// The provider took it, and names it so.
    Sent(String),
    /// The provider refused it.
    Refused(Refusal),
}
