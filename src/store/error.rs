//! What can go wrong in the store, and the cure.

use std::fmt;

/// The result of asking the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the store could not do what was asked. Holds no personal data.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names neither engine.
    #[error("the store's address must begin with `sqlite:` or `postgres:`")]
    Address,
    /// The database does not open.
    #[error("the store does not open: check its address, and that the server is up")]
    Open(#[source] Fault),
    /// A migration failed.
    #[error(
        "the store's tables could not be brought up to date: restore the backup, or report this"
    )]
    Migrate(#[source] Fault),
    /// The tables are older than this binary.
    #[error("the store's tables are not those of this version: run `listwarden migrate`")]
    Behind,
    /// The tables are newer than this binary can work with.
    #[error("the store's tables need listwarden {oldest} or newer: update this binary")]
    Ahead {
        /// The oldest version that fits.
        oldest: String,
    },
    /// Another process took the lease over.
    #[error(
        "another process took over the lease `{name}`; nothing was written, and the next run goes on"
    )]
    LeaseLost {
        /// The lease.
        name: String,
    },
    /// The list is pinned to another account or audience (L20).
    #[error(
        "the list `{list}` is pinned to another account or audience: end it with `listwarden list retire` or `listwarden list move`"
    )]
    Pinned {
        /// The list's name.
        list: String,
    },
    /// What was asked for is not there.
    #[error("no such {what}: it was never stored, or belongs to another clinic")]
    Missing {
        /// What was asked for.
        what: &'static str,
    },
    /// A refused plan cannot be approved.
    #[error("that plan was refused: run `listwarden reconcile` for a new one")]
    Refused,
    /// Of this plan nothing waits any more.
    #[error(
        "nothing of that plan waits any more: {how}. Run `listwarden reconcile` for what waits now"
    )]
    Settled {
        /// What became of it.
        how: &'static str,
    },
    /// A statement failed.
    #[error("the store refused `{statement}`: if the database is up, report this")]
    Statement {
        /// The statement's name in the code.
        statement: &'static str,
        /// What the database said.
        #[source]
        fault: Fault,
    },
    /// The master key is not the one the store was written with.
    #[error(
        "the store was written with another master key: put that key back, as the current one or among `retired`; with this one nobody who must not be contacted would be recognised (L28)"
    )]
    OtherKey,
    /// A sealed value does not open.
    #[error("a sealed value in the store does not open")]
    Sealed(#[from] crate::keys::KeyError),
    /// A stored value does not read back.
    #[error(
        "a stored {what} does not read back: the row was changed by hand, or by a newer version"
    )]
    Corrupt {
        /// What it should have been.
        what: &'static str,
    },
}

impl StoreError {
    /// Tells whether the same call may succeed when made again.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Open(fault) | Self::Statement { fault, .. } => fault.transient,
            _ => false,
        }
    }

    /// Tells whether a transaction lost against another one, and may be made again as a whole.
    pub(super) const fn is_conflict(&self) -> bool {
        matches!(self, Self::Statement { fault, .. } if fault.conflict)
    }
}

/// What a database said, without the values it said it about.
pub struct Fault {
    text: String,
    transient: bool,
    conflict: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let transient = is_transient(&error);
        let conflict = is_conflict(&error);
        let text = match error {
            sqlx::Error::Database(error) => refusal(error.as_ref()),
            sqlx::Error::Io(error) => format!("connection lost: {}", error.kind()),
            sqlx::Error::PoolTimedOut => "no free connection in time".to_owned(),
            sqlx::Error::ColumnDecode { index, .. } => format!("column {index} does not decode"),
            sqlx::Error::ColumnNotFound(name) => format!("no column {name}"),
            sqlx::Error::Tls(_) => "TLS could not be agreed on".to_owned(),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => "closed".to_owned(),
            _ => "the driver failed".to_owned(),
        };
        Self { text, transient, conflict }
    }
}

/// Names code and constraint; a server's message may quote values, so it stays out.
fn refusal(error: &dyn sqlx::error::DatabaseError) -> String {
    let code = error.code().unwrap_or_default();
    let engine_text = error
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .map(|_| error.message())
        .or_else(|| error.constraint());
    format!("code {code} {}", engine_text.unwrap_or_default()).trim_end().to_owned()
}

/// Busy, locked, serialization failure, deadlock, shutdown, too many connections, lost connection.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            matches!(code.as_ref(), "5" | "6" | "261" | "517" | "40001" | "40P01" | "53300")
                || code.starts_with("57P0")
                || code.starts_with("08")
        }
        _ => false,
    }
}

/// Serialization failure, deadlock; or PostgreSQL found a row that another transaction added after
/// this one had looked for it.
fn is_conflict(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01" | "23505"))
}
