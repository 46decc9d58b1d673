//! `/batches`: texts sent.
//!
//! Source: Sinch docs, SMS REST API, Batches.

use serde_json::{Value, json};

use super::Answer;
use super::fields::{instant, page, since, text, violation};
use crate::simulator::door::Reply;
use crate::simulator::sinch::door::call::Call;
use crate::simulator::sinch::door::reply::{error, stamp};
use crate::simulator::sinch::hooks::Report;
use crate::simulator::sinch::world::World;
use crate::simulator::sinch::world::account::{Batch, Text};
use crate::simulator::sinch::world::number::msisdn;

/// The longest body of a text.
const LONGEST_BODY: usize = 2_000;
/// The longest name a sender may give a batch.
const LONGEST_REFERENCE: usize = 2_048;
/// The most numbers and groups a batch may go to.
const MOST_RECIPIENTS: usize = 1_000;
/// The reports that tell of every recipient by itself.
const SINGLE_REPORTS: [&str; 2] = ["per_recipient", "per_recipient_final"];

/// Lists the batches, newest first; of the last day, unless more is asked for.
pub fn index(world: &World, account: usize, call: &Call) -> Answer {
    let (since, until) = (since(call, world.now)?, instant(call, "end_date")?);
    let reference = call.param("client_reference");
    let rows = world.accounts[account].batches.iter().filter(|batch| {
        batch.created_at >= since
            && until.is_none_or(|until| batch.created_at < until)
            && (reference.is_none() || batch.client_reference.as_deref() == reference)
    });
    page(call, "batches", rows.map(|batch| batch.shown.clone()).collect())
}

/// Shows a batch.
pub fn read(world: &World, account: usize, id: &str) -> Answer {
    let mut batches = world.accounts[account].batches.iter();
    let batch = batches.find(|batch| batch.id == id).ok_or_else(|| Reply::empty(404))?;
    Ok(Reply::json(200, &batch.shown))
}

/// Sends a text. The same `client_reference` twice is sent twice.
pub fn create(world: &mut World, account: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let words = text(&body, "body", LONGEST_BODY)?.filter(|body| !body.is_empty());
    let words = words.ok_or_else(|| violation("body is missing"))?;
    let from = text(&body, "from", 20)?.ok_or_else(|| violation("from is missing"))?;
    let from = msisdn(&from).unwrap_or(from);
    let client_reference = text(&body, "client_reference", LONGEST_REFERENCE)?;
    let delivery_report = text(&body, "delivery_report", 20)?.unwrap_or_else(|| "none".to_owned());
    let to = recipients(world, account, &body)?;
    let id = world.id();
    let shown = shown(&body, &id, &from, &to, world);
    let batch = Batch {
        id: id.clone(),
        client_reference: client_reference.clone(),
        created_at: world.now,
        shown: shown.clone(),
    };
    world.accounts[account].batches.push(batch);
    for to in to {
        let text = Text {
            batch_id: id.clone(),
            from: from.clone(),
            to,
            body: words.clone(),
            client_reference: client_reference.clone(),
            delivery_report: delivery_report.clone(),
            sent_at: world.now,
        };
        dispatch(world, account, text);
    }
    Ok(Reply::json(201, &shown))
}

/// Brings a text on its way, and reports what became of it where that was asked for.
///
/// Who opted out gets none; what Sinch documents as the sign of it is the status `Deleted`.
fn dispatch(world: &mut World, account: usize, text: Text) {
    let blocked = world.settings.consent_management && world.accounts[account].blocks(&text.to);
    let (code, status) = if blocked { (408, "Deleted") } else { (0, "Delivered") };
    let reports =
        world.settings.reports_delivery && SINGLE_REPORTS.contains(&text.delivery_report.as_str());
    if reports {
        let report =
            Report { batch_id: text.batch_id.clone(), number: text.to.clone(), code, status };
        let now = world.now;
        let body = report.json(text.client_reference.as_deref(), now);
        world.accounts[account].hooks.queue("recipient_delivery_report_sms", &body, now);
    }
    if !blocked {
        world.accounts[account].texts.push(text);
    }
}

fn recipients(world: &World, account: usize, body: &Value) -> Result<Vec<String>, Reply> {
    let rows = body["to"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=MOST_RECIPIENTS).contains(&rows.len()) {
        return Err(violation("to has 1 to 1000 elements"));
    }
    let mut numbers = Vec::new();
    for row in rows {
        let row = row.as_str().unwrap_or_default();
        if let Some(group) = world.accounts[account].group(row) {
            numbers.extend(group.members.iter().cloned());
        } else if let Some(number) = msisdn(row) {
            numbers.push(number);
        } else {
            return Err(error(400, "syntax_invalid_parameter_format", "to"));
        }
    }
    numbers.sort();
    numbers.dedup();
    Ok(numbers)
}

/// The request's own parameters, and what was made of them.
fn shown(body: &Value, id: &str, from: &str, to: &[String], world: &World) -> Value {
    let mut shown = body.clone();
    shown["id"] = json!(id);
    shown["from"] = json!(from);
    shown["to"] = json!(to);
    shown["type"] = json!("mt_text");
    shown["canceled"] = json!(false);
    shown["created_at"] = json!(stamp(world.now));
    shown["modified_at"] = json!(stamp(world.now));
    shown
}
