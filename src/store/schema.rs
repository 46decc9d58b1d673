//! Migrations: embedded, expand and contract, tolerant of a newer schema.

use sqlx::migrate::{MigrateError, Migrator};

use super::db::Db;
use super::error::{Result, StoreError};
use super::sql::{Sql, statements};
use super::{Store, columns::args};

statements! {
    OLDEST_BINARY = { "SELECT oldest_binary FROM schema_fits" }
}

/// Not among the statements: the table comes with the first migration.
const APPLIED: &Sql = &Sql {
    name: "APPLIED",
    sqlite: "SELECT version FROM _sqlx_migrations WHERE success",
    postgres: "SELECT version FROM _sqlx_migrations WHERE success",
};

/// The tables, one text for both engines.
fn tables() -> Migrator {
    tolerant(sqlx::migrate!("./migrations"))
}

/// What only PostgreSQL gets: views with readable times.
fn postgres_views() -> Migrator {
    tolerant(sqlx::migrate!("./migrations/postgres"))
}

/// Lets an older binary start on tables that a newer one migrated, as far as they fit.
fn tolerant(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

impl Store {
    /// Brings the tables up to date.
    pub async fn migrate(&self) -> Result<()> {
        match &self.db {
            Db::Sqlite { pool, .. } => tables().run(pool).await.map_err(failed)?,
            Db::Postgres { pool } => {
                tables().run(pool).await.map_err(failed)?;
                postgres_views().run(pool).await.map_err(failed)?;
            }
        }
        self.check_schema().await
    }

    /// Makes sure that the tables are those this binary works on.
    pub async fn check_schema(&self) -> Result<()> {
        let applied = match self.db.rows::<(i64,)>(APPLIED, vec![]).await {
            Ok(applied) => applied,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => return Err(StoreError::Behind),
        };
        let mut wanted: Vec<i64> = tables().iter().map(|m| m.version).collect();
        if matches!(self.db, Db::Postgres { .. }) {
            wanted.extend(postgres_views().iter().map(|m| m.version));
        }
        if wanted.iter().any(|version| !applied.contains(&(*version,))) {
            return Err(StoreError::Behind);
        }
        self.check_fit().await
    }

    async fn check_fit(&self) -> Result<()> {
        let oldest: Option<(String,)> = self.db.row(OLDEST_BINARY, args![]).await?;
        match oldest {
            Some((oldest,)) if version(&oldest) > version(env!("CARGO_PKG_VERSION")) => {
                Err(StoreError::Ahead { oldest })
            }
            _ => Ok(()),
        }
    }

    /// Prepares every statement of the store, and returns how many there are.
    ///
    /// What `doctor` and the tests ask: a statement that one engine does not understand fails here
    /// and not at night.
    pub async fn statements_prepare(&self) -> Result<usize> {
        let statements: Vec<_> = super::STATEMENTS.iter().copied().flatten().collect();
        for statement in &statements {
            self.db.prepare(statement).await?;
        }
        Ok(statements.len())
    }
}

fn version(text: &str) -> Vec<u64> {
    text.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

fn failed(error: MigrateError) -> StoreError {
    let error = match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => sqlx::Error::Protocol(other.to_string()),
    };
    StoreError::Migrate(error.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::AssertSqlSafe;

    use super::super::STATEMENTS;
    use super::*;
    use crate::clock::SystemClock;
    use crate::keys::{Keyring, Secret};

    #[test]
    fn versions_compare_by_number_not_by_letter() {
        assert!(version("0.10.0") > version("0.9.3"));
    }

    /// Statements that read every row of a table, or of a partial index, on purpose; they are short.
    const READ_ALL: &[&str] = &["CLINICS", "CLINICS_WAITING", "OLDEST_BINARY"];

    /// Slices given as parameters, and what a statement derives for itself.
    const DERIVED: &[&str] = &["given", "g", "j ", "f", "due", "stale", "CONSTANT ROW", "n"];

    /// A clinic's lists are few; the others are foreign keys that SQLite looks up only while one
    /// of them is broken.
    const SHORT: &[&str] = &["SEARCH l ", "SEARCH feedback ", "SEARCH ledger_patients "];

    #[tokio::test]
    async fn no_statement_reads_a_whole_table() {
        let keys = Arc::new(Keyring::new(&Secret::new([1; 32]), &[]));
        let store = Store::open("sqlite::memory:", keys, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        let Db::Sqlite { pool, .. } = &store.db else { unreachable!() };
        let mut scans = Vec::new();
        for statement in STATEMENTS.iter().copied().flatten() {
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(sql).fetch_all(pool).await.unwrap();
            for (.., step) in steps {
                let by_slice = statement.sqlite.starts_with("WITH given")
                    && !SHORT.iter().any(|short| step.starts_with(short))
                    && (step.ends_with("(clinic_id=?)")
                        || step.ends_with("(clinic_id=? AND list_id=?)"));
                let reads_all = step
                    .strip_prefix("SCAN ")
                    .is_some_and(|what| !DERIVED.iter().any(|derived| what.starts_with(derived)));
                if (reads_all || by_slice) && !READ_ALL.contains(&statement.name) {
                    scans.push(format!("{}: {step}", statement.name));
                }
            }
        }
        assert!(scans.is_empty(), "{scans:#?}");
    }
}
