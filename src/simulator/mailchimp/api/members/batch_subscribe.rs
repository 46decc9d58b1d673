//! `POST /lists/{list_id}`: up to 500 members at once; always 200 when well formed.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::view::MemberView;
use crate::simulator::mailchimp::api::fields::Selection;
use crate::simulator::mailchimp::api::{Answer, Context, schema};
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::email;
use crate::simulator::mailchimp::audience::entry::{Entry, Writer};
use crate::simulator::mailchimp::audience::member::{Member, Slot, Status};
use crate::simulator::mailchimp::audience::refusal::{FieldError, Refusal};
use crate::simulator::mailchimp::door::problem::Problem;

/// The most members one request may carry.
const LIMIT: usize = 500;

#[derive(Debug, Clone, Copy)]
struct Rules {
    update_existing: bool,
    sync_tags: bool,
    skip_duplicate_check: bool,
}

enum Outcome {
    Created(Slot),
    Updated(Slot),
    Skipped,
}

#[derive(Default)]
struct Tally {
    created: Vec<Slot>,
    updated: Vec<Slot>,
    errors: Vec<Value>,
}

/// Adds and updates members.
pub fn run(cx: &mut Context, list: &str) -> Answer {
    let writer = cx.writer();
    cx.audience(list)?;
    let body = cx.call.json()?;
    let items = items(&body)?;
    let flag = |name: &str| body[name].as_bool().unwrap_or_default();
    let rules = Rules {
        update_existing: flag("update_existing"),
        sync_tags: flag("sync_tags"),
        skip_duplicate_check: cx.call.flag("skip_duplicate_check"),
    };
    let audience = cx.audience(list)?;
    let mut seen = HashSet::new();
    let mut tally = Tally::default();
    for item in items {
        let address = item["email_address"].as_str().unwrap_or_default();
        let outcome = match (seen.insert(address.to_lowercase()), rules.skip_duplicate_check) {
            (true, _) => subscribe(audience, item, rules, &writer),
            (false, true) => Ok(Outcome::Skipped),
            (false, false) => Err(duplicate(address)),
        };
        match outcome {
            Ok(Outcome::Created(slot)) => tally.created.push(slot),
            Ok(Outcome::Updated(slot)) => tally.updated.push(slot),
            Ok(Outcome::Skipped) => {}
            Err(problem) => tally.errors.push(error(address, &problem)),
        }
    }
    let shown = tally.json(audience);
    cx.show(shown)
}

fn subscribe(
    audience: &mut Audience,
    item: &Value,
    rules: Rules,
    writer: &Writer,
) -> Result<Outcome, Problem> {
    let mut entry = schema::member(item, &schema::WRITABLE)?;
    entry.permissions.clear();
    let address = entry.email.clone().unwrap_or_default();
    let found = audience.roster.by_email(&address);
    let slot_status = found.and_then(|slot| Some((slot, audience.roster.get(slot)?.status)));
    match slot_status {
        None | Some((_, Status::Archived)) => {
            if email::is_role(&address) {
                return Err(Refusal::Fake(address).into());
            }
            Ok(Outcome::Created(audience.create(&entry, writer)?))
        }
        Some(_) if !rules.update_existing => Err(Refusal::MemberExists(address).into()),
        Some((slot, _)) => update(audience, slot, &entry, rules, writer),
    }
}

/// Skips, without a word, members who opted out themselves and are to be subscribed.
fn update(
    audience: &mut Audience,
    slot: Slot,
    entry: &Entry,
    rules: Rules,
    writer: &Writer,
) -> Result<Outcome, Problem> {
    let bound = audience.roster.get(slot).is_some_and(Member::in_compliance_state);
    if bound && entry.status == Some(Status::Subscribed) {
        return Ok(Outcome::Skipped);
    }
    audience.update(slot, entry, writer)?;
    if rules.sync_tags {
        audience.sync_tags(slot, &entry.tags, writer)?;
    } else {
        let given: Vec<_> = entry.tags.iter().map(|tag| (tag.clone(), true)).collect();
        audience.tag(slot, &given, writer)?;
    }
    Ok(Outcome::Updated(slot))
}

impl Tally {
    fn json(&self, audience: &Audience) -> Value {
        let show = |slots: &[Slot]| -> Vec<Value> {
            let views =
                slots.iter().filter_map(|slot| MemberView::new(audience, *slot, &Selection::All));
            views.map(|view| json!(view)).collect()
        };
        json!({
            "new_members": show(&self.created),
            "updated_members": show(&self.updated),
            "errors": self.errors,
            "total_created": self.created.len(),
            "total_updated": self.updated.len(),
            "error_count": self.errors.len(),
            "_links": [],
        })
    }
}

fn items(body: &Value) -> Result<&[Value], Problem> {
    let Some(items) = body["members"].as_array() else {
        let message = "Schema describes array, NULL found instead";
        return Err(Problem::schema(vec![FieldError::new("members", message)]));
    };
    if items.len() > LIMIT {
        return Err(Problem::bad_request(format!(
            "You can only add or update up to {LIMIT} members at a time."
        )));
    }
    Ok(items)
}

fn duplicate(address: &str) -> Problem {
    Problem::bad_request(format!("{address} appears more than once in this request."))
}

/// Words an item's problem: existing members have a code, all else is `ERROR_GENERIC`.
fn error(address: &str, problem: &Problem) -> Value {
    let exists = problem.title == "Member Exists";
    let text = if exists {
        format!(
            "{address} is already a list member, do you want to update? \
             please provide update_existing:true in the request body"
        )
    } else {
        problem.detail.to_string()
    };
    let field = problem.errors.first();
    json!({
        "email_address": address,
        "error": text,
        "error_code": if exists { "ERROR_CONTACT_EXISTS" } else { "ERROR_GENERIC" },
        "field": field.map_or("", |error| error.field.as_str()),
        "field_message": field.map_or("", |error| error.message.as_str()),
    })
}
