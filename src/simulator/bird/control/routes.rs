//! The routes under `/_control` that only this service has.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use crate::simulator::bird::Simulator;
use crate::simulator::control::done;

type Done = Result<Json<Value>, ControlError>;

/// Builds the routes that only this service has.
pub fn router() -> Router<Simulator> {
    let control = Router::new()
        .route("/workspaces", post(open_workspace))
        .route("/workspaces/{place}/audiences", post(open_audience))
        .route("/workspaces/{place}/texts", post(text))
        .route("/workspaces/{place}/suppressions", post(suppress))
        .route("/workspaces/{place}/fates", post(fate))
        .route("/audiences/{audience}/members", get(members).post(add));
    Router::new().nest("/_control", control)
}

#[derive(Deserialize)]
struct NewWorkspace {
    key: String,
    sender: String,
}

async fn open_workspace(
    State(simulator): State<Simulator>,
    Json(new): Json<NewWorkspace>,
) -> Json<Value> {
    Json(json!({ "workspace": simulator.open_workspace(&new.key, &new.sender) }))
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn open_audience(
    State(simulator): State<Simulator>,
    Path(place): Path<usize>,
    Json(new): Json<Named>,
) -> Done {
    Ok(Json(json!({ "audience_id": simulator.open_audience(place, &new.name)? })))
}

#[derive(Deserialize)]
struct PersonText {
    from: String,
    to: String,
    body: String,
}

async fn text(
    State(simulator): State<Simulator>,
    Path(place): Path<usize>,
    Json(act): Json<PersonText>,
) -> Done {
    Ok(Json(json!({ "id": simulator.text(place, &act.from, &act.to, &act.body)? })))
}

#[derive(Deserialize)]
struct Stopped {
    destination: String,
    originator: String,
    reason: String,
}

async fn suppress(
    State(simulator): State<Simulator>,
    Path(place): Path<usize>,
    Json(act): Json<Stopped>,
) -> Done {
    let id = simulator.suppress(place, &act.destination, &act.originator, &act.reason)?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
struct Fate {
    number: String,
    status: String,
    code: String,
}

async fn fate(
    State(simulator): State<Simulator>,
    Path(place): Path<usize>,
    Json(act): Json<Fate>,
) -> Done {
    simulator.fate(place, &act.number, (&act.status, &act.code))?;
    Ok(done())
}

async fn members(State(simulator): State<Simulator>, Path(audience): Path<String>) -> Done {
    Ok(Json(json!(simulator.members(&audience)?)))
}

async fn add(
    State(simulator): State<Simulator>,
    Path(audience): Path<String>,
    Json(numbers): Json<Vec<String>>,
) -> Done {
    simulator.add_members(&audience, numbers)?;
    Ok(done())
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NoSuchWorkspace | Self::NoSuchAudience => StatusCode::NOT_FOUND,
            Self::NoNumber => StatusCode::UNPROCESSABLE_ENTITY,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}
