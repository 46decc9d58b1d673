//! The audit log.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::Admin;
use super::super::audit::{self, LineView};
use super::super::paging::{Page, Turn};
use super::super::problem::Problem;
use super::super::route::Route;
use super::frame::{Frame, Tab};
use super::parts::{Tone, badge, further, when};
use crate::domain::Act;
use crate::store::AuditOutcome;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/audit", Act::Audit, "Shows what was done and refused.", all).everywhere(),
        Route::get(
            "/clinics/{clinic}/audit",
            Act::Audit,
            "Shows what was done and refused for a clinic.",
            clinic,
        ),
    ]
}

async fn all(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
) -> Result<Response, Problem> {
    let page = audit::page(&admin, None, &turn).await?.0;
    Ok(frame.page(Tab::Audit, "Audit log", &view(&page, Tz::UTC, "/audit")))
}

async fn clinic(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
) -> Result<Response, Problem> {
    let (id, config) = frame.permit.clinic()?;
    let page = audit::page(&admin, Some(id), &turn).await?.0;
    let view = view(&page, config.time_zone, &frame.path("/audit")?);
    Ok(frame.page(Tab::Audit, "Audit log", &view))
}

fn view(page: &Page<LineView>, zone: Tz, path: &str) -> Markup {
    html! {
        p.quiet {
            "The newest first, by the clock of " (zone.name()) ". One row is one act with what came of it; one that \
            has only begun is under way or was cut off, or its end is on the page before. "
            code { "listwarden audit verify" } " tells whether any line was changed."
        }
        table.stack {
            caption.hidden { "What was done and refused" }
            thead { tr {
                th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" }
                th scope="col" { "About" } th scope="col" { "Outcome" } th scope="col" { "Reason" }
            } }
            tbody { @for line in acts(&page.items) { (row(line, zone)) } }
        }
        (further(page, path))
    }
}

/// Returns one line for each act: its last, for what was begun and is over is said once.
fn acts(lines: &[LineView]) -> impl Iterator<Item = &LineView> {
    let over: HashSet<_> = lines
        .iter()
        .filter(|line| line.outcome != AuditOutcome::Begun)
        .map(|line| (line.request, line.clinic))
        .collect();
    lines.iter().filter(move |line| {
        line.outcome != AuditOutcome::Begun || !over.contains(&(line.request, line.clinic))
    })
}

fn row(line: &LineView, zone: Tz) -> Markup {
    let tone = match line.outcome {
        AuditOutcome::Begun => Tone::Plain,
        AuditOutcome::Done => Tone::Good,
        AuditOutcome::Failed => Tone::Wait,
        AuditOutcome::Refused => Tone::Bad,
    };
    html! {
        tr {
            th scope="row" { (when(line.at, zone)) }
            td data-l="Who" { (line.who) }
            td.long data-l="What" { (line.in_words.unwrap_or(&line.what)) }
            td.long data-l="About" { (line.subject.as_deref().unwrap_or("–")) }
            td data-l="Outcome" { (badge(tone, line.outcome.word())) }
            td data-l="Reason" { (line.reason.as_deref().unwrap_or("–")) }
        }
    }
}
