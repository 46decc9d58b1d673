//! Pages of lists, by cursor.

use serde_json::{Value, json};

use super::{Call, invalid};
use crate::simulator::door::Reply;

/// Answers with a page of rows that come in the order of the list; `id` names a row, and a cursor
/// is the last row's name: what comes or leaves in front shifts nothing.
pub fn page<T>(
    call: &Call,
    most: usize,
    rows: &[T],
    id: impl Fn(&T) -> &str,
    show: impl Fn(&T) -> Value,
) -> Result<Reply, Reply> {
    let limit = match call.param("limit") {
        None => most.min(25),
        Some(text) => text.parse().map_err(|_| invalid("limit", "not a number"))?,
    };
    if limit == 0 || limit > most {
        return Err(invalid("limit", "out of range"));
    }
    let start = match call.param("starting_after") {
        None => 0,
        Some(after) => {
            let place = rows.iter().position(|row| id(row) == after);
            place.ok_or_else(|| invalid("starting_after", "not a cursor"))? + 1
        }
    };
    let shown = &rows[start..rows.len().min(start + limit)];
    let more = start + shown.len() < rows.len();
    let name = |row: Option<&T>| row.map(|row| id(row).to_owned());
    Ok(Reply::json(
        200,
        &json!({
            "data": shown.iter().map(show).collect::<Vec<_>>(),
            "next_cursor": name(shown.last()).filter(|_| more),
            "prev_cursor": name(shown.first()).filter(|_| start > 0),
            "refresh_cursor": name(shown.first()),
        }),
    ))
}
