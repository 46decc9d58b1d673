//! Consents told in bulk: every item has a verdict of its own under one 201, and nothing can be
//! read back.

use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::simulator::door::Reply;
use crate::simulator::twilio::door::call::Call;
use crate::simulator::twilio::door::reply::{error, too_many};
use crate::simulator::twilio::world::World;
use crate::simulator::twilio::world::account::Consent;
use crate::simulator::twilio::world::texting::is_number;

/// Calls a minute, and items a call.
const LIMITS: (usize, usize) = (100, 25);

const SOURCES: [&str; 5] = ["website", "offline", "opt-in-message", "opt-out-message", "others"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    contact_id: String,
    correlation_id: String,
    sender_id: String,
    status: String,
    source: String,
    date_of_consent: Option<String>,
}

/// `POST /v1/Consents/Bulk`.
pub fn answer(world: &mut World, account: usize, call: &Call) -> Reply {
    let now = world.now;
    let account = &mut world.accounts[account];
    account.consent_calls.retain(|at| now - *at < TimeDelta::minutes(1));
    if account.consent_calls.len() >= LIMITS.0 {
        return too_many(None);
    }
    account.consent_calls.push_back(now);
    let items: Vec<Item> = call
        .form
        .iter()
        .filter(|(name, _)| name == "Items")
        .map(|(_, text)| serde_json::from_str(text).unwrap_or_default())
        .collect();
    if items.is_empty() || items.len() > LIMITS.1 {
        return error(400, 20_001, "Invalid number of items");
    }
    let mut verdicts: Vec<Value> = Vec::with_capacity(items.len());
    for item in items {
        let wrong = wrong(&item);
        let code = if wrong.is_empty() { 0 } else { 30_646 };
        verdicts.push(json!({
            "correlation_id": item.correlation_id, "error_code": code, "error_messages": wrong,
        }));
        if wrong.is_empty() {
            // A consent given again overrides a STOP.
            account.block(&item.sender_id, &item.contact_id, item.status == "opt-out");
            let Item { contact_id, sender_id, status, source, .. } = item;
            account.consents.push(Consent { contact_id, sender_id, status, source });
        }
    }
    Reply::json(201, &json!({"items": verdicts}))
}

fn wrong(item: &Item) -> Vec<&'static str> {
    let hex = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let service = item.sender_id.strip_prefix("MG").is_some_and(hex);
    let digits = item.sender_id.trim_start_matches('+');
    let number = digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit());
    let dated = |date: &String| DateTime::parse_from_rfc3339(date).is_ok();
    [
        (hex(&item.correlation_id), "INVALID_CORRELATION_ID"),
        (service || number, "INVALID_SENDER_ID"),
        (is_number(&item.contact_id), "INVALID_CONTACT_ID"),
        (matches!(item.status.as_str(), "opt-in" | "opt-out"), "INVALID_STATUS"),
        (SOURCES.contains(&item.source.as_str()), "INVALID_SOURCE"),
        (item.date_of_consent.as_ref().is_none_or(dated), "INVALID_DATE_OF_CONSENT"),
    ]
    .into_iter()
    .filter_map(|(good, name)| (!good).then_some(name))
    .collect()
}
