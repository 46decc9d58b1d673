//! One member: read, added, changed, put away, erased.

pub mod batch_subscribe;
pub mod listing;
pub mod tags;
pub mod view;

use self::view::MemberView;
use super::fields::Selection;
use super::{Answer, Context, schema};
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::email;
use crate::simulator::mailchimp::audience::member::Slot;
use crate::simulator::mailchimp::door::problem::Problem;
use crate::simulator::mailchimp::door::reply::Reply;

/// `POST /lists/{list_id}/members`
pub fn create(cx: &mut Context, list: &str) -> Answer {
    let writer = cx.writer();
    cx.audience(list)?;
    let entry = schema::member(&cx.call.json()?, &schema::WRITABLE)?;
    let slot = cx.audience(list)?.create(&entry, &writer)?;
    show(cx, list, slot)
}

/// `GET /lists/{list_id}/members/{subscriber_hash}`
pub fn read(cx: &mut Context, list: &str, name: &str) -> Answer {
    let slot = find(cx.audience(list)?, name)?;
    show(cx, list, slot)
}

/// `PUT /lists/{list_id}/members/{subscriber_hash}`
pub fn upsert(cx: &mut Context, list: &str, name: &str) -> Answer {
    let writer = cx.writer();
    let found = cx.audience(list)?.find(name);
    let entry = schema::member(&cx.call.json()?, &schema::WRITABLE)?;
    let written = cx.audience(list)?.upsert(found, &entry, &writer)?;
    show(cx, list, written.slot())
}

/// `PATCH /lists/{list_id}/members/{subscriber_hash}`
pub fn update(cx: &mut Context, list: &str, name: &str) -> Answer {
    let writer = cx.writer();
    let slot = find(cx.audience(list)?, name)?;
    let entry = schema::member(&cx.call.json()?, &schema::PATCHABLE)?;
    cx.audience(list)?.update(slot, &entry, &writer)?;
    show(cx, list, slot)
}

/// `DELETE /lists/{list_id}/members/{subscriber_hash}`
pub fn archive(cx: &mut Context, list: &str, name: &str) -> Answer {
    let writer = cx.writer();
    let audience = cx.audience(list)?;
    let slot = find(audience, name)?;
    audience.archive(slot, &writer)?;
    Ok(Reply::no_content())
}

/// `POST /lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent`
pub fn erase(cx: &mut Context, list: &str, id: &str) -> Answer {
    let writer = cx.writer();
    let audience = cx.audience(list)?;
    let slot = find_by_id(audience, id)?;
    audience.delete_permanently(slot, &writer)?;
    Ok(Reply::no_content())
}

/// Finds a member by id, contact id or address.
pub fn find(audience: &Audience, name: &str) -> Result<Slot, Problem> {
    audience.find(name).ok_or_else(Problem::not_found)
}

/// Finds a member by its id alone: the actions are documented with nothing else.
pub fn find_by_id(audience: &Audience, id: &str) -> Result<Slot, Problem> {
    let id = email::parse_hash(id).ok_or_else(Problem::not_found)?;
    audience.roster.by_id(&id).ok_or_else(Problem::not_found)
}

fn show(cx: &mut Context, list: &str, slot: Slot) -> Answer {
    let selection = Selection::of(cx.call)?;
    selection.check_names(view::knows)?;
    let view = MemberView::new(cx.audience(list)?, slot, &selection);
    view.map(|view| Reply::ok(&view)).ok_or_else(Problem::not_found)
}
