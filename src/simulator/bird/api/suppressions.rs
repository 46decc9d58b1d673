//! `/sms/suppressions`: senders' texts to somebody, stopped.

use super::page::page;
use super::{Answer, Call, invalid, not_found};
use crate::simulator::bird::world::World;
use crate::simulator::bird::world::contact::number;
use crate::simulator::bird::world::suppression::Suppression;
use crate::simulator::door::Reply;

/// Lists what is in force, the latest opt-out first.
pub fn index(world: &World, place: usize, call: &Call) -> Answer {
    let wanted = |one: &&Suppression| {
        one.ended.is_none()
            && call.param("destination").is_none_or(|number| one.destination == number)
            && call.param("originator").is_none_or(|number| one.originator == number)
            && call.param("reason").is_none_or(|reason| one.reason == reason)
    };
    let mut rows: Vec<&Suppression> =
        world.workspaces[place].suppressions.iter().rev().filter(wanted).collect();
    rows.sort_by_key(|one| std::cmp::Reverse(one.effective_at));
    page(call, world.settings.page_rows, &rows, |row| &row.id, |row| row.json())
}

/// Shows one, in force or ended.
pub fn read(world: &World, place: usize, id: &str) -> Answer {
    let mut all = world.workspaces[place].suppressions.iter();
    let one = all.find(|one| one.id == id).ok_or_else(not_found)?;
    Ok(Reply::json(200, &one.json()))
}

/// Stops a sender's texts to somebody by hand.
pub fn create(world: &mut World, place: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let destination = body["destination"].as_str().and_then(number);
    let destination = destination.ok_or_else(|| invalid("destination", "not a phone number"))?;
    let originator = body["originator"].as_str().unwrap_or_default().to_owned();
    if !world.workspaces[place].senders.contains(&originator) {
        return Err(invalid("originator", "no sender of this workspace"));
    }
    let now = world.now;
    let one = world.suppress(place, &destination, &originator, ("manual", "api_key"), now);
    Ok(Reply::json(201, &one.json()))
}

/// Ends one that was made by hand; no other.
pub fn delete(world: &mut World, place: usize, id: &str) -> Answer {
    let now = world.now;
    let mut all = world.workspaces[place].suppressions.iter_mut();
    let one = all.find(|one| one.id == id && one.ended.is_none()).ok_or_else(not_found)?;
    if one.reason != "manual" {
        return Err(invalid("suppression_id", "the subscriber or the carrier said so"));
    }
    one.ended = Some((now, "api_key"));
    Ok(Reply::empty(204))
}
