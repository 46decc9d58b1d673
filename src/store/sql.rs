//! Statements: constant texts, the same on both engines wherever possible.

/// One statement with its text for either engine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sql {
    /// Its name in the code, for errors.
    pub(super) name: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

impl Sql {
    /// Tells whether it changes anything.
    pub(super) fn writes(&self) -> bool {
        ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| self.sqlite.contains(verb))
    }
}

/// Declares the statements of one file, and `STATEMENTS`, the list of them.
///
/// - `NAME = { "…" }` is one text for both engines.
/// - `NAME (given: id uuid, at bigint) = { "…" }` takes a slice as one JSON parameter, always `$1`,
///   and reads it as the table `given` with those columns.
///   SQLite reads tables in the order of `CROSS JOIN`, so `given CROSS JOIN …` keeps it from
///   reading a clinic's whole table for each row of the slice; to PostgreSQL it is any join.
/// - `NAME ["…" | "…"] = { "…" }` ends differently on SQLite and on PostgreSQL.
macro_rules! statements {
    ($($name:ident
        $((given: $($column:ident $type:ident),+))?
        $([$sqlite:literal | $postgres:literal])?
        = { $($text:tt)* }
    )+) => {
        $(pub(super) const $name: &$crate::store::sql::Sql = &$crate::store::sql::Sql {
            name: stringify!($name),
            sqlite: concat!(
                $("WITH given AS MATERIALIZED (SELECT ",
                $crate::store::sql::sqlite_columns!($($column $type),+),
                " FROM json_each($1) AS j) ",)?
                $($text)* $(, $sqlite)?
            ),
            postgres: concat!(
                $("WITH given AS MATERIALIZED (SELECT * FROM json_to_recordset($1::text::json) AS j (",
                $crate::store::sql::postgres_columns!($($column $type),+),
                ")) ",)?
                $($text)* $(, $postgres)?
            ),
        };)+
        /// Every statement of this file.
        pub(super) const STATEMENTS: &[&$crate::store::sql::Sql] = &[$($name,)+];
    };
}

macro_rules! sqlite_columns {
    ($column:ident $type:ident) => { $crate::store::sql::sqlite_column!($column $type) };
    ($column:ident $type:ident, $($rest:tt)+) => {
        concat!(
            $crate::store::sql::sqlite_column!($column $type),
            ", ",
            $crate::store::sql::sqlite_columns!($($rest)+)
        )
    };
}

macro_rules! sqlite_column {
    ($column:ident uuid) => {
        concat!("unhex(j.value ->> '", stringify!($column), "', '-') AS ", stringify!($column))
    };
    ($column:ident $type:ident) => {
        concat!("j.value ->> '", stringify!($column), "' AS ", stringify!($column))
    };
}

macro_rules! postgres_columns {
    ($column:ident $type:ident) => { concat!(stringify!($column), " ", stringify!($type)) };
    ($column:ident $type:ident, $($rest:tt)+) => {
        concat!(
            stringify!($column), " ", stringify!($type), ", ",
            $crate::store::sql::postgres_columns!($($rest)+)
        )
    };
}

pub(super) use {postgres_columns, sqlite_column, sqlite_columns, statements};
