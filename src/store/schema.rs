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
    use super::version;

    #[test]
    fn versions_compare_by_number_not_by_letter() {
        assert!(version("0.10.0") > version("0.9.3"));
    }
}
