//! An answer before it becomes an HTTP response.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// An answer of the service.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What the body is; none where there is no body.
    pub content_type: Option<&'static str>,
}

impl Reply {
    /// Answers with a document.
    #[must_use]
    pub fn json(status: u16, document: &Value) -> Self {
        let body = serde_json::to_vec(document).unwrap_or_default();
        Self { status, headers: Vec::new(), body, content_type: Some("application/json") }
    }

    /// Answers with an error document: `code` for programs, `text` for people.
    ///
    /// Source: Sinch docs, SMS REST API, HTTP errors. Only 400 and 403 have one.
    #[must_use]
    pub fn error(status: u16, code: &str, text: &str) -> Self {
        Self::json(status, &json!({ "code": code, "text": text }))
    }

    /// Answers with a status alone.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), content_type: None }
    }

    /// Answers with HTML, as what stands before the API does.
    #[must_use]
    pub fn html(status: u16, heading: &str) -> Self {
        let body = format!("<html><body><h1>{heading}</h1></body></html>").into_bytes();
        Self { status, headers: Vec::new(), body, content_type: Some("text/html") }
    }
}

/// Writes an instant as the API does: UTC with milliseconds.
#[must_use]
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
