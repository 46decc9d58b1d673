//! What somebody should look at: changes that could not be made, and what a rule decided by itself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::paging::{Page, Turn};
use super::super::parked::{self, Dismiss, ParkedView};
use super::super::problem::Problem;
use super::super::reviews::{self, Close};
use super::super::route::Route;
use super::super::{Admin, Body};
use super::diff::who;
use super::frame::{Fields, Frame, Tab, Why, onward};
use super::parts::{further, verb, when, when_or};
use crate::domain::{Act, LinkId};
use crate::store::{ParkedBecause, ReviewKind, ReviewRow};

/// Reviews that are shown.
const REVIEWS: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clinics/{clinic}/parked", Act::Read, "Shows what to look at.", shown),
        Route::post(
            "/clinics/{clinic}/parked/{link}/retry",
            Act::Operate,
            "Has the next run try a change again.",
            retry,
        ),
        Route::post(
            "/clinics/{clinic}/parked/{link}/dismiss",
            Act::Operate,
            "Has a change not tried again.",
            dismiss,
        ),
        Route::post(
            "/clinics/{clinic}/reviews/{review}/close",
            Act::Operate,
            "Says that somebody looked.",
            close,
        ),
    ]
}

async fn shown(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    turn: Turn,
) -> Result<Response, Problem> {
    let parked = parked::parked(State(admin.clone()), frame.permit.clone(), turn).await?.0;
    let first = Turn::first(REVIEWS);
    let reviews = reviews::reviews(State(admin.clone()), frame.permit.clone(), first).await?.0;
    let view = html! {
        h2 { "Could not be changed" }
        (changes(&admin, &frame, &parked).await?)
        (further(&parked, &frame.path("/parked")?))
        h2 { "Decided by a rule" }
        (decided(&frame, &reviews.items)?)
        @if reviews.next.is_some() { p { "There are more: they show as these are closed." } }
    };
    Ok(frame.page(Tab::Parked, "To look at", &view))
}

async fn changes(
    admin: &Admin,
    frame: &Frame,
    parked: &Page<ParkedView>,
) -> Result<Markup, Problem> {
    let (clinic, config) = frame.permit.clinic()?;
    let links: Vec<LinkId> = parked.items.iter().map(|row| row.link).collect();
    let people = admin.store.links_shown(clinic, &links).await?;
    let (base, zone) = (frame.path("")?, config.time_zone);
    let contacts = format!("{base}/contacts/");
    Ok(html! {
        @if parked.items.is_empty() { p.quiet { "Nothing: every change was made." } } @else {
            table.stack {
                caption.hidden { "Changes that could not be made" }
                thead { tr {
                    th scope="col" { "Who" } th scope="col" { "List" } th scope="col" { "Change" }
                    th scope="col" { "Why not" } th scope="col" { "Since" } th scope="col" { "Tried again" }
                    @if frame.may(Act::Operate) { th scope="col" { "Decide" } }
                } }
                tbody {
                    @for row in &parked.items {
                        tr {
                            th scope="row" { (who(people.get(&row.link), &contacts, zone)) }
                            td data-l="List" { (row.list.as_deref().unwrap_or("–")) }
                            td data-l="Change" { (verb(row.verb).1) }
                            td data-l="Why not" { (row.reason) }
                            td data-l="Since" { (when(row.since, zone)) }
                            td data-l="Tried again" { (when(row.next_try, zone)) }
                            @if frame.may(Act::Operate) { td data-l="Decide" { (decide(frame, row, &base)) } }
                        }
                    }
                }
            }
        }
    })
}

/// A removal is always tried again (L26): there is nothing to dismiss.
fn decide(frame: &Frame, row: &ParkedView, base: &str) -> Markup {
    let path = format!("{base}/parked/{}", row.link);
    let dismissal = reason(&format!("dismiss-{}", row.link), "Why not to try again", "Dismiss");
    html! {
        (frame.button(&format!("{path}/retry"), "Try now"))
        @if !row.verb.removes() { (frame.form(&format!("{path}/dismiss"), &dismissal)) }
    }
}

fn reason(id: &str, asks: &str, label: &str) -> Markup {
    html! {
        details {
            summary { (label) "…" }
            label for=(id) { (asks) "; names nobody" }
            input id=(id) name="reason" required minlength="3" maxlength="500" autocomplete="off";
            button { (label) }
        }
    }
}

fn decided(frame: &Frame, reviews: &[ReviewRow]) -> Result<Markup, Problem> {
    let (base, zone) = (frame.path("")?, frame.permit.clinic()?.1.time_zone);
    Ok(html! {
        @if reviews.is_empty() { p.quiet { "Nothing that nobody has looked at." } } @else {
            ul.reviews {
                @for review in reviews {
                    li {
                        b { (kind(review.kind)) } " " (when(review.at, zone)) " "
                        a href={ (base) "/contacts/" (review.contact) } { "Who it is about" }
                        @if let Some(list) = &review.list { " on " (list) }
                        ". At the provider: " (review.evidence)
                        @if frame.may(Act::Operate) {
                            (frame.form(
                                &format!("{base}/reviews/{}/close", review.id),
                                &reason(&format!("close-{}", review.id), "What came of it", "Close"),
                            ))
                        }
                    }
                }
            }
        }
    })
}

const fn kind(kind: ReviewKind) -> &'static str {
    match kind {
        ReviewKind::OwnWords => "An opt-out in own words: it counts.",
        ReviewKind::LateYes => "A yes that came too late: it restored nothing.",
    }
}

/// Says why changes of a list could not be made, and how many.
pub(super) fn why_parked(parked: &[ParkedBecause], zone: Tz) -> Markup {
    html! {
        ul.why {
            @for because in parked {
                li {
                    b { (because.links) " " (because.verb.map_or("change", |what| verb(what).1)) } " "
                    (because.why)
                    @if because.next_try.is_some() {
                        "; tried again " (when_or(because.next_try, zone, ""))
                    }
                }
            }
        }
    }
}

async fn retry(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let to = frame.path("/parked?said=retry")?;
    parked::retry(State(admin), frame.permit).await.map(drop)?;
    Ok(Redirect::to(&to).into_response())
}

async fn dismiss(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(why): Fields<Why>,
) -> Result<Response, Problem> {
    let to = frame.path("/parked?said=dismissed")?;
    let mut done =
        parked::dismiss(State(admin), frame.permit, Body(Dismiss { reason: why.reason })).await?;
    Ok(onward(&mut done, &to))
}

async fn close(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(why): Fields<Why>,
) -> Result<Response, Problem> {
    let to = frame.path("/parked?said=closed")?;
    let mut done =
        reviews::close(State(admin), frame.permit, Body(Close { reason: why.reason })).await?;
    Ok(onward(&mut done, &to))
}
