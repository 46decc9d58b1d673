//! Reviews: what a rule decided by itself and somebody should look at.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::gate::Permit;
use super::paging::{Page, Turn};
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body, because, done};
use crate::domain::Act;
use crate::store::ReviewRow;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/reviews",
            Act::Read,
            "Lists what a rule decided by itself and nobody has looked at yet, the oldest first.",
            reviews,
        )
        .pages::<ReviewRow>(),
        Route::post(
            "/clinics/{clinic}/reviews/{review}/close",
            Act::Operate,
            "Says that somebody looked, and what came of it.",
            close,
        )
        .takes::<Close>()
        .answers::<Closed>(),
    ]
}

/// Closes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Close {
    /// What came of it; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
}

/// Nobody is shown it again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Closed {
    pub(super) review: Uuid,
}

pub(super) async fn reviews(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<ReviewRow>>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let rows = admin.store.reviews_page(clinic, turn.after(Uuid::nil())?, turn.rows()).await?;
    Ok(Json(turn.page(rows, |row| row.id.to_string(), |row| row)))
}

pub(super) async fn close(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(close): Body<Close>,
) -> Result<Response, Problem> {
    let reason = because(&close.reason)?;
    let (clinic, _) = permit.clinic()?;
    let review = permit.id("review")?;
    if !admin.store.review_close(clinic, review, reason.text()).await? {
        return Err(Problem::missing("review"));
    }
    Ok(done(Some(reason), Json(Closed { review })))
}
