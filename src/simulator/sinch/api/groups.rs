//! `/groups`: lists of numbers.
//!
//! Source: Sinch docs, SMS REST API, Groups.

use serde_json::{Value, json};

use super::Answer;
use super::fields::{MOST_NUMBERS, numbers, page, text, violation};
use crate::simulator::door::Reply;
use crate::simulator::sinch::door::call::Call;
use crate::simulator::sinch::door::reply::error;
use crate::simulator::sinch::world::World;
use crate::simulator::sinch::world::group::{AutoUpdate, Group};
use crate::simulator::sinch::world::number::msisdn;

/// The longest name.
const LONGEST_NAME: usize = 20;
/// The longest keyword.
const LONGEST_WORD: usize = 15;

/// Lists the groups, newest first.
pub fn index(world: &World, account: usize, call: &Call) -> Answer {
    page(call, "groups", world.accounts[account].groups.iter().map(Group::json).collect())
}

/// Makes a group.
pub fn create(world: &mut World, account: usize, call: &Call) -> Answer {
    let body = call.json()?;
    let (members, name) = (numbers(&body, "members", MOST_NUMBERS)?, name(&body)?);
    let auto_update = auto_update(&body)?;
    free(world, account, name.as_deref(), None)?;
    let mut group = Group::new(world.id(), world.now);
    group.update(&members, &[], world.now);
    group.name = name;
    group.auto_update = auto_update;
    group.child_groups = children(world, account, &body)?;
    let shown = group.json();
    world.accounts[account].groups.push(group);
    Ok(Reply::json(201, &shown))
}

/// Shows a group.
pub fn read(world: &World, account: usize, id: &str) -> Answer {
    let group = world.accounts[account].group(id).ok_or_else(|| Reply::empty(404))?;
    Ok(Reply::json(200, &group.json()))
}

/// Shows the members of a group: numbers without `+`, all in one answer.
pub fn members(world: &World, account: usize, id: &str) -> Answer {
    let group = world.accounts[account].group(id).ok_or_else(|| Reply::empty(404))?;
    let members = json!(group.members);
    let wrapped = world.settings.wrap_members;
    Ok(Reply::json(200, &if wrapped { json!({ "members": members }) } else { members }))
}

/// Adds members, then removes others.
pub fn update(world: &mut World, account: usize, call: &Call, id: &str) -> Answer {
    let body = call.json()?;
    let mut add = numbers(&body, "add", MOST_NUMBERS)?;
    let mut remove = numbers(&body, "remove", MOST_NUMBERS)?;
    add.extend(members_of(world, account, &body, "add_from_group")?);
    remove.extend(members_of(world, account, &body, "remove_from_group")?);
    let (name, auto_update) = (name(&body)?, auto_update(&body)?);
    free(world, account, name.as_deref(), Some(id))?;
    let now = world.now;
    let group = world.accounts[account].group_mut(id).ok_or_else(|| Reply::empty(404))?;
    group.update(&add, &remove, now);
    if body.get("name").is_some() {
        group.name = name;
    }
    if body.get("auto_update").is_some() {
        group.auto_update = auto_update;
    }
    Ok(Reply::json(200, &group.json()))
}

/// Replaces a group with all of its members.
pub fn replace(world: &mut World, account: usize, call: &Call, id: &str) -> Answer {
    let body = call.json()?;
    if body["members"].is_null() {
        return Err(violation("members is missing"));
    }
    let (members, name) = (numbers(&body, "members", MOST_NUMBERS)?, name(&body)?);
    free(world, account, name.as_deref(), Some(id))?;
    let now = world.now;
    let group = world.accounts[account].group_mut(id).ok_or_else(|| Reply::empty(404))?;
    group.members.clear();
    group.update(&members, &[], now);
    group.name = name;
    Ok(Reply::json(200, &group.json()))
}

/// Deletes a group.
pub fn delete(world: &mut World, account: usize, id: &str) -> Answer {
    let groups = &mut world.accounts[account].groups;
    let place = groups.iter().position(|group| group.id == id);
    groups.remove(place.ok_or_else(|| Reply::empty(404))?);
    Ok(Reply::empty(200))
}

fn name(body: &Value) -> Result<Option<String>, Reply> {
    text(body, "name", LONGEST_NAME)
}

/// Refuses a name that another group has.
fn free(world: &World, account: usize, name: Option<&str>, own: Option<&str>) -> Result<(), Reply> {
    let mut others =
        world.accounts[account].groups.iter().filter(|group| Some(group.id.as_str()) != own);
    match name {
        Some(name) if others.any(|group| group.name.as_deref() == Some(name)) => {
            Err(error(403, "conflict_group_name", "The name is taken"))
        }
        _ => Ok(()),
    }
}

fn children(world: &World, account: usize, body: &Value) -> Result<Vec<String>, Reply> {
    let rows = body["child_groups"].as_array().cloned().unwrap_or_default();
    let known = |row: &Value| {
        let id = row.as_str().filter(|id| world.accounts[account].group(id).is_some());
        id.map(str::to_owned).ok_or_else(unknown_group)
    };
    rows.iter().map(known).collect()
}

fn members_of(
    world: &World,
    account: usize,
    body: &Value,
    field: &str,
) -> Result<Vec<String>, Reply> {
    let Some(id) = body[field].as_str() else { return Ok(Vec::new()) };
    let group = world.accounts[account].group(id).ok_or_else(unknown_group)?;
    Ok(group.members.clone())
}

fn unknown_group() -> Reply {
    error(403, "unknown_group", "The group is unknown")
}

fn auto_update(body: &Value) -> Result<Option<AutoUpdate>, Reply> {
    let asked = &body["auto_update"];
    if asked.is_null() {
        return Ok(None);
    }
    let to = asked["to"].as_str().and_then(msisdn).ok_or_else(|| violation("auto_update.to"))?;
    let word = |field: &str| text(&asked[field], "first_word", LONGEST_WORD);
    Ok(Some(AutoUpdate { to, add: word("add")?, remove: word("remove")? }))
}
