//! Making and mending webhooks. Bird signs always, with a secret that it shows once.
//!
//! A webhook that failed for long is paused by Bird, and what happens meanwhile is told to nobody:
//! it wants repair, and the lists tell the rest.

use std::collections::BTreeSet;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::json;

use super::Connection;
use super::api::{Call, parse};
use super::wire::Endpoint;
use crate::domain::Origin;
use crate::providers::http::Failure;
use crate::providers::{Hook, ProviderError, WebhookAdmin};

/// What a webhook tells: what people say, what stops texts to them, and what became of ours.
const EVENTS: [&str; 10] = [
    "sms.received",
    "sms.delivered",
    "sms.undelivered",
    "sms.failed",
    "sms.rejected",
    "sms.expired",
    "sms_suppression.created",
    "preference.granted",
    "preference.revoked",
    "preference.deleted",
];

/// The webhooks of one workspace.
#[derive(Debug)]
pub(super) struct Hooks {
    pub(super) connection: Connection,
}

#[async_trait]
impl WebhookAdmin for Hooks {
    fn origins(&self) -> &'static [Origin] {
        &[Origin::Any]
    }

    async fn hooks(&self) -> Result<Vec<Hook>, ProviderError> {
        let all: Vec<Endpoint> = self
            .connection
            .read_all(&Call::get(&["webhooks"]))
            .await
            .map_err(Failure::of_account)?;
        Ok(all.into_iter().map(|endpoint| hook(endpoint).0).collect())
    }

    async fn create(
        &self,
        url: &str,
        _origin: Origin,
    ) -> Result<(Hook, Option<SecretString>), ProviderError> {
        let body = json!({ "url": url, "events": EVENTS, "description": "Listwarden" });
        let call = Call::post(&["webhooks"], self.connection.clock().id(), body);
        let made = self.connection.write(&call).await.map_err(Failure::of_account)?;
        Ok(hook(parse(&made).map_err(Failure::of_account)?))
    }

    /// Sets URL and events, and wakes a paused webhook. Bird mends a degraded one by itself.
    async fn repair(&self, id: &str, url: &str, _origin: Origin) -> Result<(), ProviderError> {
        let path = ["webhooks", id];
        let there: Endpoint =
            self.connection.read(&Call::get(&path)).await.map_err(Failure::of_account)?;
        let mut body = json!({ "url": url, "events": EVENTS });
        if there.status == "paused" {
            body["status"] = json!("active");
        }
        let done = self.connection.write(&Call::patch(&path, body)).await;
        done.map(drop).map_err(Failure::of_account)
    }

    async fn remove(&self, id: &str) -> Result<(), ProviderError> {
        match self.connection.write(&Call::delete(&["webhooks", id])).await {
            Ok(_) | Err(Failure::NotFound) => Ok(()),
            Err(failure) => Err(failure.of_account()),
        }
    }
}

fn hook(endpoint: Endpoint) -> (Hook, Option<SecretString>) {
    let asked: BTreeSet<&str> = endpoint.events.iter().map(String::as_str).collect();
    let sound = endpoint.status != "paused" && asked == BTreeSet::from(EVENTS);
    let tells = sound.then_some(Origin::Any);
    (Hook { id: endpoint.id, url: endpoint.url, signs: Some(true), tells }, endpoint.secret)
}
