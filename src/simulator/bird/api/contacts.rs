//! `/contacts`.

use serde_json::{Value, json};

use super::page::page;
use super::{Answer, Call, invalid, not_found, texts};
use crate::simulator::bird::world::contact::{Contact, number};
use crate::simulator::bird::world::{Workspace, World};
use crate::simulator::door::Reply;

/// The most contacts of one batch.
const MOST_CONTACTS: usize = 1_000;
/// The most audiences of one batch.
const MOST_AUDIENCES: usize = 10;
/// The most numbers one call looks up.
const MOST_NUMBERS: usize = 50;

/// Lists contacts, newest first, each with its audiences.
pub fn index(world: &World, place: usize, call: &Call) -> Answer {
    let workspace = &world.workspaces[place];
    let numbers: Vec<Option<String>> =
        call.params("phone_number").into_iter().map(number).collect();
    if numbers.len() > MOST_NUMBERS || numbers.iter().any(Option::is_none) {
        return Err(invalid("phone_number", "too many, or not a number"));
    }
    let email = call.param("email").map(str::to_lowercase);
    let wanted = |contact: &&Contact| {
        (numbers.is_empty() || numbers.contains(&contact.phone_number))
            && email.as_ref().is_none_or(|email| contact.email.as_ref() == Some(email))
            && call.param("external_id").is_none_or(|id| contact.external_id.as_deref() == Some(id))
    };
    let rows: Vec<&Contact> = workspace.contacts.iter().rev().filter(wanted).collect();
    page(call, world.settings.page_rows, &rows, |row| &row.id, |row| listed(workspace, row))
}

fn listed(workspace: &Workspace, contact: &Contact) -> Value {
    let on = workspace.audiences.iter().filter(|audience| audience.has(&contact.id));
    let mut shown = contact.json();
    shown["audiences"] =
        on.map(|audience| json!({ "id": audience.id, "name": audience.name })).collect();
    shown
}

/// Shows a contact, without its audiences.
pub fn read(world: &World, place: usize, id: &str) -> Answer {
    let contact = world.workspaces[place].contact(id).ok_or_else(not_found)?;
    Ok(Reply::json(200, &contact.json()))
}

/// Makes a contact; one of its kind must not be there.
pub fn create(world: &mut World, place: usize, call: &Call) -> Answer {
    let entry = call.json()?;
    let (id, now) = (world.id("con"), world.now);
    let contact = entered(&entry, id, now)?;
    let workspace = &mut world.workspaces[place];
    let taken = |known: &Contact| {
        (contact.email.is_some() && known.email == contact.email)
            || (contact.phone_number.is_some() && known.phone_number == contact.phone_number)
    };
    if workspace.contacts.iter().any(taken) {
        return Err(super::error(409, "conflict_error", "the contact exists"));
    }
    workspace.contacts.push(contact.clone());
    Ok(Reply::json(201, &contact.json()))
}

/// Deletes a contact. What is suppressed stays so.
pub fn delete(world: &mut World, place: usize, id: &str) -> Answer {
    let workspace = &mut world.workspaces[place];
    workspace.contact(id).ok_or_else(not_found)?;
    workspace.delete_contact(id);
    Ok(Reply::empty(204))
}

/// Makes or changes contacts, and puts all that worked on audiences. It answers 200 whatever became
/// of each; only an audience that is not there refuses them all.
pub fn batch(world: &mut World, place: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let entries = body["contacts"].as_array().cloned().unwrap_or_default();
    if !(1..=MOST_CONTACTS).contains(&entries.len()) {
        return Err(invalid("contacts", "wrong number of contacts"));
    }
    let audiences = match body["audience_ids"] {
        Value::Null => Vec::new(),
        _ => texts(&body, "audience_ids", MOST_AUDIENCES)?,
    };
    if audiences.iter().any(|id| world.workspaces[place].audience(id).is_none()) {
        return Err(invalid("audience_ids", "there is no such audience"));
    }
    let rows: Vec<Value> =
        entries.iter().map(|entry| upsert(world, place, entry, &audiences)).collect();
    Ok(Reply::json(200, &json!({ "data": rows })))
}

fn upsert(world: &mut World, place: usize, entry: &Value, audiences: &[String]) -> Value {
    let (id, now) = (world.id("con"), world.now);
    let echo = json!({
        "email": entry["email"], "phone_number": entry["phone_number"],
        "external_id": entry["external_id"],
    });
    let Ok(contact) = entered(entry, id, now) else {
        let error = json!({
            "type": "validation_error", "code": "E04001", "param": "phone_number",
            "message": "not a phone number",
        });
        return json!({ "entry": echo, "matched_on": null, "status": "failed", "error": error });
    };
    let workspace = &mut world.workspaces[place];
    let known = workspace.contacts.iter_mut().find(|known| {
        (contact.phone_number.is_some() && known.phone_number == contact.phone_number)
            || (contact.email.is_some() && known.email == contact.email)
    });
    let (id, status) = if let Some(known) = known {
        known.updated_at = now;
        (known.id.clone(), "updated")
    } else {
        let id = contact.id.clone();
        workspace.contacts.push(contact);
        (id, "created")
    };
    for audience in audiences {
        if let Some(audience) = workspace.audience_mut(audience) {
            audience.add(&id, now);
        }
    }
    json!({ "entry": echo, "matched_on": null, "status": status, "contact_id": id })
}

fn entered(
    entry: &Value,
    id: String,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Contact, Reply> {
    let text = |field: &str| entry[field].as_str().filter(|text| !text.is_empty());
    let phone_number = match text("phone_number") {
        None => None,
        Some(given) => {
            Some(number(given).ok_or_else(|| invalid("phone_number", "not a phone number"))?)
        }
    };
    let email = text("email").map(|email| email.trim().to_lowercase());
    if phone_number.is_none() && email.is_none() {
        return Err(invalid("phone_number", "neither an address nor a number"));
    }
    let external_id = text("external_id").map(str::to_owned);
    Ok(Contact { id, email, phone_number, external_id, created_at: now, updated_at: now })
}
