//! Texts: one to a number, sent once however often it is asked for.

use async_trait::async_trait;
use serde_json::json;
use uuid::Uuid;

use super::Connection;
use super::api::{Call, parse};
use super::wire::Message;
use crate::domain::{Address, Personal};
use crate::providers::http::Failure;
use crate::providers::{ProviderError, Refusal, TextSender, TextSent};

/// What a text is for, in Bird's words: it decides what opt-outs keep it back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// An invitation: every opt-out keeps it back.
    Marketing,
    /// An answer to somebody who asked.
    Service,
}

#[async_trait]
impl TextSender for Connection {
    async fn text(
        &self,
        id: Uuid,
        to: &Address,
        body: &Personal,
    ) -> Result<TextSent, ProviderError> {
        self.send_text(id, to, body, Purpose::Service).await
    }
}

impl Connection {
    /// Sends one text under the name `id`, on which Bird acts once.
    pub(super) async fn send_text(
        &self,
        id: Uuid,
        to: &Address,
        body: &Personal,
        purpose: Purpose,
    ) -> Result<TextSent, ProviderError> {
        let category = match purpose {
            Purpose::Marketing => "marketing",
            Purpose::Service => "service",
        };
        let text = json!({
            "from": self.settings().sender,
            "to": to.expose(),
            "text": body.expose(),
            "category": category,
        });
        let answer = match self.write(&Call::post(&["sms", "messages"], id, text)).await {
            Ok(answer) => answer,
            Err(Failure::Refused { refusal, .. }) => return Ok(TextSent::Refused(refusal)),
            Err(failure) => return Err(failure.of_account()),
        };
        let message: Message = parse(&answer).map_err(Failure::of_account)?;
        let code = message.last_error.as_ref().map(|error| error.code.as_str());
        Ok(match (message.status.as_str(), code) {
            ("rejected" | "failed", code) => TextSent::Refused(refusal(code)),
            _ => TextSent::Sent(message.id),
        })
    }
}

/// Why a text was taken and refused at once.
fn refusal(code: Option<&str>) -> Refusal {
    match code {
        Some("recipient_opted_out" | "blocked_by_recipient") => Refusal::OptedOut,
        Some("invalid_destination" | "landline_unreachable") => Refusal::InvalidAddress,
        code => {
            let title = crate::providers::http::plain(code.unwrap_or("rejected"));
            Refusal::Other { status: 0, title }
        }
    }
}
