//! Errors and instants as the API writes them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use crate::simulator::door::Reply;

/// Answers with an error document: `code` for programs, `text` for people.
///
/// Source: Sinch docs, SMS REST API, HTTP errors. Only 400 and 403 have one.
#[must_use]
pub fn error(status: u16, code: &str, text: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "text": text }))
}

/// Writes an instant as the API does: UTC with milliseconds.
#[must_use]
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
