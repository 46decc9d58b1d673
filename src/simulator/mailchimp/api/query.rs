//! The parameters every listing knows.

use chrono::{NaiveDate, NaiveDateTime};

use crate::simulator::mailchimp::audience::member::Stamp;
use crate::simulator::mailchimp::audience::refusal::FieldError;
use crate::simulator::mailchimp::door::call::Call;
use crate::simulator::mailchimp::door::problem::Problem;

/// The most rows a page has, whatever was asked for.
const COUNT_LIMIT: usize = 1_000;

/// The rows a page has when nothing was asked for.
const COUNT_DEFAULT: usize = 10;

/// Reads `count` and `offset`; a count over the limit is cut to it.
pub fn window(call: &Call) -> Result<(usize, usize), Problem> {
    let number = |name: &str, default: usize| match call.param(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| {
            let message = "Schema describes integer, string found instead";
            Problem::schema(vec![FieldError::new(name, message)])
        }),
    };
    Ok((number("count", COUNT_DEFAULT)?.min(COUNT_LIMIT), number("offset", 0)?))
}

/// Reads an instant as Mailchimp does: the offset is ignored, the wall time taken as UTC.
#[must_use]
pub fn parse_stamp(text: &str) -> Option<Stamp> {
    let second = text.get(..19).and_then(|head| {
        let head = head.replacen(' ', "T", 1);
        NaiveDateTime::parse_from_str(&head, "%Y-%m-%dT%H:%M:%S").ok()
    });
    let instant = second.or_else(|| {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        day.and_hms_opt(0, 0, 0)
    })?;
    Some(Stamp::of(instant.and_utc()))
}
