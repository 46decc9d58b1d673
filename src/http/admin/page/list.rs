//! One list: where it stands, how it came there, and the plan that waits.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use super::super::gate::Permit;
use super::super::paging::Turn;
use super::super::plans::{Accept, Accepted, Approve, Refuse};
use super::super::problem::Problem;
use super::super::route::Route;
use super::super::runs::{self, RunView};
use super::super::{Admin, Body, because, clinics, done, plans};
use super::bar::{bar, legend};
use super::clinic::{Resyncs, acceptance, ask, resync_form};
use super::diff::Diff;
use super::frame::{Fields, Frame, Tab, Why, onward};
use super::overview::{next_run, state};
use super::parked::why_parked;
use super::parts::{when, when_or};
use super::plot::plot;
use super::runs::table;
use crate::domain::{Act, RunId};

/// Runs that are plotted.
const PLOTTED: u32 = 60;
/// Runs, and changes of a plan, that are shown before one asks for more.
const SHOWN: u32 = 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clinics/{clinic}/lists/{list}", Act::Read, "Shows a list.", list),
        Route::post(
            "/clinics/{clinic}/lists/{list}/resyncs",
            Act::Operate,
            "Resyncs a list.",
            resync,
        ),
        Route::post(
            "/clinics/{clinic}/plans/{run}/approve",
            Act::Operate,
            "Approves a plan.",
            approve,
        ),
        Route::post(
            "/clinics/{clinic}/plans/{run}/refuse",
            Act::Operate,
            "Refuses a plan.",
            refuse,
        ),
        Route::post(
            "/clinics/{clinic}/acceptances",
            Act::Operate,
            "Accepts what is not believed because there is so much of it.",
            accept,
        ),
    ]
}

async fn list(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
) -> Result<Response, Problem> {
    let known = frame.permit.list(&admin).await?;
    let (clinic, config) = frame.permit.clinic()?;
    let (slug, zone) = (known.row.slug.clone(), config.time_zone);
    let stands = clinics::list(State(admin.clone()), frame.permit.clone()).await?.0;
    let newest = RunId(uuid::Uuid::max());
    let rows = admin.store.runs_page(clinic, Some(known.row.id), newest, PLOTTED).await?;
    let known = [known];
    let runs: Vec<RunView> = rows.into_iter().map(|row| RunView::of(row, &known)).collect();
    let parked = admin.store.parked_because(&known[0].row).await?;
    let waits = waiting(&admin, &frame, &slug, turn).await?;
    let decided = admin.store.decided_last(&known[0].row).await?;
    // Once a run has planned afresh and nothing waits, the refusal is past.
    let decided = decided.filter(|decided| waits.is_some() || decided.run_since.is_none());
    let refused = decided.map(|last| last.decision).filter(|decided| !decided.approved);
    let (overview, base) = (&stands.overview, frame.path("")?);
    let next = next_run(&admin, &frame);
    let view = html! {
        p.verdict { (state(&stands, &base)) }
        @if let Some(problem) = problem_of(&runs) {
            p.note.bad { (problem) }
            @if frame.may(Act::Operate) && runs[0].outcome.as_deref() == Some("braked") {
                (acceptance(&frame, &base, "members", &slug, "The members are really gone"))
            }
        }
        @match &overview.attestation.classes {
            Some(classes) => { (bar(classes)) (legend(classes)) },
            None => p { "Patients or list were not read whole lately: nobody can say who is where." },
        }
        dl.facts {
            dt { "Members, subscribed or pending" }
            dd {
                @match overview.attestation.members { Some(members) => (members), None => "unknown" }
            }
            dt { "Links: members, and everybody whose address the clinic has or had" }
            dd { (overview.attestation.total) }
            dt { "Channel" } dd { (overview.channel) }
            dt { "List read whole" } dd { (when_or(overview.attestation.list_read_at, zone, "never")) }
            dt { "Patients read whole" } dd { (when_or(overview.attestation.patients_read_at, zone, "never")) }
            dt { "Next run" } dd { (when_or(next, zone, "not known here")) }
            @if let Some(since) = overview.opt_out_waits_since {
                dt { "An opt-out waits since" } dd { (when(since, zone)) }
            }
        }
        @if let Some(decided) = &refused {
            p.note.wait {
                "A plan of this list was refused on " (when(decided.decided_at, zone)) " by " (decided.decided_by)
                @if let Some(reason) = &decided.reason { ": " (reason) }
                ". Each run plans anew, and proposes the same while the clinic's records and the list's policy (as "
                code { "unknown" } " for members whom the clinic never knew) stay as they are."
            }
        }
        @if let Some(waits) = waits { (waits) }
        @if frame.may(Act::Operate) {
            h2 { "Resync" }
            (resync_form(&frame, &frame.path(&format!("/lists/{slug}/resyncs"))?))
        }
        h2 { "Drift" }
        (plot(&runs, zone))
        @if !parked.is_empty() {
            h2 { "Could not be changed" }
            (why_parked(&parked, zone))
            p { a href=(frame.path("/parked")?) { "Each of them" } }
        }
        h2 { "Runs" }
        (table(&frame, &runs[..runs.len().min(SHOWN as usize)])?)
        p { a href=(frame.path(&format!("/runs?list={slug}"))?) { "All runs of this list" } }
    };
    Ok(frame.page(Tab::Lists, &slug, &view))
}

/// Returns the plan that waits, with what decides about it.
async fn waiting(
    admin: &Arc<Admin>,
    frame: &Frame,
    slug: &str,
    turn: Turn,
) -> Result<Option<maud::Markup>, Problem> {
    let plans = plans::plans(State(admin.clone()), frame.permit.clone()).await?.0;
    let Some(plan) = plans.into_iter().find(|plan| plan.list == slug) else { return Ok(None) };
    let changes = runs::changes(admin, plan.run, &turn.of(SHOWN)).await?;
    let diff = Diff::of(admin, frame, plan.run, changes).await?;
    let more = diff.changes.next.is_some();
    Ok(Some(html! {
        h2 #plan { "The plan that waits" }
        (diff.decide(frame, &plan)?)
        (diff.view(frame)?)
        @if more { p { a href=(frame.path(&format!("/runs/{}", plan.run))?) { "Every change of it" } } }
    }))
}

/// What went wrong in the last run, for a person.
fn problem_of(runs: &[RunView]) -> Option<&str> {
    runs.first()?.summary.as_ref()?.get("problem")?.as_str()
}

async fn resync(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(wanted): Fields<Resyncs>,
) -> Result<Response, Problem> {
    let list = frame.permit.list(&admin).await?;
    ask(&admin, &frame, Some(&list.row.slug), &wanted).await
}

#[derive(Deserialize)]
struct Approval {
    hours: u16,
    #[serde(default)]
    reason: String,
}

async fn approve(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(approval): Fields<Approval>,
) -> Result<Response, Problem> {
    let reason = Some(approval.reason.trim()).filter(|reason| !reason.is_empty());
    let reason = reason.map(because).transpose()?;
    let wanted = Body(Approve { hours: Some(approval.hours) });
    let approved = plans::approve(State(admin.clone()), frame.permit.clone(), wanted).await?;
    let mut approved = done(reason, approved);
    Ok(onward(&mut approved, &format!("{}?said=approved", of_run(&frame.permit)?)))
}

async fn refuse(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(why): Fields<Why>,
) -> Result<Response, Problem> {
    let to = format!("{}?said=refused", of_run(&frame.permit)?);
    let mut refused =
        plans::refuse(State(admin), frame.permit, Body(Refuse { reason: why.reason })).await?;
    Ok(onward(&mut refused, &to))
}

fn of_run(permit: &Permit) -> Result<String, Problem> {
    let run: RunId = permit.id("run")?;
    Ok(format!("/clinics/{}/runs/{run}", permit.clinic()?.1.slug))
}

#[derive(Deserialize)]
struct Acceptance {
    what: String,
    #[serde(default)]
    list: String,
}

async fn accept(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(acceptance): Fields<Acceptance>,
) -> Result<Response, Problem> {
    let what = match acceptance.what.as_str() {
        "source" => Accepted::Source,
        "withdrawals" => Accepted::Withdrawals,
        "members" => Accepted::Members(acceptance.list),
        _ => return Err(Problem::wrong("only source, withdrawals or members can be accepted")),
    };
    let to = format!("{}?said=accepted", frame.path("")?);
    let wanted = Body(Accept { what, hours: None });
    let mut accepted = plans::accept(State(admin), frame.permit, wanted).await?;
    Ok(onward(&mut accepted, &to))
}
