//! One request before it is addressed and signed.

use std::fmt;

use http::Method;
use serde_json::Value;
use url::form_urlencoded::{Serializer, byte_serialize};

/// One request, without host and credential; path, query and body may be personal.
#[derive(Clone, PartialEq)]
pub struct Call {
    method: Method,
    consents: bool,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} ***)", self.method)
    }
}

impl Call {
    /// Starts a `GET` to the path of the SMS API made of `segments`, each of them escaped.
    pub fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, false, segments)
    }

    /// Starts a `POST` of `body`.
    pub fn post(segments: &[&str], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, false, segments) }
    }

    /// Starts a `GET` of a consent list.
    pub fn consents(list: &str) -> Self {
        Self::new(Method::GET, true, &[list])
    }

    fn new(method: Method, consents: bool, segments: &[&str]) -> Self {
        let path = segments.iter().fold(String::new(), |mut path, segment| {
            path.push('/');
            path.extend(byte_serialize(segment.as_bytes()));
            path
        });
        Self { method, consents, path, query: Vec::new(), body: None }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Returns the method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Tells whether it goes to the Conversation API.
    pub const fn is_of_consents(&self) -> bool {
        self.consents
    }

    /// Returns the path with its query, escaped.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.path)
    }

    /// Returns the body as it goes over the wire; none where there is none.
    pub fn payload(&self) -> Option<String> {
        self.body.as_ref().map(Value::to_string)
    }
}
