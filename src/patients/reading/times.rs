//! Reads instants and days in the forms that real databases hold.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde_json::Value;

use super::cells::{Unreadable, text};

/// An instant, as exactly as it was given: a bare day covers 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The earliest it can have been.
    pub(super) earliest: DateTime<Utc>,
    /// The latest it can have been.
    pub(super) latest: DateTime<Utc>,
}

impl Span {
    const fn exactly(at: DateTime<Utc>) -> Self {
        Self { earliest: at, latest: at }
    }
}

/// Below this a number is seconds since 1970 rather than milliseconds (it would be March 1973).
const MILLISECONDS_FROM: i64 = 100_000_000_000;

const WHY: Unreadable =
    Unreadable("is not a time: use TIMESTAMPTZ, ISO 8601 text, or milliseconds since 1970");

/// Reads an instant. Text without an offset is taken as UTC.
pub(super) fn instant(value: Option<&Value>) -> Result<Option<Span>, Unreadable> {
    let Some(text) = text(value).map_err(|_| WHY)? else { return Ok(None) };
    if let Some(millis) = number(&text) {
        return epoch(millis).map(|at| Some(Span::exactly(at)));
    }
    if let Some(at) = with_offset(&text).or_else(|| without_offset(&text)) {
        return Ok(Some(Span::exactly(at)));
    }
    let day = text.parse::<NaiveDate>().map_err(|_| WHY)?;
    let earliest = day.and_time(NaiveTime::MIN).and_utc();
    Ok(Some(Span { earliest, latest: earliest + TimeDelta::days(1) - TimeDelta::milliseconds(1) }))
}

/// Reads whole numbers, and the `1.7e12` and `1700000000000.0` that `REAL` columns give.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn number(text: &str) -> Option<i64> {
    let whole = text.parse::<i64>().ok();
    whole.or_else(|| {
        let real = text.parse::<f64>().ok()?;
        (real.is_finite() && real.abs() < 9e15).then_some(real as i64)
    })
}

fn epoch(millis: i64) -> Result<DateTime<Utc>, Unreadable> {
    if millis < MILLISECONDS_FROM {
        return Err(Unreadable("looks like seconds: multiply by 1000 in the view"));
    }
    DateTime::from_timestamp_millis(millis).ok_or(WHY)
}

fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"]
        .iter()
        .find_map(|format| DateTime::parse_from_str(text, format).ok())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok())
        .map(|at| at.to_utc())
}

fn without_offset(text: &str) -> Option<DateTime<Utc>> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|at| at.and_utc())
}

/// Reads a day; a time of day behind it is cut off. `0000-00-00`, as `MySQL` exports it, is absent.
pub(super) fn day(value: Option<&Value>) -> Result<Option<NaiveDate>, Unreadable> {
    const WHY: Unreadable = Unreadable("is not a date: use DATE or text as 1990-12-31");
    let Some(text) = text(value).map_err(|_| WHY)? else { return Ok(None) };
    if text.starts_with("0000-00-00") {
        return Ok(None);
    }
    let (day, rest) = text.split_at_checked(10).ok_or(WHY)?;
    if !(rest.is_empty() || rest.starts_with(['T', ' '])) {
        return Err(WHY);
    }
    day.parse().map(Some).map_err(|_| WHY)
}
