//! Why a source could not be asked, for the person who has to put it right.

use std::fmt;

/// Why a request to a clinic's source came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL is none that a source can be opened with.
    #[error(
        "the clinic's database URL is not usable: write sqlite://FILE or postgres://USER@HOST/DATABASE"
    )]
    Url,
    /// The database did not let us in.
    #[error(
        "cannot open the clinic's {engine} database: check that it runs, and the URL, user and password"
    )]
    Connect {
        /// `SQLite` or `PostgreSQL`.
        engine: &'static str,
        /// What it said.
        #[source]
        cause: Cause,
    },
    /// The view is not there.
    #[error(
        "the clinic's {engine} database has no view listwarden_patients (or our user may not see it): create it as docs/view-contract.md shows"
    )]
    NoView {
        /// `SQLite` or `PostgreSQL`.
        engine: &'static str,
    },
    /// Columns are missing that nothing works without.
    #[error(
        "the view listwarden_patients lacks {}: add what is missing to the view (docs/view-contract.md)",
        columns.join(", ")
    )]
    MissingColumns {
        /// Their names.
        columns: Vec<String>,
    },
    /// A column has a type that cannot be compared.
    #[error(
        "listwarden_patients.{column} has the type {found}, which cannot be compared: cast it in the view to {wanted} (docs/view-contract.md)"
    )]
    ColumnType {
        /// The column.
        column: &'static str,
        /// The type it has.
        found: String,
        /// The types it may have.
        wanted: &'static str,
    },
    /// The table for write-backs is not there, or lacks columns.
    #[error(
        "the clinic's database cannot take opt-outs back, because listwarden_feedback lacks {}. Run this in it:\n{ddl}",
        missing.join(", ")
    )]
    NoFeedback {
        /// What is missing: the table, or single columns.
        missing: Vec<String>,
        /// The statement that creates it.
        ddl: &'static str,
    },
    /// A statement failed.
    #[error("the clinic's database failed while {doing}")]
    Query {
        /// What was being done.
        doing: &'static str,
        /// What it said.
        #[source]
        cause: Cause,
    },
    /// A cursor that this source did not give.
    #[error("the place to go on from is not one this source gave: start the sweep again")]
    Cursor,
    /// There is no patient with the id a member of staff acted on.
    #[error("the reference clinic has no patient with that id")]
    NoSuchPatient,
}

impl SourceError {
    /// Tells whether the same request may succeed later without anybody doing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Connect { cause, .. } | Self::Query { cause, .. } => cause.transient,
            _ => false,
        }
    }
}

/// What a database said, without anything that may come from a row.
///
/// Messages about data quote it (`invalid input syntax for type date: "…"`), so of those only
/// the code is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The code, and the message where it can hold no data.
    pub text: String,
    /// Whether it may pass by itself.
    pub transient: bool,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Cause {}

impl Cause {
    /// Takes from a database error what may be shown.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(said) => Self::said(said.as_ref()),
            sqlx::Error::Io(io) => {
                Self { text: format!("connection: {}", io.kind()), transient: true }
            }
            sqlx::Error::PoolTimedOut => {
                Self { text: "no connection became free in time".to_owned(), transient: true }
            }
            sqlx::Error::Tls(_) => Self {
                text: "the encrypted connection (TLS) could not be made".to_owned(),
                transient: false,
            },
            sqlx::Error::ColumnDecode { index, .. } => {
                Self { text: format!("column {index} has an unexpected type"), transient: false }
            }
            _ => Self { text: "the database driver refused it".to_owned(), transient: false },
        }
    }

    fn said(said: &dyn sqlx::error::DatabaseError) -> Self {
        let code = said.code().unwrap_or_default();
        let table = said.table().map(|table| format!(" (table {table})")).unwrap_or_default();
        let text = if quotes_no_data(&code) {
            format!("{code}: {}{table}", said.message())
        } else {
            format!("code {code}{table}")
        };
        Self { text, transient: passes(&code) }
    }
}

/// PostgreSQL's classes for names, access, connections and resources; SQLite's short codes but
/// constraints, which a clinic's trigger may word with data.
fn quotes_no_data(code: &str) -> bool {
    const CLASSES: &[&str] = &["08", "0A", "25", "28", "3D", "3F", "42", "53", "55", "57", "58"];
    match code.len() {
        5 => CLASSES.iter().any(|class| code.starts_with(class)),
        _ => code.parse::<u32>().is_ok_and(|code| code & 0xff != 19),
    }
}

/// Connection lost, resources short, shutting down, deadlock; SQLite busy or locked.
fn passes(code: &str) -> bool {
    match code.len() {
        5 => ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)),
        _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6)),
    }
}
