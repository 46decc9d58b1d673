//! The audit log.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Admin;
use super::gate::Permit;
use super::paging::{Page, Turn};
use super::problem::Problem;
use super::route::Route;
use crate::domain::{Act, ClinicId};
use crate::store::AuditRow;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/audit", Act::Audit, "Lists what was done and refused, the newest first.", all)
            .pages::<LineView>()
            .everywhere(),
        Route::get(
            "/clinics/{clinic}/audit",
            Act::Audit,
            "Lists what was done and refused for a clinic, the newest first.",
            clinic,
        )
        .pages::<LineView>(),
    ]
}

/// What each route does, by method and path, for whoever does not read those.
static WORDS: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let all = super::routes().into_iter().chain(super::page::routes());
    all.map(|route| (format!("{} {}", route.method, route.path), route.what)).collect()
});

/// One line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineView {
    pub(super) line: i64,
    pub(super) at: DateTime<Utc>,
    /// Lines of one act share it; the answer's `x-request-id` had it.
    pub(super) request: Uuid,
    pub(super) token: Option<Uuid>,
    /// The token's name, or who typed the command.
    pub(super) who: String,
    pub(super) what: String,
    /// The same in words, where it was a request.
    pub(super) in_words: Option<&'static str>,
    pub(super) clinic: Option<ClinicId>,
    /// The list, run, contact or token it is about.
    pub(super) subject: Option<String>,
    /// `begun`, then `done` or `failed`; or `refused`.
    pub(super) outcome: crate::store::AuditOutcome,
    pub(super) reason: Option<String>,
}

impl From<AuditRow> for LineView {
    fn from(row: AuditRow) -> Self {
        Self {
            line: row.seq,
            at: row.at,
            request: row.request,
            token: row.token,
            who: row.who,
            in_words: WORDS.get(&row.what).copied(),
            what: row.what,
            clinic: row.clinic,
            subject: row.subject,
            outcome: row.outcome,
            reason: row.reason,
        }
    }
}

pub(super) async fn all(
    State(admin): State<Arc<Admin>>,
    turn: Turn,
) -> Result<Json<Page<LineView>>, Problem> {
    page(&admin, None, &turn).await
}

pub(super) async fn clinic(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<LineView>>, Problem> {
    let (clinic, _) = permit.clinic()?;
    page(&admin, Some(clinic), &turn).await
}

pub(super) async fn page(
    admin: &Admin,
    clinic: Option<ClinicId>,
    turn: &Turn,
) -> Result<Json<Page<LineView>>, Problem> {
    let before = turn.after(i64::MAX)?;
    let rows = admin.store.audit_page(clinic, before, turn.rows()).await?;
    Ok(Json(turn.page(rows, |row| row.seq.to_string(), LineView::from)))
}
