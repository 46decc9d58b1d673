//! Resync: asked for here, done by the worker of `serve`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::gate::Permit;
use super::problem::Problem;
use super::route::Route;
use super::runs::RunView;
use super::{Admin, Body, about, done};
use crate::domain::{Act, RunId};
use crate::store::ResyncRow;

/// Clinics asked at a time when all are.
const TOGETHER: u32 = 500;
/// Runs of a resync that are shown.
const RUNS: u32 = 200;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/resyncs",
            Act::Operate,
            "Resyncs every list of every clinic that the token is for.",
            all,
        )
        .takes::<Resync>()
        .answers::<Vec<Asked>>()
        .accepts(),
        Route::post(
            "/clinics/{clinic}/resyncs",
            Act::Operate,
            "Resyncs every list of a clinic; joins the resync that waits or is under way.",
            clinic,
        )
        .takes::<Resync>()
        .answers::<Asked>()
        .accepts(),
        Route::post(
            "/clinics/{clinic}/lists/{list}/resyncs",
            Act::Operate,
            "Resyncs a list; joins the resync that waits or is under way.",
            list,
        )
        .takes::<Resync>()
        .answers::<Asked>()
        .accepts(),
        Route::get(
            "/clinics/{clinic}/resyncs/{resync}",
            Act::Read,
            "Shows a resync and its runs.",
            resync,
        )
        .answers::<ResyncView>(),
    ]
}

/// Resyncs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resync {
    /// Read both sides whole, whenever that was done last.
    #[serde(default)]
    pub(super) full: bool,
}

/// A resync that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Asked {
    pub(super) clinic: String,
    pub(super) resync: Uuid,
}

/// A resync.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResyncView {
    pub(super) resync: Uuid,
    /// The list; none for all of the clinic.
    pub(super) list: Option<String>,
    pub(super) full: bool,
    pub(super) asked_at: DateTime<Utc>,
    pub(super) begun_at: Option<DateTime<Utc>>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    /// What came of it, in a word.
    pub(super) outcome: Option<String>,
    /// Its runs, as far as they have begun.
    pub(super) runs: Vec<RunView>,
}

pub(super) async fn all(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(wanted): Body<Resync>,
) -> Result<Response, Problem> {
    let (mut asked, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.store.clinics_page(&permit.token.clinics, &after, TOGETHER).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.slug);
        for row in page.iter().filter(|row| permit.config().clinic(&row.slug).is_some()) {
            let resync = admin.store.resync_ask(row.id, None, wanted.full).await?;
            asked.push(Asked { clinic: row.slug.clone(), resync });
        }
    }
    admin.resync.notify_one();
    Ok(about(said(None, wanted.full), done(None, (StatusCode::ACCEPTED, Json(asked)))))
}

pub(super) async fn clinic(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(wanted): Body<Resync>,
) -> Result<Response, Problem> {
    ask(&admin, &permit, None, wanted.full).await
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(wanted): Body<Resync>,
) -> Result<Response, Problem> {
    let list = permit.list(&admin).await?;
    ask(&admin, &permit, Some(&list.row.slug), wanted.full).await
}

pub(super) async fn ask(
    admin: &Admin,
    permit: &Permit,
    list: Option<&str>,
    full: bool,
) -> Result<Response, Problem> {
    let (id, clinic) = permit.clinic()?;
    let resync = admin.store.resync_ask(id, list, full).await?;
    admin.resync.notify_one();
    let asked = Asked { clinic: clinic.slug.clone(), resync };
    Ok(about(said(list, full), done(None, (StatusCode::ACCEPTED, Json(asked)))))
}

/// Says which lists, and whether both sides are read whole.
pub(super) fn said(list: Option<&str>, full: bool) -> String {
    format!("{}{}", list.unwrap_or("every list"), if full { ", read whole" } else { "" })
}

pub(super) async fn resync(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<ResyncView>, Problem> {
    let (clinic, lists) = permit.lists(&admin).await?;
    let row: ResyncRow = admin.store.resync(clinic, permit.id("resync")?).await?;
    let mut runs = admin.store.runs_after(clinic, RunId(row.id), RUNS).await?;
    let list = lists.iter().find(|list| list.row.slug == row.list).map(|list| list.row.id);
    runs.retain(|run| {
        let within = row.begun_at.is_some_and(|begun| begun <= run.began_at)
            && row.ended_at.is_none_or(|ended| run.began_at <= ended);
        within && (list.is_none() || run.list == list)
    });
    Ok(Json(ResyncView {
        resync: row.id,
        list: Some(row.list).filter(|list| !list.is_empty()),
        full: row.whole,
        asked_at: row.asked_at,
        begun_at: row.begun_at,
        ended_at: row.ended_at,
        outcome: row.outcome,
        runs: runs.into_iter().map(|run| RunView::of(run, &lists)).collect(),
    }))
}
