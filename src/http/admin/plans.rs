//! Plans that wait: the first one of a list, or one the brake holds; and what is not believed without
//! an admin (L20, L23).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::gate::Permit;
use super::problem::Problem;
use super::route::Route;
use super::{Admin, Body, about, because, by, done};
use crate::domain::{Act, ClinicId, RunId};
use crate::store::Acceptable;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/plans",
            Act::Read,
            "Lists the plans that wait for an admin; the journal of the run has each change.",
            plans,
        )
        .answers::<Vec<PlanView>>(),
        Route::post(
            "/clinics/{clinic}/plans/{run}/approve",
            Act::Operate,
            "Approves a plan; the next run does what of it still holds.",
            approve,
        )
        .takes::<Approve>()
        .answers::<Decided>(),
        Route::post(
            "/clinics/{clinic}/plans/{run}/refuse",
            Act::Operate,
            "Refuses a plan; nothing of it is done.",
            refuse,
        )
        .takes::<Refuse>()
        .answers::<Decided>(),
        Route::post(
            "/clinics/{clinic}/acceptances",
            Act::Operate,
            "Accepts, for the next runs, what is not believed because there is so much of it.",
            accept,
        )
        .takes::<Accept>()
        .answers::<Open>(),
    ]
}

/// A plan that waits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanView {
    pub(super) list: String,
    /// Its run, by which it is approved or refused.
    pub(super) run: RunId,
    pub(super) changes: Vec<Changes>,
}

/// Changes of one kind.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changes {
    pub(super) verb: crate::domain::Verb,
    pub(super) state: crate::store::OpState,
    pub(super) count: u64,
}

/// Approves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Approve {
    /// For how many hours, 1 to 720; without it for as long as the configuration says.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 720)]
    pub(super) hours: Option<u16>,
}

/// Refuses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refuse {
    /// Why; names nobody.
    #[schema(min_length = 3, max_length = 500)]
    pub(super) reason: String,
}

/// Accepts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Accept {
    pub(super) what: Accepted,
    /// For how many hours, 1 to 720; without it for as long as the configuration says.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 720)]
    pub(super) hours: Option<u16>,
}

/// What is accepted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Accepted {
    /// That so many patients are gone from the clinic's records.
    Source,
    /// That so many withdrew by bare flags.
    Withdrawals,
    /// That so many members are gone from this list at the provider.
    Members(String),
}

/// Until when it holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Open {
    pub(super) until: DateTime<Utc>,
}

/// What was decided.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Decided {
    /// How many changes it covers.
    pub(super) changes: u64,
    /// Until when an approval holds.
    pub(super) until: Option<DateTime<Utc>>,
}

pub(super) async fn plans(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
) -> Result<Json<Vec<PlanView>>, Problem> {
    let (_, lists) = permit.lists(&admin).await?;
    let mut plans = Vec::new();
    for list in lists {
        let Some(run) = admin.store.plan_open(&list.row).await? else { continue };
        let counts = admin.store.operations_counts(run, &list.row).await?;
        let changes = counts.into_iter().map(|kind| Changes {
            verb: kind.verb,
            state: kind.state,
            count: kind.count,
        });
        plans.push(PlanView { list: list.row.slug, run, changes: changes.collect() });
    }
    Ok(Json(plans))
}

/// Finds the run of the path, if it is the clinic's.
async fn plan(admin: &Admin, permit: &Permit) -> Result<(ClinicId, RunId), Problem> {
    let (clinic, _) = permit.clinic()?;
    let run = admin.store.run_of_clinic(clinic, permit.id("run")?).await?.id;
    Ok((clinic, run))
}

pub(super) async fn approve(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(approve): Body<Approve>,
) -> Result<Response, Problem> {
    let (_, run) = plan(&admin, &permit).await?;
    let until = until(&admin, &permit, approve.hours)?;
    let changes = admin.store.approve(run, until, &by(&permit)).await?;
    let decided = done(None, Json(Decided { changes, until: Some(until) }));
    Ok(about(format!("{run}, until {}", minute(until)), decided))
}

pub(super) async fn refuse(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(refuse): Body<Refuse>,
) -> Result<Response, Problem> {
    let reason = because(&refuse.reason)?;
    let (_, run) = plan(&admin, &permit).await?;
    let changes = admin.store.refuse(run, &by(&permit), reason.text()).await?;
    Ok(done(Some(reason), Json(Decided { changes, until: None })))
}

pub(super) async fn accept(
    State(admin): State<Arc<Admin>>,
    permit: Permit,
    Body(accept): Body<Accept>,
) -> Result<Response, Problem> {
    let (clinic, _) = permit.clinic()?;
    let (what, said) = match &accept.what {
        Accepted::Source => (Acceptable::Source, "source".to_owned()),
        Accepted::Withdrawals => (Acceptable::Withdrawals, "withdrawals".to_owned()),
        Accepted::Members(list) => {
            let list = permit.list_called(&admin, list).await?.row;
            (Acceptable::Members(list.id), format!("members of {}", list.slug))
        }
    };
    let until = until(&admin, &permit, accept.hours)?;
    admin.store.acceptance_open(clinic, what, until, &by(&permit)).await?;
    Ok(about(format!("{said}, until {}", minute(until)), done(None, Json(Open { until }))))
}

fn minute(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M UTC")
}

fn until(admin: &Admin, permit: &Permit, hours: Option<u16>) -> Result<DateTime<Utc>, Problem> {
    let lasts = match hours {
        None => permit.config().run.approval_lasts,
        Some(hours @ 1..=720) => TimeDelta::hours(i64::from(hours)),
        Some(_) => return Err(Problem::wrong("hours is a number from 1 to 720")),
    };
    Ok(admin.clock.now() + lasts)
}
