//! A patient's rights: a copy of everything, erasure, and what the patient told (docs/rights.md). What
//! cannot be undone asks for the clinic's name.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::problem::Problem;
use super::super::rights::{self, Erase, RefuseErasure};
use super::super::route::Route;
use super::super::{Admin, Body};
use super::frame::{Fields, Frame, Tab, Why, onward_saying};
use super::parts::when;
use super::wishes;
use crate::domain::{Act, PatientId};
use crate::store::HeldAddress;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/clinics/{clinic}/patients/{patient}",
            Act::Audit,
            "Shows what a patient may ask for.",
            patient,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/export",
            Act::Export,
            "Puts everything that is held of a patient into a zip file.",
            export,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/erase",
            Act::Own,
            "Erases a patient.",
            erase,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/erase/refuse",
            Act::Own,
            "Refuses an erasure.",
            refuse,
        ),
    ]
}

async fn patient(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let (clinic, config) = frame.permit.clinic()?;
    let id: PatientId = frame.permit.id("patient")?;
    let found = admin.store.patient_find(clinic, &id.to_string()).await?;
    let found = found.ok_or_else(|| Problem::missing("patient"))?;
    let held = admin.store.addresses_of_patient(clinic, found.id).await?;
    let far = admin.store.erasure_of(clinic, found.id).await?;
    let erased_at = far.as_ref().and_then(|far| far.erased_at);
    let asked_at = far.and_then(|far| far.asked_at.or(far.erased_at));
    let path = frame.path(&format!("/patients/{}", found.id))?;
    let view = html! {
        p { "What the patient may ask of the clinic about their own data. That you looked is on record." }
        dl.facts {
            dt { "Patient" } dd { (found.record.source_id) }
            dt { "Addresses" } dd { (addresses(&frame, &held)?) }
            @if let Some(at) = asked_at {
                dt { "Erasure" }
                dd { (when(at, config.time_zone)) " " a href={ (path) "/erasure" } { "The receipt" } }
            }
        }
        @if frame.may(Act::Export) {
            h2 { "A copy of everything" }
            p { "A zip file with a page to read, tables and JSON: this patient's data, and nobody else's. Hand it over as safely as the records themselves." }
            (frame.form(&format!("{path}/export"), &html! { button.main { "Export" } }))
        }
        @if let Some(at) = erased_at {
            p.note.wait {
                "The patient was erased on " (when(at, config.time_zone)) ": nothing is held that could be restricted, \
                 objected to or erased. Whatever the clinic's record goes on to say is not taken over, until it holds a newer consent."
            }
        } @else if frame.may(Act::Own) && asked_at.is_some() {
            h2 { "Erasure" }
            p { "It was asked for and is under way: every run goes on with it, and asking again does at once." }
            div.decide { (erase_form(&frame, &path)?) }
        } @else if frame.may(Act::Own) {
            (wishes::forms(&frame, &path)?)
            (erasing(&frame, &path)?)
        } @else {
            p.quiet { "A token of the role owner takes down what the patient says, and erases." }
        }
    };
    Ok(frame.page(Tab::Person, "Rights of a patient", &view))
}

fn addresses(frame: &Frame, held: &[HeldAddress]) -> Result<Markup, Problem> {
    let base = frame.path("/contacts/")?;
    Ok(html! {
        @if held.is_empty() { "none" }
        @for (held, number) in held.iter().zip(0..) {
            @if number > 0 { ", " }
            a href={ (base) (held.contact) } {
                @match &held.address {
                    Some(address) if held.holds_now || !held.of_others => (address),
                    Some(_) => "somebody else's now",
                    None => "erased",
                }
            }
        }
    })
}

fn erase_form(frame: &Frame, path: &str) -> Result<Markup, Problem> {
    let erase = html! {
        h3 { "Erase" }
        p.quiet { "At the providers first, each verified by a read, then here. There is no way back; asked again it goes on where it was." }
        label for="erase-reason" { "How it was asked for, and where that can be looked up; names nobody" }
        input #erase-reason name="reason" required minlength="3" maxlength="500" autocomplete="off";
        (confirm(frame, "erase-confirm")?)
        button.bad { "Erase this patient" }
    };
    Ok(frame.form(&format!("{path}/erase"), &erase))
}

fn erasing(frame: &Frame, path: &str) -> Result<Markup, Problem> {
    let refuse = html! {
        h3 { "Refuse to erase" }
        p.quiet { "Because of a duty to keep. The patient objects and is restricted instead: nobody writes to them any more." }
        label for="refuse-reason" { "The duty to keep; names nobody" }
        input #refuse-reason name="reason" required minlength="3" maxlength="500" autocomplete="off";
        button { "Refuse to erase" }
    };
    Ok(html! {
        h2 { "Erasure" }
        div.decide {
            (erase_form(frame, path)?)
            (frame.form(&format!("{path}/erase/refuse"), &refuse))
        }
    })
}

/// Asks for the clinic's name, for there is no way back.
pub(super) fn confirm(frame: &Frame, id: &str) -> Result<Markup, Problem> {
    let slug = frame.slug()?;
    Ok(html! {
        label for=(id) { "Type the clinic's short name, " code { (slug) } }
        input id=(id) name="confirm" required autocomplete="off" autocapitalize="none" spellcheck="false";
    })
}

async fn export(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    rights::export(State(admin), frame.permit).await
}

#[derive(Deserialize)]
struct Erasing {
    reason: String,
    confirm: String,
}

async fn erase(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(Erasing { reason, confirm }): Fields<Erasing>,
) -> Result<Response, Problem> {
    let to = path(&frame, "/erasure")?;
    let asked = Body(Erase { reason, confirm });
    let mut done = rights::erase(State(admin), frame.permit, asked).await?;
    Ok(onward_saying(&mut done, &to, ""))
}

async fn refuse(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(why): Fields<Why>,
) -> Result<Response, Problem> {
    let to = path(&frame, "")?;
    let refusal = Body(RefuseErasure { reason: why.reason });
    let mut done = rights::refuse(State(admin), frame.permit, refusal).await?;
    Ok(onward_saying(&mut done, &to, "kept"))
}

pub(super) fn path(frame: &Frame, rest: &str) -> Result<String, Problem> {
    let patient: PatientId = frame.permit.id("patient")?;
    frame.path(&format!("/patients/{patient}{rest}"))
}
