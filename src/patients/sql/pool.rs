//! Connections to a clinic's database: few, short, and read-only wherever the engine lets us.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgPool, SqlitePool};

use crate::patients::{Cause, SourceError};

/// A clinic's database on one of the two engines.
#[derive(Clone)]
pub(in crate::patients) enum Pool {
    /// A file; writing goes over connections of its own.
    Sqlite { reading: SqlitePool, writing: SqlitePool },
    /// A server; reading goes in transactions that it keeps read-only.
    Postgres(PgPool),
}

/// Connections a clinic's database has to spare for us.
const CONNECTIONS: u32 = 2;

/// How long a locked file or a busy server may keep us waiting.
const PATIENCE: Duration = Duration::from_secs(10);

impl Pool {
    /// Prepares the pools; nothing connects yet.
    pub(in crate::patients) fn open(url: &str) -> Result<Self, SourceError> {
        if url.starts_with("sqlite:") {
            return Self::sqlite(url, false);
        }
        Self::postgres(url)
    }

    /// The same for a database that is ours to create.
    pub(in crate::patients) fn create(url: &str) -> Result<Self, SourceError> {
        if url.starts_with("sqlite:") {
            return Self::sqlite(url, true);
        }
        Self::postgres(url)
    }

    fn sqlite(url: &str, ours: bool) -> Result<Self, SourceError> {
        let options = SqliteConnectOptions::from_str(url).map_err(|_| SourceError::Url)?;
        let options = options.busy_timeout(PATIENCE).create_if_missing(ours);
        let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE).test_before_acquire(false);
        if url.contains(":memory:") || url.contains("mode=memory") {
            // Such a database lives and dies with its connection, so there is exactly one.
            let one = pool().max_connections(1).idle_timeout(None).max_lifetime(None);
            let one = one.connect_lazy_with(options);
            return Ok(Self::Sqlite { reading: one.clone(), writing: one });
        }
        let writing = if ours {
            options.clone().journal_mode(SqliteJournalMode::Wal)
        } else {
            options.clone()
        };
        let writing = pool().max_connections(1).connect_lazy_with(writing);
        let reading =
            pool().max_connections(CONNECTIONS).connect_lazy_with(options.read_only(!ours));
        Ok(Self::Sqlite { reading, writing })
    }

    fn postgres(url: &str) -> Result<Self, SourceError> {
        if !(url.starts_with("postgres:") || url.starts_with("postgresql:")) {
            return Err(SourceError::Url);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| SourceError::Url)?;
        let pool = PgPoolOptions::new()
            .acquire_timeout(PATIENCE)
            .max_connections(CONNECTIONS)
            .connect_lazy_with(options.application_name("listwarden"));
        Ok(Self::Postgres(pool))
    }

    /// Names the engine for a person.
    pub(in crate::patients) const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// Turns an error into one about connecting where it is one, else about `doing`.
    pub(in crate::patients) fn failed(
        &self,
        doing: &'static str,
        error: &sqlx::Error,
    ) -> SourceError {
        let cause = Cause::of(error);
        if self.never_connected(error) {
            return SourceError::Connect { engine: self.engine(), cause };
        }
        SourceError::Query { doing, cause }
    }

    fn never_connected(&self, error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => true,
            sqlx::Error::Database(said) => match self {
                // 14: cannot open the file; 26: not a database.
                Self::Sqlite { .. } => {
                    said.code().is_some_and(|code| matches!(&*code, "14" | "26"))
                }
                Self::Postgres(_) => {
                    said.code().is_some_and(|code| code.starts_with("28") || code.starts_with("3D"))
                }
            },
            _ => false,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.engine())
    }
}
