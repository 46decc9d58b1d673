//! A request, read as far as every resource needs it.

use std::net::IpAddr;

use http::Method;
use serde_json::Value;

use super::problem::Problem;
use crate::simulator::mailchimp::world::batch::Operation;

/// A request to the API, over HTTP or inside a batch.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path without `/3.0`, decoded, in segments.
    pub path: Vec<String>,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Where the caller is.
    pub ip: IpAddr,
    /// Where the caller reached us, as `http://127.0.0.1:8080`.
    pub base_url: String,
    /// The `X-Request-Id` of the answer, which is the `instance` of a problem.
    pub id: String,
}

impl Call {
    /// Reads the path and query of a request.
    #[must_use]
    pub fn new(method: Method, path: &str, query: &str, body: Vec<u8>, ip: IpAddr) -> Self {
        let segment = |text: &str| percent_decoded(text);
        Self {
            method,
            path: path.split('/').filter(|s| !s.is_empty()).map(segment).collect(),
            query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            body,
            ip,
            base_url: String::new(),
            id: String::new(),
        }
    }

    /// Makes a request of an operation in a batch.
    #[must_use]
    pub fn of_operation(operation: &Operation, ip: IpAddr, id: String) -> Self {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap_or(Method::TRACE);
        let (path, query) = operation.path.split_once('?').unwrap_or((&operation.path, ""));
        let body = operation.body.clone().unwrap_or_default().into_bytes();
        let mut call = Self { id, ..Self::new(method, path, query, body, ip) };
        call.query.extend(operation.params.iter().map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }));
        call
    }

    /// Returns a parameter of the query; an empty one counts as left out.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_str()).filter(|text| !text.is_empty())
    }

    /// Tells whether a parameter of the query is true.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
    }

    /// Reads the body as JSON.
    pub fn json(&self) -> Result<Value, Problem> {
        serde_json::from_slice(&self.body).map_err(|_| Problem::json_parse())
    }
}

fn percent_decoded(text: &str) -> String {
    // A plus sign in a path is a plus sign; only a query turns it into a space.
    let kept = text.replace('+', "%2B");
    url::form_urlencoded::parse(kept.as_bytes())
        .next()
        .map(|(key, _)| key.into_owned())
        .unwrap_or_default()
}
