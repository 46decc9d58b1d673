//! An answer before it becomes an HTTP response.

use serde::Serialize;

use super::problem::Problem;

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond those every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What the body is.
    pub content_type: &'static str,
}

/// The content type of resources, and of answers without a body.
pub const JSON: &str = "application/json; charset=utf-8";

/// The content type of problems.
pub const PROBLEM: &str = "application/problem+json; charset=utf-8";

impl Reply {
    /// Answers with a resource.
    pub fn ok(resource: &impl Serialize) -> Self {
        let body = serde_json::to_vec(resource).unwrap_or_default();
        Self { status: 200, headers: Vec::new(), body, content_type: JSON }
    }

    /// Answers "done", with no body under a JSON content type, as Mailchimp does.
    #[must_use]
    pub const fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new(), content_type: JSON }
    }

    /// Answers with HTML, as what stands before the API does.
    #[must_use]
    pub fn html(status: u16, heading: &str) -> Self {
        let body = format!(
            "<html><head><title>{heading}</title></head><body><h1>{heading}</h1></body></html>"
        );
        Self { status, headers: Vec::new(), body: body.into_bytes(), content_type: "text/html" }
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let allow = problem.allow.map(|methods| ("allow", methods.to_owned()));
        let retry = problem.retry_after.map(|seconds| ("retry-after", seconds.to_string()));
        Self {
            status: problem.status,
            headers: allow.into_iter().chain(retry).collect(),
            body: serde_json::to_vec(&problem).unwrap_or_default(),
            content_type: PROBLEM,
        }
    }
}
