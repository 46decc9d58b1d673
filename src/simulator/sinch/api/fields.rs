//! Reading the fields of a request's body, and pages of lists.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::simulator::door::Reply;
use crate::simulator::sinch::door::call::Call;
use crate::simulator::sinch::door::reply::error;
use crate::simulator::sinch::world::number::msisdn;

/// The most numbers one call may add, remove, or make members.
pub const MOST_NUMBERS: usize = 10_000;

/// Refuses a body for what it says.
pub fn violation(text: &str) -> Reply {
    error(400, "syntax_constraint_violation", text)
}

/// Reads a list of numbers; a missing one is empty.
pub fn numbers(body: &Value, field: &str, most: usize) -> Result<Vec<String>, Reply> {
    let rows = match &body[field] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(rows) => rows,
        _ => return Err(error(400, "syntax_invalid_json", field)),
    };
    if rows.len() > most {
        return Err(violation(&format!("{field} has more than {most} elements")));
    }
    let number = |row: &Value| row.as_str().and_then(msisdn);
    let bad = || error(400, "syntax_invalid_parameter_format", "not a phone number");
    rows.iter().map(|row| number(row).ok_or_else(bad)).collect()
}

/// Reads a text; none where it is missing or `null`.
pub fn text(body: &Value, field: &str, most: usize) -> Result<Option<String>, Reply> {
    match &body[field] {
        Value::Null => Ok(None),
        Value::String(text) if text.chars().count() <= most => Ok(Some(text.clone())),
        Value::String(_) => Err(violation(&format!("{field} is longer than {most} characters"))),
        _ => Err(error(400, "syntax_invalid_json", field)),
    }
}

/// Reads the start of a list of texts: a day ago unless it is said.
pub fn since(call: &Call, now: DateTime<Utc>) -> Result<DateTime<Utc>, Reply> {
    Ok(instant(call, "start_date")?.unwrap_or(now - TimeDelta::hours(24)))
}

/// Reads an instant among the parameters; without an offset it is UTC.
pub fn instant(call: &Call, name: &str) -> Result<Option<DateTime<Utc>>, Reply> {
    let Some(text) = call.param(name) else { return Ok(None) };
    let zoned = DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).ok();
    let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok();
    let instant = zoned.or_else(|| local.map(|at| at.and_utc()));
    let bad = || error(400, "syntax_invalid_parameter_format", name);
    instant.map(Some).ok_or_else(bad)
}

/// Answers with a page of a list, newest first.
pub fn page(call: &Call, field: &str, rows: Vec<Value>) -> Result<Reply, Reply> {
    let (number, size) = (call.number("page", 0, usize::MAX)?, call.number("page_size", 30, 100)?);
    let count = rows.len();
    let skipped = number.saturating_mul(size);
    let shown: Vec<Value> = rows.into_iter().rev().skip(skipped).take(size).collect();
    let mut document = serde_json::json!({
        "page": number,
        "page_size": shown.len(),
        "count": count,
    });
    document[field] = shown.into();
    Ok(Reply::json(200, &document))
}
