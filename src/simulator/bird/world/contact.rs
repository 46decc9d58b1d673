//! A contact of a workspace.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::stamp;

/// A contact: at least one of an address and a number, each unique in the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// `con_…`
    pub id: String,
    /// The e-mail address, in lower case.
    pub email: Option<String>,
    /// The number, in international form.
    pub phone_number: Option<String>,
    /// The caller's own id.
    pub external_id: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Contact {
    /// Shows it as the API does, without its audiences.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "email": self.email,
            "phone_number": self.phone_number,
            "first_name": null,
            "last_name": null,
            "external_id": self.external_id,
            "data": {},
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        })
    }
}

/// Reads a number: a leading `+` and four to fifteen digits; spaces and punctuation do not count.
#[must_use]
pub fn number(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !" -().".contains(*c)).collect();
    let digits = kept.strip_prefix('+')?;
    let sound = (4..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    sound.then(|| format!("+{digits}"))
}
