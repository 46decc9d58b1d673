//! Every route: the APIs, and `/_control`.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::simulator::server::unhurried;
use crate::simulator::sinch::Simulator;
use crate::simulator::sinch::door::flow;
use crate::simulator::sinch::hooks::Callback;
use crate::simulator::sinch::settings::Settings;
use crate::simulator::sinch::world::account::Credentials;
use crate::simulator::sinch::world::faults::{Risk, Rule};

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
        Caller::InProcess => Router::new().fallback(api),
        Caller::Remote => Router::new().fallback(unhurried_api),
    };
    api.nest("/_control", control()).with_state(simulator)
}

fn control() -> Router<Simulator> {
    Router::new()
        .route("/accounts", post(open_account))
        .route("/accounts/{account}/groups", post(open_group))
        .route("/accounts/{account}/apps", post(open_app))
        .route("/accounts/{account}/consents", post(opt_out))
        .route("/accounts/{account}/callback", put(set_callback))
        .route("/accounts/{account}/texts", post(text))
        .route("/accounts/{account}/reports", post(report))
        .route("/groups/{group}/members", get(members).post(add).delete(remove))
        .route("/settings", get(read_settings).put(write_settings))
        .route("/faults", post(script).put(risk).delete(clear_faults))
        .route("/outbox", get(outbox))
        .route("/requests", get(requests))
        .route("/counters", delete(reset_counters))
        .route("/webhooks", get(webhooks).post(deliver))
}

async fn api(State(simulator): State<Simulator>, request: Request) -> Response {
    flow::answer(&simulator, request).await
}

async fn unhurried_api(State(simulator): State<Simulator>, request: Request) -> Response {
    let work = async move { flow::answer(&simulator, request).await };
    unhurried(work).await.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn open_account(
    State(simulator): State<Simulator>,
    Json(credentials): Json<Credentials>,
) -> Json<Value> {
    Json(json!({ "account": simulator.open_account(credentials) }))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn open_group(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(group): Json<Named>,
) -> Done {
    Ok(Json(json!({ "group_id": simulator.open_group(account, &group.name)? })))
}

async fn open_app(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(app): Json<Named>,
) -> Done {
    simulator.open_app(account, &app.name)?;
    done()
}

#[derive(Deserialize)]
struct OptOut {
    app: String,
    list: String,
    number: String,
}

async fn opt_out(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(act): Json<OptOut>,
) -> Done {
    simulator.opt_out(account, (&act.app, &act.list), &act.number)?;
    done()
}

async fn set_callback(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(callback): Json<Option<Callback>>,
) -> Done {
    simulator.set_callback(account, callback)?;
    done()
}

#[derive(Deserialize)]
struct PersonText {
    from: String,
    to: String,
    body: String,
}

async fn text(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(act): Json<PersonText>,
) -> Done {
    let id = simulator.text(account, &act.from, &act.to, &act.body)?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
struct NetworkReport {
    batch_id: String,
    number: String,
    code: u16,
    status: String,
}

async fn report(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(act): Json<NetworkReport>,
) -> Done {
    simulator.report(account, (&act.batch_id, &act.number), act.code, &act.status)?;
    done()
}

async fn members(State(simulator): State<Simulator>, Path(group): Path<String>) -> Done {
    Ok(Json(json!(simulator.members(&group)?)))
}

async fn add(
    State(simulator): State<Simulator>,
    Path(group): Path<String>,
    Json(numbers): Json<Vec<String>>,
) -> Done {
    simulator.add_members(&group, numbers)?;
    done()
}

async fn remove(
    State(simulator): State<Simulator>,
    Path(group): Path<String>,
    Json(numbers): Json<Vec<String>>,
) -> Done {
    simulator.remove_members(&group, numbers)?;
    done()
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

async fn script(State(simulator): State<Simulator>, Json(rule): Json<Rule>) -> Done {
    simulator.script(rule);
    done()
}

#[derive(Deserialize)]
struct Risks {
    risks: Vec<Risk>,
    #[serde(default)]
    seed: u64,
}

async fn risk(State(simulator): State<Simulator>, Json(risks): Json<Risks>) -> Done {
    simulator.risk(risks.risks, risks.seed);
    done()
}

async fn clear_faults(State(simulator): State<Simulator>) -> Done {
    simulator.clear_faults();
    done()
}

async fn outbox(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!(simulator.outbox()))
}

async fn requests(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({ "counters": simulator.counters(), "writes": simulator.writes() }))
}

async fn reset_counters(State(simulator): State<Simulator>) -> Done {
    simulator.reset_counters();
    done()
}

async fn webhooks(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!(simulator.waiting_webhooks()))
}

async fn deliver(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({ "attempts": simulator.deliver_webhooks().await }))
}

#[expect(clippy::unnecessary_wraps, reason = "ends handlers that may fail")]
fn done() -> Done {
    Ok(Json(json!({ "done": true })))
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchGroup | Self::NoSuchAccount | Self::NoSuchText => StatusCode::NOT_FOUND,
            Self::NoNumber | Self::NoSuchStatus => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
