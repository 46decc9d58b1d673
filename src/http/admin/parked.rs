//! Parked: changes that could not be made.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::gate::Permit;
use super::paging::{Page, Turn};
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body, because, done};
use crate::domain::{Act, LinkId};
use crate::store::ParkedRow;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/parked",
            Act::Read,
            "Lists the changes that could not be made.",
            parked,
        )
        .pages::<ParkedView>(),
        Route::post(
            "/clinics/{clinic}/parked/{link}/retry",
            Act::Operate,
            "Has the next run try a parked change again.",
            retry,
        )
        .answers::<Noted>(),
        Route::post(
            "/clinics/{clinic}/parked/{link}/dismiss",
            Act::Operate,
            "Has a parked change not tried again; a removal is always tried.",
            dismiss,
        )
        .takes::<Dismiss>()
        .answers::<Noted>(),
    ]
}

/// A change that could not be made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ParkedView {
    /// The link, by which logs name a contact on a list.
    pub(super) link: LinkId,
    pub(super) list: Option<String>,
    pub(super) verb: crate::domain::Verb,
    pub(super) reason: String,
    pub(super) tries: u32,
    pub(super) next_try: DateTime<Utc>,
    pub(super) since: DateTime<Utc>,
}

/// Dismisses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Dismiss {
    /// Why; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
}

/// The next run acts on it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Noted {
    pub(super) link: LinkId,
}

pub(super) async fn parked(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<ParkedView>>, Problem> {
    let (clinic, lists) = permit.lists(&admin).await?;
    let after = turn.after(LinkId(Uuid::nil()))?;
    let rows = admin.store.parked_page(clinic, after, turn.rows()).await?;
    let shown = |row: ParkedRow| ParkedView {
        link: row.link,
        list: lists.iter().find(|l| l.row.id == row.list).map(|l| l.row.slug.clone()),
        verb: row.parked.verb,
        reason: row.parked.reason,
        tries: row.parked.tries,
        next_try: row.parked.next_try,
        since: row.parked.since,
    };
    Ok(Json(turn.page(rows, |row| row.link.to_string(), shown)))
}

pub(super) async fn retry(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Noted>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let link = permit.id("link")?;
    admin.store.parked_retry(clinic, link).await?;
    Ok(Json(Noted { link }))
}

pub(super) async fn dismiss(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(dismiss): Body<Dismiss>,
) -> Result<Response, Problem> {
    let reason = because(&dismiss.reason)?;
    let (clinic, _) = permit.clinic()?;
    let link = permit.id("link")?;
    admin.store.parked_dismiss(clinic, link, &reason).await?;
    Ok(done(Some(reason), Json(Noted { link })))
}
