//! A request, read as far as every resource needs it.

use http::Method;
use http::request::Parts;
use url::form_urlencoded::parse;

use crate::simulator::door::host;

/// A request to one of the APIs.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The form, decoded.
    pub form: Vec<(String, String)>,
    /// Where the caller reached us, as `http://127.0.0.1:8080`.
    pub base_url: String,
}

impl Call {
    /// Reads a request.
    #[must_use]
    pub fn new(parts: &Parts, body: &[u8]) -> Self {
        let pairs = |text: &[u8]| parse(text).into_owned().collect();
        Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            form: pairs(body),
            base_url: format!("http://{}", host(parts).unwrap_or("twilio.test")),
        }
    }

    /// Finds a query parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Finds a form field; an empty one is there too.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}
