//! Callbacks: what is told, how it is signed, and when it is told again.
//!
//! Source: Sinch docs, SMS REST API, Webhooks; Sinch Python SDK, `authentication_validation.py`.

pub mod delivery;

pub use delivery::{DeliveryRules, Signing, signature};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::door::reply::stamp;

/// Where an account's callbacks go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// The URL.
    pub url: String,
    /// How the receiver can tell that they are genuine.
    pub signing: Signing,
}

/// An event on its way to the callback.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its type.
    pub event: &'static str,
    /// The raw body.
    pub body: String,
    /// When it happened.
    pub fired_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub due: DateTime<Utc>,
}

/// What became of a text, for one number.
#[derive(Debug, Clone)]
pub struct Report {
    /// The batch.
    pub batch_id: String,
    /// The number, without `+`.
    pub number: String,
    /// The status code, 0 and 400 to 418, or a code of the mobile network.
    pub code: u16,
    /// The status, as `Delivered`.
    pub status: &'static str,
}

impl Report {
    /// Shows it as the callbacks do.
    #[must_use]
    pub fn json(&self, client_reference: Option<&str>, now: DateTime<Utc>) -> Value {
        let mut shown = json!({
            "type": "recipient_delivery_report_sms",
            "batch_id": self.batch_id,
            "recipient": self.number,
            "code": self.code,
            "status": self.status,
            "at": stamp(now),
            "operator_status_at": stamp(now),
        });
        if let Some(reference) = client_reference {
            shown["client_reference"] = json!(reference);
        }
        shown
    }
}

/// The callback of an account, and the events that wait for it.
#[derive(Debug, Default)]
pub struct Hooks {
    /// Where they go; without it nothing is queued.
    pub callback: Option<Callback>,
    /// Events that are not delivered yet, oldest first.
    pub waiting: Vec<Event>,
}

impl Hooks {
    /// Queues an event.
    pub fn queue(&mut self, event: &'static str, body: &Value, now: DateTime<Utc>) {
        if self.callback.is_some() {
            let body = body.to_string();
            self.waiting.push(Event { event, body, fired_at: now, attempts: 0, due: now });
        }
    }
}
