//! One request to the API before it is addressed and signed: also what a job carries inside.

use std::fmt;

use http::Method;
use serde_json::{Map, Value, json};
use url::form_urlencoded::{Serializer, byte_serialize};

/// One request, without host and credential; path and body are personal.
#[derive(Clone, PartialEq)]
pub struct Call {
    method: Method,
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
    /// Starts a call to the path made of `segments`, each of them escaped.
    pub fn new(method: Method, segments: &[&str]) -> Self {
        let path = segments.iter().fold(String::new(), |mut path, segment| {
            path.push('/');
            path.extend(byte_serialize(segment.as_bytes()));
            path
        });
        Self { method, path, query: Vec::new(), body: None }
    }

    /// Starts a `GET`.
    pub fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the path with its query, escaped: `+` as `%2B`, since Mailchimp reads it as a space.
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

    /// Returns it as an operation of a job: upper-case method, body as a string, query parameters
    /// apart.
    ///
    /// Source: batch-operations guide; lower-case methods changed how results were split.
    pub fn operation(&self, id: &str) -> Value {
        let params: Map<String, Value> =
            self.query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let mut operation =
            json!({ "method": self.method.as_str(), "path": self.path, "operation_id": id });
        if !params.is_empty() {
            operation["params"] = params.into();
        }
        if let Some(body) = self.payload() {
            operation["body"] = json!(body);
        }
        operation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_escaped() {
        let call = Call::get(&["lists", "a1b2", "members", "ann+x@mail.test/../.."])
            .with("since_last_changed", "2026-11-21T10:00:00+00:00");
        assert_eq!(
            call.target(),
            "/lists/a1b2/members/ann%2Bx%40mail.test%2F..%2F..?since_last_changed=2026-11-21T10%3A00%3A00%2B00%3A00"
        );
    }

    #[test]
    fn an_operation_carries_its_body_as_a_string() {
        let call = Call::new(Method::PATCH, &["lists", "a", "members", "k"])
            .with("skip_merge_validation", "true")
            .body(json!({"status": "unsubscribed"}));
        assert_eq!(
            call.operation("w"),
            json!({
                "method": "PATCH", "operation_id": "w",
                "path": "/lists/a/members/k", "params": {"skip_merge_validation": "true"},
                "body": "{\"status\":\"unsubscribed\"}",
            })
        );
        let call = Call::get(&["lists", "a"]).with("fields", "id");
        assert_eq!(call.operation("r")["params"], json!({"fields": "id"}));
    }
}
