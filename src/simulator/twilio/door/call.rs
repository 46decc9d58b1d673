//! A request, read as far as every resource needs it.

use http::Method;
use url::form_urlencoded::parse;

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
    pub fn new(method: Method, path: &str, query: &str, body: &[u8], base_url: String) -> Self {
        let pairs = |text: &[u8]| parse(text).into_owned().collect();
        let (query, form) = (pairs(query.as_bytes()), pairs(body));
        Self { method, path: path.to_owned(), query, form, base_url }
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
