//! The resources of three hosts: api, messaging and accounts. Their paths never meet.

mod consents;
mod deactivations;
mod messages;
mod numbers;
mod services;

use http::Method;
use serde_json::json;

pub use self::deactivations::download;
use super::door::call::Call;
use super::door::key::Caller;
use super::door::reply::{error, not_found, unauthenticated};
use super::world::World;
use crate::simulator::door::Reply;

/// Names the resource of a path, for the counters.
#[must_use]
pub fn route(path: &str) -> &'static str {
    let last = path.rsplit_once("Accounts/").map_or(path, |(_, rest)| rest);
    [
        ("Messages", "Messages"),
        ("IncomingPhoneNumbers", "IncomingPhoneNumbers"),
        ("/v1/Services", "Services"),
        ("/v1/Consents", "Consents"),
        ("/v1/Deactivations", "Deactivations"),
    ]
    .into_iter()
    .find_map(|(part, name)| last.contains(part).then_some(name))
    .unwrap_or("Accounts")
}

/// Answers a request whose credential is good.
pub fn dispatch(world: &mut World, caller: Caller, call: &Call) -> Reply {
    let path: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    let suspended = world.accounts[caller.account].suspended;
    match path.as_slice() {
        ["2010-04-01", "Accounts", rest @ ..] => own(world, caller, call, rest),
        _ if suspended => inactive(),
        ["v1", "Services", sid] => services::answer(world, caller.account, call, sid),
        ["v1", "Consents", "Bulk"] if call.method == Method::POST => {
            consents::answer(world, caller.account, call)
        }
        ["v1", "Deactivations"] if call.method == Method::GET => deactivations::answer(world, call),
        _ => not_found(),
    }
}

/// What lies under an account. Another account's path opens to nobody.
fn own(world: &mut World, caller: Caller, call: &Call, rest: &[&str]) -> Reply {
    let account = &world.accounts[caller.account];
    let named = rest.first().map(|sid| sid.trim_end_matches(".json"));
    if named != Some(account.sid.as_str()) {
        return unauthenticated();
    }
    let suspended = account.suspended;
    match rest {
        [_] if call.method == Method::GET => show(world, caller),
        _ if suspended => inactive(),
        [_, "Messages.json"] => messages::collection(world, caller.account, call),
        [_, "Messages", sid] => messages::single(world, caller.account, call, sid),
        [_, "IncomingPhoneNumbers.json"] => numbers::collection(world, caller.account, call),
        [_, "IncomingPhoneNumbers", sid] => numbers::single(world, caller.account, call, sid),
        _ => not_found(),
    }
}

/// A key of the standard kind may not read the account, and is told as little as a wrong one.
fn show(world: &World, caller: Caller) -> Reply {
    if !caller.main {
        return unauthenticated();
    }
    let account = &world.accounts[caller.account];
    let shown = json!({
        "sid": account.sid,
        "friendly_name": account.name,
        "status": if account.suspended { "suspended" } else { "active" },
        "auth_token": account.auth_tokens.first(),
        "owner_account_sid": account.sid,
        "type": "Full",
        "uri": format!("/2010-04-01/Accounts/{}.json", account.sid),
    });
    Reply::json(200, &shown)
}

fn inactive() -> Reply {
    error(403, 20_005, "Account not active")
}
