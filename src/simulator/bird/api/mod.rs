//! The resources, one file each, and the table that finds them.
//!
//! Source: Bird's Python SDK 0.106.0.

mod audiences;
mod call;
mod contacts;
mod messages;
mod page;
mod preferences;
mod suppressions;
mod webhooks;

use http::Method;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

pub use self::call::Call;
use super::world::{Workspace, World, stamp};
use crate::simulator::door::Reply;

/// What a handler answers.
type Answer = Result<Reply, Reply>;

/// Answers with an error document.
pub fn error(status: u16, category: &str, message: &str) -> Reply {
    let error = json!({
        "type": category, "code": "E04000", "message": message, "request_id": "req_1",
    });
    Reply::json(status, &json!({ "error": error }))
}

/// Refuses a request for what it says in one of its fields.
fn invalid(param: &str, message: &str) -> Reply {
    let error = json!({
        "type": "validation_error", "code": "E04001", "message": message, "request_id": "req_1",
        "details": [{ "param": param, "message": message }],
    });
    Reply::json(422, &json!({ "error": error }))
}

fn not_found() -> Reply {
    error(404, "not_found_error", "there is no such resource")
}

/// Answers one request: whose it is, whether it was answered before, and what it asks for.
pub fn dispatch(world: &mut World, call: &Call) -> Reply {
    let Some(place) = workspace_of(world, call) else {
        return error(401, "auth_error", "the API key is not valid");
    };
    let name = call.header("idempotency-key").filter(|_| call.method != Method::GET);
    let asked = format!("{} {} {}", call.method, call.target, String::from_utf8_lossy(&call.body));
    if let Some((before, reply)) = name.and_then(|name| world.workspaces[place].answered.get(name))
    {
        if *before == asked {
            return reply.clone();
        }
        return error(409, "conflict_error", "the idempotency key was used for another request");
    }
    let reply = resource(world, place, call).unwrap_or_else(|refusal| refusal);
    if let Some(name) = name.filter(|_| reply.status < 500) {
        world.workspaces[place].answered.insert(name.to_owned(), (asked, reply.clone()));
    }
    reply
}

fn workspace_of(world: &World, call: &Call) -> Option<usize> {
    let key = call.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    world.workspaces.iter().position(|workspace| workspace.key == key)
}

fn resource(world: &mut World, place: usize, call: &Call) -> Answer {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let Some(("v1", path)) = path.split_first().map(|(first, rest)| (*first, rest)) else {
        return Err(not_found());
    };
    match (path, &call.method) {
        (["workspace"], &Method::GET) => Ok(workspace(&world.workspaces[place], world)),
        (["contacts"], &Method::GET) => contacts::index(world, place, call),
        (["contacts"], &Method::POST) => contacts::create(world, place, call),
        (["contacts", "batch"], &Method::POST) => contacts::batch(world, place, call),
        (["contacts", id], &Method::GET) => contacts::read(world, place, id),
        (["contacts", id], &Method::DELETE) => contacts::delete(world, place, id),
        (["audiences"], &Method::GET) => audiences::index(world, place, call),
        (["audiences"], &Method::POST) => audiences::create(world, place, call),
        (["audiences", id], &Method::GET) => audiences::read(world, place, id),
        (["audiences", id, "contacts"], &Method::GET) => audiences::members(world, place, call, id),
        (["audiences", id, "contacts"], &Method::POST) => audiences::change(world, place, call, id),
        (["audiences", id, "contacts", "remove"], &Method::POST) => {
            audiences::change(world, place, call, id)
        }
        (["audiences", id, "contacts", contact], &Method::DELETE) => {
            audiences::remove(world, place, id, contact)
        }
        (["audiences", id, "membership"], &Method::GET) => audiences::count(world, place, id),
        (["preferences"], &Method::GET) => preferences::index(world, place, call),
        (["preferences"], &Method::POST) => preferences::create(world, place, call),
        (["preferences", id], &Method::DELETE) => preferences::delete(world, place, id),
        (["sms", "suppressions"], &Method::GET) => suppressions::index(world, place, call),
        (["sms", "suppressions"], &Method::POST) => suppressions::create(world, place, call),
        (["sms", "suppressions", id], &Method::GET) => suppressions::read(world, place, id),
        (["sms", "suppressions", id], &Method::DELETE) => suppressions::delete(world, place, id),
        (["sms", "messages"], &Method::GET) => messages::index(world, place, call),
        (["sms", "messages"], &Method::POST) => messages::create(world, place, call),
        (["sms", "messages", id], &Method::GET) => messages::read(world, place, id),
        (["webhooks"], &Method::GET) => webhooks::index(world, place, call),
        (["webhooks"], &Method::POST) => webhooks::create(world, place, call),
        (["webhooks", id], &Method::GET) => webhooks::read(world, place, id),
        (["webhooks", id], &Method::PATCH) => webhooks::update(world, place, call, id),
        (["webhooks", id], &Method::DELETE) => webhooks::delete(world, place, id),
        (["webhooks", id, "rotate-secret"], &Method::POST) => webhooks::rotate(world, place, id),
        _ => Err(not_found()),
    }
}

fn workspace(own: &Workspace, world: &World) -> Reply {
    let shown = json!({
        "id": own.id,
        "organization_id": own.id.replacen("ws_", "org_", 1),
        "name": "Production",
        "notification_emails": {},
        "created_at": stamp(world.now),
        "updated_at": stamp(world.now),
    });
    Reply::json(200, &shown)
}

/// Names the route of a request, without anything of anybody in it.
#[must_use]
pub fn route(call: &Call) -> &'static str {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.get(1..).unwrap_or_default() {
        ["workspace"] => "/workspace",
        ["contacts"] => "/contacts",
        ["contacts", "batch"] => "/contacts/batch",
        ["contacts", _] => "/contacts/{contact_id}",
        ["audiences"] => "/audiences",
        ["audiences", _] => "/audiences/{audience_id}",
        ["audiences", _, "contacts"] => "/audiences/{audience_id}/contacts",
        ["audiences", _, "contacts", "remove"] => "/audiences/{audience_id}/contacts/remove",
        ["audiences", _, "contacts", _] => "/audiences/{audience_id}/contacts/{contact_id}",
        ["audiences", _, "membership"] => "/audiences/{audience_id}/membership",
        ["preferences"] => "/preferences",
        ["preferences", _] => "/preferences/{preference_id}",
        ["sms", "suppressions"] => "/sms/suppressions",
        ["sms", "suppressions", _] => "/sms/suppressions/{suppression_id}",
        ["sms", "messages"] => "/sms/messages",
        ["sms", "messages", _] => "/sms/messages/{message_id}",
        ["webhooks", ..] => "/webhooks",
        _ => "(unknown)",
    }
}

/// Reads a list of texts in a body, at least one and not more than `most`.
fn texts(body: &Value, field: &str, most: usize) -> Result<Vec<String>, Reply> {
    let rows = body[field].as_array().filter(|rows| (1..=most).contains(&rows.len()));
    let rows = rows.ok_or_else(|| invalid(field, "wrong number of elements"))?;
    let text = |row: &Value| row.as_str().map(str::to_owned);
    rows.iter().map(|row| text(row).ok_or_else(|| invalid(field, "not a text"))).collect()
}
