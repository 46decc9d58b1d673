//! What Twilio sends, as far as it is read. Source: Twilio's `OpenAPI` descriptions, api v2010 and
//! messaging v1.

use std::fmt;

use serde::Deserialize;

/// The account. With an auth token the answer holds that token too: it is not read.
#[derive(Debug, Deserialize)]
pub struct Account {
    pub sid: String,
    pub status: String,
}

/// A messaging service.
#[derive(Debug, Deserialize)]
pub struct Service {
    pub sid: String,
    pub friendly_name: String,
    #[serde(default)]
    pub inbound_request_url: Option<String>,
    #[serde(default)]
    pub inbound_method: Option<String>,
    #[serde(default)]
    pub status_callback: Option<String>,
    #[serde(default)]
    pub use_inbound_webhook_on_number: bool,
}

/// The numbers an account holds.
#[derive(Debug, Deserialize)]
pub struct Numbers {
    pub incoming_phone_numbers: Vec<Number>,
}

/// A number an account holds.
#[derive(Debug, Deserialize)]
pub struct Number {
    pub sid: String,
    #[serde(rename = "phone_number")]
    pub e164: String,
    pub friendly_name: String,
    #[serde(default)]
    pub capabilities: Able,
    #[serde(default)]
    pub sms_url: Option<String>,
    #[serde(default)]
    pub sms_method: Option<String>,
    #[serde(default)]
    pub sms_application_sid: Option<String>,
}

/// What a number can do.
#[derive(Debug, Default, Deserialize)]
pub struct Able {
    #[serde(default)]
    pub sms: bool,
}

/// The answer to a message that was taken.
#[derive(Debug, Deserialize)]
pub struct Sent {
    pub sid: String,
}

/// One page of the message log, newest first.
#[derive(Debug, Deserialize)]
pub struct Messages {
    pub messages: Vec<Message>,
    pub next_page_uri: Option<String>,
}

/// A line of the message log.
#[derive(Deserialize)]
pub struct Message {
    pub sid: String,
    pub direction: String,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub from: Option<String>,
    #[serde(default)]
    pub to: Option<String>,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub error_code: Option<u32>,
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    #[serde(default)]
    pub date_created: Option<String>,
    #[serde(default)]
    pub date_sent: Option<String>,
    #[serde(default)]
    pub date_updated: Option<String>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("direction", &self.direction).finish_non_exhaustive()
    }
}
