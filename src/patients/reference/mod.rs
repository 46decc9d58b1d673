//! The reference clinic: a small system of record of our own.
//!
//! It serves clinics that keep no database, `patients import`, demonstrations and tests, on
//! either engine, and is read through the same view as any other clinic's database.

mod rows;
mod staff;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;

use super::sql::Pool;
use super::{
    Cause, Note, PatientSource, SourceCursor, SourceError, SourcePage, SqlOptions, SqlSource,
};
use crate::clock::SharedClock;
use crate::domain::PatientRecord;

static SQLITE: Migrator = sqlx::migrate!("migrations/reference-clinic/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/reference-clinic/postgres");

/// Where this schema's versions are kept: the clinic may share a database with our own store.
const VERSIONS: &str = "_clinic_migrations";

/// Records written in one transaction.
pub const AT_ONCE: usize = 1000;

/// A clinic's records in our own small schema.
#[derive(Debug)]
pub struct Reference {
    pool: Pool,
    source: SqlSource,
}

impl Reference {
    /// Prepares the clinic at `url`; a `SQLite` file is created when first used.
    ///
    /// # Errors
    /// [`SourceError::Url`] when the URL names neither engine.
    pub fn open(
        url: &SecretString,
        options: SqlOptions,
        clock: SharedClock,
    ) -> Result<Self, SourceError> {
        let pool = Pool::create(url.expose_secret())?;
        let source = SqlSource::over(pool.clone(), options, clock);
        Ok(Self { pool, source })
    }

    /// Brings the schema to the newest version; a newer one is left alone.
    ///
    /// # Errors
    /// [`SourceError::Connect`] or [`SourceError::Query`] with what the database said.
    pub async fn migrate(&self) -> Result<(), SourceError> {
        let done = match &self.pool {
            Pool::Sqlite { writing, .. } => ours(&SQLITE).run(writing).await,
            Pool::Postgres(pool) => ours(&POSTGRES).run(pool).await,
        };
        done.map_err(|error| self.not_migrated(&error))
    }

    fn not_migrated(&self, error: &sqlx::migrate::MigrateError) -> SourceError {
        use sqlx::migrate::MigrateError;
        const DOING: &str = "creating the tables of the reference clinic";
        if let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = error {
            return self.pool.failed(DOING, error);
        }
        // What is left speaks of versions and checksums, never of rows.
        let cause = Cause { text: error.to_string(), transient: false };
        SourceError::Query { doing: DOING, cause }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite { reading, writing } => {
                reading.close().await;
                writing.close().await;
            }
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    /// Writes records, each whole; a record that is already there as it is stays untouched, its
    /// `updated_at` too, so that an import made twice changes nothing.
    ///
    /// # Errors
    /// [`SourceError::Query`]; pages of [`AT_ONCE`] before the failing one have been written.
    pub async fn upsert(&self, records: &[PatientRecord]) -> Result<(), SourceError> {
        for page in records.chunks(AT_ONCE) {
            rows::upsert(&self.pool, page).await?;
        }
        Ok(())
    }

    /// Reads one record.
    ///
    /// # Errors
    /// [`SourceError::Query`] when the database fails.
    pub async fn record(&self, id: &str) -> Result<Option<PatientRecord>, SourceError> {
        self.source.record(id).await
    }

    /// Lists what has been written back, oldest event first.
    ///
    /// # Errors
    /// [`SourceError::Query`] when the database fails.
    pub async fn feedback(&self) -> Result<Vec<Feedback>, SourceError> {
        rows::feedback(&self.pool).await
    }
}

fn ours(migrations: &'static Migrator) -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations.iter().cloned().collect());
    migrator.dangerous_set_table_name(VERSIONS);
    migrator.set_ignore_missing(true);
    migrator
}

/// One line that was written back, as the clinic sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// The ledger line it is about.
    pub event_id: String,
    /// The clinic's id of the patient.
    pub patient_id: String,
    /// `email`, `sms`, or none for every channel.
    pub channel: Option<String>,
    /// What happened, as a word of [`crate::domain::EventKind`].
    pub kind: String,
    /// The list, where it was seen on one.
    pub list: Option<String>,
    /// Whose act it was, as a word of [`crate::domain::Actor`].
    pub by: String,
}

#[async_trait]
impl PatientSource for Reference {
    async fn rows(
        &self,
        since: Option<DateTime<Utc>>,
        after: Option<&SourceCursor>,
    ) -> Result<SourcePage, SourceError> {
        self.source.rows(since, after).await
    }

    async fn count(&self) -> Result<u64, SourceError> {
        self.source.count().await
    }

    async fn write_back(&self, notes: &[Note]) -> Result<(), SourceError> {
        self.source.write_back(notes).await
    }

    async fn now(&self) -> Result<Option<DateTime<Utc>>, SourceError> {
        self.source.now().await
    }
}
