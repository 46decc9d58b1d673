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
            let given = self.given_from(0);
            format!("WITH given AS MATERIALIZED ({given}) {}", self.numbered_from(0))
        })
    }

    /// Returns PostgreSQL's text for several statements that write, none of what another does, to
    /// be sent as one.
    pub(super) fn together(statements: &[&'static Sql]) -> String {
        let (mut text, mut first) = (String::from("WITH "), 0);
        for (index, sql) in statements.iter().enumerate() {
            let (given, body) = (format!("given{index}"), sql.numbered_from(first));
            if !sql.given.is_empty() {
                let _ = write!(text, "{given} AS MATERIALIZED ({}), ", sql.given_from(first));
            }
            let comma = if index + 1 == statements.len() { "" } else { ", " };
            let _ = write!(text, "w{index} AS ({}){comma}", body.replace("given", &given));
            first += sql.parameters();
        }
        text + " SELECT 1"
    }

    /// Returns what reads the slice from arrays, whose numbers begin after `first`.
    fn given_from(&self, first: usize) -> String {
        let (mut arrays, mut names) = (String::new(), String::new());
        for (index, (name, column)) in self.given.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(arrays, "{comma}${}::{column:?}[]", first + index + 1);
            let _ = write!(names, "{comma}{name}");
        }
        format!("SELECT * FROM unnest({arrays}) AS j ({names})")
    }

    /// Returns the text with the numbers of its parameters after `first` and after its slice.
    fn numbered_from(&self, first: usize) -> String {
        shifted(self.unnumbered, first + self.given.len().saturating_sub(1))
    }

    /// Counts its parameters, an array for each column of its slice.
    pub(super) fn parameters(&self) -> usize {
        let numbers = self.unnumbered.split('$').skip(1).filter_map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse().ok()
        });
        let last: usize = numbers.max().unwrap_or(usize::from(!self.given.is_empty()));
        last + self.given.len().saturating_sub(1)
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

    #[test]
    fn statements_sent_together_keep_their_own_slices_and_parameters() {
        static ADD: Sql =
            Sql::new("ADD", "", "INSERT INTO t SELECT $2, id FROM given", &[("id", Column::uuid)]);
        static MOVE: Sql = Sql::new("MOVE", "", "UPDATE u SET a = $2 WHERE b = $1", &[]);
        assert_eq!(
            Sql::together(&[&ADD, &MOVE, &ADD]),
            "WITH given0 AS MATERIALIZED (SELECT * FROM unnest($1::uuid[]) AS j (id)), \
             w0 AS (INSERT INTO t SELECT $2, id FROM given0), \
             w1 AS (UPDATE u SET a = $4 WHERE b = $3), \
             given2 AS MATERIALIZED (SELECT * FROM unnest($5::uuid[]) AS j (id)), \
             w2 AS (INSERT INTO t SELECT $6, id FROM given2) SELECT 1"
        );
    }
}
