//! Upkeep: what an engine would do later at a writer's expense, or too late for its plans.

use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::{AssertSqlSafe, PgPool};

use super::Store;
use super::columns::millis;
use super::db::Db;
use super::error::StoreError;

/// How often PostgreSQL is asked which tables have grown, in milliseconds.
const LOOK: i64 = 1_000;
/// How often SQLite's log is emptied at most, in milliseconds: no writer waits for its turn meanwhile,
/// but its commit shares the disk with the file's sync.
const EMPTY: i64 = 250;

/// Moves what was committed from SQLite's log to its file, while others write on.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Tables of ours with twice the pages that they had when they were last analysed. Until they are
/// analysed again, plans are made for what they were: empty, at first.
const GROWN: &str = "SELECT c.oid::regclass::text FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind = 'r'
        AND c.relowner = (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user)
        AND pg_relation_size(c.oid) > 16 * 8192
        AND pg_relation_size(c.oid) > 2 * 8192 * c.relpages::bigint";

/// When the engine was last seen to.
#[derive(Debug, Default)]
pub(super) struct SeenTo(AtomicI64);

impl Store {
    /// Keeps the engine in shape while much is written; to be called between pages and after groups.
    ///
    /// On SQLite it empties the log, at most four times a second, which keeps no writer waiting; on
    /// PostgreSQL it has tables analysed that have grown, asking at most once a second. Behind a barrier nothing is done: a
    /// rehearsal is small, and nobody may come in between unseen.
    ///
    /// A failure is logged and ends nobody's work: it costs time only, and the next call tries again.
    pub async fn upkeep(&self) {
        if self.db.has_barrier() {
            return;
        }
        let done = match &self.db {
            Db::Sqlite { pool, .. } if self.is_time(EMPTY) => {
                sqlx::query(CHECKPOINT).execute(pool).await.map(drop)
            }
            Db::Postgres { pool, .. } if self.is_time(LOOK) => analyze_grown(pool).await,
            Db::Sqlite { .. } | Db::Postgres { .. } => return,
        };
        if let Err(error) = done {
            let error = StoreError::Statement { statement: "UPKEEP", fault: error.into() };
            tracing::warn!(%error, "the store's upkeep failed; it is tried again, and only slower meanwhile");
        }
    }

    /// Tells whether `every` so many milliseconds have passed since it last said so.
    fn is_time(&self, every: i64) -> bool {
        let (now, SeenTo(seen_to)) = (millis(self.clock.now()), &*self.seen_to);
        let last = seen_to.load(Ordering::Relaxed);
        let lately = (0..every).contains(&(now - last));
        !lately && seen_to.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

async fn analyze_grown(pool: &PgPool) -> sqlx::Result<()> {
    let grown: Vec<(String,)> = sqlx::query_as(GROWN).fetch_all(pool).await?;
    for (table,) in grown {
        sqlx::query(AssertSqlSafe(format!("ANALYZE {table}"))).execute(pool).await?;
    }
    Ok(())
}
