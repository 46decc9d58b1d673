//! A person: on which lists, and by which rule. Addresses are masked until somebody presses *Show*,
//! which is on record.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::Admin;
use super::super::people::{self, clean};
use super::super::problem::Problem;
use super::super::route::Route;
use super::frame::{Fields, Frame, Tab};
use super::parts::{Tone, badge, class_words, op_state, opt_out_words, verb, when};
use super::suppressions::forms;
use crate::domain::{Act, Class, ContactFacts, ContactId, MemberStatus, PatientId};
use crate::reconcile::{Erasing, KeptOff, ListWord, Who};
use crate::store::ChangeRow;

/// Changes that are shown.
const CHANGES: u32 = 50;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/clinics/{clinic}/person", Act::Read, "Asks whom to look for.", search),
        Route::post("/clinics/{clinic}/person", Act::Read, "Finds somebody.", find),
        Route::get("/clinics/{clinic}/contacts/{contact}", Act::Read, "Shows somebody.", person),
        Route::post(
            "/clinics/{clinic}/contacts/{contact}/show",
            Act::Reveal,
            "Shows an address in full.",
            show,
        ),
    ]
}

#[derive(Deserialize)]
struct Asked {
    who: String,
}

async fn search(frame: Frame) -> Result<Response, Problem> {
    let view = html! {
        (form(&frame, None)?)
        p.quiet {
            "Whoever is found is shown with a masked address. What you type is sent in a form, never in a link."
        }
    };
    Ok(frame.page(Tab::Person, "Person", &view))
}

fn form(frame: &Frame, said: Option<&str>) -> Result<Markup, Problem> {
    let inner = html! {
        label for="who" { "An address, a number with +, or the clinic's id of a patient" }
        @if let Some(said) = said { p.note.bad role="alert" { (said) } }
        span.together {
            input #who name="who" required maxlength="500" autocomplete="off" spellcheck="false";
            button.main { "Find" }
        }
    };
    Ok(frame.form(&frame.path("/person")?, &inner))
}

async fn find(
    State(admin): State<Arc<Admin>>,
    frame: Frame,
    Fields(asked): Fields<Asked>,
) -> Result<Response, Problem> {
    let (_, clinic) = frame.permit.clinic()?;
    let who = Who::read(clean(&asked.who)?, clinic.country.as_deref());
    let Some(known) = people::explanation(&admin, &frame.permit, &who).await? else {
        let nobody =
            form(&frame, Some("Neither the clinic's records nor its lists know anybody by that."))?;
        return Ok(frame.page(Tab::Person, "Person", &nobody));
    };
    if let [contact] = known.contacts.as_slice() {
        let to = frame.path(&format!("/contacts/{contact}"))?;
        return Ok(Redirect::to(&to).into_response());
    }
    let (_, config) = frame.permit.clinic()?;
    let view = html! {
        @if known.contacts.is_empty() && known.lists.is_empty() && known.patients.is_empty() {
            p { "Nobody at the clinic and no list is known by that address." }
            (kept_off(&known.kept_off, config.time_zone))
        } @else if known.contacts.is_empty() && known.lists.is_empty() && known.erased.is_empty() {
            p { "The clinic knows this patient, without an address that any list could use." }
        } @else if known.contacts.is_empty() && known.lists.is_empty() {
            p { "The clinic knew this patient." }
        } @else if known.contacts.is_empty() {
            p { "A member whom the clinic never knew." }
            (kept_off(&known.kept_off, config.time_zone))
            (words(&known.lists))
        } @else {
            p { "A patient with " (known.contacts.len()) " addresses." }
            @for (contact, number) in known.contacts.iter().zip(1..) {
                h2 { "Address " (number) }
                p { a href=(frame.path(&format!("/contacts/{contact}"))?) { "Look at it" } }
            }
            (words(&known.lists))
        }
        (erased(&frame, &known.erased, "The patient", config.time_zone)?)
        @if frame.may(Act::Audit) {
            @for patient in &known.patients {
                p { a href=(rights(&frame, *patient)?) { "Rights of the patient" } }
            }
        }
        (form(&frame, None)?)
    };
    Ok(frame.page(Tab::Person, "Person", &view))
}

fn rights(frame: &Frame, patient: PatientId) -> Result<String, Problem> {
    frame.path(&format!("/patients/{patient}"))
}

async fn person(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let contact: ContactId = frame.permit.id("contact")?;
    let (id, config) = frame.permit.clinic()?;
    let facts = admin.store.contact(id, contact).await?;
    let Some(ContactFacts { contact: Some(facts), holders, .. }) = facts else {
        return Err(Problem::missing("person"));
    };
    let (_, lists) = frame.permit.lists(&admin).await?;
    let known = match &facts.address {
        Some(address) => {
            people::explanation(&admin, &frame.permit, &Who::Address(address.clone())).await?
        }
        None => None,
    };
    let (said, kept, gone) =
        known.map(|known| (known.lists, known.kept_off, known.erased)).unwrap_or_default();
    let links = admin.store.links_of_contact(id, contact).await?;
    let links: Vec<_> = links.iter().map(|row| row.link.id).collect();
    let changes = admin.store.changes_of_links(id, &links, CHANGES).await?;
    let alone = holders.iter().filter(|holder| holder.holds_now).count() < 2;
    let whose = if alone { "The patient" } else { "One of the patients who have this address" };
    let path = frame.path(&format!("/contacts/{contact}"))?;
    let show = frame.form(&format!("{path}/show"), &html! { button { "Show" } });
    let view = html! {
        div.person {
            span data-address {
                @match &facts.address { Some(address) => (address), None => "an erased address" }
            }
            " " span.quiet { (facts.channel) }
            @if frame.may(Act::Reveal) && facts.address.is_some() {
                div data-show { (show) }
            }
        }
        @if facts.address.is_none() {
            p { "The address was erased: what is left of it here is on record." }
        } @else if said.is_empty() {
            p { "On no list of the clinic." }
        } @else { (words(&said)) }
        (kept_off(&kept, config.time_zone))
        (erased(&frame, &gone, whose, config.time_zone)?)
        h2 { "What was changed" }
        (changed(&frame, &changes, &lists, config.time_zone)?)
        h2 { "What is on record" }
        p {
            "Consents, opt-outs and what webhooks told: "
            @if frame.may(Act::Audit) {
                a href={ (path) "/ledger" } { "the timeline" } ". That somebody looked is on record too."
            } @else { "a token of the role auditor or owner sees the timeline." }
        }
        @if frame.may(Act::Audit) && !holders.is_empty() {
            h2 { "Rights" }
            p {
                "A copy of everything, erasure, restriction, objection, preferences: "
                @for (holder, number) in holders.iter().zip(0..) {
                    @if number > 0 { ", " }
                    a href=(rights(&frame, holder.patient.id)?) { "patient " (holder.patient.record.source_id) }
                    @if !holder.holds_now { " (had this address once)" }
                }
                "."
            }
        }
        @if frame.may(Act::Own) && facts.address.is_some() {
            h2 { "Opt-outs of this address" }
            (forms(&frame, &path, &holders)?)
        }
        h2 { "Somebody else" }
        (form(&frame, None)?)
    };
    Ok(frame.page(Tab::Person, "Person", &view))
}

/// Says of each list where somebody stands, and by which rule.
fn words(lists: &[ListWord]) -> Markup {
    html! {
        div.cards {
            @for word in lists {
                section.card {
                    h2 { (word.list) }
                    p { (badge(tone(word.class), class_words(word.class))) }
                    ol.reasons {
                        @for reason in &word.reasons {
                            li { (reason.sentence) " " span.law { (reason.law) } }
                        }
                    }
                    dl {
                        dt { "At the provider" }
                        dd { (word.there.map_or("never seen there", MemberStatus::word)) }
                        dt { "Agreed last" }
                        dd { (word.agreed.map_or("nothing yet", |base| base.status.word())) }
                        dt { "Next run" }
                        dd {
                            @match word.next { Some(next) => (verb(next).1), None => "leaves it as it is" }
                            @if let Some(held) = word.held_back { ", but " (class_words(held)) }
                        }
                        @if let Some(why) = &word.waits_for { dt { "Waits for" } dd { (why) } }
                    }
                }
            }
        }
    }
}

/// Says who was erased, or is to be.
fn erased(
    frame: &Frame,
    erased: &[Erasing],
    whose: &str,
    zone: chrono_tz::Tz,
) -> Result<Markup, Problem> {
    let base = frame.path("/patients/")?;
    Ok(html! {
        @for erasing in erased {
            p.note.wait {
                @match (erasing.erased_at, erasing.asked_at) {
                    (Some(at), _) => { (whose) " was erased on " (when(at, zone)) ". " }
                    (None, Some(at)) => {
                        (whose) " is being erased, as asked on " (when(at, zone)) ". "
                    }
                    (None, None) => {}
                }
                @if frame.may(Act::Audit) { a href={ (base) (erasing.patient) "/erasure" } { "The receipt" } }
            }
        }
    })
}

/// Says what is known of an address by its hash alone.
fn kept_off(known: &[KeptOff], zone: chrono_tz::Tz) -> Markup {
    html! {
        @for kept in known {
            p.note.wait {
                "By the keyed hash of the address (" code { (kept.mark) } "): "
                (kept.kind.map_or("suppressed", opt_out_words)) " since " (when(kept.since, zone))
                @if kept.lifted { "; a newer consent lifts it." } @else { ". Nobody is contacted there." }
            }
        }
    }
}

const fn tone(class: Class) -> Tone {
    match class {
        Class::InStep => Tone::Good,
        Class::HeldButDropped | Class::HeldWithoutBasis | Class::Parked => Tone::Bad,
        Class::Due | Class::Waiting | Class::Braked => Tone::Wait,
        Class::Pending | Class::Unproven | Class::Unknown | Class::CannotLeave => Tone::Plain,
    }
}

fn changed(
    frame: &Frame,
    changes: &[ChangeRow],
    lists: &[crate::reconcile::KnownList],
    zone: chrono_tz::Tz,
) -> Result<Markup, Problem> {
    let base = frame.path("/runs/")?;
    let name =
        |id| lists.iter().find(|list| list.row.id == id).map_or("–", |list| &list.row.slug);
    Ok(html! {
        @if changes.is_empty() { p.quiet { "Nothing yet." } } @else {
            table.stack {
                caption.hidden { "Changes, the newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "List" } th scope="col" { "Change" }
                    th scope="col" { "Why" } th scope="col" { "State" }
                } }
                tbody {
                    @for change in changes {
                        @let (sign, words) = verb(change.verb);
                        tr {
                            th scope="row" { a href={ (base) (change.run) } { (when(change.at, zone)) } }
                            td data-l="List" { (name(change.list)) }
                            td data-l="Change" { (sign) " " (words) }
                            td data-l="Why" { (change.reason.sentence()) " " span.law { (change.reason.law()) } }
                            td data-l="State" { (op_state(change.state)) }
                        }
                    }
                }
            }
        }
    })
}

async fn show(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let path = frame.path(&format!("/contacts/{}", frame.permit.id::<ContactId>("contact")?))?;
    let shown = people::reveal(State(admin), frame.permit.clone()).await?.0;
    let view = html! {
        div.person {
            span data-address { (shown.address.as_deref().unwrap_or("an erased address")) }
            " " span.quiet { (shown.channel) }
        }
        p.quiet { "That you looked is in the audit log." }
        p { a href=(path) { "Back to the person" } }
    };
    Ok(frame.page(Tab::Person, "An address", &view))
}
