//! A request, read as far as every resource needs it.

use http::request::Parts;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::reply::error;
use crate::simulator::door::Reply;

/// A request to one of the APIs.
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
    pub body: Vec<u8>,
}

impl Call {
    /// Reads the path and query of a request.
    #[must_use]
    pub fn new(parts: &Parts, body: Vec<u8>) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
        Self {
            method: parts.method.clone(),
            target: parts.uri.path().to_owned(),
            path: segments.map(decoded).collect(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: parts.headers.clone(),
            body,
        }
    }

    /// Returns a parameter of the query; an empty one counts as left out.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|text| !text.is_empty())
    }

    /// Reads a number among the parameters.
    pub fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Reply> {
        let Some(text) = self.param(name) else { return Ok(default) };
        text.parse().ok().filter(|number| *number <= most).ok_or_else(|| {
            error(400, "syntax_constraint_violation", &format!("{name} is out of range"))
        })
    }

    /// Reads the body as a JSON object.
    pub fn json(&self) -> Result<Value, Reply> {
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| error(400, "syntax_invalid_json", "The JSON is invalid"))
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
