//! Webhooks: which changes they tell, how a delivery reads, and its signature.

pub mod change;
pub mod delivery;
pub mod form;

pub use change::{Change, Reason};
pub use delivery::{DeliveryRules, signature};

use serde_json::{Map, Value, json};

use super::audience::email;
use super::audience::member::{Party, Stamp};

/// The events a webhook may ask for; `campaign` never comes, because nobody sends any here.
pub const EVENTS: [&str; 6] =
    ["subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign"];

/// The sources a webhook may ask for.
pub const SOURCES: [&str; 3] = ["user", "admin", "api"];

/// A webhook of an audience.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Ten hex digits.
    pub id: String,
    /// Where deliveries go.
    pub url: String,
    /// The events it asked for.
    pub events: Vec<String>,
    /// The sources it asked for.
    pub sources: Vec<String>,
    /// Signs deliveries; hooks older than 2026 have none.
    pub secret: Option<String>,
    /// Switched off by a 410.
    pub disabled: bool,
}

impl Webhook {
    /// Shows the webhook as the API does, without its secret.
    #[must_use]
    pub fn json(&self, list_id: &str) -> Value {
        let switches = |known: &[&str], chosen: &[String]| -> Map<String, Value> {
            known.iter().map(|n| ((*n).to_owned(), json!(chosen.iter().any(|c| c == n)))).collect()
        };
        json!({
            "id": self.id,
            "url": self.url,
            "events": switches(&EVENTS, &self.events),
            "sources": switches(&SOURCES, &self.sources),
            "signing_enabled": self.secret.is_some(),
            "list_id": list_id,
            "_links": [],
        })
    }

    fn wants(&self, change: &Change, by: Party) -> bool {
        let heard = |name: &str, chosen: &[String]| chosen.iter().any(|c| c == name);
        !self.disabled && heard(change.event(), &self.events) && heard(source(by), &self.sources)
    }
}

/// An event on its way to one webhook.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Event {
    /// The webhook it goes to.
    pub webhook_id: String,
    /// Its type.
    pub event: &'static str,
    /// The raw form body.
    pub body: String,
    /// When it happened, in unix seconds.
    pub fired_at: u32,
    /// How often it was tried.
    pub attempts: u32,
    /// The second of the next attempt.
    #[serde(skip)]
    pub due: Stamp,
}

/// The webhooks of an audience and the events they wait for.
#[derive(Debug)]
pub struct Hooks {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
    /// Events that are not delivered yet, oldest first.
    pub waiting: Vec<Event>,
    seed: u64,
    made: u32,
}

impl Hooks {
    /// Starts without webhooks; their ids and secrets follow from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { webhooks: Vec::new(), waiting: Vec::new(), seed, made: 0 }
    }

    /// Adds a webhook; `signed` gives it a secret.
    pub fn add(
        &mut self,
        url: &str,
        events: Vec<String>,
        sources: Vec<String>,
        signed: bool,
    ) -> &Webhook {
        self.made += 1;
        let digest =
            |what: &str| hex::encode(email::hash(&format!("{what}-{}-{}", self.seed, self.made)));
        let webhook = Webhook {
            id: digest("hook")[..10].to_owned(),
            url: url.to_owned(),
            events,
            sources,
            secret: signed.then(|| format!("whsec_{}", digest("secret"))),
            disabled: false,
        };
        let place = self.webhooks.len();
        self.webhooks.push(webhook);
        &self.webhooks[place]
    }

    /// Tells whether any webhook asked for this.
    #[must_use]
    pub fn wants(&self, change: &Change, by: Party) -> bool {
        self.webhooks.iter().any(|hook| hook.wants(change, by))
    }

    /// Queues an event for every webhook that asked for it.
    pub fn queue(&mut self, change: &Change, by: Party, fields: &[(String, String)], now: Stamp) {
        let body = form::encode(fields);
        let wanting = self.webhooks.iter().filter(|hook| hook.wants(change, by));
        self.waiting.extend(wanting.map(|hook| Event {
            webhook_id: hook.id.clone(),
            event: change.event(),
            body: body.clone(),
            fired_at: now.0,
            attempts: 0,
            due: now,
        }));
    }
}

/// Returns a webhook's word for who did something.
const fn source(by: Party) -> &'static str {
    match by {
        Party::Contact | Party::Bounce => "user",
        Party::Admin => "admin",
        Party::Api => "api",
    }
}
