//! The resources, one file each, and the table that finds them.

pub mod batches;
pub mod consents;
pub mod fields;
pub mod groups;
pub mod inbounds;

use http::Method;

use super::door::call::Call;
use super::door::key;
use super::world::World;
use crate::simulator::door::Reply;

/// What a handler answers.
pub type Answer = Result<Reply, Reply>;

/// Answers one request.
pub fn dispatch(world: &mut World, call: &Call) -> Reply {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let answer = match path.as_slice() {
        ["oauth2", "token"] if call.method == Method::POST => return key::token(world, call),
        ["xms", "v1", id, rest @ ..] => match key::account(world, call, id) {
            Some(account) => sms(world, account, call, rest),
            None => return Reply::empty(401),
        },
        ["v1", "projects", project, "apps", app, "consents", list] => {
            match key::account(world, call, project) {
                Some(account) => consents::index(world, account, call, (app, list)),
                None => return Reply::empty(401),
            }
        }
        _ => Err(Reply::empty(404)),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn sms(world: &mut World, account: usize, call: &Call, rest: &[&str]) -> Answer {
    let now = world.now;
    world.accounts[account].tidy(now);
    match (rest, &call.method) {
        (["groups"], &Method::GET) => groups::index(world, account, call),
        (["groups"], &Method::POST) => groups::create(world, account, call),
        (["groups", id], &Method::GET) => groups::read(world, account, id),
        (["groups", id], &Method::POST) => groups::update(world, account, call, id),
        (["groups", id], &Method::PUT) => groups::replace(world, account, call, id),
        (["groups", id], &Method::DELETE) => groups::delete(world, account, id),
        (["groups", id, "members"], &Method::GET) => groups::members(world, account, id),
        (["batches"], &Method::GET) => batches::index(world, account, call),
        (["batches"], &Method::POST) => batches::create(world, account, call),
        (["batches", id], &Method::GET) => batches::read(world, account, id),
        (["inbounds"], &Method::GET) => inbounds::index(world, account, call),
        (["inbounds", id], &Method::GET) => inbounds::read(world, account, id),
        (["groups" | "batches" | "inbounds", ..], _) => Err(Reply::empty(405)),
        _ => Err(Reply::empty(404)),
    }
}

/// Names the route of a request, without anything of anybody in it.
#[must_use]
pub fn route(call: &Call) -> &'static str {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["oauth2", "token"] => "/oauth2/token",
        ["xms", "v1", _, "groups"] => "/groups",
        ["xms", "v1", _, "groups", _] => "/groups/{group_id}",
        ["xms", "v1", _, "groups", _, "members"] => "/groups/{group_id}/members",
        ["xms", "v1", _, "batches"] => "/batches",
        ["xms", "v1", _, "batches", _] => "/batches/{batch_id}",
        ["xms", "v1", _, "inbounds"] => "/inbounds",
        ["xms", "v1", _, "inbounds", _] => "/inbounds/{inbound_id}",
        ["v1", "projects", _, "apps", _, "consents", _] => "/consents/{list_type}",
        _ => "(unknown)",
    }
}
