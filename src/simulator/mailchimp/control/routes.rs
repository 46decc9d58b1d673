//! Every route: the API, the links that contacts follow, the archives, and `/_control`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::contact::ContactAct;
use super::staff::{ImportRow, StaffAct};
use crate::simulator::mailchimp::Simulator;
use crate::simulator::mailchimp::api::batches;
use crate::simulator::mailchimp::door::flow;
use crate::simulator::mailchimp::settings::Settings;
use crate::simulator::mailchimp::world::faults::{Risk, Rule};
use crate::simulator::server::unhurried;

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
    api.route("/_batches/{file}", get(archive))
        .route("/_confirm/{list_id}/{contact_id}/{token}", get(confirm))
        .nest("/_control", control())
        .with_state(simulator)
}

fn control() -> Router<Simulator> {
    Router::new()
        .route("/accounts", post(open_account))
        .route("/accounts/{account}", post(switch_account))
        .route("/accounts/{account}/lists", post(open_audience))
        .route("/settings", get(read_settings).put(write_settings))
        .route("/faults", post(script).put(risk).delete(clear_faults))
        .route("/lists/{list_id}", post(switch_list))
        .route("/lists/{list_id}/contact", post(act_as_contact))
        .route("/lists/{list_id}/staff", post(act_as_staff))
        .route("/lists/{list_id}/import", post(import))
        .route("/lists/{list_id}/members", get(dump))
        .route("/lists/{list_id}/members/{email}", get(member))
        .route("/lists/{list_id}/statuses", get(statuses))
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

#[derive(Deserialize)]
struct Ticket {
    #[serde(rename = "Expires")]
    expires: i64,
    #[serde(rename = "Signature")]
    signature: String,
}

async fn archive(
    State(simulator): State<Simulator>,
    Path(file): Path<String>,
    Query(ticket): Query<Ticket>,
) -> Response<Body> {
    let id = file.split('-').next().unwrap_or_default();
    let reply = simulator.with(|world| {
        let mut batches = world.accounts.iter().flat_map(|account| &account.batches);
        let batch = batches.find(|batch| batch.id == id);
        batches::download(batch, ticket.expires, &ticket.signature, world.now)
    });
    flow::respond(reply, id)
}

async fn confirm(
    State(simulator): State<Simulator>,
    Path((_, _, token)): Path<(String, String, String)>,
) -> Result<Html<&'static str>, ControlError> {
    simulator.confirm_link(&token)?;
    Ok(Html("<h1>Subscription Confirmed</h1>"))
}

#[derive(Deserialize)]
struct NewAccount {
    name: String,
    api_key: String,
}

async fn open_account(
    State(simulator): State<Simulator>,
    Json(new): Json<NewAccount>,
) -> Json<Value> {
    Json(json!({"account": simulator.open_account(&new.name, &new.api_key)}))
}

#[derive(Deserialize)]
struct AccountSwitches {
    deactivated: Option<bool>,
    add_key: Option<String>,
    disable_key: Option<String>,
}

async fn switch_account(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(switches): Json<AccountSwitches>,
) -> Done {
    if let Some(deactivated) = switches.deactivated {
        simulator.deactivate(account, deactivated)?;
    }
    if let Some(key) = switches.add_key {
        simulator.add_key(account, &key)?;
    }
    if let Some(key) = switches.disable_key {
        simulator.disable_key(&key)?;
    }
    done()
}

#[derive(Deserialize)]
struct NewAudience {
    name: String,
}

async fn open_audience(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(new): Json<NewAudience>,
) -> Done {
    Ok(Json(json!({"list_id": simulator.open_audience(account, &new.name)?})))
}

#[derive(Deserialize)]
struct ListSwitches {
    double_optin: Option<bool>,
    marketing_permissions: Option<bool>,
    #[serde(default)]
    required_merge_fields: BTreeMap<String, bool>,
    overexpose: Option<String>,
}

async fn switch_list(
    State(simulator): State<Simulator>,
    Path(list): Path<String>,
    Json(switches): Json<ListSwitches>,
) -> Done {
    if let Some(on) = switches.double_optin {
        simulator.set_double_optin(&list, on)?;
    }
    if let Some(on) = switches.marketing_permissions {
        simulator.set_marketing_permissions(&list, on)?;
    }
    for (tag, on) in switches.required_merge_fields {
        simulator.require_merge_field(&list, &tag, on)?;
    }
    if let Some(address) = switches.overexpose {
        simulator.overexpose(&list, &address)?;
    }
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

#[derive(Deserialize)]
struct By<Act> {
    email: String,
    #[serde(flatten)]
    act: Act,
}

async fn act_as_contact(
    State(simulator): State<Simulator>,
    Path(list): Path<String>,
    Json(by): Json<By<ContactAct>>,
) -> Done {
    simulator.contact(&list, &by.email).act(&by.act)?;
    done()
}

async fn act_as_staff(
    State(simulator): State<Simulator>,
    Path(list): Path<String>,
    Json(by): Json<By<StaffAct>>,
) -> Done {
    simulator.staff(&list).act(&by.email, &by.act)?;
    done()
}

async fn import(
    State(simulator): State<Simulator>,
    Path(list): Path<String>,
    Json(rows): Json<Vec<ImportRow>>,
) -> Done {
    Ok(Json(json!(simulator.staff(&list).import(&rows)?)))
}

async fn dump(State(simulator): State<Simulator>, Path(list): Path<String>) -> Done {
    Ok(Json(json!(simulator.dump(&list)?)))
}

async fn member(
    State(simulator): State<Simulator>,
    Path((list, email)): Path<(String, String)>,
) -> Done {
    let state = simulator.member(&list, &email).ok_or(ControlError::NoSuchMember)?;
    Ok(Json(json!(state)))
}

async fn statuses(State(simulator): State<Simulator>, Path(list): Path<String>) -> Done {
    Ok(Json(json!(simulator.statuses(&list)?)))
}

async fn outbox(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!(simulator.outbox()))
}

async fn requests(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({"counters": simulator.counters(), "writes": simulator.writes()}))
}

async fn reset_counters(State(simulator): State<Simulator>) -> Done {
    simulator.reset_counters();
    done()
}

async fn webhooks(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!(simulator.waiting_webhooks()))
}

async fn deliver(State(simulator): State<Simulator>) -> Json<Value> {
    Json(json!({"attempts": simulator.deliver_webhooks().await}))
}

#[expect(clippy::unnecessary_wraps, reason = "ends handlers that may fail")]
fn done() -> Done {
    Ok(Json(json!({"done": true})))
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchList | Self::NoSuchMember | Self::NoSuchAccount => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}
