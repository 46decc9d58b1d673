//! What somebody said of messages to them: one current statement for each channel, handle and
//! sender.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::stamp;

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preference {
    /// `prf_…`
    pub id: String,
    /// `sms` and others.
    pub channel: String,
    /// A number, or an e-mail address.
    pub handle: String,
    /// The sender it is about; none where it is about all.
    pub sender_scope: Option<String>,
    /// `granted` or `revoked`.
    pub status: String,
    /// `all` or `non_transactional`.
    pub coverage: String,
    /// `keyword`, `api_key` and others.
    pub origin: &'static str,
    /// The caller's note.
    pub source: Option<String>,
    /// When the person consented, where that was said.
    pub consented_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub effective_at: DateTime<Utc>,
    /// The contact that had the handle then.
    pub contact_id: Option<String>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
}

impl Preference {
    /// Shows it as the API does.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "channel": self.channel,
            "handle": self.handle,
            "sender_scope": self.sender_scope,
            "topic_id": null,
            "status": self.status,
            "coverage": self.coverage,
            "effective_at": stamp(self.effective_at),
            "origin": self.origin,
            "source": self.source,
            "consented_at": self.consented_at.map(stamp),
            "contact_id": self.contact_id,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.effective_at),
        })
    }

    /// Shows it as webhooks do.
    #[must_use]
    pub fn event(&self, transition: &str) -> Value {
        json!({
            "preference_id": self.id,
            "transition_id": transition,
            "channel": self.channel,
            "handle": self.handle,
            "sender_scope": self.sender_scope,
            "topic_id": null,
            "coverage": self.coverage,
            "contact_id": self.contact_id,
        })
    }

    /// Tells whether the person made it, and not the workspace.
    #[must_use]
    pub fn is_the_persons(&self) -> bool {
        !matches!(self.origin, "api_key" | "user" | "import")
    }
}
