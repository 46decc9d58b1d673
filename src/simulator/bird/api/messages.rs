//! `/sms/messages`: texts, both ways.

use serde_json::json;

use super::page::page;
use super::{Answer, Call, invalid, not_found};
use crate::simulator::bird::world::World;
use crate::simulator::bird::world::contact::number;
use crate::simulator::bird::world::text::Text;
use crate::simulator::door::Reply;

/// The longest body: twelve segments.
const LONGEST_BODY: usize = 1_836;
/// What a text may be for.
const CATEGORIES: [&str; 4] = ["transactional", "marketing", "authentication", "service"];

/// Lists texts, newest first.
pub fn index(world: &World, place: usize, call: &Call) -> Answer {
    let (after, before) = (call.instant("created_after")?, call.instant("created_before")?);
    let statuses = call.params("status");
    let wanted = |text: &&Text| {
        call.param("direction").is_none_or(|way| (way == "inbound") == text.inbound)
            && call.param("to").is_none_or(|to| text.to == to)
            && call.param("from").is_none_or(|from| text.from == from)
            && (statuses.is_empty() || statuses.contains(&text.status.as_str()))
            && after.is_none_or(|after| text.created_at >= after)
            && before.is_none_or(|before| text.created_at < before)
    };
    let rows: Vec<&Text> = world.workspaces[place].texts.iter().rev().filter(wanted).collect();
    page(call, world.settings.page_rows, &rows, |row| &row.id, |row| row.json())
}

/// Shows a text.
pub fn read(world: &World, place: usize, id: &str) -> Answer {
    let mut texts = world.workspaces[place].texts.iter();
    let text = texts.find(|text| text.id == id).ok_or_else(not_found)?;
    Ok(Reply::json(200, &text.json()))
}

/// Takes a text to send.
pub fn create(world: &mut World, place: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let text = |field: &str| body[field].as_str().unwrap_or_default();
    let Some(to) = number(text("to")) else {
        return Err(named("SMSInvalidRecipient", "to"));
    };
    if !world.workspaces[place].senders.iter().any(|sender| sender == text("from")) {
        return Err(named("SMSSenderNotConfigured", "from"));
    }
    if !CATEGORIES.contains(&text("category")) {
        return Err(invalid("category", "no such category"));
    }
    if !(1..=LONGEST_BODY).contains(&text("text").chars().count()) {
        return Err(invalid("text", "too long, or missing"));
    }
    let sent = world.send(place, text("from"), &to, text("text"), text("category"));
    Ok(Reply::json(202, &sent.json()))
}

/// Refuses a text by the name of what is wrong.
fn named(name: &str, param: &str) -> Reply {
    let error = json!({
        "type": "validation_error", "code": "E12000", "name": name, "param": param,
        "message": "refused", "request_id": "req_1",
    });
    Reply::json(422, &json!({ "error": error }))
}
