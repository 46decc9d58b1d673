//! The statements that read the view, and what they give back.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Row as _};

use super::Pool;
use super::layout::{Layout, Since};
use crate::patients::columns::VIEW;
use crate::patients::{RowProblem, SourceCursor, SourceError, SourceRow};

/// One row as it came.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The row.
    pub(super) row: SourceRow,
    /// The type of the id's value, which `SQLite` compares by.
    kind: String,
}

impl Fetched {
    fn new(id: String, kind: String, text: Option<String>) -> Self {
        Self { row: SourceRow { id, text }, kind }
    }

    /// The place behind this row.
    pub(super) fn cursor(&self) -> SourceCursor {
        let after = After { id: self.row.id.clone(), kind: self.kind.clone() };
        SourceCursor(serde_json::json!(after).to_string())
    }
}

/// A place between two rows.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct After {
    id: String,
    kind: String,
}

impl After {
    pub(super) fn read(cursor: &SourceCursor) -> Result<Self, SourceError> {
        serde_json::from_str(&cursor.0).map_err(|_| SourceError::Cursor)
    }
}

const READING: &str = "reading listwarden_patients";

/// Fetches up to `limit` rows in the order of their ids.
pub(super) async fn fetch(
    pool: &Pool,
    layout: &Layout,
    since: Option<DateTime<Utc>>,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<Fetched>, SourceError> {
    let rows = match pool {
        Pool::Sqlite { reading, .. } => sqlite(reading, layout, since, after, limit).await,
        Pool::Postgres(pool) => postgres(pool, layout, since, after, limit).await,
    };
    rows.map_err(|error| pool.failed(READING, &error))
}

async fn sqlite(
    pool: &sqlx::SqlitePool,
    layout: &Layout,
    since: Option<DateTime<Utc>>,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<Fetched>, sqlx::Error> {
    let mut sql = sqlite_select(layout);
    if after.is_some() {
        sql.push_str(if since.is_some() { " AND +id > $1" } else { " AND id > $1" });
    }
    if since.is_some() {
        // Numbers sort before every text, so each half sees only values of its own type.
        sql.push_str(" AND ((updated_at >= $2 AND updated_at < '') OR updated_at >= $3)");
    }
    // The few that changed are found by when they did, where that is indexed, and put in order then:
    // `+` keeps SQLite from walking all rows in the order of their ids.
    sql.push_str(if since.is_some() { " ORDER BY +id LIMIT $4" } else { " ORDER BY id LIMIT $4" });
    let query = sqlx::query(AssertSqlSafe(sql));
    let query = match after {
        None => query.bind(None::<String>),
        Some(after) => {
            match (after.kind.as_str(), after.id.parse::<i64>(), after.id.parse::<f64>()) {
                ("integer", Ok(id), _) => query.bind(id),
                ("real", _, Ok(id)) => query.bind(id),
                _ => query.bind(after.id.clone()),
            }
        }
    };
    let query = query
        .bind(since.map(|since| since.timestamp_millis()))
        .bind(since.map(day_before))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = query.fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            // Text that is not UTF-8 fails to decode: that row alone is unreadable.
            let record = row.try_get::<String, _>("record").ok();
            Ok(Fetched::new(row.try_get("source_id")?, row.try_get("kind")?, record))
        })
        .collect()
}

async fn postgres(
    pool: &sqlx::PgPool,
    layout: &Layout,
    since: Option<DateTime<Utc>>,
    after: Option<&After>,
    limit: usize,
) -> Result<Vec<Fetched>, sqlx::Error> {
    let mut sql = postgres_select(layout);
    // The casts name the columns' own types, so that their indexes serve.
    if after.is_some() {
        sql.push_str(" AND v.id > CAST($1 AS ");
        sql.push_str(&layout.id_type);
        sql.push(')');
    }
    if since.is_some() {
        sql.push_str(match layout.since {
            Since::Cast("timestamptz") => " AND v.updated_at >= CAST($2 AS timestamptz)",
            Since::Cast("timestamp") => " AND v.updated_at >= CAST($2 AS timestamp)",
            Since::Cast(_) => " AND v.updated_at >= CAST($2 AS date)",
            Since::Millis => " AND v.updated_at >= CAST($2 AS bigint)",
            Since::Day | Since::Dynamic => " AND v.updated_at >= $2",
        });
    }
    sql.push_str(" ORDER BY v.id LIMIT $3");
    let bound = since.map(|since| match layout.since {
        Since::Cast("timestamptz") => since.to_rfc3339(),
        Since::Cast(_) => since.naive_utc().to_string(),
        Since::Millis => since.timestamp_millis().to_string(),
        Since::Day | Since::Dynamic => day_before(since),
    });
    let mut transaction = pool.begin_with("BEGIN READ ONLY").await?;
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(after.map(|after| after.id.clone()))
        .bind(bound)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    rows.iter()
        .map(|row| {
            let (id, record) = (row.try_get("source_id")?, row.try_get("record")?);
            Ok(Fetched::new(id, "text".to_owned(), Some(record)))
        })
        .collect()
}

fn sqlite_select(layout: &Layout) -> String {
    let value = |name: &&str| {
        format!(
            "'{name}', CASE typeof({name}) WHEN 'blob' THEN CAST({name} AS TEXT) ELSE {name} END"
        )
    };
    let pairs: Vec<String> = layout.columns.iter().map(value).collect();
    format!(
        "SELECT CAST(id AS TEXT) AS source_id, typeof(id) AS kind, json_object({}) AS record FROM {VIEW} \
         WHERE id IS NOT NULL AND typeof(id) <> 'blob'",
        pairs.join(", ")
    )
}

fn postgres_select(layout: &Layout) -> String {
    let value = |name: &&str| format!("'{name}', to_jsonb(v.{name})");
    let pairs: Vec<String> = layout.columns.iter().map(value).collect();
    format!(
        "SELECT CAST(v.id AS text) AS source_id, CAST(jsonb_build_object({}) AS text) AS record \
         FROM {VIEW} v WHERE v.id IS NOT NULL",
        pairs.join(", ")
    )
}

/// Fetches the rows of one id, where ids are text.
pub(super) async fn one(
    pool: &Pool,
    layout: &Layout,
    id: &str,
) -> Result<Option<Fetched>, SourceError> {
    let row = match pool {
        Pool::Sqlite { reading, .. } => {
            let sql = AssertSqlSafe(sqlite_select(layout) + " AND id = $1");
            let row = sqlx::query(sql).bind(id).fetch_optional(reading).await;
            row.and_then(|row| row.map(|row| row.try_get("record")).transpose())
        }
        Pool::Postgres(pool) => {
            let sql = AssertSqlSafe(postgres_select(layout) + " AND v.id = $1");
            let row = sqlx::query(sql).bind(id).fetch_optional(pool).await;
            row.and_then(|row| row.map(|row| row.try_get("record")).transpose())
        }
    };
    let row: Option<String> = row.map_err(|error| pool.failed(READING, &error))?;
    Ok(row.map(|row| Fetched::new(id.to_owned(), "text".to_owned(), Some(row))))
}

/// The day before `since`, which every way of writing a time that late sorts behind, whatever its
/// offset. The exact comparison is made on the row once it is read.
fn day_before(since: DateTime<Utc>) -> String {
    (since - TimeDelta::days(1)).format("%Y-%m-%d").to_string()
}

/// Looks for rows that no page shows because they have no id to go by.
pub(super) async fn without_id(pool: &Pool) -> Result<Option<RowProblem>, SourceError> {
    let failed = |error: sqlx::Error| pool.failed(READING, &error);
    let rows: i64 = match pool {
        Pool::Sqlite { reading, .. } => sqlx::query_scalar(
            "SELECT count(*) FROM listwarden_patients WHERE id IS NULL OR typeof(id) = 'blob'",
        )
        .fetch_one(reading)
        .await
        .map_err(failed)?,
        Pool::Postgres(pool) => {
            sqlx::query_scalar("SELECT count(*) FROM listwarden_patients WHERE id IS NULL")
                .fetch_one(pool)
                .await
                .map_err(failed)?
        }
    };
    Ok((rows > 0).then(|| RowProblem {
        source_id: None,
        column: "id",
        problem: format!(
            "{rows} rows have no id (or a binary one): give every patient a text or number that never changes"
        ),
        unreadable: true,
    }))
}

const COUNT: &str = "SELECT count(*) FROM listwarden_patients";

/// Counts all rows.
pub(super) async fn count(pool: &Pool) -> Result<u64, SourceError> {
    let count: Result<i64, _> = match pool {
        Pool::Sqlite { reading, .. } => sqlx::query_scalar(COUNT).fetch_one(reading).await,
        Pool::Postgres(pool) => sqlx::query_scalar(COUNT).fetch_one(pool).await,
    };
    let count = count.map_err(|error| pool.failed("counting listwarden_patients", &error))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

const NOW: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)";

/// Asks a server for its time; a file has none of its own.
pub(super) async fn now(pool: &Pool) -> Result<Option<DateTime<Utc>>, SourceError> {
    let Pool::Postgres(postgres) = pool else { return Ok(None) };
    let millis: i64 = sqlx::query_scalar(NOW)
        .fetch_one(postgres)
        .await
        .map_err(|error| pool.failed("asking it for the time", &error))?;
    Ok(DateTime::from_timestamp_millis(millis))
}
