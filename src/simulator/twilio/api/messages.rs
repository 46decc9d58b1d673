//! The Messages resource: sending, and the log, newest first.

use chrono::{DateTime, NaiveDate, Utc};
use http::Method;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::simulator::door::Reply;
use crate::simulator::twilio::door::call::Call;
use crate::simulator::twilio::door::reply::{error, not_found};
use crate::simulator::twilio::world::World;
use crate::simulator::twilio::world::message::Message;
use crate::simulator::twilio::world::texting::Order;

/// Rows on a page, unless asked for otherwise; and the most there are.
const PAGE: (usize, usize) = (50, 1_000);

/// `Messages.json`.
pub fn collection(world: &mut World, account: usize, call: &Call) -> Reply {
    match call.method {
        Method::POST => create(world, account, call),
        Method::GET => list(world, account, call),
        _ => error(405, 20_004, "Method not allowed"),
    }
}

/// `Messages/{sid}.json`.
pub fn single(world: &World, account: usize, call: &Call, file: &str) -> Reply {
    let account = &world.accounts[account];
    let sid = file.trim_end_matches(".json");
    match account.messages.iter().find(|message| message.sid == sid) {
        Some(message) if call.method == Method::GET => {
            Reply::json(200, &message.json(&account.sid))
        }
        _ => not_found(),
    }
}

fn create(world: &mut World, account: usize, call: &Call) -> Reply {
    let field = |name| call.field(name).filter(|text| !text.is_empty());
    let (Some(to), Some(body)) = (field("To"), field("Body")) else {
        let missing = if field("To").is_none() { 21_604 } else { 21_602 };
        return error(400, missing, "A required parameter is missing");
    };
    let Some(sender) = field("MessagingServiceSid").or(field("From")) else {
        return error(400, 21_603, "A 'From' or 'MessagingServiceSid' is required");
    };
    let order = Order {
        to: to.to_owned(),
        sender: sender.to_owned(),
        body: body.to_owned(),
        callback: field("StatusCallback").map(str::to_owned),
    };
    match world.send(account, order) {
        Ok(message) => Reply::json(201, &message.json(&world.accounts[account].sid)),
        // The message names the number, as the service's own does.
        Err((code, what)) => error(400, code, &format!("{what}: {to}")),
    }
}

fn list(world: &World, account: usize, call: &Call) -> Reply {
    let account = &world.accounts[account];
    let size = call.param("PageSize").and_then(|n| n.parse().ok()).unwrap_or(PAGE.0);
    let size: usize = size.clamp(1, PAGE.1);
    let matching = account.messages.iter().rev().filter(|message| wanted(message, call));
    // The token holds the place in the log, so that new messages do not shift the pages.
    let after = call.param("PageToken").and_then(|token| token.strip_prefix("PA"));
    let mut rows: Vec<&Message> = match after {
        Some(last) => matching.skip_while(|message| message.sid != last).skip(1).collect(),
        None => matching.collect(),
    };
    let more = rows.len() > size;
    rows.truncate(size);
    let page: usize = call.param("Page").and_then(|n| n.parse().ok()).unwrap_or_default();
    let next = rows.last().filter(|_| more).map(|last| uri(call, size, page + 1, &last.sid));
    let shown: Vec<Value> = rows.iter().map(|message| message.json(&account.sid)).collect();
    let body = json!({
        "messages": shown,
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": (page * size + shown.len()).saturating_sub(1),
        "first_page_uri": uri(call, size, 0, ""),
        "next_page_uri": next,
        "previous_page_uri": null,
        "uri": call.path,
    });
    Reply::json(200, &body)
}

/// A relative address of a page, with the filters as they were asked for.
fn uri(call: &Call, size: usize, page: usize, after: &str) -> String {
    let paging = ["PageSize", "Page", "PageToken"];
    let mut query = Serializer::new(String::new());
    query.extend_pairs(call.query.iter().filter(|(name, _)| !paging.contains(&name.as_str())));
    query.append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
    if !after.is_empty() {
        query.append_pair("PageToken", &format!("PA{after}"));
    }
    format!("{}?{}", call.path, query.finish())
}

/// The filters: recipient, sender, and the day it was sent. There is none for a messaging service.
fn wanted(message: &Message, call: &Call) -> bool {
    let sent_on = |name: &str, fits: fn(&NaiveDate, &NaiveDate) -> bool| {
        call.param(name).and_then(day).is_none_or(|asked| {
            message.sent.is_some_and(|sent: DateTime<Utc>| fits(&sent.date_naive(), &asked))
        })
    };
    call.param("To").is_none_or(|to| to == message.to)
        && call.param("From").is_none_or(|from| Some(from) == message.from.as_deref())
        && sent_on("DateSent", NaiveDate::eq)
        && sent_on("DateSent>", NaiveDate::ge)
        && sent_on("DateSent<", NaiveDate::le)
}

fn day(text: &str) -> Option<NaiveDate> {
    text.get(..10)?.parse().ok()
}
