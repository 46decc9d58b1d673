//! Problems: every error of the API, as RFC 9457 has them. None repeats what was sent.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::reconcile::ReconcileError;
use crate::store::StoreError;

/// What went wrong, and the cure.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong here, and the cure.
    detail: String,
    #[serde(skip)]
    code: StatusCode,
    #[serde(skip)]
    again_after: Option<u64>,
}

impl Problem {
    /// A problem of that status.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code: status,
            again_after: None,
        }
    }

    /// What was sent cannot be taken.
    pub(super) fn wrong(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Nothing of that name is there, or not for the one who asks.
    pub(super) fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}, or not for this token"))
    }

    /// It cannot be done as things are.
    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// No token that holds.
    pub(super) fn nobody() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "send a token that holds, as `Authorization: Bearer lw_…`: `listwarden token create` makes one",
        )
    }

    /// Too much at once.
    pub(super) fn too_many(seconds: u64) -> Self {
        let detail = format!("too many requests: try again in {seconds} s");
        let again_after = Some(seconds);
        Self { again_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// Returns what went wrong, and the cure.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the status.
    pub(super) const fn status(&self) -> StatusCode {
        self.code
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut answer = (self.code, body).into_response();
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.again_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        // The page says the same to people.
        answer.extensions_mut().insert(self);
        answer
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { what } => Self::missing(what),
            StoreError::Refused | StoreError::Settled { .. } => Self::conflict(error.to_string()),
            _ => Self::failed(&error, error.is_transient()),
        }
    }
}

impl From<ReconcileError> for Problem {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Store(error) => error.into(),
            ReconcileError::Refused(refused) => Self::conflict(refused.to_string()),
            error => Self::failed(&error, false),
        }
    }
}

impl Problem {
    /// Our own fault: told in the log, by the request's id.
    pub(super) fn failed(error: &dyn std::error::Error, transient: bool) -> Self {
        tracing::error!(%error, source = error.source().map(ToString::to_string), "a request failed");
        let status = if transient {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        Self::new(status, "it could not be done; the log says why, by the id in x-request-id")
    }
}

/// What a parser says may quote what was sent, and stays out but for the name of a field of ours.
impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        let detail = match &rejection {
            JsonRejection::JsonDataError(error) => field(&error.body_text()),
            JsonRejection::JsonSyntaxError(_) => Some("the body is no JSON".to_owned()),
            _ => None,
        };
        let detail = detail.unwrap_or_else(|| "the body is not what this takes".to_owned());
        Self::new(status, format!("{detail}: docs/api.md says what is taken"))
    }
}

/// Says which field of a body or a form is wrong, as far as a parser's words tell that by names of ours.
pub(super) fn field(said: &str) -> Option<String> {
    let ours = |name: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        (!name.is_empty() && name.len() <= 20 && name.chars().all(plain)).then(|| name.to_owned())
    };
    if let Some((_, rest)) = said.split_once("missing field `") {
        return ours(rest.split('`').next()?).map(|name| format!("`{name}` is missing"));
    }
    if said.contains("unknown field") {
        return Some("it has a field that is not taken".to_owned());
    }
    // The parser says where it was before it says what it found: a list's place is in brackets.
    let (_, rest) = said.split_once(": ")?;
    let (place, found) = rest.split_once(": ")?;
    let name = ours(place.split(['[', '.']).next()?).filter(|_| !found.is_empty());
    name.map(|name| format!("`{name}` is not what it must be"))
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        Self::wrong("the query is not what this takes: docs/api.md says what is")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_that_is_wrong_is_named_and_nothing_that_was_sent() {
        let target = "Failed to deserialize the JSON body into the target type: ";
        let said = |text: &str| field(&format!("{target}{text}"));
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(said("missing field `kind` at line 1 column 9"), is("`kind` is missing"));
        let wrong = "kind: unknown variant `ann@post.test`, expected `withdrawn`";
        assert_eq!(said(wrong), is("`kind` is not what it must be"));
        let wrong = "addresses[3]: invalid type: integer `447911123456`, expected a string";
        assert_eq!(said(wrong), is("`addresses` is not what it must be"));
        let unknown = "ann@post.test: unknown field `ann@post.test`, expected `who`";
        assert_eq!(said(unknown), is("it has a field that is not taken"));
        assert_eq!(said("ann@post.test: invalid type: null"), None);
    }
}
