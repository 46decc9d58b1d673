//! A clinic: its lists, and *Resync*.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::super::clinics;
use super::super::problem::Problem;
use super::super::route::Route;
use super::super::{Admin, about, resyncs};
use super::bar::{bar, legend};
use super::frame::{Fields, Frame, Tab};
use super::overview::{brake, next_run, state};
use super::parts::{outcome, when, when_or};
use crate::domain::Act;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clinics/{clinic}", Act::Read, "Shows the lists of a clinic.", clinic),
        Route::post("/clinics/{clinic}/resyncs", Act::Operate, "Resyncs a clinic.", resync),
    ]
}

/// How resyncs are asked for.
#[derive(serde::Deserialize)]
pub(super) struct Resyncs {
    /// Anything: read both sides whole.
    #[serde(default)]
    pub(super) full: Option<String>,
}

async fn clinic(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let lists = clinics::lists(State(admin.clone()), frame.permit.clone()).await?.0;
    let (id, config) = frame.permit.clinic()?;
    let (zone, base) = (config.time_zone, frame.path("")?);
    let read = admin.store.clinic(id).await?.source_swept_at;
    let next = next_run(&admin, &frame);
    let view = html! {
        p.quiet {
            "Patients read whole: " (when_or(read, zone, "never")) ". Times are by the clock of "
            (zone.name()) "."
        }
        div.cards {
            @for list in &lists {
                section.card {
                    h2 { a href={ (base) "/lists/" (list.overview.attestation.list) } {
                        (list.overview.attestation.list)
                    } }
                    p { (state(list, &base)) }
                    @if let Some(classes) = &list.overview.attestation.classes {
                        (bar(classes)) (legend(classes))
                    }
                    dl {
                        dt { "Last run" }
                        dd {
                            @match &list.last_run {
                                Some(run) => {
                                    (when(run.began_at, zone)) " " (outcome(run.outcome.as_deref()))
                                },
                                None => "never",
                            }
                        }
                        dt { "Next run" } dd { (when_or(next, zone, "not known here")) }
                        dt { "Brake" } dd { (brake(&base, list)) }
                    }
                }
            }
        }
        @if frame.may(Act::Audit) {
            p { a href={ (base) "/exposure" } { "Who was on a list without a basis" } }
        }
        @if frame.may(Act::Operate) {
            h2 { "Resync" }
            p { "Brings every list of the clinic in step now, as the next run would." }
            (resync_form(&frame, &format!("{base}/resyncs")))
            details {
                summary { "Accept what is not believed…" }
                p {
                    "Where so many patients are gone from the clinic's records, or so many withdrew by a bare \
                    flag, that it may be a mistake, nothing is done until an admin accepts it."
                }
                (acceptance(&frame, &base, "source", "", "The patients are really gone"))
                (acceptance(&frame, &base, "withdrawals", "", "The withdrawals are really meant"))
            }
        }
    };
    Ok(frame.page(Tab::Lists, "Lists", &view))
}

/// Returns the form that accepts something, for the next runs.
pub(super) fn acceptance(
    frame: &Frame,
    base: &str,
    what: &str,
    list: &str,
    label: &str,
) -> maud::Markup {
    frame.form(
        &format!("{base}/acceptances"),
        &html! {
            input type="hidden" name="what" value=(what);
            input type="hidden" name="list" value=(list);
            button { (label) }
        },
    )
}

/// Returns the form that asks for a resync.
pub(super) fn resync_form(frame: &Frame, action: &str) -> maud::Markup {
    frame.form(
        action,
        &html! {
            label.check { input type="checkbox" name="full" value="yes"; " Read both sides whole" }
            button.main { "Resync" }
        },
    )
}

async fn resync(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(wanted): Fields<Resyncs>,
) -> Result<Response, Problem> {
    ask(&admin, &frame, None, &wanted).await
}

/// Asks for a resync and leads to it; one that waits or is under way is joined.
pub(super) async fn ask(
    admin: &Admin,
    frame: &Frame,
    list: Option<&str>,
    wanted: &Resyncs,
) -> Result<Response, Problem> {
    let (clinic, _) = frame.permit.clinic()?;
    let resync = admin.store.resync_ask(clinic, list, wanted.full.is_some()).await?;
    admin.resync.notify_one();
    let said = resyncs::said(list, wanted.full.is_some());
    let to = Redirect::to(&frame.path(&format!("/resyncs/{resync}"))?);
    Ok(about(said, to.into_response()))
}
