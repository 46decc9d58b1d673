//! Where Twilio sends what it has to tell: one address each, of the messaging service or number.
//!
//! A messaging service tells replies and delivery reports; a number tells replies only, as its
//! `status_callback` is for calls, and failed deliveries come from the log. Twilio signs always,
//! with a secret of the account rather than of the hook: it is known here only where we were given
//! the auth token as credential.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use super::api::Connection;
use super::wire;
use crate::domain::Origin;
use crate::providers::http::Failure;
use crate::providers::{Hook, ProviderError, WebhookAdmin};

/// The one hook of the sender.
#[derive(Debug)]
pub struct Hooks {
    pub connection: Connection,
}

impl Hooks {
    async fn read(&self) -> Result<Hook, ProviderError> {
        if self.connection.settings().sends_by_service() {
            let service: wire::Service =
                self.connection.read_service().await.map_err(Failure::of_list)?;
            return Ok(of_service(service));
        }
        Ok(of_number(self.connection.read_number().await?))
    }

    /// Sets the address; an empty one removes it.
    async fn set(&self, id: &str, url: &str) -> Result<(), ProviderError> {
        let done: Result<Value, Failure> = if self.connection.settings().sends_by_service() {
            let form = [
                ("InboundRequestUrl", url),
                ("InboundMethod", "POST"),
                ("StatusCallback", url),
                ("UseInboundWebhookOnNumber", "false"),
            ];
            self.connection.post_service(&form).await
        } else {
            let form = [("SmsUrl", url), ("SmsMethod", "POST"), ("SmsApplicationSid", "")];
            let number = format!("/IncomingPhoneNumbers/{id}.json");
            self.connection.post(&self.connection.own(&number, &[]), &form).await
        };
        done.map(drop).map_err(Failure::of_list)
    }
}

#[async_trait]
impl WebhookAdmin for Hooks {
    fn origins(&self) -> &'static [Origin] {
        &[Origin::Any]
    }

    fn has_one_place(&self) -> bool {
        true
    }

    async fn hooks(&self) -> Result<Vec<Hook>, ProviderError> {
        let hook = self.read().await?;
        Ok(if hook.url.is_empty() { Vec::new() } else { vec![hook] })
    }

    /// Takes the place only where it is free: whatever hears the replies now may be the clinic's
    /// own. To take it over, repair the hook that is there.
    async fn create(
        &self,
        url: &str,
        _origin: Origin,
    ) -> Result<(Hook, Option<SecretString>), ProviderError> {
        let hook = self.read().await?;
        if !hook.url.is_empty() && hook.url != url {
            let title = "replies to this sender go elsewhere already".to_owned();
            return Err(ProviderError::Rejected { status: 200, title });
        }
        self.set(&hook.id, url).await?;
        let hook = Hook { url: url.to_owned(), tells: Some(Origin::Any), ..hook };
        Ok((hook, self.connection.signing_secret()))
    }

    async fn repair(&self, id: &str, url: &str, _origin: Origin) -> Result<(), ProviderError> {
        self.set(id, url).await
    }

    /// Clears the place, whoever's address stands there by now: Twilio names the place only.
    async fn remove(&self, id: &str) -> Result<(), ProviderError> {
        match self.set(id, "").await {
            Err(ProviderError::ListGone) => Ok(()),
            done => done,
        }
    }
}

fn of_service(service: wire::Service) -> Hook {
    let url = service.inbound_request_url.unwrap_or_default();
    let sound = service.inbound_method.as_deref() == Some("POST")
        && service.status_callback.as_deref() == Some(&url)
        && !service.use_inbound_webhook_on_number;
    hook(service.sid, url, sound)
}

fn of_number(number: wire::Number) -> Hook {
    let sound = number.sms_method.as_deref() == Some("POST")
        && number.sms_application_sid.is_none_or(|sid| sid.is_empty());
    hook(number.sid, number.sms_url.unwrap_or_default(), sound)
}

fn hook(id: String, url: String, sound: bool) -> Hook {
    Hook { id, url, signs: Some(true), tells: sound.then_some(Origin::Any) }
}
