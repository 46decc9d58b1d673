//! Runs: what was done, by the journal, and how far the one under way is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures::Stream;
use futures::stream::unfold;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Admin;
use super::gate::Permit;
use super::paging::{Page, Turn};
use super::problem::Problem;
use super::route::Route;
use super::watching::Place;
use crate::domain::{Act, ClinicId, RunId};
use crate::reconcile::KnownList;
use crate::store::{JournalRow, RunRow};

/// How often it is looked how far a run is.
const LOOK: Duration = Duration::from_millis(500);
/// Looks after which it is asked whether the token still holds: every two seconds.
const LOOKS_A_TOKEN: u32 = 4;
/// Looks before a watcher must ask anew: ten minutes.
const LOOKS: u32 = 1_200;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/runs",
            Act::Read,
            "Lists the runs of a clinic, the newest first; with ?list= of one list.",
            runs,
        )
        .pages::<RunView>()
        .asks(&["cursor", "limit", "list"]),
        Route::get("/clinics/{clinic}/runs/{run}", Act::Read, "Shows a run.", run)
            .answers::<RunView>(),
        Route::get(
            "/clinics/{clinic}/runs/{run}/journal",
            Act::Read,
            "Lists each single change of a run.",
            journal,
        )
        .pages::<Change>(),
        Route::get(
            "/clinics/{clinic}/runs/{run}/events",
            Act::Read,
            "Tells how far a run is, as it goes on (server-sent events).",
            events,
        )
        .answers::<Progress>()
        .streams(),
    ]
}

/// One turn of the loop.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct RunView {
    pub(super) run: RunId,
    /// The list; none where it is not configured any more.
    pub(super) list: Option<String>,
    pub(super) began_at: DateTime<Utc>,
    pub(super) ended_at: Option<DateTime<Utc>>,
    /// How it ended, in a word.
    pub(super) outcome: Option<String>,
    /// What it did.
    pub(super) summary: Option<Value>,
}

impl RunView {
    pub(super) fn of(row: RunRow, lists: &[KnownList]) -> Self {
        let list = lists.iter().find(|list| Some(list.row.id) == row.list);
        Self {
            run: row.id,
            list: list.map(|list| list.row.slug.clone()),
            began_at: row.began_at,
            ended_at: row.ended_at,
            outcome: row.outcome,
            summary: row.summary.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

/// One single change.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Change {
    pub(super) ordinal: i64,
    /// The link, by which logs name a contact on a list.
    pub(super) link: crate::domain::LinkId,
    pub(super) verb: crate::domain::Verb,
    /// Why, in a sentence.
    pub(super) reason: &'static str,
    /// The line of the law.
    pub(super) law: String,
    pub(super) state: crate::store::OpState,
    pub(super) at: DateTime<Utc>,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Progress {
    /// Changes by what becomes of them.
    pub(super) operations: std::collections::BTreeMap<String, u64>,
    /// How it ended; none while it goes on.
    pub(super) outcome: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfList {
    pub(super) list: Option<String>,
}

pub(super) async fn runs(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
    of: Result<Query<OfList>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Page<RunView>>, Problem> {
    let Query(of) = of?;
    let (clinic, lists) = permit.lists(&admin).await?;
    let list = match of.list {
        None => None,
        Some(slug) => Some(permit.list_called(&admin, &slug).await?.row.id),
    };
    let before = turn.after(RunId(Uuid::max()))?;
    let rows = admin.store.runs_page(clinic, list, before, turn.rows()).await?;
    Ok(Json(turn.page(rows, |run| run.id.to_string(), |run| RunView::of(run, &lists))))
}

pub(super) async fn run(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<RunView>, Problem> {
    let (clinic, lists) = permit.lists(&admin).await?;
    let row = admin.store.run_of_clinic(clinic, permit.id("run")?).await?;
    Ok(Json(RunView::of(row, &lists)))
}

pub(super) async fn journal(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    turn: Turn,
) -> Result<Json<Page<Change>>, Problem> {
    let (clinic, _) = permit.clinic()?;
    let run = admin.store.run_of_clinic(clinic, permit.id("run")?).await?.id;
    changes(&admin, run, &turn).await.map(Json)
}

/// Returns a page of what a run changes.
pub(super) async fn changes(
    admin: &Admin,
    run: RunId,
    turn: &Turn,
) -> Result<Page<Change>, Problem> {
    let rows = admin.store.journal(run, turn.after(-1)?, turn.rows()).await?;
    let shown = |row: JournalRow| Change {
        ordinal: row.ordinal,
        link: row.link,
        verb: row.verb,
        reason: row.reason.sentence(),
        law: row.reason.law().to_string(),
        state: row.state,
        at: row.at,
    };
    Ok(turn.page(rows, |row| row.ordinal.to_string(), shown))
}

pub(super) async fn events(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Response, Problem> {
    let (clinic, _) = permit.clinic()?;
    let run = admin.store.run_of_clinic(clinic, permit.id("run")?).await?.id;
    let token = permit.token.id;
    let place = admin.watching.place(token).ok_or_else(|| Problem::too_many(10))?;
    let watch = Watch { admin, clinic, run, token, place, told: None, looks: 0, over: false };
    Ok(Sse::new(watch.stream()).keep_alive(KeepAlive::default()).into_response())
}

/// Somebody who watches a run.
struct Watch {
    admin: Arc<Admin>,
    clinic: ClinicId,
    run: RunId,
    token: Uuid,
    #[expect(dead_code, reason = "held for as long as somebody watches")]
    place: Place,
    told: Option<Progress>,
    looks: u32,
    over: bool,
}

impl Watch {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut watch| async move {
            let event = match watch.next().await? {
                Ok(progress) => Event::default().event("progress").json_data(&progress).ok()?,
                Err(problem) => {
                    watch.over = true;
                    Event::default().event("problem").json_data(&problem).ok()?
                }
            };
            Some((Ok(event), watch))
        })
    }

    /// Returns what is new, or what ends the watching; none once the run has ended, or was watched for
    /// long.
    async fn next(&mut self) -> Option<Result<Progress, Problem>> {
        while !self.over && self.looks < LOOKS && !self.admin.reconciler.stop.is_asked() {
            if self.looks > 0 {
                self.admin.clock.sleep(LOOK).await;
            }
            self.looks += 1;
            let progress = match self.look().await {
                Ok(progress) => progress,
                Err(problem) => return Some(Err(problem)),
            };
            self.over = progress.outcome.is_some();
            if self.told.as_ref() != Some(&progress) {
                self.told = Some(progress.clone());
                return Some(Ok(progress));
            }
        }
        None
    }

    /// Looks how far the run is, unless somebody else just has; now and then whether the token holds.
    async fn look(&self) -> Result<Progress, Problem> {
        if self.looks.is_multiple_of(LOOKS_A_TOKEN) {
            let token = self.admin.store.token_by_id(self.token).await?;
            token.map_err(|_| Problem::nobody())?;
        }
        let (watching, now) = (&self.admin.watching, self.admin.clock.now());
        if let Some(seen) = watching.seen(self.run, now, LOOK) {
            return Ok(seen);
        }
        let progress = self.admin.progress(self.clinic, self.run).await?;
        watching.see(self.run, now, &progress);
        Ok(progress)
    }
}

impl Admin {
    pub(super) async fn progress(&self, clinic: ClinicId, run: RunId) -> Result<Progress, Problem> {
        let row = self.store.run_of_clinic(clinic, run).await?;
        let mut operations = std::collections::BTreeMap::new();
        if let Some(list) = row.list {
            let list = self.store.list(clinic, list).await?;
            for kind in self.store.operations_counts(run, &list).await? {
                *operations.entry(kind.state.word().to_owned()).or_default() += kind.count;
            }
        }
        Ok(Progress { operations, outcome: row.outcome })
    }
}
