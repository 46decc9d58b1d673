//! Arguments: how the parameters of a statement go to either engine.

use serde_json::{Map, Value};
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use super::columns::Arg;
use super::sql::{Column, Sql};

/// Rows from which on a slice is planned for: PostgreSQL then knows how many there are, and how large
/// the tables have grown. For fewer the plan stays.
const MANY: usize = 100;

/// Arguments of one engine.
pub(super) struct Bound<A> {
    pub(super) with: A,
    /// Whether the statement and its plan are kept for the next time.
    pub(super) stays: bool,
}

/// A statement that writes, with its parameters.
pub(super) type Write = (&'static Sql, Vec<Arg>);

/// Adds one parameter to the arguments of either engine.
macro_rules! add {
    ($arguments:expr, $arg:expr) => {
        match $arg {
            Arg::Id(id) => $arguments.add(id),
            Arg::Text(text) => $arguments.add(text),
            Arg::Int(number) => $arguments.add(number),
            Arg::Flag(flag) => $arguments.add(flag),
        }
        .map_err(sqlx::Error::Encode)
    };
}

/// Binds as it is.
pub(super) fn on_sqlite(args: Vec<Arg>) -> sqlx::Result<Bound<SqliteArguments>> {
    let mut with = SqliteArguments::default();
    for arg in args {
        add!(with, arg)?;
    }
    Ok(Bound { with, stays: true })
}

/// Binds a slice as one array a column, everything else as it is.
pub(super) fn on_postgres(statement: &Sql, args: Vec<Arg>) -> sqlx::Result<Bound<PgArguments>> {
    let mut with = PgArguments::default();
    let rows = add_all(&mut with, statement, args)?;
    Ok(Bound { with, stays: rows < MANY })
}

/// Binds the parameters of several statements, one after the other.
pub(super) fn on_postgres_together(writes: Vec<Write>) -> sqlx::Result<Bound<PgArguments>> {
    let (mut with, mut stays) = (PgArguments::default(), true);
    for (statement, args) in writes {
        stays &= add_all(&mut with, statement, args)? < MANY;
    }
    Ok(Bound { with, stays })
}

/// Adds the parameters of one statement; returns how many rows its slice has.
fn add_all(arguments: &mut PgArguments, statement: &Sql, args: Vec<Arg>) -> sqlx::Result<usize> {
    let mut number = 0;
    let mut args = args.into_iter();
    if !statement.given.is_empty() {
        let Some(Arg::Text(Some(rows))) = args.next() else { return Err(no_slice()) };
        let rows: Vec<Map<String, Value>> = serde_json::from_str(&rows).map_err(encode)?;
        number = rows.len();
        for (name, column) in statement.given {
            add_column(arguments, *column, rows.iter().map(|row| row.get(*name)))?;
        }
    }
    for arg in args {
        add!(arguments, arg)?;
    }
    Ok(number)
}

fn add_column<'a>(
    arguments: &mut PgArguments,
    column: Column,
    values: impl Iterator<Item = Option<&'a Value>>,
) -> sqlx::Result<()> {
    let values = values.map(|value| value.filter(|value| !value.is_null()));
    match column {
        Column::uuid => {
            let id = |value: &Value| Uuid::try_parse(value.as_str().unwrap_or_default());
            let ids = values.map(|value| value.map(id).transpose());
            arguments.add(ids.collect::<Result<Vec<_>, _>>().map_err(encode)?)
        }
        Column::text => {
            let text = |value: &'a Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            arguments.add(values.map(|value| value.map(text)).collect::<Vec<_>>())
        }
        Column::bigint => {
            arguments.add(values.map(|value| value.and_then(Value::as_i64)).collect::<Vec<_>>())
        }
        Column::boolean => {
            arguments.add(values.map(|value| value.and_then(Value::as_bool)).collect::<Vec<_>>())
        }
    }
    .map_err(sqlx::Error::Encode)
}

fn no_slice() -> sqlx::Error {
    sqlx::Error::Encode("the first parameter is no slice".into())
}

fn encode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}
