//! Which columns a clinic's view or table has, and of what types.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::Pool;
use crate::patients::SourceError;
use crate::patients::columns::{COLUMNS, REQUIRED, VIEW, missing};

const SQLITE: &str = "SELECT name, type FROM pragma_table_info($1)";

const POSTGRES: &str = "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type \
     FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

/// Reads column -> type of a view or table; empty where there is none, or we may not see it.
pub(super) async fn columns_of(
    pool: &Pool,
    name: &'static str,
) -> Result<BTreeMap<String, String>, SourceError> {
    let failed = |error: sqlx::Error| pool.failed("looking up its columns", &error);
    let mut columns = BTreeMap::new();
    match pool {
        Pool::Sqlite { reading, .. } => {
            for row in sqlx::query(SQLITE).bind(name).fetch_all(reading).await.map_err(failed)? {
                columns.insert(cell(&row, "name").map_err(failed)?, String::new());
            }
        }
        Pool::Postgres(pool) => {
            for row in sqlx::query(POSTGRES).bind(name).fetch_all(pool).await.map_err(failed)? {
                let name = row.try_get::<String, _>("name").map_err(failed)?;
                columns.insert(name, row.try_get("type").map_err(failed)?);
            }
        }
    }
    Ok(columns.into_iter().map(|(name, kind)| (name.to_lowercase(), kind)).collect())
}

fn cell(row: &sqlx::sqlite::SqliteRow, name: &str) -> Result<String, sqlx::Error> {
    row.try_get(name)
}

/// How an instant is compared with `updated_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// PostgreSQL, a type that knows its zone or is taken as UTC.
    Cast(&'static str),
    /// PostgreSQL, milliseconds since 1970.
    Millis,
    /// PostgreSQL, text: by its day, because the rest is written in many ways.
    Day,
    /// `SQLite`, where each value has a type of its own.
    Dynamic,
}

/// What the view looks like.
#[derive(Debug)]
pub(super) struct Layout {
    /// The columns of the contract that it has.
    pub(super) columns: Vec<&'static str>,
    /// The type of `id`, as PostgreSQL writes it.
    pub(super) id_type: String,
    /// How `updated_at` is compared.
    pub(super) since: Since,
}

impl Layout {
    /// Reads the columns and checks that none is missing which nothing works without.
    pub(super) async fn read(pool: &Pool) -> Result<Self, SourceError> {
        let found = columns_of(pool, VIEW).await?;
        if found.is_empty() {
            return Err(SourceError::NoView { engine: pool.engine() });
        }
        let columns = missing(REQUIRED, |name| found.contains_key(name));
        if !columns.is_empty() {
            return Err(SourceError::MissingColumns { columns });
        }
        let type_of = |name: &str| found.get(name).cloned().unwrap_or_default();
        let since = match pool {
            Pool::Sqlite { .. } => Since::Dynamic,
            Pool::Postgres(_) => since(&type_of("updated_at"))?,
        };
        let columns = COLUMNS.iter().copied().filter(|name| found.contains_key(*name)).collect();
        Ok(Self { columns, id_type: type_of("id"), since })
    }
}

fn since(kind: &str) -> Result<Since, SourceError> {
    let base = kind.split('(').next().unwrap_or_default().trim();
    match base {
        _ if kind.ends_with("with time zone") => Ok(Since::Cast("timestamptz")),
        _ if kind.ends_with("without time zone") => Ok(Since::Cast("timestamp")),
        "date" => Ok(Since::Cast("date")),
        "bigint" | "numeric" | "double precision" => Ok(Since::Millis),
        "text" | "character varying" | "character" => Ok(Since::Day),
        _ => Err(SourceError::ColumnType {
            column: "updated_at",
            found: kind.to_owned(),
            wanted: "timestamptz, timestamp, bigint (milliseconds since 1970) or text (ISO 8601)",
        }),
    }
}
