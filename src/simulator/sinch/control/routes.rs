//! The routes under `/_control` that only this service has.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::simulator::control::done;
use crate::simulator::sinch::Simulator;
use crate::simulator::sinch::hooks::Callback;
use crate::simulator::sinch::world::account::Credentials;

type Done = Result<Json<Value>, ControlError>;

/// Builds the routes that only this service has.
pub fn router() -> Router<Simulator> {
    let control = Router::new()
        .route("/accounts", post(open_account))
        .route("/accounts/{account}/groups", post(open_group))
        .route("/accounts/{account}/apps", post(open_app))
        .route("/accounts/{account}/consents", post(opt_out))
        .route("/accounts/{account}/callback", put(set_callback))
        .route("/accounts/{account}/texts", post(text))
        .route("/accounts/{account}/reports", post(report))
        .route("/groups/{group}/members", get(members).post(add).delete(remove));
    Router::new().nest("/_control", control)
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
    Ok(done())
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
    Ok(done())
}

async fn set_callback(
    State(simulator): State<Simulator>,
    Path(account): Path<usize>,
    Json(callback): Json<Option<Callback>>,
) -> Done {
    simulator.set_callback(account, callback)?;
    Ok(done())
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
    Ok(done())
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
    Ok(done())
}

async fn remove(
    State(simulator): State<Simulator>,
    Path(group): Path<String>,
    Json(numbers): Json<Vec<String>>,
) -> Done {
    simulator.remove_members(&group, numbers)?;
    Ok(done())
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
