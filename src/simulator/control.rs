//! The routes every service has: its API, and `/_control` with knobs, faults, counts, deliveries.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Risk, Rule};
use super::server::unhurried;
use super::service::{Service, Simulator};

/// How callers reach the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// By a function call, which must stay deterministic.
    InProcess,
    /// Over a socket, and they may hang up.
    Remote,
}

/// Builds the router.
pub fn router<S: Service>(simulator: Simulator<S>, caller: Caller) -> Router {
    let api = match caller {
        Caller::InProcess => Router::new().fallback(in_process::<S>),
        Caller::Remote => Router::new().fallback(remote::<S>),
    };
    api.nest("/_control", control::<S>()).merge(S::routes()).with_state(simulator)
}

fn control<S: Service>() -> Router<Simulator<S>> {
    Router::new()
        .route("/settings", get(read_settings::<S>).put(write_settings::<S>))
        .route("/faults", post(script::<S>).put(risk::<S>).delete(clear_faults::<S>))
        .route("/outbox", get(outbox::<S>))
        .route("/requests", get(requests::<S>).delete(reset_counters::<S>))
        .route("/counters", delete(reset_counters::<S>))
        .route("/webhooks", get(webhooks::<S>).post(deliver::<S>))
}

async fn in_process<S: Service>(State(own): State<Simulator<S>>, request: Request) -> Response {
    S::answer(own, request).await
}

async fn remote<S: Service>(State(own): State<Simulator<S>>, request: Request) -> Response {
    let work = async move { S::answer(own, request).await };
    unhurried(work).await.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn read_settings<S: Service>(State(own): State<Simulator<S>>) -> Json<S::Settings> {
    Json(own.settings())
}

async fn write_settings<S: Service>(
    State(own): State<Simulator<S>>,
    Json(new): Json<S::Settings>,
) -> Json<S::Settings> {
    own.configure(|settings| *settings = new);
    Json(own.settings())
}

async fn script<S: Service>(
    State(own): State<Simulator<S>>,
    Json(rule): Json<Rule<S::Fault>>,
) -> Json<Value> {
    own.script(rule);
    done()
}

#[derive(Deserialize)]
struct Risks<Fault> {
    risks: Vec<Risk<Fault>>,
    #[serde(default)]
    seed: u64,
}

async fn risk<S: Service>(
    State(own): State<Simulator<S>>,
    Json(risks): Json<Risks<S::Fault>>,
) -> Json<Value> {
    own.risk(risks.risks, risks.seed);
    done()
}

async fn clear_faults<S: Service>(State(own): State<Simulator<S>>) -> Json<Value> {
    own.clear_faults();
    done()
}

async fn outbox<S: Service>(State(own): State<Simulator<S>>) -> Json<Value> {
    Json(own.with(|service| json!(service.outbox())))
}

async fn requests<S: Service>(State(own): State<Simulator<S>>) -> Json<Value> {
    Json(json!({ "counters": own.counters(), "writes": own.writes() }))
}

async fn reset_counters<S: Service>(State(own): State<Simulator<S>>) -> Json<Value> {
    own.reset_counters();
    done()
}

async fn webhooks<S: Service>(State(own): State<Simulator<S>>) -> Json<Value> {
    Json(json!(own.waiting_webhooks()))
}

async fn deliver<S: Service>(State(own): State<Simulator<S>>) -> Json<Value> {
    Json(json!({ "attempts": own.deliver_webhooks().await }))
}

/// Answers that an act happened.
pub fn done() -> Json<Value> {
    Json(json!({ "done": true }))
}
