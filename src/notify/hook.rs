//! An alert as a webhook, signed as Standard Webhooks has it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{NotifyError, cure, sentence};
use crate::config::HookSettings;
use crate::providers::Transport;
use crate::providers::signatures::StandardWebhooks;
use crate::store::AlertRow;

/// Sends alerts to one URL.
pub(super) struct Hook {
    url: String,
    secret: SecretString,
    transport: Arc<dyn Transport>,
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

impl Hook {
    pub(super) fn new(
        settings: &HookSettings,
        secret: &SecretString,
        transport: Arc<dyn Transport>,
    ) -> Result<Self, NotifyError> {
        let secret: SecretString = secret.expose_secret().trim().to_owned().into();
        StandardWebhooks::sign(&secret, "id", DateTime::UNIX_EPOCH, b"")
            .ok_or(NotifyError::HookSecret)?;
        Ok(Self { url: settings.url.clone(), secret, transport })
    }

    /// Sends one alert: its id is the delivery's, also when it is sent again.
    pub(super) async fn send(
        &self,
        clinic: &str,
        alert: &AlertRow,
        now: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        let body = json!({
            "type": format!("listwarden.{}", alert.kind),
            "timestamp": alert.since,
            "data": {
                "clinic": clinic,
                "list": alert.list,
                "kind": alert.kind,
                "links": alert.links,
                "since": alert.since,
                "text": sentence(clinic, alert),
                "cure": cure(alert.kind),
            },
        })
        .to_string();
        let id = format!("msg_{}", alert.id.simple());
        let signature = StandardWebhooks::sign(&self.secret, &id, now, body.as_bytes());
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.timestamp().to_string())
            .header("webhook-signature", signature.ok_or("it could not be signed")?)
            .body(Bytes::from(body))
            .map_err(|_| "the URL is none")?;
        let answer = self.transport.send(request).await.map_err(|_| "there was no answer")?;
        if answer.status().is_success() { Ok(()) } else { Err("it was not taken") }
    }
}
