//! Signing in, with a token of the API, and out.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::super::Admin;
use super::super::gate::{Brought, Gate, Permit, RequestId, address};
use super::super::problem::Problem;
use super::super::route::Route;
use super::frame::{Fields, bare};
use super::session::{self, Visit};
use crate::config::OidcSettings;
use crate::domain::Act;
use crate::store::{AuditOutcome, NewAudit};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::post("/sign-out", Act::Read, "Signs out.", sign_out)]
}

#[derive(Deserialize)]
struct SignIn {
    token: String,
    form_code: String,
}

pub(super) async fn form(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let visit = Visit::read(&admin, request.headers());
    if visit.is_some_and(|visit| visit.token.is_some()) {
        return Redirect::to("/").into_response();
    }
    let ended = request.uri().query() == Some("ended");
    let said = ended.then_some("Your session is over: the token was revoked, or its time is over.");
    shown(&admin, request.headers(), StatusCode::OK, said)
}

pub(super) async fn sign_in(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let headers = request.headers().clone();
    match entered(&admin, request).await {
        Ok(token) => {
            let visit = Visit::begin(&admin, Some(token), session::LASTS);
            let secure = session::is_secure(&headers);
            let mut answer = Redirect::to("/").into_response();
            let cookie = visit.cookie(&admin, secure);
            answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
            answer
        }
        Err(problem) => {
            let said = match problem.status() {
                StatusCode::UNAUTHORIZED => {
                    "This token does not hold. `listwarden token create` makes one."
                }
                _ => problem.detail(),
            };
            shown(&admin, &headers, problem.status(), Some(said))
        }
    }
}

async fn entered(admin: &Arc<Admin>, request: Request) -> Result<Uuid, Problem> {
    let id = request.extensions().get::<RequestId>().map_or_else(Uuid::nil, |id| id.0);
    let from = address(&request);
    let visit = Visit::read(admin, request.headers());
    let Fields(sent) = Fields::<SignIn>::from_request(request, &()).await?;
    if !visit.is_some_and(|visit| visit.sent(&sent.form_code)) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "The form was too old: try again."));
    }
    let gate = Gate::to_sign_in(admin, Method::POST, "/sign-in");
    let brought = Brought::Text(sent.token.trim().to_owned().into());
    let token = gate.knock(id, from, brought).await?;
    let line = gate.line(id, Some(token.id), &token.name);
    admin.store.audit(&NewAudit { outcome: AuditOutcome::Done, ..line }).await?;
    Ok(token.id)
}

async fn sign_out(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if permit.token.is_session() {
        admin.store.token_revoke(permit.token.id).await?;
    }
    let mut answer = Redirect::to("/sign-in").into_response();
    let cookie = session::ended(session::is_secure(&headers));
    answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(answer)
}

fn shown(admin: &Admin, headers: &HeaderMap, status: StatusCode, said: Option<&str>) -> Response {
    // A second form that is opened leaves the first one good.
    let before = Visit::read(admin, headers).filter(|visit| visit.token.is_none());
    let visit = before.unwrap_or_else(|| Visit::begin(admin, None, session::LASTS));
    let mut answer = bare("Sign in", &entrance(admin, &visit.form_code, said));
    *answer.status_mut() = status;
    let cookie = visit.cookie(admin, session::is_secure(headers));
    answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    answer
}

fn entrance(admin: &Admin, form_code: &str, said: Option<&str>) -> Markup {
    let oidc = admin.config.borrow().serve.oidc.as_ref().and_then(OidcSettings::host);
    html! {
        div.entrance {
            h1 { "Sign in" }
            @if let Some(said) = said { p.note.bad role="alert" { (said) } }
            @if let Some(host) = oidc {
                p { a.button.main href="/sign-in/oidc" { "Sign in at " (host) } }
                p.quiet { "Or with a token:" }
            }
            form method="post" action="/sign-in" {
                input type="hidden" name="form_code" value=(form_code);
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="off" autofocus
                    aria-describedby="token-is" spellcheck="false";
                p #token-is.quiet {
                    "It begins with " code { "lw_" } ". " code { "listwarden token create" }
                    " makes one. You stay signed in for eight hours, or until the token is revoked."
                }
                button.main { "Sign in" }
            }
        }
    }
}
