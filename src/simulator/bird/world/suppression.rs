//! A sender's texts to somebody, stopped.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::stamp;

/// A suppression of one pair of sender and recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// `ssu_…`
    pub id: String,
    /// To whom.
    pub destination: String,
    /// From whom.
    pub originator: String,
    /// `keyword_stop`, `carrier_opted_out` or `manual`.
    pub reason: String,
    /// `keyword`, `dlr_event`, `api_key` or `user`.
    pub origin: &'static str,
    /// When it was asked for.
    pub effective_at: DateTime<Utc>,
    /// When it ended, and what ended it.
    pub ended: Option<(DateTime<Utc>, &'static str)>,
}

impl Suppression {
    /// Shows it as the API does.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "destination": self.destination,
            "originator": self.originator,
            "reason": self.reason,
            "origin": self.origin,
            "applies_to": "all",
            "blocking": self.ended.is_none(),
            "source_sms_id": null,
            "effective_at": stamp(self.effective_at),
            "ended_at": self.ended.map(|(at, _)| stamp(at)),
            "ended_reason": self.ended.map(|(_, reason)| reason),
            "ended_effective_at": self.ended.map(|(at, _)| stamp(at)),
            "source_end_sms_id": null,
            "created_at": stamp(self.effective_at),
            "last_asserted_at": stamp(self.effective_at),
        })
    }
}
