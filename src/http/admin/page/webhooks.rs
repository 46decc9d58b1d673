//! Webhook endpoints: whether providers tell us, and new secrets for them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;
use serde::Deserialize;

use super::super::Admin;
use super::super::problem::Problem;
use super::super::route::Route;
use super::super::webhooks::{self, Rotate};
use super::frame::{Fields, Frame, Tab};
use super::parts::{Tone, badge, when, when_or};
use crate::domain::Act;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clinics/{clinic}/webhooks", Act::Read, "Shows the webhooks.", shown),
        Route::post(
            "/clinics/{clinic}/webhooks/rotate",
            Act::Operate,
            "Replaces webhooks and their secrets.",
            rotate,
        ),
    ]
}

async fn shown(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let endpoints = webhooks::webhooks(State(admin), frame.permit.clone()).await?.0;
    let zone = frame.permit.clinic()?.1.time_zone;
    let rotation = html! { button { "Replace webhooks and their secrets" } };
    let view = html! {
        @if endpoints.is_empty() {
            p { "No webhook is registered: opt-outs are learned at the next run. "
                code { "listwarden webhook register" } " registers them." }
        } @else {
            table.stack {
                caption.hidden { "Where providers send what they have to tell" }
                thead { tr {
                    th scope="col" { "For" } th scope="col" { "Told of" } th scope="col" { "Signed" }
                    th scope="col" { "Since" } th scope="col" { "Last delivery" }
                } }
                tbody {
                    @for endpoint in &endpoints {
                        tr {
                            th scope="row" {
                                @match &endpoint.list {
                                    Some(list) => { "list " (list) },
                                    None => { "account " (endpoint.account) },
                                }
                            }
                            td data-l="Told of" { "acts of " (endpoint.origin) }
                            td data-l="Signed" {
                                @if endpoint.signed { (badge(Tone::Good, "signed")) }
                                @else { (badge(Tone::Wait, "not signed: read again first")) }
                            }
                            td data-l="Since" { (when(endpoint.created_at, zone)) }
                            td data-l="Last delivery" { (when_or(endpoint.last_delivery, zone, "none yet")) }
                        }
                    }
                }
            }
            @if frame.may(Act::Operate) {
                h2 { "New secrets" }
                p { "The old webhooks are still taken for two hours." }
                (frame.form(&frame.path("/webhooks/rotate")?, &rotation))
            }
        }
    };
    Ok(frame.page(Tab::Webhooks, "Webhooks", &view))
}

#[derive(Deserialize)]
struct Rotation {
    list: Option<String>,
}

async fn rotate(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(rotation): Fields<Rotation>,
) -> Result<Response, Problem> {
    let wanted = Rotate { list: rotation.list };
    let done = webhooks::replaced(&admin, &frame.permit, wanted).await?;
    // Not by leading on: a URL that is to be entered by hand is shown here and nowhere else.
    let view = html! {
        @if !done.failed.is_empty() {
            p.note.bad role="alert" {
                "Not, or not all, replaced: " (done.failed.join(", ")) ". The log says why."
            }
        }
        ul { @for said in &done.rotated { li.long { (said) } } }
        p { "The old ones are still taken for two hours." }
        p { a href=(frame.path("/webhooks")?) { "To the webhooks" } }
    };
    Ok(frame.page(Tab::Webhooks, "What was replaced", &view))
}
