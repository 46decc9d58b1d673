//! Arguments: how the parameters of a statement go to either engine.

use serde_json::{Map, Value};
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use uuid::Uuid;

use super::columns::Arg;
use super::sql::{Column, Sql};

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
pub(super) fn on_sqlite(args: Vec<Arg>) -> sqlx::Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for arg in args {
        add!(arguments, arg)?;
    }
    Ok(arguments)
}

/// Binds a slice as one array a column, everything else as it is.
pub(super) fn on_postgres(statement: &Sql, args: Vec<Arg>) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    let mut args = args.into_iter();
    if !statement.given.is_empty() {
        let Some(Arg::Text(Some(rows))) = args.next() else { return Err(no_slice()) };
        let rows: Vec<Map<String, Value>> = serde_json::from_str(&rows).map_err(encode)?;
        for (name, column) in statement.given {
            add_column(&mut arguments, *column, rows.iter().map(|row| row.get(*name)))?;
        }
    }
    for arg in args {
        add!(arguments, arg)?;
    }
    Ok(arguments)
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
