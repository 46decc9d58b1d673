//! Migrations: embedded, expand and contract, tolerant of a newer schema.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::migrate::{MigrateError, Migrator};

use super::db::Db;
use super::error::{Result, StoreError};
use super::sql::{Sql, statements};
use super::{Store, columns::args};

statements! {
    KEYS_USED = { "SELECT key_id, kept FROM keys_used" }
    KEY_USED = {
        "INSERT INTO keys_used (key_id, since) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING"
    }
    OLDEST_BINARY = { "SELECT oldest_binary FROM schema_fits" }
}

/// Not among the statements: the table comes with the first migration.
static APPLIED: Sql = Sql::new("APPLIED", VERSIONS, VERSIONS, &[]);
const VERSIONS: &str = "SELECT version FROM _sqlx_migrations WHERE success";

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
            Db::Sqlite { writer, .. } => tables().run(writer).await.map_err(failed)?,
            Db::Postgres { pool, .. } => {
                tables().run(pool).await.map_err(failed)?;
                postgres_views().run(pool).await.map_err(failed)?;
            }
        }
        self.check_schema().await
    }

    /// Makes sure that the tables are those this binary works on.
    pub async fn check_schema(&self) -> Result<()> {
        let applied = match self.db.rows::<(i64,)>(&APPLIED, vec![]).await {
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

    /// Makes sure that every key the store was written with is in the ring, or was kept under one that
    /// is, and remembers the current one (L28).
    pub async fn check_keys(&self) -> Result<()> {
        let used = self.keys_used().await?;
        self.keys.take_in(used.iter().filter_map(UsedKey::kept).collect());
        if used.iter().any(|key| !self.keys.has(&key.key_id)) {
            return Err(StoreError::OtherKey);
        }
        let args = args![self.keys.current_id(), self.clock.now()];
        self.db.execute(KEY_USED, args).await.map(drop)
    }

    pub(super) async fn keys_used(&self) -> Result<Vec<UsedKey>> {
        self.db.rows(KEYS_USED, args![]).await
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

/// A key that the store was written with.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct UsedKey {
    pub(super) key_id: String,
    /// What is derived from it, sealed.
    kept: Option<String>,
}

impl UsedKey {
    /// Returns its id and what is kept of it, sealed.
    pub(super) fn kept(&self) -> Option<(String, Vec<u8>)> {
        let sealed = STANDARD.decode(self.kept.as_ref()?).ok()?;
        Some((self.key_id.clone(), sealed))
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
    use std::collections::BTreeSet;
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
    const READ_ALL: &[&str] = &[
        "CLINICS",
        "CLINICS_WAITING",
        "FIGURES_INBOX",
        "FIGURES_LEDGERS",
        "FIGURES_LISTS",
        "KEYS_USED",
        "OLDEST_BINARY",
        "RESYNC_NEXT",
        "SESSIONS_FORGET",
        "SESSIONS_FORGET_CLINICS",
        "SPREADING_ON_LISTS",
        "SPREADING_UNTOLD",
        "TALLIES",
        "TOKENS",
        "WAITING_AMONG",
    ];

    /// Slices given as parameters, and what a statement derives for itself.
    const DERIVED: &[&str] = &["given", "g", "j", "f", "due", "stale", "CONSTANT", "n"];

    /// A clinic's lists and alerts are few, and a clinic is one row; the others are foreign keys that SQLite looks up only while one
    /// of them is broken.
    const SHORT: &[&str] = &[
        "SEARCH l ",
        "SEARCH alerts ",
        "SEARCH clinics ",
        "SEARCH feedback ",
        "SEARCH ledger_patients ",
    ];

    async fn migrated() -> Store {
        let keys = Arc::new(Keyring::new(&Secret::new([1; 32]), &[]));
        let store = Store::open("sqlite::memory:", keys, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    /// One step of a plan: which loop it belongs to, and what it does.
    type Step = (i64, String);

    async fn plan(store: &Store, sqlite: &str) -> Vec<Step> {
        let Db::Sqlite { pool, .. } = &store.db else { unreachable!() };
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sqlite}"));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sql).fetch_all(pool).await.unwrap();
        steps.into_iter().map(|(_, parent, _, step)| (parent, step)).collect()
    }

    fn is_derived(what: &str) -> bool {
        let name = what.split(' ').next().unwrap_or_default();
        DERIVED.contains(&name) || name.starts_with("(subquery-")
    }

    /// How a step ends that finds one row of a table at most.
    const ONE_ROW: &str = "(clinic_id=? AND id=?)";

    /// Returns the steps that read a derived result once for each row of a table: steps of one
    /// parent are loops within each other, the outermost first.
    fn turned_round(steps: &[Step]) -> Vec<&Step> {
        let mut walked = BTreeSet::new();
        let mut found = Vec::new();
        for step in steps {
            let (parent, what) = step;
            let read = what.strip_prefix("SCAN ").or_else(|| what.strip_prefix("SEARCH "));
            match read.map(is_derived) {
                Some(true) if walked.contains(parent) => found.push(step),
                Some(false) if !what.ends_with(ONE_ROW) => drop(walked.insert(parent)),
                _ => {}
            }
        }
        found
    }

    #[tokio::test]
    async fn no_statement_walks_a_table_and_looks_each_row_up_in_what_it_derived() {
        let store = migrated().await;
        let mut found = Vec::new();
        for statement in STATEMENTS.iter().copied().flatten() {
            let steps = plan(&store, statement.sqlite).await;
            let turned = turned_round(&steps);
            if !turned.is_empty() {
                found.push(format!("{}: {turned:?} in {steps:#?}", statement.name));
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }

    #[tokio::test]
    async fn the_plan_that_read_a_whole_list_for_the_links_due_would_be_noticed() {
        let store = migrated().await;
        let sql = super::super::facts::LINKS_PAGE_STALE.sqlite;
        let before =
            sql.replace("AS due\n         CROSS JOIN links k", "AS due\n         JOIN links k");
        assert_ne!(before, sql);
        let steps = plan(&store, &before).await;
        assert!(!turned_round(&steps).is_empty(), "{steps:#?}");
    }

    /// Whoever changes one of the columns changes what a digest of the row, or the member, stands for.
    const DIGESTED: &[(&str, &[&str])] = &[
        ("links", &["status", "member_key", "contact_id", "suppressed", "intent_invitation"]),
        ("patients", &["status", "record", "digest", "missing_sweeps", "erased_at"]),
    ];

    #[test]
    fn whoever_changes_what_was_read_changes_its_digest_too() {
        let mut wrong = Vec::new();
        for statement in STATEMENTS.iter().copied().flatten() {
            for (table, columns) in DIGESTED {
                let update = format!("UPDATE {table} SET ");
                let Some((_, rest)) = statement.sqlite.split_once(&update) else { continue };
                let end =
                    rest.find(" FROM ").or_else(|| rest.find(" WHERE ")).unwrap_or(rest.len());
                let set: BTreeSet<&str> = rest[..end]
                    .split(',')
                    .filter_map(|part| Some(part.split_once(" = ")?.0.trim()))
                    .collect();
                if columns.iter().any(|column| set.contains(column)) && !set.contains("seen") {
                    wrong.push(statement.name);
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[tokio::test]
    async fn no_statement_reads_a_whole_table() {
        let store = migrated().await;
        let mut scans = Vec::new();
        for statement in STATEMENTS.iter().copied().flatten() {
            for (_, step) in plan(&store, statement.sqlite).await {
                let by_slice = statement.sqlite.starts_with("WITH given")
                    && !SHORT.iter().any(|short| step.starts_with(short))
                    && (step.ends_with("(clinic_id=?)")
                        || step.ends_with("(clinic_id=? AND list_id=?)"));
                let reads_all = step.strip_prefix("SCAN ").is_some_and(|what| !is_derived(what));
                if (reads_all || by_slice) && !READ_ALL.contains(&statement.name) {
                    scans.push(format!("{}: {step}", statement.name));
                }
            }
        }
        assert!(scans.is_empty(), "{scans:#?}");
    }
}
