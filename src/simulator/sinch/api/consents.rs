//! `/consents`: who opted out, by Sinch's own lists.
//!
//! Source: Sinch Node SDK, `conversation/src/rest/v1/consents`; Sinch docs, Conversation API,
//! Consents.

use serde_json::{Value, json};

use super::Answer;
use crate::simulator::door::Reply;
use crate::simulator::sinch::door::call::Call;
use crate::simulator::sinch::world::World;

/// The lists there are.
const LISTS: [&str; 3] = ["OPT_OUT_ALL", "OPT_OUT_MARKETING", "OPT_OUT_NOTIFICATION"];

/// Lists the numbers of one list, ten a page unless more are asked for, fifty at most.
pub fn index(world: &World, account: usize, call: &Call, (app, list): (&str, &str)) -> Answer {
    let account = &world.accounts[account];
    if !LISTS.contains(&list) || !account.apps.iter().any(|known| known == app) {
        return Err(Reply::json(404, &json!({ "error": { "code": 404, "status": "NOT_FOUND" } })));
    }
    let bad =
        || Reply::json(400, &json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT" } }));
    let size = call.number("page_size", 10, 50).map_err(|_| bad())?;
    let start =
        call.param("page_token").map_or(Some(0), |token| token.strip_prefix('p')?.parse().ok());
    let start: usize = start.ok_or_else(bad)?;
    let numbers = account.consents.get(&(app.to_owned(), list.to_owned()));
    let numbers = numbers.map(Vec::as_slice).unwrap_or_default();
    let shown = numbers.iter().skip(start).take(size);
    let identities: Vec<Value> = shown.map(|number| json!({ "identity": number })).collect();
    let end = start + identities.len();
    let next = if end < numbers.len() { format!("p{end}") } else { String::new() };
    Ok(Reply::json(200, &json!({ "identities": identities, "next_page_token": next })))
}
