//! Every list at a glance: clean or not, and what keeps it from being so.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures::stream::{StreamExt, TryStreamExt, iter};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::super::clinics::ListView;
use super::super::paging::{Page, Turn};
use super::super::problem::Problem;
use super::super::resyncs::{self, Resync};
use super::super::route::Route;
use super::super::runs::RunView;
use super::super::{Admin, Body};
use super::bar::bar;
use super::clinic::{Resyncs, resync_form};
use super::frame::{Fields, Frame, Tab, onward};
use super::parts::{Tone, badge, count, further, outcome, when, when_or};
use crate::config::ClinicConfig;
use crate::domain::{Act, Class, ClinicId, Clinics};
use crate::reconcile::{Attestation, KnownList};

/// Clinics on a page, unless asked for otherwise.
const CLINICS: u32 = 25;
/// Clinics looked at together.
const TOGETHER: usize = 8;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Act::Read, "Shows every list at a glance.", overview),
        Route::post("/resyncs", Act::Operate, "Resyncs every list that the token is for.", resync),
    ]
}

#[derive(Deserialize)]
struct Wanted {
    clinic: Option<String>,
    limit: Option<u32>,
}

/// A clinic and where its lists stand.
struct Stands<'a> {
    clinic: &'a ClinicConfig,
    lists: Vec<ListView>,
}

async fn overview(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted?;
    if let Some(slug) = wanted.clinic {
        let slug = utf8_percent_encode(slug.trim(), NON_ALPHANUMERIC);
        return Ok(Redirect::to(&format!("/clinics/{slug}")).into_response());
    }
    let turn = if wanted.limit.is_none() { turn.of(CLINICS) } else { turn };
    let after = turn.after(String::new())?;
    let rows = admin.store.clinics_page(&frame.permit.token.clinics, &after, turn.rows()).await?;
    let page = turn.page(rows, |row| row.slug.clone(), |row| (row.id, row.slug));
    let config = frame.permit.config();
    let configured = page.items.iter().filter_map(|(id, slug)| Some((*id, config.clinic(slug)?)));
    let looks: Vec<_> = configured.map(|(id, clinic)| stands(&admin, &frame, id, clinic)).collect();
    let stands: Vec<Stands<'_>> = iter(looks).buffered(TOGETHER).try_collect().await?;
    Ok(frame.page(Tab::None, "Overview", &view(&admin, &frame, &stands, &page)))
}

async fn stands<'a>(
    admin: &Admin,
    frame: &'a Frame,
    id: ClinicId,
    clinic: &'a ClinicConfig,
) -> Result<Stands<'a>, Problem> {
    let (_, known) = KnownList::of_clinic(&admin.store, frame.permit.config(), clinic).await?;
    let counted = admin.counted(id).await?;
    let lists = admin.reconciler.overview(id, &known, &counted).await?.into_iter();
    let lists = lists.map(|mut overview| {
        let last_run = overview.last_run.take().map(|run| RunView::of(run, &known));
        ListView { overview, last_run }
    });
    Ok(Stands { clinic, lists: lists.collect() })
}

fn view(
    admin: &Admin,
    frame: &Frame,
    stands: &[Stands<'_>],
    page: &Page<(ClinicId, String)>,
) -> Markup {
    let open = stands
        .iter()
        .flat_map(|clinic| &clinic.lists)
        .filter(|list| !list.overview.attestation.clean);
    let (open, next) = (open.count() as u64, next_run(admin, frame));
    let lists: usize = stands.iter().map(|clinic| clinic.lists.len()).sum();
    html! {
        p.verdict {
            @if lists == 0 {
                (badge(Tone::Plain, "Nothing to show"))
                " No clinic that this token is for has a list."
            } @else if open == 0 {
                (badge(Tone::Good, "All clean")) " Nobody is on a list who should not be"
                @if page.next.is_some() { ", of those on this page" } "."
            } @else {
                (badge(Tone::Bad, "Not clean")) " "
                (count(open, "list needs", "lists need")) " a look"
                @if page.next.is_some() { " on this page" } "."
            }
        }
        @if lists > 0 { (rows(stands, next)) }
        @if lists > 0 && next.is_none() {
            p.quiet {
                "When the next run is, is known here only where " code { "serve" } " makes it ("
                code { "[serve] schedule" } "); a CronJob keeps it to itself."
            }
        }
        (further(page, "/"))
        form.find method="get" action="/" role="search" {
            label for="clinic" { "Go to a clinic by its short name" }
            span.together { input #clinic name="clinic" required; button { "Go" } }
        }
        @if frame.may(Act::Operate) {
            details {
                summary { "Resync every list…" }
                p { "Brings every list of every clinic in step now, one clinic after the other." }
                (resync_form(frame, "/resyncs"))
            }
        }
        @if frame.may(Act::Audit) && frame.permit.token.clinics == Clinics::All {
            p { a href="/audit" { "The audit log of every clinic" } }
        }
    }
}

async fn resync(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(wanted): Fields<Resyncs>,
) -> Result<Response, Problem> {
    let wanted = Body(Resync { full: wanted.full.is_some() });
    let mut asked = resyncs::all(State(admin), frame.permit, wanted).await?;
    Ok(onward(&mut asked, "/?said=resyncs"))
}

fn rows(stands: &[Stands<'_>], next: Option<DateTime<Utc>>) -> Markup {
    html! {
        table.stack {
            caption.hidden { "Where each list stands; times by each clinic's clock" }
            thead { tr {
                th scope="col" { "List" } th scope="col" { "State" } th scope="col" { "Members" }
                th scope="col" { "Last run" } th scope="col" { "Next run" } th scope="col" { "Brake" }
            } }
            tbody {
                @for clinic in stands { @for list in &clinic.lists { (row(clinic.clinic, list, next)) } }
            }
        }
    }
}

fn row(clinic: &ClinicConfig, list: &ListView, next: Option<DateTime<Utc>>) -> Markup {
    let (attested, zone) = (&list.overview.attestation, clinic.time_zone);
    let base = format!("/clinics/{}", clinic.slug);
    html! {
        tr {
            th scope="row" {
                a href={ (base) "/lists/" (attested.list) } { (attested.list) }
                " " a.quiet href=(base) { (clinic.title) }
            }
            td data-l="State" { (state(list, &base)) }
            td data-l="Members" {
                @match &attested.classes {
                    Some(classes) => span.members { (bar(classes)) span.number { (attested.members.unwrap_or_default()) } },
                    None => span.quiet { "unknown" },
                }
            }
            td data-l="Last run" { (last_run(list, zone)) }
            td data-l="Next run" { (when_or(next, zone, "not known here")) }
            td data-l="Brake" { (brake(&base, list)) }
        }
    }
}

/// Returns whether a list is clean, and if not, why.
pub(super) fn state(list: &ListView, base: &str) -> Markup {
    let attested = &list.overview.attestation;
    let (parked, held) = (attested.parked_removals, held(attested));
    let others = attested.drift.unwrap_or_default().saturating_sub(held);
    html! {
        @if attested.clean { (badge(Tone::Good, "Clean")) }
        @else if attested.drift.is_some() {
            (badge(Tone::Bad, "Not clean")) " "
            @if held > 0 {
                a href={ (base) "/lists/" (attested.list) "/held" } {
                    (count(held, "person", "people")) " should not be there"
                } " "
            }
            @if others > 0 { (count(others, "change", "changes")) " to be made " }
            @if parked > 0 { (count(parked, "removal", "removals")) " could not be made" }
        } @else {
            (badge(Tone::Bad, "Unknown")) " not read whole lately"
        }
    }
}

/// Counts who is on a list and should not be.
fn held(attested: &Attestation) -> u64 {
    let held = [Class::HeldButDropped, Class::HeldWithoutBasis];
    held.iter().filter_map(|class| attested.count(*class)).sum()
}

fn last_run(list: &ListView, zone: Tz) -> Markup {
    html! {
        @match &list.last_run {
            Some(run) => { (when(run.began_at, zone)) " " (outcome(run.outcome.as_deref())) },
            None => span.quiet { "never" },
        }
    }
}

/// Returns whether a plan waits for an admin.
pub(super) fn brake(base: &str, list: &ListView) -> Markup {
    html! {
        @match list.overview.plan {
            Some(run) => a href={ (base) "/runs/" (run) } {
                @if list.overview.approved_at.is_none() { "First plan waits" } @else { "Plan waits" }
            },
            None => span.quiet { "open" },
        }
    }
}

/// Returns when this process makes its next run; none where it makes none by itself.
pub(super) fn next_run(admin: &Admin, frame: &Frame) -> Option<DateTime<Utc>> {
    let serve = &frame.permit.config().serve;
    let local = admin.clock.now().with_timezone(&serve.time_zone);
    let next = serve.schedule.as_ref()?.find_next_occurrence(&local, false);
    next.ok().map(|at| at.to_utc())
}
