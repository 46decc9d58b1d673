//! A request, read as far as every resource needs it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::invalid;
use crate::simulator::door::Reply;

/// A request to the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path as it was called.
    pub target: String,
    /// The path, decoded, in segments.
    pub path: Vec<String>,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// Reads a request.
    #[must_use]
    pub fn new(parts: &Parts, body: &Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
        };
        Self {
            method: parts.method.clone(),
            target: parts.uri.path().to_owned(),
            path: segments.map(decoded).collect(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: parts.headers.clone(),
            body: body.clone(),
        }
    }

    /// Returns a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns a parameter of the query.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params(name).first().copied()
    }

    /// Returns all of a parameter that may come more than once.
    #[must_use]
    pub fn params(&self, name: &str) -> Vec<&str> {
        let own = self.query.iter().filter(|(key, _)| key == name);
        own.map(|(_, text)| text.as_str()).collect()
    }

    /// Reads an instant among the parameters.
    pub fn instant(&self, name: &str) -> Result<Option<DateTime<Utc>>, Reply> {
        let Some(text) = self.param(name) else { return Ok(None) };
        let at = DateTime::parse_from_rfc3339(text);
        at.map(|at| Some(at.to_utc())).map_err(|_| invalid(name, "not an instant"))
    }

    /// Reads the body as a JSON object.
    pub fn json(&self) -> Result<Value, Reply> {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        body.filter(Value::is_object).ok_or_else(|| invalid("body", "not a JSON object"))
    }
}
