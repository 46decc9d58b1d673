//! The routes that only this service has: the deactivation files, and its part of `/_control`.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::simulator::control::done;
use crate::simulator::twilio::{Simulator, api};

type Done = Result<Json<Value>, ControlError>;

/// Builds the routes that only this service has.
pub fn router() -> Router<Simulator> {
    let control = Router::new()
        .route("/accounts", post(open_account))
        .route("/accounts/{sid}/numbers", post(add_number))
        .route("/accounts/{sid}/services", post(add_service))
        .route("/people/{number}", post(act));
    Router::new().route("/_deactivations/{date}", get(deactivations)).nest("/_control", control)
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

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        (StatusCode::NOT_FOUND, Json(json!({"error": self.to_string()}))).into_response()
    }
}
