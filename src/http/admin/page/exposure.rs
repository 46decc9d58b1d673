//! Who was on a list without a basis, from when to when: what the assessment of a breach begins with.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::Admin;
use super::super::problem::Problem;
use super::super::rights::{self, Exposed};
use super::super::route::Route;
use super::frame::{Frame, Tab};
use super::parts::when_or;
use super::wishes::instant;
use crate::domain::Act;
use crate::rights::Exposure;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/clinics/{clinic}/exposure",
        Act::Audit,
        "Shows who was on a list without a basis, from when to when.",
        exposure,
    )]
}

#[derive(Deserialize)]
struct Asked {
    /// None where nobody asked yet: it is told at some cost.
    from: Option<String>,
    #[serde(default)]
    to: String,
}

async fn exposure(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(asked) = asked?;
    let zone = frame.permit.clinic()?.1.time_zone;
    let lists = match &asked.from {
        None => Vec::new(),
        Some(from) => {
            let from = instant(from, zone)?.map(|[earliest, _]| earliest);
            let to = instant(&asked.to, zone)?.map(|[_, latest]| latest);
            let wanted = Exposed { from, to, list: None, people: false };
            rights::exposure(State(admin), frame.permit.clone(), Ok(Query(wanted))).await?.0
        }
    };
    let view = html! {
        p {
            "Addresses that were listed, pending or subscribed, without a basis: what the assessment of a breach begins \
            with. It is told from the ledger and the journal, by the law as it stands today. "
            code { "report --exposure --people" } " names the patients, by the clinic's ids. Every link is looked at: of a \
            large clinic it takes minutes."
        }
        form method="get" {
            label for="from" { "From, by the clinic's clock; from the beginning, if left empty" }
            input #from type="datetime-local" name="from" value=[asked.from.as_deref()];
            label for="to" { "Until; until now, if left empty" }
            input #to type="datetime-local" name="to" value=(asked.to);
            button { "Show" }
        }
        @for list in &lists { (of_list(list, zone)) }
    };
    Ok(frame.page(Tab::Lists, "Exposure", &view))
}

fn of_list(list: &Exposure, zone: Tz) -> Markup {
    html! {
        h2 { (list.list) }
        p {
            b { (list.exposed) } " listed without a basis, " b { (list.still) } " still are"
            @if list.exposed > 0 {
                "; from " (when_or(list.earliest, zone, "an unknown time"))
                " until " (when_or(list.latest, zone, "now"))
            }
            "."
        }
        @if list.by_policy > 0 {
            p { (list.by_policy) " of them are strangers whom " code { "unknown = \"keep\"" } " leaves there." }
        }
        @if list.erased > 0 {
            p { "Of " (list.erased) " erased addresses it can no longer be told." }
        }
        ul.why {
            @for (reason, people) in &list.reasons {
                li { b { (people) } " " (reason.sentence()) " " span.law { (reason.law()) } }
            }
        }
    }
}
