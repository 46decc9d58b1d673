//! An answer before it becomes an HTTP response.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

/// An answer of an API.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond those every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// What the body is.
    pub content_type: &'static str,
}

impl Reply {
    /// Answers with a resource.
    #[must_use]
    pub fn json(status: u16, resource: &Value) -> Self {
        let content_type = "application/json;charset=utf-8";
        Self { status, headers: Vec::new(), body: resource.to_string(), content_type }
    }

    /// Answers with an error, in Twilio's own envelope.
    #[must_use]
    pub fn error(status: u16, code: u32, message: &str) -> Self {
        let more_info = format!("https://www.twilio.com/docs/errors/{code}");
        let error =
            json!({"code": code, "message": message, "more_info": more_info, "status": status});
        Self::json(status, &error)
    }

    /// 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::error(404, 20_404, "The requested resource was not found")
    }

    /// 401.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::error(401, 20_003, "Authenticate")
    }

    /// 429.
    #[must_use]
    pub fn too_many(retry_after: Option<u32>) -> Self {
        let headers =
            retry_after.map(|seconds| ("retry-after", seconds.to_string())).into_iter().collect();
        Self { headers, ..Self::error(429, 20_429, "Too Many Requests") }
    }

    /// Answers with text of another kind.
    #[must_use]
    pub fn text(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, headers: Vec::new(), body, content_type }
    }

    /// Answers with HTML, as what stands before the API does.
    #[must_use]
    pub fn html(status: u16, heading: &str) -> Self {
        Self::text(status, "text/html", format!("<html><body><h1>{heading}</h1></body></html>"))
    }

    /// Makes an HTTP response of it.
    #[must_use]
    pub fn respond(self) -> Response<Body> {
        let mut response =
            Response::builder().status(self.status).header(CONTENT_TYPE, self.content_type);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(self.body.into()).unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}
