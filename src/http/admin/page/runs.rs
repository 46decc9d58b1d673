//! Runs and their journals, how far one under way is, and resyncs.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use maud::{Markup, html};

use super::super::paging::Turn;
use super::super::problem::Problem;
use super::super::route::Route;
use super::super::runs::{OfList, RunView};
use super::super::{Admin, plans, resyncs, runs};
use super::diff::Diff;
use super::frame::{Frame, Tab};
use super::parts::{Tone, badge, count, further, op_words, outcome, when, when_or};
use crate::domain::Act;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clinics/{clinic}/runs", Act::Read, "Shows the runs of a clinic.", all),
        Route::get("/clinics/{clinic}/runs/{run}", Act::Read, "Shows a run and its journal.", run),
        Route::get(
            "/clinics/{clinic}/runs/{run}/events",
            Act::Read,
            "Tells how far a run is, as it goes on (server-sent events).",
            runs::events,
        )
        .streams(),
        Route::get(
            "/clinics/{clinic}/resyncs/{resync}",
            Act::Read,
            "Shows a resync and its runs.",
            resync,
        ),
    ]
}

async fn all(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
    of: Result<Query<OfList>, QueryRejection>,
) -> Result<Response, Problem> {
    let list = of.as_ref().ok().and_then(|of| of.list.clone());
    let runs = runs::runs(State(admin), frame.permit.clone(), turn, of).await?.0;
    let path = frame.path("/runs")?;
    let view = html! {
        @if let Some(list) = &list {
            p { "Of the list " b { (list) } ". " a href=(path) { "All lists" } }
        }
        (table(&frame, &runs.items)?)
        @match (&list, &runs.next) {
            (Some(list), Some(next)) => {
                p { a.button href={ (path) "?list=" (list) "&cursor=" (next) } { "Further" } }
            },
            _ => (further(&runs, &path)),
        }
    };
    Ok(frame.page(Tab::Runs, "Runs", &view))
}

/// Returns runs as a table.
pub(super) fn table(frame: &Frame, runs: &[RunView]) -> Result<Markup, Problem> {
    let (base, zone) = (frame.path("")?, frame.permit.clinic()?.1.time_zone);
    Ok(html! {
        @if runs.is_empty() { p.quiet { "No run." } } @else {
            table.stack {
                caption.hidden { "Runs, the newest first" }
                thead { tr {
                    th scope="col" { "Began" } th scope="col" { "List" } th scope="col" { "Outcome" }
                    th scope="col" { "Changes" } th scope="col" { "Took" }
                } }
                tbody {
                    @for run in runs {
                        tr {
                            th scope="row" { a href={ (base) "/runs/" (run.run) } { (when(run.began_at, zone)) } }
                            td data-l="List" { (run.list.as_deref().unwrap_or("–")) }
                            td data-l="Outcome" { (outcome(run.outcome.as_deref())) (refusals(run)) }
                            td data-l="Changes" { (changes(run)) }
                            td data-l="Took" { (took(run)) }
                        }
                    }
                }
            }
        }
    })
}

/// Says that some changes of a run that ended well were refused.
fn refusals(run: &RunView) -> Markup {
    let operations = run.summary.as_ref().and_then(|summary| summary.get("operations"));
    let refused = operations.and_then(|operations| operations.get("refused")?.as_u64());
    html! {
        @if let Some(refused) = refused.filter(|refused| *refused > 0) {
            " " (badge(Tone::Wait, &format!("{refused} refused")))
        }
    }
}

/// Says in a few words what a run did.
fn changes(run: &RunView) -> String {
    let operations = run.summary.as_ref().and_then(|summary| summary.get("operations"));
    let Some(operations) = operations.and_then(|operations| operations.as_object()) else {
        return "–".to_owned();
    };
    let words = operations.iter().map(|(state, count)| format!("{count} {}", state_words(state)));
    let words: Vec<String> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn took(run: &RunView) -> String {
    let Some(ended) = run.ended_at else { return "–".to_owned() };
    let took = ended - run.began_at;
    match took.num_seconds() {
        0 => format!("{} ms", took.num_milliseconds()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

async fn run(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
) -> Result<Response, Problem> {
    let run = runs::run(State(admin.clone()), frame.permit.clone()).await?.0;
    let progress = admin.progress(frame.permit.clinic()?.0, run.run).await?;
    let changes = runs::changes(&admin, run.run, &turn).await?;
    let diff = Diff::of(&admin, &frame, run.run, changes).await?;
    let plans = plans::plans(State(admin.clone()), frame.permit.clone()).await?.0;
    let plan = plans.iter().find(|plan| plan.run == run.run);
    let (base, zone) = (frame.path("")?, frame.permit.clinic()?.1.time_zone);
    let path = format!("{base}/runs/{}", run.run);
    let problem = run.summary.as_ref().and_then(|summary| summary.get("problem")?.as_str());
    let goes_on = run.outcome.is_none();
    let view = html! {
        div #live data-events=[goes_on.then(|| format!("{path}/events"))] aria-live="polite" {
            p.verdict {
                (outcome(run.outcome.as_deref()))
                @for (state, count) in &progress.operations { " " (count) " " (state_words(state)) }
            }
            @if goes_on {
                progress max=(progress.operations.values().sum::<u64>().max(1)) value=(settled(&progress))
                    aria-label="Changes made" {}
                p.quiet { a href=(path) { "Look again" } }
            }
        }
        @if let Some(problem) = problem { p.note.bad { (problem) } }
        dl.facts {
            @if let Some(list) = &run.list {
                dt { "List" } dd { a href={ (base) "/lists/" (list) } { (list) } }
            }
            dt { "Began" } dd { (when(run.began_at, zone)) }
            dt { "Ended" } dd { (when_or(run.ended_at, zone, "not yet")) }
            dt { "Changes at its end" } dd { (self::changes(&run)) }
        }
        @if let Some(plan) = plan { h2 #plan { "This plan waits" } (diff.decide(&frame, plan)?) }
        h2 { "Changes" }
        (diff.view(&frame)?)
        (further(&diff.changes, &path))
    };
    let title = run.list.as_ref().map_or("Run".to_owned(), |list| format!("Run of {list}"));
    Ok(frame.page(Tab::Runs, &title, &view))
}

fn settled(progress: &runs::Progress) -> u64 {
    let settled = ["acknowledged", "refused", "superseded", "doubtful"];
    settled.iter().filter_map(|state| progress.operations.get(*state)).sum()
}

fn state_words(state: &str) -> &str {
    match state.parse() {
        Ok(known) => op_words(known),
        Err(_) => state,
    }
}

async fn resync(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let resync = resyncs::resync(State(admin), frame.permit.clone()).await?.0;
    let under_way = resync.runs.iter().find(|run| run.outcome.is_none()).map(|run| run.run);
    let events = frame.path("/runs")?;
    let zone = frame.permit.clinic()?.1.time_zone;
    let path = frame.path(&format!("/resyncs/{}", resync.resync))?;
    let (tone, words) = match (&resync.outcome, resync.begun_at) {
        (Some(outcome), _) if resync.ended_at.is_some() => came_to(outcome),
        (_, Some(_)) => (Tone::Wait, "under way"),
        (_, None) => (Tone::Wait, "waits for a worker"),
    };
    let over = resync.ended_at.is_some();
    let of = resync.list.as_deref();
    let view = html! {
        div #live data-poll=[(!over).then_some("yes")]
            data-events=[under_way.map(|run| format!("{events}/{run}/events"))]
            aria-live="polite" {
            p.verdict {
                (badge(tone, words)) " "
                @match of { Some(list) => { "of the list " (list) }, None => "of every list of the clinic" }
                @if resync.full { ", both sides read whole" }
            }
            @if !over { p.quiet { a href=(path) { "Look again" } } }
            dl.facts {
                dt { "Asked for" } dd { (when(resync.asked_at, zone)) }
                dt { "Begun" } dd { (when_or(resync.begun_at, zone, "not yet")) }
                dt { "Ended" } dd { (when_or(resync.ended_at, zone, "not yet")) }
            }
            h2 { (count(resync.runs.len() as u64, "run", "runs")) }
            (table(&frame, &resync.runs)?)
        }
        p { a href=(frame.path(&of.map(|list| format!("/lists/{list}")).unwrap_or_default())?) {
            "Where " (of.unwrap_or("every list")) " stands now"
        } }
    };
    Ok(frame.page(Tab::Runs, "Resync", &view))
}

fn came_to(outcome: &str) -> (Tone, &str) {
    match outcome {
        "in_step" => (Tone::Good, "in step"),
        "waiting" | "braked" => (Tone::Wait, "done; changes wait for an admin"),
        "parked_removals" => (Tone::Bad, "done; removals could not be made"),
        "failed" => (Tone::Bad, "failed"),
        other => (Tone::Plain, other),
    }
}
