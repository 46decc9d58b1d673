//! Numbers that carriers took out of use: a redirect to a file that can be had for two minutes.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::json;

use crate::simulator::door::Reply;
use crate::simulator::twilio::door::call::Call;
use crate::simulator::twilio::door::reply::error;
use crate::simulator::twilio::world::World;

/// How long the file can be had.
const OPEN: TimeDelta = TimeDelta::minutes(2);

/// `GET /v1/Deactivations?Date=YYYY-MM-DD`.
pub fn answer(world: &World, call: &Call) -> Reply {
    let Some(date) = call.param("Date").and_then(|text| text.parse::<NaiveDate>().ok()) else {
        return error(400, 20_001, "Invalid parameter Date");
    };
    if !world.deactivated.contains_key(&date) {
        return error(404, 30_114, "The file is not ready");
    }
    let until = (world.now + OPEN).timestamp();
    let url = format!("{}/_deactivations/{date}?Expires={until}", call.base_url);
    let headers = vec![("location", url.clone())];
    Reply { headers, ..Reply::json(307, &json!({"redirect_to": url})) }
}

/// The file: one number a line.
#[must_use]
pub fn download(world: &World, date: &str, expires: i64) -> Reply {
    let numbers = date.parse().ok().and_then(|date: NaiveDate| world.deactivated.get(&date));
    let open = DateTime::<Utc>::from_timestamp(expires, 0).is_some_and(|until| world.now <= until);
    match numbers {
        Some(numbers) if open => Reply::text(200, "text/plain", numbers.join("\n")),
        _ => Reply::text(403, "application/xml", "<Error><Code>AccessDenied</Code></Error>".into()),
    }
}
