//! An opt-out put down by hand for the address of somebody, and lifted by newer evidence (L11).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::problem::Problem;
use super::super::route::Route;
use super::super::suppressions::{self, Kind, Lift, Suppress};
use super::super::{Admin, Body};
use super::frame::{Fields, Frame, onward};
use super::rights::confirm;
use super::wishes::instant;
use crate::domain::{Act, ContactId, Holder};
use crate::rights::confirmed;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post(
            "/clinics/{clinic}/contacts/{contact}/suppress",
            Act::Own,
            "Has nobody contacted at an address any more.",
            suppress,
        ),
        Route::post(
            "/clinics/{clinic}/contacts/{contact}/lift",
            Act::Own,
            "Accepts a newer consent against every opt-out of an address.",
            lift,
        ),
    ]
}

/// Returns the forms for the address of somebody, which `holders` have.
pub(super) fn forms(frame: &Frame, path: &str, holders: &[Holder]) -> Result<Markup, Problem> {
    let suppressing = html! {
        h3 { "An opt-out by hand" }
        p.quiet { "Nobody is contacted at this address any more, known or not." }
        label for="suppress-kind" { "What was said" }
        select #suppress-kind name="kind" {
            option value="withdrawn" { "not on this channel" }
            option value="objected" { "no marketing on any channel" }
        }
        label for="suppress-reason" { "Why; names nobody" }
        input #suppress-reason name="reason" required minlength="3" maxlength="500" autocomplete="off";
        button { "Put the opt-out down" }
    };
    let lifting = html! {
        h3 { "Lift every opt-out" }
        p.quiet { "Only by consent that is newer than all of them. It leads to one new invitation." }
        label for="lift-patient" { "Who asked anew" }
        select #lift-patient name="patient" {
            @for holder in holders.iter().filter(|holder| holder.holds_now) {
                option value=(holder.patient.id) { "patient " (holder.patient.record.source_id) }
            }
        }
        label for="lift-method" { "How: in person, by telephone, on paper" }
        input #lift-method name="method" required maxlength="500" autocomplete="off";
        label for="lift-wording" { "The wording that was read or shown, or its version" }
        input #lift-wording name="wording" required maxlength="500" autocomplete="off";
        label for="lift-at" { "When, by the clinic's clock" }
        input #lift-at name="at" type="datetime-local" required;
        label for="lift-reason" { "Why it is accepted; names nobody" }
        input #lift-reason name="reason" required minlength="3" maxlength="500" autocomplete="off";
        (confirm(frame, "lift-confirm")?)
        button.bad { "Lift every opt-out" }
    };
    Ok(html! {
        div.decide {
            (frame.form(&format!("{path}/suppress"), &suppressing))
            @if holders.iter().any(|holder| holder.holds_now) {
                (frame.form(&format!("{path}/lift"), &lifting))
            }
        }
    })
}

/// Returns the address of the path's contact, in full, and where its view is.
async fn address(admin: &Admin, frame: &Frame) -> Result<(String, String), Problem> {
    let (clinic, _) = frame.permit.clinic()?;
    let contact: ContactId = frame.permit.id("contact")?;
    let facts = admin.store.contact(clinic, contact).await?.and_then(|facts| facts.contact);
    let facts = facts.ok_or_else(|| Problem::missing("contact"))?;
    let address = facts.address.ok_or_else(|| Problem::conflict("the address was erased"))?;
    Ok((address.expose().to_owned(), frame.path(&format!("/contacts/{contact}"))?))
}

#[derive(Deserialize)]
struct Suppressing {
    kind: Kind,
    reason: String,
}

async fn suppress(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(Suppressing { kind, reason }): Fields<Suppressing>,
) -> Result<Response, Problem> {
    let (address, to) = address(&admin, &frame).await?;
    let wanted = Body(Suppress { address, kind, reason });
    let mut done = suppressions::suppress(State(admin), frame.permit, wanted).await?;
    Ok(onward(&mut done, &format!("{to}?said=suppressed")))
}

#[derive(Deserialize)]
struct Lifting {
    patient: String,
    method: String,
    wording: String,
    at: String,
    reason: String,
    confirm: String,
}

async fn lift(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(lifting): Fields<Lifting>,
) -> Result<Response, Problem> {
    let (address, to) = address(&admin, &frame).await?;
    let (_, clinic) = frame.permit.clinic()?;
    confirmed(clinic, &lifting.confirm)?;
    let at = instant(&lifting.at, clinic.time_zone)?;
    let [at, _] = at.ok_or_else(|| Problem::wrong("say when consent was given"))?;
    let Lifting { patient, method, wording, reason, .. } = lifting;
    let wanted = Body(Lift { address, patient, method, wording, at, reason });
    let mut done = suppressions::lift(State(admin), frame.permit, wanted).await?;
    Ok(onward(&mut done, &format!("{to}?said=lifted")))
}
