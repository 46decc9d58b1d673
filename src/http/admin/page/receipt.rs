//! The receipt of an erasure, to read and to print.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::Admin;
use super::super::problem::Problem;
use super::super::rights;
use super::super::route::Route;
use super::frame::{Frame, Tab};
use super::parts::{Tone, badge, when_or};
use super::rights::path;
use crate::domain::Act;
use crate::rights::{Erased, Receipt};

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/clinics/{clinic}/patients/{patient}/erasure",
        Act::Audit,
        "Shows the receipt of an erasure.",
        receipt,
    )]
}

async fn receipt(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let receipt = rights::receipt(&admin, &frame.permit).await?;
    let zone = frame.permit.clinic()?.1.time_zone;
    let view = html! {
        p.verdict {
            @if receipt.done { (badge(Tone::Good, "Erased")) }
            @else { (badge(Tone::Wait, "Not done yet")) " Every run goes on with it; asked again it goes on at once." }
        }
        dl.facts {
            dt { "Clinic" } dd { (frame.permit.clinic()?.1.title) }
            dt { "Patient, by the clinic's id" } dd { (receipt.patient) }
            dt { "Asked for" } dd { (when_or(receipt.asked_at, zone, "nobody asked here: the clinic deleted the record")) }
            @if let Some(by) = &receipt.asked_by { dt { "Taken down by" } dd { (by) } }
            @if let Some(reason) = &receipt.reason { dt { "Because" } dd { (reason) } }
            dt { "Record here erased" } dd { (when_or(receipt.record_erased_at, zone, "not yet")) }
            dt { "Addresses erased here" } dd { (receipt.addresses_erased) }
            @if receipt.addresses_of_others > 0 {
                dt { "Addresses that stay another person's" } dd { (receipt.addresses_of_others) }
            }
        }
        (at_lists(&receipt, zone))
        (remains(&receipt))
        p.screen { a href=(path(&frame, "")?) { "Back to the patient" } }
    };
    Ok(frame.page(Tab::Person, "Receipt of an erasure", &view))
}

fn at_lists(receipt: &Receipt, zone: Tz) -> Markup {
    html! {
        h2 { "On the lists" }
        @if receipt.lists.is_empty() { p { "The patient was on no list." } } @else {
            table.stack {
                caption.hidden { "What became of the patient on each list" }
                thead { tr { th scope="col" { "List" } th scope="col" { "State" } th scope="col" { "Verified at the provider" } } }
                tbody {
                    @for list in &receipt.lists {
                        tr {
                            th scope="row" { (list.list) }
                            td data-l="State" { (badge(tone(list.state), list.state.words())) }
                            td data-l="Verified" { (when_or(list.verified_at, zone, "not yet")) }
                        }
                    }
                }
            }
        }
    }
}

const fn tone(state: Erased) -> Tone {
    match state {
        Erased::Erased | Erased::NotThere => Tone::Good,
        Erased::NotYet | Erased::WaitsForApproval | Erased::Ended => Tone::Wait,
    }
}

fn remains(receipt: &Receipt) -> Markup {
    html! {
        h2 { "What remains" }
        @if receipt.remains.is_empty() { p { "No hash of an address." } } @else {
            p { "A keyed hash of each address, which keeps the person from being listed again. Only the clinic's key can compare it with an address." }
            ul {
                @for left in &receipt.remains {
                    li { (left.channel) ", key " (left.key) ": " code { (left.hash) } }
                }
            }
        }
        p { "And beside that:" }
        ul { @for left in &receipt.also_remains { li { (left) } } }
    }
}
