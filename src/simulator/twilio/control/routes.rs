//! Every route: the APIs, the deactivation files, and `/_control`.

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::simulator::server::unhurried;
use crate::simulator::twilio::Simulator;
use crate::simulator::twilio::api;
use crate::simulator::twilio::door::flow;
use crate::simulator::twilio::settings::Settings;
use crate::simulator::twilio::world::faults::{Risk, Rule};

/// How callers reach the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// By a function call, which must stay deterministic.
    InProcess,
    /// Over a socket, and they may hang up.
    Remote,
}

type Done = Result<Json<Value>, ControlError>;

/// Builds the router.
pub fn router(simulator: Simulator, caller: Caller) -> Router {
    let api = match caller {
        Caller::InProcess => Router::new().fallback(in_process),
        Caller::Remote => Router::new().fallback(remote),
    };
    api.route("/_deactivations/{date}", get(deactivations))
        .nest("/_control", control())
        .with_state(simulator)
}

fn control() -> Router<Simulator> {
    Router::new()
        .route("/accounts", post(open_account))
        .route("/accounts/{sid}/numbers", post(add_number))
        .route("/accounts/{sid}/services", post(add_service))
        .route("/people/{number}", post(act))
        .route("/settings", get(read_settings).put(write_settings))
        .route("/faults", post(script).put(risk).delete(clear_faults))
        .route("/outbox", get(outbox))
        .route("/requests", get(requests).delete(reset))
        .route("/webhooks", get(webhooks).post(deliver))
}

async fn in_process(State(simulator): State<Simulator>, request: Request) -> Response {
    flow::answer(&simulator, request).await
}

async fn remote(State(simulator): State<Simulator>, request: Request) -> Response {
    let work = async move { flow::answer(&simulator, request).await };
    unhurried(work).await.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

#[derive(Deserialize)]
struct Ticket {
    #[serde(rename = "Expires")]
    expires: i64,
}

async fn deactivations(
    State(simulator): State<Simulator>,
    Path(date): Path<String>,
    Query(ticket): Query<Ticket>,
) -> Response {
    simulator.with(|world| api::download(world, &date, ticket.expires)).respond()
}

#[derive(Deserialize)]
struct NewAccount {
    name: String,
    auth_token: String,
}

async fn open_account(
    State(simulator): State<Simulator>,
    Json(new): Json<NewAccount>,
) -> Json<Value> {
    Json(json!({"account_sid": simulator.open_account(&new.name, &new.auth_token)}))
}

#[derive(Deserialize)]
struct NewNumber {
    number: String,
}

async fn add_number(
    State(simulator): State<Simulator>,
    Path(sid): Path<String>,
    Json(new): Json<NewNumber>,
) -> Done {
    Ok(Json(json!({"sid": simulator.add_number(&sid, &new.number)?})))
}

#[derive(Deserialize)]
struct NewService {
    name: String,
    numbers: Vec<String>,
}

async fn add_service(
    State(simulator): State<Simulator>,
    Path(sid): Path<String>,
    Json(new): Json<NewService>,
) -> Done {
    let numbers: Vec<&str> = new.numbers.iter().map(String::as_str).collect();
    Ok(Json(json!({"sid": simulator.add_service(&sid, &new.name, &numbers)?})))
}

#[derive(Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum Act {
    Texts { to: String, body: String },
    OutOfReach { error: u32 },
    Landline,
    InReach,
}

async fn act(
    State(simulator): State<Simulator>,
    Path(number): Path<String>,
    Json(act): Json<Act>,
) -> Done {
    let person = simulator.person(&number);
    match act {
        Act::Texts { to, body } => return Ok(Json(json!({"sid": person.texts(&to, &body)?}))),
        Act::OutOfReach { error } => person.is_out_of_reach(error),
        Act::Landline => person.has_a_landline(),
        Act::InReach => person.is_in_reach(),
    }
    Ok(done())
}

async fn read_settings(State(simulator): State<Simulator>) -> Json<Settings> {
    Json(simulator.settings())
}

async fn write_settings(
    State(simulator): State<Simulator>,
    Json(new): Json<Settings>,
) -> Json<Settings> {
    simulator.configure(|settings| *settings = new);
    Json(simulator.settings())
}

async fn script(State(simulator): State<Simulator>, Json(rule): Json<Rule>) -> Json<Value> {
    simulator.script(rule);
    done()
}

#[derive(Deserialize)]
struct Risks {
    risks: Vec<Risk>,
    #[serde(default)]
    seed: u64,
}

async fn risk(State(simulator): State<Simulator>, Json(risks): Json<Risks>) -> Json<Value> {
    simulator.risk(risks.risks, risks.seed);
    done()
}

async fn clear_faults(State(simulator): State<Simulator>) -> Json<Value> {
    simulator.clear_faults();
    done()
}

async fn outbox(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!(simulator.outbox()))
}

async fn requests(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({"counters": simulator.counters(), "writes": simulator.writes()}))
}

async fn reset(State(simulator): State<Simulator>) -> Json<Value> {
    simulator.reset_counters();
    done()
}

async fn webhooks(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!(simulator.waiting_webhooks()))
}

async fn deliver(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({"attempts": simulator.deliver_webhooks().await}))
}

fn done() -> Json<Value> {
    Json(json!({"done": true}))
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (StatusCode::NOT_FOUND, Json(json!({"error": self.to_string()}))).into_response()
    }
}
