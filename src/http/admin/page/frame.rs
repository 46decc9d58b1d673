//! The frame around every view, and how a view is asked and answered.

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};
use serde::de::DeserializeOwned;

use super::super::gate::{OnRecord, Permit};
use super::super::problem::{Problem, field};
use super::super::rights::Followed;
use super::assets::{ICON, SCRIPT, STYLE};
use super::parts::Tone;
use super::session::Visit;
use crate::domain::Act;
use crate::rights::Idle;

/// Nothing from elsewhere, and nothing written into a page runs or styles it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The views of a clinic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    /// None of them.
    None,
    Lists,
    Person,
    Runs,
    Parked,
    Webhooks,
    Audit,
    Settings,
}

const TABS: &[(Tab, &str, &str, Act)] = &[
    (Tab::Lists, "Lists", "", Act::Read),
    (Tab::Person, "Person", "/person", Act::Read),
    (Tab::Runs, "Runs", "/runs", Act::Read),
    (Tab::Parked, "To look at", "/parked", Act::Read),
    (Tab::Webhooks, "Webhooks", "/webhooks", Act::Read),
    (Tab::Audit, "Audit log", "/audit", Act::Audit),
    (Tab::Settings, "Settings", "/settings", Act::Read),
];

/// Who asks for a view, and what every view needs.
pub(super) struct Frame {
    pub(super) permit: Permit,
    form_code: String,
    said: Option<(Tone, &'static str)>,
}

impl<S: Send + Sync> FromRequestParts<S> for Frame {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let permit = Permit::from_request_parts(parts, state).await?;
        let visit = parts.extensions.get::<Visit>().ok_or_else(Problem::nobody)?;
        let query = parts.uri.query().unwrap_or_default();
        let said = query.strip_prefix("said=").and_then(|said| {
            let known = SAID.iter().find(|(word, _)| *word == said);
            let known = known.map(|(_, sentence)| (Tone::Good, *sentence));
            known.or_else(|| Some((Tone::Wait, said.parse::<Idle>().ok()?.sentence())))
        });
        Ok(Self { permit, form_code: visit.form_code.clone(), said })
    }
}

/// What is said after something was done.
const SAID: &[(&str, &str)] = &[
    ("approved", "Approved. The next run does what of it still holds; Resync does it at once."),
    (
        "refused",
        "Refused. Nothing of that plan is done. The next run plans anew, and proposes the same while records and policy stay as they are.",
    ),
    ("retry", "The next run tries it again."),
    ("dismissed", "It is not tried again."),
    ("closed", "Noted: nobody is shown it again."),
    ("accepted", "Accepted, for the next runs."),
    (
        "taken",
        "Taken down. The lists follow at once; what cannot be done at once, the next run does.",
    ),
    ("kept", "Refused, and on record: the patient objects and is restricted instead."),
    ("suppressed", "The opt-out is on record, and the lists follow."),
    ("lifted", "The newer consent is on record; the next run acts on it."),
    ("resyncs", "Every list is resynced, one clinic after the other."),
];

impl Frame {
    /// Returns the short name of the clinic of the path.
    pub(super) fn slug(&self) -> Result<&str, Problem> {
        Ok(&self.permit.clinic()?.1.slug)
    }

    /// Returns a path of the clinic.
    pub(super) fn path(&self, rest: &str) -> Result<String, Problem> {
        Ok(format!("/clinics/{}{rest}", self.slug()?))
    }

    pub(super) fn may(&self, act: Act) -> bool {
        self.permit.token.role.may(act)
    }

    /// Returns a form of this visit.
    pub(super) fn form(&self, action: &str, inner: &Markup) -> Markup {
        html! {
            form method="post" action=(action) {
                input type="hidden" name="form_code" value=(self.form_code);
                (inner)
            }
        }
    }

    /// Returns a button that does something at once.
    pub(super) fn button(&self, action: &str, label: &str) -> Markup {
        self.form(action, &html! { button { (label) } })
    }

    /// Returns a view, dressed.
    pub(super) fn page(&self, tab: Tab, title: &str, view: &Markup) -> Response {
        let clinic = self.permit.clinic().ok().map(|(_, clinic)| clinic);
        let whole =
            clinic.map_or_else(|| title.to_owned(), |clinic| format!("{title} · {}", clinic.title));
        let token = &self.permit.token;
        let top = html! {
            header.top {
                a.brand href="/" { "Listwarden" }
                span.who {
                    span { (token.name) " · " (token.role) }
                    (self.button("/sign-out", "Sign out"))
                }
            }
            @if let Some(clinic) = clinic {
                nav.tabs aria-label="Clinic" {
                    span.clinic { (clinic.title) }
                    @for (of, label, path, act) in TABS {
                        @if self.may(*act) {
                            a href={ "/clinics/" (clinic.slug) (path) }
                                aria-current=[(*of == tab).then_some("page")] { (label) }
                        }
                    }
                }
            }
        };
        let main = html! {
            h1 { (title) }
            @if let Some((tone, said)) = self.said {
                p class={ "note " (tone.word()) } role="status" { (said) }
            }
            (view)
        };
        whole_page(&whole, &top, &main)
    }
}

/// Leads on after something was done, and has the reason that was given on record.
pub(super) fn onward(done: &mut Response, to: &str) -> Response {
    let mut answer = Redirect::to(to).into_response();
    if let Some(record) = done.extensions_mut().remove::<OnRecord>() {
        answer.extensions_mut().insert(record);
    }
    answer
}

/// Leads on to `to` after something was done, and says there what followed: `said`, or why nothing did.
pub(super) fn onward_saying(done: &mut Response, to: &str, said: &str) -> Response {
    let followed = done.extensions_mut().remove::<Followed>();
    let idle = followed.and_then(|Followed(idle)| idle);
    let said = idle.map_or(said, |idle| idle.word());
    let to = if said.is_empty() { to.to_owned() } else { format!("{to}?said={said}") };
    onward(done, &to)
}

/// Returns a view for whoever is not signed in.
pub(super) fn bare(title: &str, view: &Markup) -> Response {
    let top = html! { header.top { a.brand href="/" { "Listwarden" } } };
    whole_page(title, &top, view)
}

/// Returns a problem, for people, with the way back to where they were.
pub(super) fn problem(problem: &Problem, back: Option<&str>) -> Response {
    let title = match problem.status() {
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Nothing here",
        StatusCode::CONFLICT | StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
            "That could not be taken"
        }
        StatusCode::TOO_MANY_REQUESTS => "Too much at once",
        _ => "That did not work",
    };
    let view = html! {
        h1 { (title) }
        p.note.bad role="alert" { (problem.detail()) }
        @if let Some(back) = back {
            p { "Nothing was done. What you typed is still there when you go back in your browser." }
            p { a.button href=(back) { "Back to where you were" } }
        }
        p { a href="/" { "To the overview" } }
    };
    let mut answer = bare(title, &view);
    *answer.status_mut() = problem.status();
    answer
}

/// Returns the view that has the form which a path takes.
fn back(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let clinic = match parts.as_slice() {
        ["clinics", clinic, ..] => format!("/clinics/{clinic}"),
        _ => return None,
    };
    Some(match parts.get(2..).unwrap_or_default() {
        [of @ ("patients" | "contacts" | "lists"), id, ..] => format!("{clinic}/{of}/{id}"),
        ["plans", run, ..] => format!("{clinic}/runs/{run}"),
        ["parked" | "reviews", ..] => format!("{clinic}/parked"),
        [view @ ("webhooks" | "person"), ..] => format!("{clinic}/{view}"),
        _ => clinic,
    })
}

/// Says problems in words that people read.
pub(super) async fn in_words(request: Request, next: Next) -> Response {
    let back = (request.method() == http::Method::POST).then(|| back(request.uri().path()));
    let mut answer = next.run(request).await;
    let Some(found) = answer.extensions_mut().remove::<Problem>() else { return answer };
    let refused = [StatusCode::BAD_REQUEST, StatusCode::CONFLICT, StatusCode::PAYLOAD_TOO_LARGE];
    let back = back.flatten().filter(|_| refused.contains(&found.status()));
    let mut shown = problem(&found, back.as_deref());
    for name in [RETRY_AFTER, SET_COOKIE] {
        let kept = answer.headers().get(&name).cloned();
        shown.headers_mut().extend(kept.map(|value| (name, value)));
    }
    shown
}

fn whole_page(title: &str, top: &Markup, main: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Listwarden" }
                link rel="icon" href=(ICON.path());
                link rel="stylesheet" href=(STYLE.path());
                script src=(SCRIPT.path()) defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                (top)
                main #main tabindex="-1" { (main) }
            }
        }
    };
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let policy = HeaderValue::from_static(POLICY);
    ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, policy)], page.into_string()).into_response()
}

/// What a form sends; what cannot be read is not repeated.
pub(super) struct Fields<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read: Result<axum::Form<T>, FormRejection> =
            axum::Form::from_request(request, state).await;
        let axum::Form(fields) = read.map_err(|error| {
            let wrong = field(&error.body_text());
            let wrong =
                wrong.unwrap_or_else(|| "the form was not filled in as it asks to be".to_owned());
            Problem::wrong(wrong)
        })?;
        Ok(Self(fields))
    }
}

/// A form that asks why.
#[derive(serde::Deserialize)]
pub(super) struct Why {
    pub(super) reason: String,
}
