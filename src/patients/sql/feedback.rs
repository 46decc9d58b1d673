//! Writes what became of a patient's marketing into the clinic's table `listwarden_feedback`.

use std::collections::BTreeMap;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{Pool, layout};
use crate::domain::Channel;
use crate::patients::columns::FEEDBACK;
use crate::patients::{Note, SourceError};

/// The columns written; `recorded_at` is the clinic's own affair.
const COLUMNS: [&str; 7] =
    ["event_id", "patient_id", "channel", "kind", "occurred_at", "list", "by"];

/// What a clinic runs once in `SQLite`.
pub const SQLITE_DDL: &str = include_str!("feedback.sqlite.sql");

/// What a clinic runs once in PostgreSQL.
pub const POSTGRES_DDL: &str = include_str!("feedback.postgres.sql");

/// Notes in one statement.
const AT_ONCE: usize = 500;

/// Reads the types of the table's columns.
pub(super) async fn columns(pool: &Pool) -> Result<BTreeMap<String, String>, SourceError> {
    let found = layout::columns_of(pool, FEEDBACK).await?;
    let missing: Vec<String> = if found.is_empty() {
        vec!["everything: there is no such table".to_owned()]
    } else {
        let lacks = |name: &&&str| !found.contains_key(**name);
        COLUMNS.iter().filter(lacks).map(|name| (*name).to_owned()).collect()
    };
    if missing.is_empty() {
        return Ok(found);
    }
    let ddl = match pool {
        Pool::Sqlite { .. } => SQLITE_DDL,
        Pool::Postgres(_) => POSTGRES_DDL,
    };
    Err(SourceError::NoFeedback { missing, ddl })
}

/// Writes notes; those already there stay as they are.
pub(super) async fn write(pool: &Pool, notes: &[Note]) -> Result<(), SourceError> {
    if notes.is_empty() {
        return Ok(());
    }
    let columns = columns(pool).await?;
    for notes in notes.chunks(AT_ONCE) {
        let rows = Value::Array(notes.iter().map(line).collect()).to_string();
        let done = match pool {
            Pool::Sqlite { writing, .. } => {
                sqlx::query(SQLITE).bind(rows).execute(writing).await.map(drop)
            }
            Pool::Postgres(pool) => {
                let sql = AssertSqlSafe(postgres(&columns));
                sqlx::query(sql).bind(rows).execute(pool).await.map(drop)
            }
        };
        done.map_err(|error| pool.failed("writing listwarden_feedback", &error))?;
    }
    Ok(())
}

fn line(note: &Note) -> Value {
    json!({
        "event_id": note.event.to_string(),
        "patient_id": note.source_id,
        "channel": note.channel.map(Channel::word),
        "kind": note.kind.word(),
        "occurred_at": note.at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "list": note.list,
        "by": note.by.word(),
    })
}

const SQLITE: &str = r#"
INSERT INTO listwarden_feedback (event_id, patient_id, channel, kind, occurred_at, list, "by")
SELECT value ->> 'event_id', value ->> 'patient_id', value ->> 'channel', value ->> 'kind',
       value ->> 'occurred_at', value ->> 'list', value ->> 'by'
FROM json_each($1) WHERE true
ON CONFLICT DO NOTHING"#;

/// Casts each value to the type the clinic gave its column.
fn postgres(columns: &BTreeMap<String, String>) -> String {
    let values: Vec<String> = COLUMNS
        .iter()
        .map(|name| {
            format!("CAST(n ->> '{name}' AS {})", columns.get(*name).map_or("text", String::as_str))
        })
        .collect();
    format!(
        r#"INSERT INTO listwarden_feedback (event_id, patient_id, channel, kind, occurred_at, list, "by")
           SELECT {} FROM json_array_elements(CAST($1 AS json)) AS n
           ON CONFLICT DO NOTHING"#,
        values.join(", ")
    )
}
