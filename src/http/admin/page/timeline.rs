//! What is on record of somebody, and what was changed, in the order it happened.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::super::Admin;
use super::super::problem::Problem;
use super::super::route::Route;
use super::frame::{Frame, Tab};
use super::parts::{op_words, verb, when};
use crate::domain::{Act, Actor, ContactId, Event, EventKind};

/// Changes that are shown among what is on record.
const CHANGES: u32 = 500;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get(
        "/clinics/{clinic}/contacts/{contact}/ledger",
        Act::Audit,
        "Shows what is on record of somebody.",
        timeline,
    )]
}

async fn timeline(State(admin): State<Arc<Admin>>, frame: Frame) -> Result<Response, Problem> {
    let (clinic, config) = frame.permit.clinic()?;
    let contact: ContactId = frame.permit.id("contact")?;
    let facts = admin.store.contact(clinic, contact).await?;
    let facts = facts.ok_or_else(|| Problem::missing("person"))?;
    let (_, lists) = frame.permit.lists(&admin).await?;
    let links = admin.store.links_of_contact(clinic, contact).await?;
    let links: Vec<_> = links.iter().map(|row| row.link.id).collect();
    let changes = admin.store.changes_of_links(clinic, &links, CHANGES).await?;
    let name = |id| lists.iter().find(|list| list.row.id == id).map_or("a list", |l| &l.row.slug);
    let mut entries: Vec<(DateTime<Utc>, Markup)> = Vec::new();
    for event in admin.reconciler.on_record(clinic, &facts).await? {
        let list = event.draft.list.map(name);
        entries.push((event.recorded_at, told(&event, list, config.time_zone)));
    }
    for change in changes {
        let words = html! {
            b { (verb(change.verb).1) } " on " (name(change.list)) ": " (op_words(change.state)) ". "
            (change.reason.sentence()) " " span.law { (change.reason.law()) }
        };
        entries.push((change.at, words));
    }
    entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let view = html! {
        p { a href=(frame.path(&format!("/contacts/{contact}"))?) { "Back to the person" } }
        @if entries.is_empty() { p { "Nothing is on record." } }
        ol.timeline reversed {
            @for (at, words) in &entries { li { (when(*at, config.time_zone)) div { (words) } } }
        }
    };
    Ok(frame.page(Tab::Person, "Timeline", &view))
}

fn told(event: &Event, list: Option<&str>, zone: chrono_tz::Tz) -> Markup {
    let draft = &event.draft;
    let facts = [
        ("How", draft.method.as_deref()),
        ("Learned from", Some(draft.source.as_str())),
        ("Wording", draft.wording.as_deref()),
        ("Evidence", draft.evidence.as_deref()),
        ("Purpose", draft.purpose.as_deref()),
        ("Reason", draft.reason.as_deref()),
        ("List", list),
    ];
    html! {
        b { (kind(draft.kind)) } @if draft.refuses { ": rather not" } ", by " (actor(draft.actor))
        @if let Some(channel) = draft.channel { " (" (channel) ")" }
        @if let Some(at) = draft.occurred_at { "; it happened " (when(at, zone)) }
        dl {
            @for (name, text) in facts {
                @if let Some(text) = text.filter(|text| !text.is_empty()) { dt { (name) } dd { (text) } }
            }
        }
    }
}

const fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Granted => "Consent given",
        EventKind::SoftOptIn => "Soft opt-in recorded",
        EventKind::Confirmed => "Confirmed",
        EventKind::Withdrawn => "Consent withdrawn",
        EventKind::Objected => "Objected to direct marketing",
        EventKind::Preferred => "Preference recorded",
        EventKind::Restricted => "Processing restricted",
        EventKind::Unrestricted => "Restriction lifted",
        EventKind::Bounced => "Undeliverable",
        EventKind::Delivered => "Delivered again",
        EventKind::Complained => "Reported as spam",
        EventKind::Erased => "Erased",
        EventKind::Grandfathered => "Proof from before accepted",
        EventKind::AddressChanged => "Address changed at the provider",
    }
}

const fn actor(actor: Actor) -> &'static str {
    match actor {
        Actor::Person => "the person",
        Actor::Clinic => "the clinic's record",
        Actor::Admin => "an admin",
        Actor::Provider => "the provider",
        Actor::Listwarden => "Listwarden",
    }
}
