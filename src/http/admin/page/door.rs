//! What comes before the gate: whose session it is, and whether a form is its own.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{Method, StatusCode};
use url::form_urlencoded;

use super::super::Admin;
use super::super::gate::BySession;
use super::super::problem::Problem;
use super::session::{self, Visit};

/// Whoever is not signed in is led to where one does that; a form is looked at before anything is
/// done by it.
pub(super) async fn signed_in(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let secure = session::is_secure(request.headers());
    let visit = Visit::read(&admin, request.headers());
    let Some((token, visit)) = visit.and_then(|visit| Some((visit.token?, visit))) else {
        if looks(&request) {
            return Redirect::to("/sign-in").into_response();
        }
        return next.run(request).await;
    };
    let mut request = match looked_at(request, &visit, token).await {
        Ok(request) => request,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(visit);
    let answer = next.run(request).await;
    if answer.status() != StatusCode::UNAUTHORIZED {
        return answer;
    }
    // The token was revoked, or its time is over: so is the session.
    let mut answer = Redirect::to("/sign-in?ended").into_response();
    answer.headers_mut().extend(session::ended(secure).map(|cookie| (SET_COOKIE, cookie)));
    answer
}

/// Reads what a form sends, and says whether it is one of the visit.
async fn looked_at(request: Request, visit: &Visit, token: uuid::Uuid) -> Result<Request, Problem> {
    let reads = looks(&request);
    let (mut parts, body) = request.into_parts();
    let (own_form, body) = if reads {
        (true, body)
    } else {
        let bytes = to_bytes(body, super::LARGEST).await;
        let bytes = bytes.map_err(|_| {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long: 64 KiB at most")
        })?;
        let mut fields = form_urlencoded::parse(&bytes);
        let code = fields.find(|(name, _)| name == "form_code");
        (code.is_some_and(|(_, code)| visit.sent(&code)), Body::from(bytes))
    };
    parts.extensions.insert(BySession { token, own_form });
    Ok(Request::from_parts(parts, body))
}

fn looks(request: &Request) -> bool {
    request.method() == Method::GET || request.method() == Method::HEAD
}
