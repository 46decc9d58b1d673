//! Pages of members, and searching them.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::view::{self, MemberView};
use crate::simulator::mailchimp::api::fields::Selection;
use crate::simulator::mailchimp::api::query::{parse_stamp, window};
use crate::simulator::mailchimp::api::{Answer, Context};
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::member::{Slot, Status};
use crate::simulator::mailchimp::audience::refusal::FieldError;
use crate::simulator::mailchimp::audience::roster::{Filter, SortField};
use crate::simulator::mailchimp::door::call::Call;
use crate::simulator::mailchimp::door::problem::Problem;
use crate::simulator::mailchimp::door::reply::Reply;

/// The most members a search shows.
const SEARCH_LIMIT: usize = 30;

/// `GET /lists/{list_id}/members`
pub fn index(cx: &mut Context, list: &str) -> Answer {
    let (call, filter) = (cx.call, filter(cx.call)?);
    let selection = Selection::of(call)?;
    let (count, offset) = window(call)?;
    let audience = cx.audience(list)?;
    selection
        .check_names(|name| ["members", "list_id", "total_items", "_links"].contains(&name))?;
    let rows = selection.below("members");
    if let Some(rows) = &rows {
        rows.check_names(view::knows)?;
    }
    let found = match call.param("unique_email_id") {
        Some(id) => by_unique_email_id(audience, id).into(),
        None => audience.roster.select(&filter),
    };
    let page = found.iter().skip(offset).take(count).copied().collect();
    Ok(Reply::ok(&Page { audience, slots: page, total: found.len(), selection: &selection }))
}

/// `GET /search-members`
pub fn search(cx: &mut Context) -> Answer {
    let Some(query) = cx.call.param("query").map(str::to_lowercase) else {
        return Err(Problem::schema(vec![FieldError::new(
            "query",
            "This value should not be blank.",
        )]));
    };
    let list = cx.call.param("list_id");
    let (mut exact, mut full) = (Vec::new(), Vec::new());
    for audience in cx.account.audiences.iter().filter(|a| list.is_none_or(|id| a.id == id)) {
        for (slot, member) in audience.roster.iter() {
            if member.status == Status::Archived || exact.len() + full.len() >= SEARCH_LIMIT {
                continue;
            }
            let address = member.detail.email.to_lowercase();
            let shown = || MemberView::new(audience, slot, &Selection::All).map(|view| json!(view));
            if address == query {
                exact.extend(shown());
            } else if address.contains(&query) {
                full.extend(shown());
            }
        }
    }
    full.splice(0..0, exact.iter().cloned());
    cx.show(json!({
        "exact_matches": {"members": exact, "total_items": exact.len()},
        "full_search": {"members": full, "total_items": full.len()},
        "_links": [],
    }))
}

/// Seven digits of a second were seen to return everything, as if nothing had been asked.
fn overlong_fraction(text: &str) -> bool {
    let fraction = text.get(19..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
    fraction.bytes().take_while(u8::is_ascii_digit).count() > 6
}

fn filter(call: &Call) -> Result<Filter, Problem> {
    let edge = |name: &str| match call.param(name) {
        Some(text) if overlong_fraction(text) => Ok(None),
        Some(text) => parse_stamp(text).map(Some).ok_or_else(|| invalid(name, "a valid datetime")),
        None => Ok(None),
    };
    let status = match call.param("status") {
        Some(name) => Some(Status::parse(name).ok_or_else(|| invalid("status", "a known status"))?),
        None => None,
    };
    let unsubscribed_since = edge("unsubscribed_since")?;
    if unsubscribed_since.is_some() && status != Some(Status::Unsubscribed) {
        return Err(invalid("unsubscribed_since", "used with a status of unsubscribed"));
    }
    if call.flag("since_last_campaign") && status.is_none() {
        return Err(invalid("since_last_campaign", "used with a status"));
    }
    Ok(Filter {
        status,
        since_last_changed: edge("since_last_changed")?,
        before_last_changed: edge("before_last_changed")?,
        since_timestamp_opt: edge("since_timestamp_opt")?,
        before_timestamp_opt: edge("before_timestamp_opt")?,
        unsubscribed_since,
        html: call.param("email_type").map(|kind| kind != "text"),
        vip_only: call.flag("vip_only"),
        sort: sort_field(call.param("sort_field"))?,
        descending: call.param("sort_dir").is_some_and(|dir| dir.eq_ignore_ascii_case("DESC")),
    })
}

fn sort_field(name: Option<&str>) -> Result<Option<SortField>, Problem> {
    match name {
        None => Ok(None),
        Some("timestamp_opt") => Ok(Some(SortField::TimestampOpt)),
        Some("timestamp_signup") => Ok(Some(SortField::TimestampSignup)),
        Some("last_changed") => Ok(Some(SortField::LastChanged)),
        Some(_) => Err(invalid("sort_field", "timestamp_opt, timestamp_signup or last_changed")),
    }
}

fn invalid(field: &str, expected: &str) -> Problem {
    Problem::schema(vec![FieldError::new(field, format!("This value must be {expected}."))])
}

fn by_unique_email_id(audience: &Audience, id: &str) -> Vec<Slot> {
    let matches = |email: &str| audience.unique_email_id(email) == id;
    audience.roster.iter().filter(|(_, m)| matches(&m.detail.email)).map(|(slot, _)| slot).collect()
}

struct Page<'a> {
    audience: &'a Audience,
    slots: Vec<Slot>,
    total: usize,
    selection: &'a Selection<'a>,
}

impl Serialize for Page<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(selection) = self.selection.below("members") {
            let view = |slot: &Slot| MemberView::new(self.audience, *slot, &selection);
            map.serialize_entry(
                "members",
                &self.slots.iter().filter_map(view).collect::<Vec<_>>(),
            )?;
        }
        let rest = [
            ("list_id", json!(self.audience.id)),
            ("total_items", json!(self.total)),
            ("_links", json!([])),
        ];
        for (name, value) in rest {
            if self.selection.below(name).is_some() {
                map.serialize_entry(name, &value)?;
            }
        }
        map.end()
    }
}
