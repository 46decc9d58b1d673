//! Who is on a list and should not be: why, and what takes them off.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::super::Admin;
use super::super::held;
use super::super::paging::Turn;
use super::super::problem::Problem;
use super::super::route::Route;
use super::frame::{Frame, Tab};
use super::parts::{class_words, further, when_or};
use crate::domain::Act;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/clinics/{clinic}/lists/{list}/held",
        Act::Read,
        "Shows who is on a list and should not be.",
        people,
    )]
}

async fn people(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
) -> Result<Response, Problem> {
    let slug: String = frame.permit.id("list")?;
    let page = held::held(State(admin), frame.permit.clone(), turn).await?.0;
    let (zone, base) = (frame.permit.clinic()?.1.time_zone, frame.path("")?);
    let path = format!("{base}/lists/{slug}");
    let view = html! {
        p { "As of the last turn of the list. " a href=(path) { "Back to the list" } }
        @if page.items.is_empty() { p { "Nobody." } } @else {
            table.stack {
                caption.hidden { "Who is on the list and should not be, masked" }
                thead { tr {
                    th scope="col" { "Who" } th scope="col" { "How" } th scope="col" { "Member since" }
                    th scope="col" { "Why not" } th scope="col" { "What takes them off" }
                } }
                tbody {
                    @for held in &page.items {
                        tr {
                            th scope="row" {
                                @match held.contact {
                                    Some(contact) => a href={ (base) "/contacts/" (contact) } { (held.who) },
                                    None => (held.who),
                                }
                            }
                            td data-l="How" {
                                @if let Some(there) = held.there { (there) ", " }
                                (class_words(held.class))
                            }
                            td data-l="Member since" { (when_or(held.joined_at, zone, "not told")) }
                            td data-l="Why not" {
                                (held.reason.as_deref().unwrap_or("not planned yet"))
                                @if let Some(law) = &held.law { " " span.law { (law) } }
                            }
                            td data-l="What takes them off" { (held.cure) }
                        }
                    }
                }
            }
        }
        (further(&page, &format!("{path}/held")))
    };
    Ok(frame.page(Tab::Lists, &format!("Should not be on {slug}"), &view))
}
