//! One request before it is addressed and signed.

use std::fmt;

use http::Method;
use serde_json::Value;
use url::form_urlencoded::{Serializer, byte_serialize};
use uuid::Uuid;

/// One request, without host and credential; path, query and body may be personal.
#[derive(Clone, PartialEq)]
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    name: Option<Uuid>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} ***)", self.method)
    }
}

impl Call {
    /// Starts a `GET` to the path made of `segments`, each of them escaped.
    pub fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// Starts a `POST` of `body`, under a name that Bird acts on once.
    pub fn post(segments: &[&str], name: Uuid, body: Value) -> Self {
        Self { body: Some(body), name: Some(name), ..Self::new(Method::POST, segments) }
    }

    /// Starts a `PATCH` to `body`.
    pub fn patch(segments: &[&str], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::PATCH, segments) }
    }

    /// Starts a `DELETE`.
    pub fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments)
    }

    fn new(method: Method, segments: &[&str]) -> Self {
        let path = segments.iter().fold("/v1".to_owned(), |mut path, segment| {
            path.push('/');
            path.extend(byte_serialize(segment.as_bytes()));
            path
        });
        Self { method, path, query: Vec::new(), body: None, name: None }
    }

    /// Adds a query parameter; it may come more than once.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Returns the method.
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the name that Bird acts on once.
    pub const fn name(&self) -> Option<Uuid> {
        self.name
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
