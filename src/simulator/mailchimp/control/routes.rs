//! The routes that only this service has: the links that contacts follow, the archives, and its
//! part of `/_control`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::contact::ContactAct;
use super::staff::{ImportRow, StaffAct};
use crate::simulator::control::done;
use crate::simulator::mailchimp::Simulator;
use crate::simulator::mailchimp::api::batches;
use crate::simulator::mailchimp::door::flow;

type Done = Result<Json<Value>, ControlError>;

/// Builds the routes that only this service has.
pub fn router() -> Router<Simulator> {
    let control = Router::new()
        .route("/accounts", post(open_account))
        .route("/accounts/{account}", post(switch_account))
        .route("/accounts/{account}/lists", post(open_audience))
        .route("/lists/{list_id}", post(switch_list))
        .route("/lists/{list_id}/contact", post(act_as_contact))
        .route("/lists/{list_id}/staff", post(act_as_staff))
        .route("/lists/{list_id}/import", post(import))
        .route("/lists/{list_id}/members", get(dump))
        .route("/lists/{list_id}/members/{email}", get(member))
        .route("/lists/{list_id}/statuses", get(statuses));
    Router::new()
        .route("/_batches/{file}", get(archive))
        .route("/_confirm/{list_id}/{contact_id}/{token}", get(confirm))
        .nest("/_control", control)
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
    Ok(done())
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
    Ok(done())
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
    Ok(done())
}

async fn act_as_staff(
    State(simulator): State<Simulator>,
    Path(list): Path<String>,
    Json(by): Json<By<StaffAct>>,
) -> Done {
    simulator.staff(&list).act(&by.email, &by.act)?;
    Ok(done())
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

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchList | Self::NoSuchMember | Self::NoSuchAccount => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (status, Json(json!({"error": self.to_string()}))).into_response()
    }
}
