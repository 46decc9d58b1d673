//! `/webhooks`.

use serde_json::json;

use super::page::page;
use super::{Answer, Call, error, invalid, not_found, texts};
use crate::simulator::bird::hooks::Webhook;
use crate::simulator::bird::world::World;
use crate::simulator::door::Reply;

/// The most types one webhook asks for.
const MOST_EVENTS: usize = 100;
/// The families of types there are.
const FAMILIES: [&str; 6] =
    ["sms.", "sms_suppression.", "preference.", "email.", "email_suppression.", "whatsapp."];

/// Lists webhooks, newest first, without their secrets.
pub fn index(world: &World, place: usize, call: &Call) -> Answer {
    let rows: Vec<&Webhook> = world.workspaces[place].hooks.webhooks.iter().rev().collect();
    page(call, world.settings.page_rows, &rows, |row| &row.id, |row| row.json())
}

/// Makes a webhook, and shows its secret this once.
pub fn create(world: &mut World, place: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let url = body["url"].as_str().map(str::to_owned).ok_or_else(|| invalid("url", "missing"))?;
    let events = events(&body)?;
    let (id, secret, now) = (world.id("whk"), world.secret(), world.now);
    let secrets = vec![(secret.clone(), None)];
    let hook =
        Webhook { id, url, events, status: "active", secrets, created_at: now, updated_at: now };
    let mut shown = hook.json();
    shown["secret"] = json!(secret);
    world.workspaces[place].hooks.webhooks.push(hook);
    Ok(Reply::json(201, &shown))
}

/// Shows a webhook.
pub fn read(world: &mut World, place: usize, id: &str) -> Answer {
    Ok(Reply::json(200, &find(world, place, id)?.json()))
}

/// Changes a webhook. One that is degraded mends by itself and by nothing else.
pub fn update(world: &mut World, place: usize, call: &Call, id: &str) -> Answer {
    let (body, now) = (call.json()?, world.now);
    let hook = find(world, place, id)?;
    if !body["events"].is_null() {
        hook.events = events(&body)?;
    }
    if let Some(url) = body["url"].as_str() {
        url.clone_into(&mut hook.url);
    }
    match (body["status"].as_str(), hook.status) {
        (Some("paused"), _) => hook.status = "paused",
        (Some("active"), "paused") => hook.status = "active",
        (None | Some("active"), _) => {}
        _ => return Err(invalid("status", "no such status")),
    }
    hook.updated_at = now;
    Ok(Reply::json(200, &hook.json()))
}

/// Removes a webhook, and what waits for it.
pub fn delete(world: &mut World, place: usize, id: &str) -> Answer {
    find(world, place, id)?;
    world.workspaces[place].hooks.webhooks.retain(|hook| hook.id != id);
    Ok(Reply::empty(204))
}

/// Makes a new secret; the old one signs beside it for a day.
pub fn rotate(world: &mut World, place: usize, id: &str) -> Answer {
    let (secret, now) = (world.secret(), world.now);
    if !find(world, place, id)?.rotate(secret.clone(), now) {
        return Err(error(409, "conflict_error", "too many secrets"));
    }
    Ok(Reply::json(200, &json!({ "secret": secret })))
}

fn find<'a>(world: &'a mut World, place: usize, id: &str) -> Result<&'a mut Webhook, Reply> {
    let mut hooks = world.workspaces[place].hooks.webhooks.iter_mut();
    hooks.find(|hook| hook.id == id).ok_or_else(not_found)
}

fn events(body: &serde_json::Value) -> Result<Vec<String>, Reply> {
    let events = texts(body, "events", MOST_EVENTS)?;
    let known = |event: &String| FAMILIES.iter().any(|family| event.starts_with(family));
    if events.iter().all(known) { Ok(events) } else { Err(invalid("events", "no such event")) }
}
