//! The gate before every route: who asks, whether they may, for which clinic; and the audit log.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, IF_NONE_MATCH};
use http::{Method, StatusCode};
use secrecy::SecretString;
use tracing::Instrument;
use uuid::Uuid;

use super::Admin;
use super::etag::tagged;
pub(super) use super::permit::Permit;
use super::permit::named;
use super::problem::Problem;
use super::route::Route;
use crate::domain::{Act, Because, ClinicId, Role};
use crate::store::{AuditOutcome, BadToken, NewAudit, TokenRow};

/// The request's id, which the outermost layer gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestId(pub(super) Uuid);

/// What a handler adds to the line of what was done.
#[derive(Debug, Clone, Default)]
pub(super) struct OnRecord {
    /// Why.
    pub(super) because: Option<Because>,
    /// What it was about, more closely than the path says.
    pub(super) subject: Option<String>,
}

/// What one route asks for.
#[derive(Clone)]
pub(super) struct Gate {
    admin: Arc<Admin>,
    method: Method,
    path: &'static str,
    act: Act,
    everywhere: bool,
    streams: bool,
}

/// Who asks by a session of the page, and whether the form that was sent is the page's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct BySession {
    pub(super) token: Uuid,
    pub(super) own_form: bool,
}

/// What somebody brings to be known by.
pub(super) enum Brought {
    /// A token.
    Text(SecretString),
    /// A session.
    Session(BySession),
    Nothing,
}

impl Brought {
    fn with(request: &Request) -> Self {
        if let Some(session) = request.extensions().get::<BySession>() {
            return Self::Session(*session);
        }
        let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = sent.and_then(|sent| sent.strip_prefix("Bearer "));
        text.map_or(Self::Nothing, |text| Self::Text(text.trim().to_owned().into()))
    }
}

/// Who is kept out, and why.
struct Kept {
    problem: Problem,
    token: Option<Uuid>,
    who: String,
    clinic: Option<ClinicId>,
    /// What the path named, as far as that is an id or a list.
    subject: Option<String>,
    because: &'static str,
}

impl Gate {
    pub(super) fn of(admin: &Arc<Admin>, route: &Route) -> Self {
        Self {
            admin: admin.clone(),
            method: route.method.clone(),
            path: route.path,
            act: route.act,
            everywhere: route.everywhere,
            streams: route.streams,
        }
    }

    /// The gate that somebody comes to who begins a session.
    pub(super) fn to_sign_in(admin: &Arc<Admin>, method: Method, path: &'static str) -> Self {
        Self {
            admin: admin.clone(),
            method,
            path,
            act: Act::Read,
            everywhere: false,
            streams: false,
        }
    }

    /// Finds whose token was brought. Who brings none that holds is on record, and locked out after a
    /// while.
    pub(super) async fn knock(
        &self,
        request: Uuid,
        from: IpAddr,
        brought: Brought,
    ) -> Result<TokenRow, Problem> {
        let token = match self.token(brought).await {
            Ok(token) => token,
            Err(kept) if kept.is_out() => {
                return Err(self.turned_away(request, from, kept).await);
            }
            Err(kept) => return Err(self.refused(request, kept).await),
        };
        match self.admin.door.too_often(token.id, self.admin.clock.now()) {
            Some(seconds) => Err(Problem::too_many(seconds)),
            None => Ok(token),
        }
    }

    /// Counts somebody who brought nothing that holds; what holds lets in from a locked address too, for
    /// many may share one.
    async fn turned_away(&self, request: Uuid, from: IpAddr, kept: Box<Kept>) -> Problem {
        let (door, now) = (&self.admin.door, self.admin.clock.now());
        if let Some(seconds) = door.locked_out(from, now) {
            return Problem::too_many(seconds);
        }
        door.bad_token(from, now);
        self.refused(request, kept).await
    }

    async fn token(&self, brought: Brought) -> Result<TokenRow, Box<Kept>> {
        let store = &self.admin.store;
        let (found, own_form) = match brought {
            Brought::Text(text) => (store.token_by_text(&text).await, true),
            Brought::Session(by) => (store.token_by_id(by.token).await, by.own_form),
            // Whoever brings nothing has not knocked: neither counted nor on record.
            Brought::Nothing => return Err(Kept::failed(Problem::nobody())),
        };
        match found.map_err(|error| Kept::failed(error.into()))? {
            Ok(token) if own_form => Ok(token),
            Ok(token) => {
                let detail = "this form is not of your session: open the page anew and try again";
                let problem = Problem::new(StatusCode::FORBIDDEN, detail);
                Err(Kept::by(&token, None, "a form of another page", problem))
            }
            Err(BadToken::Unknown) => Err(Kept::out(None, "unknown token")),
            Err(BadToken::Expired(id)) => Err(Kept::out(Some(id), "expired token")),
            Err(BadToken::Revoked(id)) => Err(Kept::out(Some(id), "revoked token")),
        }
    }

    /// Lets somebody in, or says why not.
    async fn permit(&self, token: TokenRow, names: &RawPathParams) -> Result<Permit, Box<Kept>> {
        let config = self.admin.config.borrow().clone();
        let names: BTreeMap<String, String> =
            names.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let mut clinic = None;
        if let Some(slug) = names.get("clinic") {
            let found = match config.clinic(slug) {
                Some(config) => self.admin.store.clinic_find(&config.slug).await,
                None => Ok(None),
            };
            let missing = || Problem::missing("clinic");
            let Some(id) = found.map_err(|error| Kept::failed(error.into()))? else {
                return Err(Kept::by(&token, None, "no such clinic", missing()));
            };
            if !token.clinics.include(id) {
                // Whether there is such a clinic, a token for another one does not learn.
                return Err(Kept::by(&token, Some(id), "a token for other clinics", missing()));
            }
            clinic = Some((id, slug.clone()));
        }
        let of = clinic.as_ref().map(|(id, _)| *id);
        let forbidden = |detail: String| Problem::new(StatusCode::FORBIDDEN, detail);
        if !token.role.may(self.act) {
            let may: Vec<_> = Role::ALL.iter().filter(|role| role.may(self.act)).collect();
            let may: Vec<_> = may.into_iter().map(|role| role.word()).collect();
            let (act, may) = (self.act.words(), may.join(", "));
            let detail =
                format!("the role {} may not {act}: a token is needed of {may}", token.role);
            let about =
                named(&names, config.clinic(names.get("clinic").map_or("", String::as_str)));
            let kept = Kept::by(&token, of, "the role is too low", forbidden(detail));
            return Err(kept.about(about));
        }
        if self.everywhere && token.clinics != crate::domain::Clinics::All {
            let detail = "this concerns every clinic, and the token is for some".to_owned();
            return Err(Kept::by(&token, of, "a token for other clinics", forbidden(detail)));
        }
        Ok(Permit::new(token, config, clinic, names))
    }

    pub(super) fn line(&self, request: Uuid, token: Option<Uuid>, who: &str) -> NewAudit {
        NewAudit {
            request,
            token,
            who: who.to_owned(),
            what: format!("{} {}", self.method, self.path),
            clinic: None,
            subject: None,
            outcome: AuditOutcome::Begun,
            reason: None,
        }
    }

    /// Turns somebody away who brought no token, on record.
    pub(super) async fn turn_away(
        &self,
        (request, from): (Uuid, IpAddr),
        who: &str,
        because: &'static str,
        problem: Problem,
    ) -> Problem {
        let who = who.to_owned();
        let kept = Kept { problem, token: None, who, clinic: None, subject: None, because };
        self.turned_away(request, from, Box::new(kept)).await
    }

    async fn refused(&self, request: Uuid, kept: Box<Kept>) -> Problem {
        if kept.because.is_empty() {
            return kept.problem;
        }
        let now = self.admin.clock.now();
        if let Some(seconds) = kept.token.and_then(|token| self.admin.door.refused(token, now)) {
            return Problem::too_many(seconds);
        }
        let line = NewAudit {
            clinic: kept.clinic,
            subject: kept.subject,
            outcome: AuditOutcome::Refused,
            reason: Because::parse(kept.because).ok(),
            ..self.line(request, kept.token, &kept.who)
        };
        match self.admin.store.audit(&line).await {
            Ok(()) => kept.problem,
            Err(error) => error.into(),
        }
    }
}

impl Kept {
    fn out(token: Option<Uuid>, because: &'static str) -> Box<Self> {
        let who = "nobody known".to_owned();
        let problem = Problem::nobody();
        Box::new(Self { problem, token, who, clinic: None, subject: None, because })
    }

    fn by(
        token: &TokenRow,
        clinic: Option<ClinicId>,
        because: &'static str,
        problem: Problem,
    ) -> Box<Self> {
        let who = token.name.clone();
        let subject = None;
        Box::new(Self { problem, token: Some(token.id), who, clinic, subject, because })
    }

    /// It is about this.
    fn about(mut self: Box<Self>, subject: Option<String>) -> Box<Self> {
        self.subject = subject;
        self
    }

    /// Tells whether something was brought that does not hold.
    fn is_out(&self) -> bool {
        self.problem.status() == StatusCode::UNAUTHORIZED && !self.because.is_empty()
    }

    /// Not refused, but not let in either.
    fn failed(problem: Problem) -> Box<Self> {
        let who = String::new();
        Box::new(Self { problem, token: None, who, clinic: None, subject: None, because: "" })
    }
}

/// Lets through who may, and has what is done and what is refused on record: an act is on record
/// before it is begun.
pub(super) async fn guard(
    State(gate): State<Gate>,
    names: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    // No name of ours is written like that.
    let Ok(names) = names else { return Problem::missing("page").into_response() };
    let id = request.extensions().get::<RequestId>().map_or_else(Uuid::nil, |id| id.0);
    let from = address(&request);
    let token = match gate.knock(id, from, Brought::with(&request)).await {
        Ok(token) => token,
        Err(problem) => return problem.into_response(),
    };
    let permit = match gate.permit(token, &names).await {
        Ok(permit) => permit,
        Err(kept) => return gate.refused(id, kept).await.into_response(),
    };
    let line = NewAudit {
        clinic: permit.clinic().ok().map(|(id, _)| id),
        subject: permit.subject(),
        ..gate.line(id, Some(permit.token.id), &permit.token.name)
    };
    let known = request.headers().get(IF_NONE_MATCH).cloned();
    request.extensions_mut().insert(permit);
    if gate.act == Act::Read {
        let answer = next.run(request).await;
        return if gate.method == Method::GET && !gate.streams {
            tagged(answer, known.as_ref()).await
        } else {
            answer
        };
    }
    if let Err(error) = gate.admin.store.audit(&line).await {
        return Problem::from(error).into_response();
    }
    // Whoever hangs up meanwhile stops nothing half way.
    let acted = tokio::spawn(act(gate, line, next, request).in_current_span());
    acted.await.unwrap_or_else(|_| {
        let detail = "it could not be done: part of the program broke off; see the audit log";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
    })
}

/// Does what is asked, and has on record what came of it.
async fn act(gate: Gate, line: NewAudit, next: Next, request: Request) -> Response {
    let mut answer = next.run(request).await;
    if let Some(clinic) = line.clinic {
        gate.admin.counted.forget(clinic);
    }
    // The page answers an act by leading on from it.
    let done = answer.status().is_success() || answer.status().is_redirection();
    let outcome = if done { AuditOutcome::Done } else { AuditOutcome::Failed };
    let record = answer.extensions_mut().remove::<OnRecord>().unwrap_or_default();
    // What is said of a problem repeats nothing that was sent.
    let why = answer.extensions().get::<Problem>().filter(|_| !done);
    let why = why.and_then(|problem| Because::parse(problem.detail()).ok());
    let because = record.because.or(why);
    let subject = record.subject.or(line.subject.clone());
    match gate.admin.store.audit(&NewAudit { outcome, reason: because, subject, ..line }).await {
        Ok(()) => answer,
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Returns where a request comes from.
pub(super) fn address(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip())
}
