//! A line of the message log.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// A message, in or out.
#[derive(Debug, Clone)]
pub struct Message {
    /// `SM` and 32 hex digits.
    pub sid: String,
    /// `inbound`, `outbound-api` or `outbound-reply`.
    pub direction: &'static str,
    /// Where it stands.
    pub status: &'static str,
    /// The sender; a messaging service chooses late.
    pub from: Option<String>,
    /// The recipient.
    pub to: String,
    /// What it says.
    pub body: String,
    /// Why it failed.
    pub error: Option<u32>,
    /// The messaging service.
    pub service: Option<String>,
    /// When it was taken.
    pub created: DateTime<Utc>,
    /// When it left or came.
    pub sent: Option<DateTime<Utc>>,
    /// When it changed last.
    pub updated: DateTime<Utc>,
    /// Where its fate is told.
    pub callback: Option<String>,
    /// When its fate is known; none once it is.
    pub due: Option<DateTime<Utc>>,
}

impl Message {
    /// Shows it as the API does: dates as RFC 2822, counts as text, addresses relative.
    #[must_use]
    pub fn json(&self, account: &str) -> Value {
        let uri = format!("/2010-04-01/Accounts/{account}/Messages/{}", self.sid);
        json!({
            "sid": self.sid,
            "account_sid": account,
            "api_version": "2010-04-01",
            "direction": self.direction,
            "status": self.status,
            "from": self.from,
            "to": self.to,
            "body": self.body,
            "error_code": self.error,
            "error_message": self.error.map(|_| "Message was not delivered"),
            "messaging_service_sid": self.service,
            "num_media": "0",
            "num_segments": "1",
            "price": null,
            "price_unit": "USD",
            "date_created": self.created.to_rfc2822(),
            "date_sent": self.sent.map(|at| at.to_rfc2822()),
            "date_updated": self.updated.to_rfc2822(),
            "subresource_uris": {"media": format!("{uri}/Media.json")},
            "uri": format!("{uri}.json"),
        })
    }
}
