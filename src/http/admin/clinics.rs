//! Clinics and their lists: is every one of them clean.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::gate::Permit;
use super::paging::{Page, Turn};
use super::problem::Problem;
use super::route::Route;
use super::runs::RunView;
use crate::domain::{Act, Clinics};
use crate::reconcile::{Attestation, KnownList, Overview};
use crate::store::ClinicRow;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/me", Act::Read, "Says whose token it is, and what it may do.", me)
            .answers::<Me>(),
        Route::get("/clinics", Act::Read, "Lists the clinics that the token is for.", clinics)
            .pages::<ClinicView>(),
        Route::get(
            "/clinics/{clinic}/lists",
            Act::Read,
            "Tells of each list of a clinic where it stands.",
            lists,
        )
        .answers::<Vec<ListView>>(),
        Route::get("/clinics/{clinic}/lists/{list}", Act::Read, "Tells where a list stands.", list)
            .answers::<ListView>(),
        Route::get(
            "/clinics/{clinic}/report",
            Act::Audit,
            "Attests where the lists of a clinic stand, in classes that add up.",
            report,
        )
        .answers::<Vec<Attestation>>(),
    ]
}

/// Whose token it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    pub(super) name: String,
    pub(super) role: crate::domain::Role,
    /// What it may do.
    pub(super) may: Vec<Act>,
    /// Whether it is for all clinics.
    pub(super) all_clinics: bool,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// A clinic.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClinicView {
    /// Its short name, by which everything else asks for it.
    pub(super) clinic: String,
    /// Its name for people; none once it is not configured any more.
    pub(super) title: Option<String>,
    pub(super) time_zone: Option<String>,
    pub(super) lists: Vec<String>,
    pub(super) patients_read_at: Option<DateTime<Utc>>,
}

/// Where a list stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListView {
    #[serde(flatten)]
    pub(super) overview: Overview,
    pub(super) last_run: Option<RunView>,
}

pub(super) async fn me(permit: Permit) -> Json<Me> {
    let token = permit.token;
    let may = Act::ALL.iter().copied().filter(|act| token.role.may(*act));
    Json(Me {
        may: may.collect(),
        role: token.role,
        all_clinics: token.clinics == Clinics::All,
        expires_at: token.expires_at,
        name: token.name,
    })
}

pub(super) async fn clinics(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<ClinicView>>, Problem> {
    let after = turn.after(String::new())?;
    let rows = admin.store.clinics_page(&permit.token.clinics, &after, turn.rows()).await?;
    let shown = |row: ClinicRow| {
        let config = permit.config().clinic(&row.slug);
        let lists = config.map(|clinic| clinic.lists.iter().map(|list| list.slug.clone()));
        ClinicView {
            title: config.map(|clinic| clinic.title.clone()),
            time_zone: config.map(|clinic| clinic.time_zone.name().to_owned()),
            lists: lists.map(Iterator::collect).unwrap_or_default(),
            patients_read_at: row.source_swept_at,
            clinic: row.slug,
        }
    };
    Ok(Json(turn.page(rows, |row| row.slug.clone(), shown)))
}

pub(super) async fn overview(
    admin: &Admin,
    permit: &Permit,
    lists: &[KnownList],
) -> Result<Vec<ListView>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let overview = admin.reconciler.overview(clinic, lists, &admin.counted(clinic).await?).await?;
    Ok(overview
        .into_iter()
        .map(|mut overview| {
            let last_run = overview.last_run.take().map(|run| RunView::of(run, lists));
            ListView { overview, last_run }
        })
        .collect())
}

pub(super) async fn lists(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Vec<ListView>>, Problem> {
    let (_, lists) = permit.lists(&admin).await?;
    overview(&admin, &permit, &lists).await.map(Json)
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<ListView>, Problem> {
    let list = permit.list(&admin).await?;
    let views = overview(&admin, &permit, &[list]).await?;
    views.into_iter().next().map(Json).ok_or_else(|| Problem::missing("list"))
}

pub(super) async fn report(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Vec<Attestation>>, Problem> {
    let (clinic, lists) = permit.lists(&admin).await?;
    let counted = admin.counted(clinic).await?;
    Ok(Json(admin.reconciler.attest_by(clinic, &lists, &counted).await?))
}
