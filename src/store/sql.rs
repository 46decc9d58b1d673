//! Statements: constant texts, the same on both engines wherever possible.

use std::fmt::Write as _;
use std::sync::OnceLock;

/// One statement with its text for either engine.
#[derive(Debug)]
pub(super) struct Sql {
    /// Its name in the code, for errors.
    pub(super) name: &'static str,
    pub(super) sqlite: &'static str,
    /// The text for PostgreSQL, in which `$1` is the slice where there is one.
    unnumbered: &'static str,
    /// The columns of the slice that it takes, if it takes one.
    pub(super) given: &'static [(&'static str, Column)],
    /// The text for PostgreSQL with an array for each column of the slice.
    numbered: OnceLock<String>,
}

/// The type of a column of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(non_camel_case_types, reason = "as PostgreSQL spells them")]
pub(super) enum Column {
    uuid,
    text,
    bigint,
    boolean,
}

impl Sql {
    pub(super) const fn new(
        name: &'static str,
        sqlite: &'static str,
        postgres: &'static str,
        given: &'static [(&'static str, Column)],
    ) -> Self {
        Self { name, sqlite, unnumbered: postgres, given, numbered: OnceLock::new() }
    }

    /// Returns the text for PostgreSQL, which takes a slice as one array a column: arrays arrive as
    /// they are, where a JSON text is parsed for each column of each row.
    pub(super) fn postgres(&'static self) -> &'static str {
        if self.given.is_empty() {
            return self.unnumbered;
        }
        self.numbered.get_or_init(|| {
            let mut arrays = String::new();
            let mut names = String::new();
            for (index, (name, column)) in self.given.iter().enumerate() {
                let comma = if index == 0 { "" } else { ", " };
                let _ = write!(arrays, "{comma}${}::{column:?}[]", index + 1);
                let _ = write!(names, "{comma}{name}");
            }
            let text = shifted(self.unnumbered, self.given.len() - 1);
            format!(
                "WITH given AS MATERIALIZED (SELECT * FROM unnest({arrays}) AS j ({names})) {text}"
            )
        })
    }
}

/// Adds `by` to the number of every parameter.
fn shifted(text: &str, by: usize) -> String {
    let mut parts = text.split('$');
    let mut shifted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let number: usize = part[..digits].parse().unwrap_or_default();
        let _ = write!(shifted, "${}{}", number + by, &part[digits..]);
    }
    shifted
}

/// Declares the statements of one file, and `STATEMENTS`, the list of them.
///
/// - `NAME = { "…" }` is one text for both engines.
/// - `NAME (given: id uuid, at bigint) = { "…" }` takes a slice as one JSON parameter, always `$1`,
///   and reads it as the table `given` with those columns (see [`Sql::postgres`]).
///   SQLite reads tables in the order of `CROSS JOIN`, so `given CROSS JOIN …` keeps it from
///   reading a clinic's whole table for each row of the slice; to PostgreSQL it is any join.
/// - `NAME ["…" | "…"] = { "…" }` ends differently on SQLite and on PostgreSQL.
macro_rules! statements {
    ($($name:ident
        $((given: $($column:ident $type:ident),+))?
        $([$sqlite:literal | $postgres:literal])?
        = { $($text:tt)* }
    )+) => {
        $(pub(super) static $name: &$crate::store::sql::Sql = {
            static SQL: $crate::store::sql::Sql = $crate::store::sql::Sql::new(
                stringify!($name),
                concat!(
                    $("WITH given AS MATERIALIZED (SELECT ",
                    $crate::store::sql::sqlite_columns!($($column $type),+),
                    " FROM json_each($1) AS j) ",)?
                    $($text)* $(, $sqlite)?
                ),
                concat!($($text)* $(, $postgres)?),
                &[$($((stringify!($column), $crate::store::sql::Column::$type)),+)?],
            );
            &SQL
        };)+
        /// Every statement of this file.
        pub(super) static STATEMENTS: &[&$crate::store::sql::Sql] = &[$($name,)+];
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

pub(super) use {sqlite_column, sqlite_columns, statements};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_takes_an_array_a_column_before_the_other_parameters() {
        static SQL: Sql = Sql::new(
            "SQL",
            "",
            "SELECT g.id FROM given g WHERE a = $2 AND b = $10",
            &[("id", Column::uuid), ("at", Column::bigint)],
        );
        assert_eq!(
            SQL.postgres(),
            "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS j (id, at)) \
             SELECT g.id FROM given g WHERE a = $3 AND b = $11"
        );
    }
}
