//! `/audiences` and who is on one.

use serde_json::json;

use super::page::page;
use super::{Answer, Call, invalid, not_found, texts};
use crate::simulator::bird::world::audience::Audience;
use crate::simulator::bird::world::contact::Contact;
use crate::simulator::bird::world::{World, stamp};
use crate::simulator::door::Reply;

/// The most contacts one call puts on or takes off.
const MOST: usize = 1_000;

/// Lists audiences, newest first.
pub fn index(world: &World, place: usize, call: &Call) -> Answer {
    let rows: Vec<&Audience> = world.workspaces[place].audiences.iter().rev().collect();
    page(call, world.settings.page_rows, &rows, |row| &row.id, |row| row.json())
}

/// Makes an audience.
pub fn create(world: &mut World, place: usize, call: &Call) -> Answer {
    let name = call.json()?["name"].as_str().map(str::to_owned);
    let name = name.ok_or_else(|| invalid("name", "missing"))?;
    let (id, now) = (world.id("adn"), world.now);
    let audience = Audience { id, name, members: Vec::new(), created_at: now };
    let shown = audience.json();
    world.workspaces[place].audiences.push(audience);
    Ok(Reply::json(201, &shown))
}

/// Shows an audience.
pub fn read(world: &World, place: usize, id: &str) -> Answer {
    let audience = world.workspaces[place].audience(id).ok_or_else(not_found)?;
    Ok(Reply::json(200, &audience.json()))
}

/// Lists who is on an audience, who joined last first.
pub fn members(world: &World, place: usize, call: &Call, id: &str) -> Answer {
    let workspace = &world.workspaces[place];
    let audience = workspace.audience(id).ok_or_else(not_found)?;
    let rows: Vec<_> = audience.members.iter().rev().collect();
    page(
        call,
        world.settings.page_rows,
        &rows,
        |row| &row.0,
        |(contact, joined_at)| {
            let contact = workspace.contact(contact).map(Contact::json);
            json!({ "contact": contact, "joined_at": stamp(*joined_at) })
        },
    )
}

/// Counts who is on an audience; without a count the answer is empty.
pub fn count(world: &World, place: usize, id: &str) -> Answer {
    let audience = world.workspaces[place].audience(id).ok_or_else(not_found)?;
    if !world.settings.counts_members {
        return Ok(Reply::json(200, &json!({})));
    }
    let count = json!({ "total": audience.members.len(), "data_as_of": stamp(world.now) });
    Ok(Reply::json(200, &json!({ "membership": count })))
}

/// Puts contacts on an audience or takes them off. One that is not there refuses them all.
pub fn change(world: &mut World, place: usize, call: &Call, id: &str) -> Answer {
    let ids = texts(&call.json()?, "contact_ids", MOST)?;
    let now = world.now;
    let workspace = &mut world.workspaces[place];
    workspace.audience(id).ok_or_else(not_found)?;
    if ids.iter().any(|id| workspace.contact(id).is_none()) {
        return Err(invalid("contact_ids", "there is no such contact"));
    }
    let removes = call.path.last().is_some_and(|last| last == "remove");
    if let Some(audience) = workspace.audience_mut(id) {
        for id in &ids {
            if removes { audience.remove(id) } else { audience.add(id, now) }
        }
    }
    Ok(Reply::empty(204))
}

/// Takes one contact off an audience.
pub fn remove(world: &mut World, place: usize, id: &str, contact: &str) -> Answer {
    let audience = world.workspaces[place].audience_mut(id).ok_or_else(not_found)?;
    if !audience.has(contact) {
        return Err(not_found());
    }
    audience.remove(contact);
    Ok(Reply::empty(204))
}
