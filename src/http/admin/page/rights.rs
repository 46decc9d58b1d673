//! A patient's rights: a copy of everything, erasure with its receipt, restriction, objection,
//! preferences (docs/rights.md). What cannot be undone asks for the clinic's name.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::problem::Problem;
use super::super::rights::{self, Erase, Prefer, RefuseErasure, Word};
use super::super::route::Route;
use super::super::{Admin, Body};
use super::frame::{Fields, Frame, Tab, Why, onward};
use super::parts::{Tone, badge, when, when_or};
use crate::domain::{Act, Channel, PatientId};
use crate::rights::{Erased, Receipt};
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
        Route::get(
            "/clinics/{clinic}/patients/{patient}/erasure",
            Act::Audit,
            "Shows the receipt of an erasure.",
            receipt,
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
        Route::post(
            "/clinics/{clinic}/patients/{patient}/restrict",
            Act::Own,
            "Restricts the processing of a patient's data.",
            restrict,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/unrestrict",
            Act::Own,
            "Lifts a restriction.",
            unrestrict,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/object",
            Act::Own,
            "Takes down an objection.",
            object,
        ),
        Route::post(
            "/clinics/{clinic}/patients/{patient}/prefer",
            Act::Own,
            "Takes down a preference.",
            prefer,
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
        @if frame.may(Act::Own) {
            (told(&frame, &path)?)
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

/// Returns the forms that take down what a patient told somebody.
fn told(frame: &Frame, path: &str) -> Result<Markup, Problem> {
    let (_, clinic) = frame.permit.clinic()?;
    let purposes: std::collections::BTreeSet<&str> =
        clinic.lists.iter().filter_map(|list| list.policy.purpose.as_deref()).collect();
    let card = |act: &str, title: &str, what: &str, more: &Markup| {
        let inner = html! {
            h3 { (title) }
            p.quiet { (what) }
            (more)
            label for={ (act) "-evidence" } { "How it was said, and where that can be looked up; names nobody" }
            input id={ (act) "-evidence" } name="evidence" required minlength="3" maxlength="500" autocomplete="off";
            label for={ (act) "-at" } { "When, by the clinic's clock; now, if left empty" }
            input id={ (act) "-at" } name="at" type="datetime-local";
            button { "Take down: " (title) }
        };
        frame.form(&format!("{path}/{act}"), &inner)
    };
    let preference = html! {
        label for="prefer-way" { "What" }
        select #prefer-way name="way" {
            option value="not email" { "rather not by e-mail" }
            option value="not sms" { "rather not by text message" }
            option value="email" { "gladly by e-mail" }
            option value="sms" { "gladly by text message" }
        }
        label for="prefer-purpose" { "About" }
        select #prefer-purpose name="purpose" {
            option value="" { "everything" }
            @for purpose in purposes { option value=(purpose) { (purpose) } }
        }
    };
    let none = html! {};
    Ok(html! {
        h2 { "What the patient told" }
        div.decide {
            (card("restrict", "restriction", "Off every list, and kept here, until it is lifted here.", &none))
            (card("unrestrict", "restriction lifted", "Whoever had confirmed is asked once more, or restored.", &none))
            (card("object", "objection", "No marketing on any channel. Only consent that an admin accepts lifts it.", &none))
            (card("prefer", "preference", "It lists nobody; with \"rather not\" it keeps them off.", &preference))
        }
    })
}

fn erasing(frame: &Frame, path: &str) -> Result<Markup, Problem> {
    let erase = html! {
        h3 { "Erase" }
        p.quiet { "At the providers first, each verified by a read, then here. There is no way back; asked again it goes on where it was." }
        label for="erase-reason" { "How it was asked for, and where that can be looked up; names nobody" }
        input #erase-reason name="reason" required minlength="3" maxlength="500" autocomplete="off";
        (confirm(frame, "erase-confirm")?)
        button.bad { "Erase this patient" }
    };
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
            (frame.form(&format!("{path}/erase"), &erase))
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
    Ok(onward(&mut done, &to))
}

async fn refuse(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(why): Fields<Why>,
) -> Result<Response, Problem> {
    let to = path(&frame, "?said=kept")?;
    let refusal = Body(RefuseErasure { reason: why.reason });
    let mut done = rights::refuse(State(admin), frame.permit, refusal).await?;
    Ok(onward(&mut done, &to))
}

#[derive(Deserialize)]
struct Told {
    evidence: String,
    #[serde(default)]
    at: String,
}

impl Told {
    fn word(self, frame: &Frame) -> Result<Word, Problem> {
        let zone = frame.permit.clinic()?.1.time_zone;
        let at = instant(&self.at, zone)?.map(|[_, latest]| latest);
        Ok(Word { evidence: self.evidence, at })
    }
}

/// Reads a time by the clinic's clock: the earliest and the latest that it can be, where that clock
/// was put back.
pub(super) fn instant(typed: &str, zone: Tz) -> Result<Option<[DateTime<Utc>; 2]>, Problem> {
    if typed.is_empty() {
        return Ok(None);
    }
    let local = NaiveDateTime::parse_from_str(typed, "%Y-%m-%dT%H:%M").ok();
    let found = local.map(|local| zone.from_local_datetime(&local));
    let found = found.and_then(|found| Some([found.earliest()?, found.latest()?]));
    let found = found.ok_or_else(|| Problem::wrong("that time is none by the clinic's clock"))?;
    Ok(Some(found.map(|at| at.with_timezone(&Utc))))
}

async fn restrict(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(told): Fields<Told>,
) -> Result<Response, Problem> {
    let (to, word) = (path(&frame, "?said=taken")?, told.word(&frame)?);
    let mut done = rights::restrict(State(admin), frame.permit, Body(word)).await?;
    Ok(onward(&mut done, &to))
}

async fn unrestrict(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(told): Fields<Told>,
) -> Result<Response, Problem> {
    let (to, word) = (path(&frame, "?said=taken")?, told.word(&frame)?);
    let mut done = rights::unrestrict(State(admin), frame.permit, Body(word)).await?;
    Ok(onward(&mut done, &to))
}

async fn object(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(told): Fields<Told>,
) -> Result<Response, Problem> {
    let (to, word) = (path(&frame, "?said=taken")?, told.word(&frame)?);
    let mut done = rights::object(State(admin), frame.permit, Body(word)).await?;
    Ok(onward(&mut done, &to))
}

#[derive(Deserialize)]
struct Preferred {
    way: String,
    #[serde(default)]
    purpose: String,
    evidence: String,
    #[serde(default)]
    at: String,
}

async fn prefer(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(preferred): Fields<Preferred>,
) -> Result<Response, Problem> {
    let Preferred { way, purpose, evidence, at } = preferred;
    let (not, channel) = match way.as_str() {
        "not email" => (true, Channel::Email),
        "not sms" => (true, Channel::Sms),
        "email" => (false, Channel::Email),
        "sms" => (false, Channel::Sms),
        _ => return Err(Problem::wrong("say what the patient prefers")),
    };
    let (to, word) = (path(&frame, "?said=taken")?, Told { evidence, at }.word(&frame)?);
    let purpose = Some(purpose).filter(|purpose| !purpose.is_empty());
    let preferred = Prefer { channel, purpose, not, evidence: word.evidence, at: word.at };
    let mut done = rights::prefer(State(admin), frame.permit, Body(preferred)).await?;
    Ok(onward(&mut done, &to))
}

fn path(frame: &Frame, rest: &str) -> Result<String, Problem> {
    let patient: PatientId = frame.permit.id("patient")?;
    frame.path(&format!("/patients/{patient}{rest}"))
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
        p { "Who asked and why, as above; the journal, which names links and no people; the commitments of the ledger, which tell nothing without their text." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_by_the_clinics_clock() {
        let read = |typed| instant(typed, chrono_tz::Europe::London).ok().flatten();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(read("2026-07-01T09:30"), Some([at("2026-07-01T08:30:00Z"); 2]));
        let put_back = [at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")];
        assert_eq!(read("2026-10-25T01:30"), Some(put_back));
        assert_eq!(read("2026-03-29T01:30"), None, "the clock leapt over it");
        assert_eq!(read(""), None);
    }
}
