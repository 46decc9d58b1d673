//! The tags of a member.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{find, find_by_id};
use crate::simulator::mailchimp::api::query::window;
use crate::simulator::mailchimp::api::{Answer, Context};
use crate::simulator::mailchimp::audience::refusal::FieldError;
use crate::simulator::mailchimp::door::problem::Problem;
use crate::simulator::mailchimp::door::reply::Reply;

#[derive(Debug, Deserialize)]
struct Body {
    tags: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Change {
    name: String,
    status: Activity,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Activity {
    Active,
    Inactive,
}

/// `GET /lists/{list_id}/members/{subscriber_hash}/tags`
pub fn index(cx: &mut Context, list: &str, name: &str) -> Answer {
    let (count, offset) = window(cx.call)?;
    let audience = cx.audience(list)?;
    let slot = find(audience, name)?;
    let held = audience.roster.get(slot).map(|m| m.detail.tags.as_slice()).unwrap_or_default();
    let shown: Vec<Value> = held
        .iter()
        .skip(offset)
        .take(count)
        .map(|(id, at)| json!({"id": id, "name": audience.tag_name(*id), "date_added": at.text()}))
        .collect();
    let total = held.len();
    cx.show(json!({"tags": shown, "total_items": total, "_links": []}))
}

/// `POST /lists/{list_id}/members/{subscriber_hash}/tags`
pub fn change(cx: &mut Context, list: &str, id: &str) -> Answer {
    let writer = cx.writer();
    let slot = find_by_id(cx.audience(list)?, id)?;
    let body: Body = serde_json::from_value(cx.call.json()?)
        .map_err(|error| Problem::schema(vec![FieldError::new("tags", error.to_string())]))?;
    let changes: Vec<_> =
        body.tags.into_iter().map(|tag| (tag.name, tag.status == Activity::Active)).collect();
    cx.audience(list)?.tag(slot, &changes, &writer)?;
    Ok(Reply::no_content())
}
