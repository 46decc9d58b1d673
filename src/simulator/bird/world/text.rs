//! A text, in or out.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::stamp;

/// A text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// `sms_…`
    pub id: String,
    /// Whether a person sent it.
    pub inbound: bool,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it says.
    pub body: String,
    /// What it is for; none of what people send.
    pub category: Option<String>,
    /// Where it stands, as `delivered`.
    pub status: String,
    /// Why it was not delivered, as `unreachable`.
    pub error: Option<String>,
    /// When it was taken, or came.
    pub created_at: DateTime<Utc>,
    /// When its status came to be.
    pub changed_at: DateTime<Utc>,
}

impl Text {
    fn failure(&self) -> Option<Value> {
        self.error.as_ref().map(|code| {
            json!({
                "code": code,
                "description": "as the carrier has it",
                "carrier_error_code": null,
                "occurred_at": stamp(self.changed_at),
                "permanent": null,
            })
        })
    }

    fn segments(&self) -> Value {
        json!({ "count": 1, "encoding": "GSM_7BIT", "characters": self.body.chars().count() })
    }

    /// Shows it as the API does.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "direction": if self.inbound { "inbound" } else { "outbound" },
            "status": self.status,
            "to": self.to,
            "from": self.from,
            "text": self.body,
            "category": self.category,
            "requested_language": null,
            "resolved_language": null,
            "template_id": null,
            "template_version_id": null,
            "template_content_hash": null,
            "segments": self.segments(),
            "last_error": self.failure(),
            "created_at": stamp(self.created_at),
            "sent_at": null,
            "delivered_at": null,
        })
    }

    /// Shows it as webhooks do.
    #[must_use]
    pub fn event(&self, workspace: &str) -> Value {
        let mut shown = json!({
            "sms_id": self.id,
            "workspace_id": workspace,
            "to": self.to,
            "from": self.from,
            "tags": null,
            "metadata": null,
            "requested_language": null,
            "resolved_language": null,
            "template_id": null,
            "template_version_id": null,
            "template_content_hash": null,
            "segments": self.segments(),
            "cost": null,
        });
        if self.inbound {
            shown["text"] = json!(self.body);
        } else {
            shown["error"] = self.failure().unwrap_or_default();
        }
        shown
    }
}
