//! Signing in by `OpenID` Connect: to the provider, and back (docs/admin-page.md).
//!
//! Whoever comes back as somebody gets a token that nobody ever reads, and the session that names it:
//! what they may, for how long and how it ends is that token's.

mod flow;
mod provider;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{REFRESH, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use maud::html;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::flow::Flow;
pub use self::provider::{OidcError, Provider, discover};
use super::super::Admin;
use super::super::gate::{Gate, RequestId, address};
use super::super::problem::Problem;
use super::frame::bare;
use super::session::{self, Visit, same};
use crate::config::{Grant, OidcSettings, RETURN};
use crate::domain::Clinics;
use crate::store::{AuditOutcome, NewAudit, NewToken, SIGNED_IN};

/// Sends somebody to the provider.
pub(super) async fn begin(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let settings = settings(&admin)?;
    let flow = Flow::begin(&admin.store, admin.clock.as_ref());
    let words = flow.words(&admin.store).ok_or_else(Problem::nobody)?;
    let url = admin.oidc.url(&settings, &words).await.map_err(|error| out_of_order(&error))?;
    let mut answer = Redirect::to(url.as_str()).into_response();
    let cookie = flow.cookie(&admin.store, session::is_secure(&headers));
    answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
    Ok(answer)
}

/// What the provider sends back by the browser.
#[derive(Deserialize)]
struct Sent {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
}

/// Somebody comes back from the provider.
pub(super) async fn back(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let secure = session::is_secure(request.headers());
    let mut answer = match entered(&admin, request).await {
        Ok(visit) => {
            // A strict cookie is not sent to where another site leads; to where our own page leads it is.
            let view = html! { h1 { "Signed in" } p { a href="/" { "To the overview" } } };
            let mut answer = bare("Signed in", &view);
            answer.headers_mut().insert(REFRESH, HeaderValue::from_static("0; url=/"));
            let cookie = visit.cookie(&admin, secure);
            answer.headers_mut().extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
            answer
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(cookie) = flow::ended(secure) {
        answer.headers_mut().append(SET_COOKIE, cookie);
    }
    answer
}

async fn entered(admin: &Arc<Admin>, request: Request) -> Result<Visit, Problem> {
    let (from, now) = (address(&request), admin.clock.now());
    let settings = settings(admin)?;
    if let Some(seconds) = admin.door.locked_out(from, now) {
        return Err(Problem::too_many(seconds));
    }
    let id = request.extensions().get::<RequestId>().map_or_else(Uuid::nil, |id| id.0);
    let gate = Gate::to_sign_in(admin, Method::GET, RETURN);
    let Some((flow, sent)) = answered(admin, &settings, &request) else {
        admin.door.bad_token(from, now);
        let detail = "This sign-in was begun in another browser or too long ago, or came back before: sign in again.";
        let problem = Problem::wrong(detail);
        return Err(gate
            .turn_away(id, "nobody known", "no sign-in of this browser", problem)
            .await);
    };
    let Some(code) = sent.code else {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "The OpenID provider let nobody in: sign in again, or with a token.",
        ));
    };
    let words = flow.words(&admin.store).ok_or_else(Problem::nobody)?;
    let secret = admin.config.borrow().secrets.of_deployment(&settings.client_secret);
    let secret = secret.map_err(|error| Problem::failed(&error, false))?;
    let person = match admin.oidc.person(&settings, &secret, code, &words).await {
        Ok(person) => person,
        Err(error @ OidcError::Token(_)) => {
            admin.door.bad_token(from, now);
            let problem = Problem::new(StatusCode::FORBIDDEN, error.to_string());
            let because = "an ID token that does not hold";
            return Err(gate.turn_away(id, "nobody known", because, problem).await);
        }
        Err(error) => return Err(out_of_order(&error)),
    };
    let name = name_of(&person.subject);
    let Some(grant) = settings.grant(&person.groups) else {
        let detail = format!(
            "You are {name}, and in no group that is let in. Whoever runs Listwarden says which are, in [serve.oidc] roles; whoever runs the OpenID provider puts you into one."
        );
        let problem = Problem::new(StatusCode::FORBIDDEN, detail);
        return Err(gate.turn_away(id, &name, "in no group that is let in", problem).await);
    };
    let token = granted(admin, &settings, &name, grant).await?;
    let line = gate.line(id, Some(token), &name);
    admin.store.audit(&NewAudit { outcome: AuditOutcome::Done, ..line }).await?;
    Ok(Visit::begin(admin, Some(token), settings.session))
}

/// Returns what the provider answered, and to which sign-in of this browser; each answer counts once.
fn answered(admin: &Admin, settings: &OidcSettings, request: &Request) -> Option<(Flow, Sent)> {
    let axum::extract::Query(sent) =
        axum::extract::Query::<Sent>::try_from_uri(request.uri()).ok()?;
    let flow = Flow::read(&admin.store, request.headers(), admin.clock.now())?;
    let words = flow.words(&admin.store)?;
    let ours = same(&words.state, sent.state.as_deref()?)
        && sent.iss.as_ref().is_none_or(|issuer| *issuer == settings.issuer);
    (ours && admin.oidc.is_first(flow.id, flow.until)).then_some((flow, sent))
}

/// Makes the token that a session is of.
async fn granted(
    admin: &Admin,
    settings: &OidcSettings,
    name: &str,
    grant: Grant,
) -> Result<Uuid, Problem> {
    let clinics = match grant.clinics {
        None => Clinics::All,
        Some(slugs) => {
            let mut some = BTreeSet::new();
            for slug in &slugs {
                some.insert(admin.store.clinic_ensure(slug).await?);
            }
            Clinics::Some(some)
        }
    };
    let new = NewToken {
        name: name.to_owned(),
        role: grant.role,
        clinics,
        expires_at: Some(admin.clock.now() + settings.session),
        by: "signing in".to_owned(),
    };
    let (token, _) = admin.store.token_create(&new).await?;
    Ok(token)
}

fn settings(admin: &Admin) -> Result<OidcSettings, Problem> {
    let settings = admin.config.borrow().serve.oidc.clone();
    settings.ok_or_else(|| Problem::missing("page"))
}

fn out_of_order(error: &OidcError) -> Problem {
    tracing::warn!(%error, "nobody can sign in by OpenID Connect");
    Problem::new(StatusCode::BAD_GATEWAY, error.to_string())
}

/// Names somebody by what the provider calls them, which the audit log keeps: not by an address.
fn name_of(subject: &str) -> String {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.:|".contains(&c);
    if (1..=64).contains(&subject.len()) && subject.bytes().all(plain) {
        return format!("{SIGNED_IN}{subject}");
    }
    format!("{SIGNED_IN}{}", hex::encode(&Sha256::digest(subject)[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_named_by_an_opaque_word_and_never_by_an_address() {
        assert_eq!(name_of("auth0|5f7c"), "oidc:auth0|5f7c");
        let named = name_of("ann@post.test");
        assert_eq!(named, name_of("ann@post.test"));
        assert!(named.len() == 37 && !named.contains("ann"), "{named}");
        assert_ne!(named, name_of("Ann@post.test"));
    }
}
