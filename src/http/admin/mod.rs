//! The admin API: `/api/v1`, on a listener of its own (docs/api.md); beside it the page
//! (docs/admin-page.md).
//!
//! Thin: what must be decided lies in the store and in `reconcile`, shared with the commands. Each
//! route stands in the table of [`routes`] with what whoever asks must be allowed to do; the gate
//! in front of it checks that, and there is no way around the gate.

mod audit;
mod clinics;
mod counted;
mod docs;
mod door;
mod etag;
mod gate;
mod held;
mod openapi;
pub mod page;
mod paging;
mod parked;
mod people;
mod permit;
mod plans;
mod problem;
mod resyncs;
mod reviews;
mod rights;
mod route;
mod runs;
mod suppressions;
mod watching;
mod webhooks;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tracing::Instrument;

use self::counted::Counted;
use self::door::Door;
use self::gate::{Gate, OnRecord, RequestId, guard};
use self::page::oidc::Provider;
use self::permit::Permit;
use self::problem::Problem;
pub use self::route::Route;
use self::watching::Watching;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::domain::Because;
use crate::providers::Transport;
use crate::reconcile::{Reconciler, Roster};
use crate::store::Store;

/// Where the API begins.
const BASE: &str = "/api/v1";
/// The largest body taken, in bytes: ten thousand addresses and room.
const LARGEST: usize = 4 << 20;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Everything an admin asks with.
pub struct Admin {
    store: Store,
    clock: SharedClock,
    reconciler: Reconciler,
    roster: watch::Receiver<Arc<Roster>>,
    config: watch::Receiver<Arc<Config>>,
    errands: mpsc::Sender<Errand>,
    resync: Arc<Notify>,
    door: Door,
    oidc: Provider,
    watching: Watching,
    counted: Counted,
    /// One assessment of an exposure at a time.
    assessing: Semaphore,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// What only the composition root can do: it has the providers' keys.
#[derive(Debug)]
pub struct Errand {
    /// The clinic whose webhooks are to be replaced, by its short name.
    pub clinic: String,
    /// Only those of this list.
    pub list: Option<String>,
    /// What became of each.
    pub answer: oneshot::Sender<Result<Replaced, ()>>,
}

/// What became of webhooks that were to be replaced.
#[derive(Debug, Default)]
pub struct Replaced {
    /// What was done, and what is to be entered at a provider by hand.
    pub said: Vec<String>,
    /// The lists and accounts where not everything was done.
    pub failed: Vec<String>,
}

impl Admin {
    /// Puts together what the API needs; `roster` has the lists with their providers, `resync` is
    /// called when one was asked for, and an `OpenID` provider is asked over `transport`.
    #[must_use]
    pub fn new(
        reconciler: Reconciler,
        roster: watch::Receiver<Arc<Roster>>,
        config: watch::Receiver<Arc<Config>>,
        errands: mpsc::Sender<Errand>,
        resync: Arc<Notify>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self {
            store: reconciler.store.clone(),
            clock: reconciler.clock.clone(),
            oidc: Provider::new(transport, reconciler.clock.clone()),
            reconciler,
            roster,
            config,
            errands,
            resync,
            door: Door::default(),
            watching: Watching::default(),
            counted: Counted::default(),
            assessing: Semaphore::new(1),
        }
    }

    /// Returns the clock.
    #[must_use]
    pub const fn clock(&self) -> &SharedClock {
        &self.clock
    }
}

/// Returns every route.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        clinics::routes(),
        held::routes(),
        runs::routes(),
        plans::routes(),
        resyncs::routes(),
        people::routes(),
        suppressions::routes(),
        rights::routes(),
        parked::routes(),
        reviews::routes(),
        webhooks::routes(),
        audit::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns everything that is served to admins.
pub fn router(admin: Admin) -> Router {
    let admin = Arc::new(admin);
    let mut api = Router::new();
    for route in routes() {
        let gate = from_fn_with_state(Gate::of(&admin, &route), guard);
        api = api.route(route.path, route.handler.clone().route_layer(gate));
    }
    let api = api.method_not_allowed_fallback(not_so).fallback(nothing);
    Router::new()
        .nest(BASE, api.with_state(admin.clone()))
        .merge(openapi::router())
        .merge(docs::router())
        .merge(page::router(&admin))
        .fallback(page::lost)
        .layer(DefaultBodyLimit::max(LARGEST))
        .layer(from_fn_with_state(admin, outermost))
}

/// Gives every request an id, and every answer the headers that browsers heed.
async fn outermost(State(admin): State<Arc<Admin>>, mut request: Request, next: Next) -> Response {
    let id = admin.clock.id();
    request.extensions_mut().insert(RequestId(id));
    let mut answer = next.run(request).instrument(tracing::info_span!("request", %id)).await;
    let headers = answer.headers_mut();
    let policy = "default-src 'none'; frame-ancestors 'none'";
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    answer
}

async fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here: docs/api.md says what there is")
}

async fn not_so() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "not with this method: docs/api.md says with which",
    )
}

/// A body in JSON.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(body) = axum::Json::<T>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// Something was done, and why.
fn done<T: IntoResponse>(because: Option<Because>, answer: T) -> Response {
    let mut answer = answer.into_response();
    answer.extensions_mut().get_or_insert_default::<OnRecord>().because = because;
    answer
}

/// Says for the audit log what was done, more closely than the path does. It names nobody.
fn about(subject: impl Into<String>, mut answer: Response) -> Response {
    answer.extensions_mut().get_or_insert_default::<OnRecord>().subject = Some(subject.into());
    answer
}

/// Reads a reason, which outlives an erasure.
fn because(text: &str) -> Result<Because, Problem> {
    Because::parse(text).map_err(|error| Problem::wrong(error.to_string()))
}

/// Names who took something down; names are not unique, ids are.
fn by(permit: &Permit) -> String {
    format!("token {} ({})", permit.token.name, permit.token.id)
}
