//! `/preferences`: statements of wishes.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::page::page;
use super::{Answer, Call, invalid, not_found};
use crate::simulator::bird::world::contact::number;
use crate::simulator::bird::world::preference::Preference;
use crate::simulator::bird::world::{Said, World};
use crate::simulator::door::Reply;

/// Lists statements, who was first spoken of last first.
pub fn index(world: &World, place: usize, call: &Call) -> Answer {
    let wanted = |one: &&Preference| {
        call.param("channel").is_none_or(|channel| one.channel == channel)
            && call.param("handle").is_none_or(|handle| one.handle == handle)
    };
    let rows: Vec<&Preference> =
        world.workspaces[place].preferences.iter().rev().filter(wanted).collect();
    page(call, world.settings.page_rows, &rows, |row| &row.id, |row| row.json())
}

/// Records a statement; one that is older than what is on record is refused, with 200.
pub fn create(world: &mut World, place: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let (id, transition, event, now) =
        (world.id("prf"), world.id("prt"), world.id("msg"), world.now);
    let workspace = &mut world.workspaces[place];
    let mut statement = said(&body, id, now)?;
    statement.contact_id = workspace.by_number(&statement.handle).map(|c| c.id.clone());
    let new = statement.id.clone();
    let said = Said { statement, transition: transition.clone() };
    let (applied, current) = workspace.state(said, &event, now);
    let status = if current.id == new { 201 } else { 200 };
    Ok(Reply::json(status, &written(applied, &transition, Some(&current))))
}

/// Deletes a statement of the workspace; the person's own are not the workspace's to delete.
pub fn delete(world: &mut World, place: usize, id: &str) -> Answer {
    let transition = world.id("prt");
    let preferences = &mut world.workspaces[place].preferences;
    let there = preferences.iter().position(|one| one.id == id).ok_or_else(not_found)?;
    if preferences[there].is_the_persons() {
        return Err(invalid("preference_id", "the person said so"));
    }
    preferences.remove(there);
    Ok(Reply::json(200, &written(true, &transition, None)))
}

fn written(applied: bool, transition: &str, current: Option<&Preference>) -> Value {
    json!({
        "applied": applied,
        "transition_id": transition,
        "preference": current.map(Preference::json),
    })
}

fn said(body: &Value, id: String, now: DateTime<Utc>) -> Result<Preference, Reply> {
    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let channel = text("channel").ok_or_else(|| invalid("channel", "missing"))?;
    let handle = text("handle").ok_or_else(|| invalid("handle", "missing"))?;
    if channel == "sms" && number(&handle).is_none() {
        return Err(invalid("handle", "not a phone number"));
    }
    let status = text("status").filter(|status| matches!(status.as_str(), "granted" | "revoked"));
    let coverage = text("coverage").unwrap_or_else(|| "non_transactional".to_owned());
    if !matches!(coverage.as_str(), "all" | "non_transactional") {
        return Err(invalid("coverage", "no such coverage"));
    }
    let consented_at = match text("consented_at") {
        None => None,
        Some(at) => Some(
            DateTime::parse_from_rfc3339(&at)
                .map(|at| at.to_utc())
                .ok()
                .filter(|at| *at <= now)
                .ok_or_else(|| invalid("consented_at", "not an instant of the past"))?,
        ),
    };
    Ok(Preference {
        id,
        channel,
        handle,
        sender_scope: text("sender_scope"),
        status: status.ok_or_else(|| invalid("status", "no such status"))?,
        coverage,
        origin: "api_key",
        source: text("source"),
        consented_at,
        effective_at: consented_at.unwrap_or(now),
        contact_id: None,
        created_at: now,
    })
}
