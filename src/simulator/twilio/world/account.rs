//! An account: its credentials, its senders, its messages, and who said STOP to which sender.

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::message::Message;

/// An account.
#[derive(Debug)]
pub struct Account {
    /// `AC` and 32 hex digits.
    pub sid: String,
    /// Its name.
    pub name: String,
    /// The primary auth token first.
    pub auth_tokens: Vec<String>,
    /// Its API keys.
    pub keys: Vec<ApiKey>,
    /// The key deliveries are signed with instead of the auth token: id and secret.
    pub shared_key: Option<(String, String)>,
    /// Whether it was suspended.
    pub suspended: bool,
    /// The numbers it holds.
    pub numbers: Vec<Number>,
    /// Its messaging services.
    pub services: Vec<Service>,
    /// The message log, oldest first.
    pub messages: Vec<Message>,
    /// Sender (a number, or the service it is in) and the number that said STOP to it.
    pub blocked: BTreeSet<(String, String)>,
    /// The consents it was told of.
    pub consents: Vec<Consent>,
    /// When it was told, within the last minute.
    pub consent_calls: VecDeque<DateTime<Utc>>,
}

/// An API key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// `SK` and 32 hex digits.
    pub sid: String,
    /// Its secret.
    pub secret: String,
    /// Whether it may read the account itself; standard keys may not.
    pub main: bool,
}

/// A number.
#[derive(Debug, Clone)]
pub struct Number {
    /// `PN` and 32 hex digits.
    pub sid: String,
    /// The number itself.
    pub e164: String,
    /// Whether it takes texts.
    pub sms: bool,
    /// Where replies are told.
    pub sms_url: String,
}

/// A messaging service.
#[derive(Debug, Clone)]
pub struct Service {
    /// `MG` and 32 hex digits.
    pub sid: String,
    /// Its name.
    pub name: String,
    /// The numbers it sends from, E.164.
    pub numbers: Vec<String>,
    /// Where replies are told.
    pub inbound_request_url: Option<String>,
    /// Where the fate of texts is told.
    pub status_callback: Option<String>,
    /// Tells replies where the number says instead.
    pub use_inbound_webhook_on_number: bool,
}

/// A consent the account told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consent {
    /// Whose.
    pub contact_id: String,
    /// To which sender.
    pub sender_id: String,
    /// `opt-in` or `opt-out`.
    pub status: String,
    /// How it was given.
    pub source: String,
}

impl Account {
    /// Opens an account.
    #[must_use]
    pub const fn new(sid: String, name: String, auth_token: Vec<String>) -> Self {
        Self {
            sid,
            name,
            auth_tokens: auth_token,
            keys: Vec::new(),
            shared_key: None,
            suspended: false,
            numbers: Vec::new(),
            services: Vec::new(),
            messages: Vec::new(),
            blocked: BTreeSet::new(),
            consents: Vec::new(),
            consent_calls: VecDeque::new(),
        }
    }

    /// Finds the service that a number is in.
    #[must_use]
    pub fn service_of(&self, number: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.numbers.iter().any(|own| own == number))
    }

    /// Returns what a STOP to this number or service is kept under: the service, where the number
    /// is in one.
    #[must_use]
    pub fn scope(&self, sender: &str) -> String {
        self.service_of(sender).map_or_else(|| sender.to_owned(), |service| service.sid.clone())
    }

    /// Tells whether a number said STOP to this sender.
    #[must_use]
    pub fn blocks(&self, sender: &str, number: &str) -> bool {
        self.blocked.contains(&(self.scope(sender), number.to_owned()))
    }

    /// Notes or lifts a STOP.
    pub fn block(&mut self, sender: &str, number: &str, on: bool) {
        let pair = (self.scope(sender), number.to_owned());
        if on {
            self.blocked.insert(pair);
        } else {
            self.blocked.remove(&pair);
        }
    }
}
