//! The two engines behind one face: connecting, transactions, and running a statement.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite, Transaction};

use super::arguments::{Bound, Write, on_postgres, on_postgres_together, on_sqlite};
use super::barrier::{Barrier, Pass};
use super::columns::Arg;
use super::error::{Result, StoreError};
use super::sql::Sql;

/// How many rows one write transaction may touch on SQLite, where it holds up every other writer.
const SQLITE_CHUNK: usize = 1_000;
/// The same on PostgreSQL, where it only bounds memory.
const POSTGRES_CHUNK: usize = 10_000;

/// Pages that SQLite's log may have before a writer must move them to the file; see
/// [`Store::upkeep`](super::Store::upkeep), which does so earlier and keeps no writer waiting.
const SQLITE_LOG: &str = "8000";
/// Pages that the writer keeps in memory: negative for KiB.
const SQLITE_CACHE: &str = "-5000";
/// The same for each connection that reads.
const SQLITE_READING_CACHE: &str = "-1000";
/// Statements that a connection to SQLite keeps prepared: more than the store has, so that a run which
/// goes through most of them prepares none twice.
const SQLITE_STATEMENTS: usize = 512;
/// Connections that read on SQLite.
const SQLITE_READERS: u32 = 4;
/// How long a writer waits for the one connection that writes.
const WRITERS_WAIT: Duration = Duration::from_mins(10);

/// How PostgreSQL plans our statements: each is a look-up by key of a slice or a page, whose plan is
/// the same whatever the slice holds, and which no table's size makes worth reading whole.
const POSTGRES_PLANS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
];

/// A pool of connections to either engine.
#[derive(Clone)]
pub(super) enum Db {
    /// One connection writes: the writers of this process queue for it in order instead of polling
    /// the file's lock, and it keeps its cache of pages, which another one's write would empty.
    Sqlite {
        pool: SqlitePool,
        writer: SqlitePool,
        barrier: Option<Arc<dyn Barrier>>,
    },
    Postgres {
        pool: PgPool,
        barrier: Option<Arc<dyn Barrier>>,
    },
}

/// A write transaction; rolled back when dropped.
pub(super) enum Tx {
    Sqlite { tx: Transaction<'static, Sqlite>, passed: Passed },
    Postgres { tx: Transaction<'static, Postgres>, passed: Passed },
}

/// The barrier that a transaction passed, and what it holds meanwhile.
pub(super) struct Passed(Option<(Arc<dyn Barrier>, Pass)>);

/// A row type that both engines can give.
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{}

/// Runs one body with the engine's text, arguments and connection in place of `$sql`, `$with` and
/// `$conn`.
macro_rules! on_db {
    ($target:expr, $type:ident :: $field:ident, $statement:expr, $args:expr, |$sql:ident, $with:ident, $conn:ident| $body:expr) => {
        on_db!($target, $type::{$field, $field}, $statement, $args, |$sql, $with, $conn| $body)
    };
    ($target:expr, $type:ident :: {$sqlite:ident, $field:ident}, $statement:expr, $args:expr, |$sql:ident, $with:ident, $conn:ident| $body:expr) => {
        match $target {
            $type::Sqlite { $sqlite: $conn, .. } => {
                let ($sql, $with) = ($statement.sqlite, on_sqlite($args));
                async { $body.await }.await.map_err(|error| $statement.failed(error))
            }
            $type::Postgres { $field: $conn, .. } => {
                let ($sql, $with) = ($statement.postgres(), on_postgres($statement, $args));
                async { $body.await }.await.map_err(|error| $statement.failed(error))
            }
        }
    };
}

/// How often a transaction that lost against another one is made again.
pub(super) const AGAIN: u32 = 8;
/// The first pause before that.
pub(super) const PAUSE: Duration = Duration::from_millis(10);

/// Does a whole transaction again when it lost against another one: deadlocked, out of order, or
/// second to add the same row. Nothing of it was kept then.
macro_rules! again {
    ($store:expr, $work:expr) => {{
        let mut lost = 0;
        loop {
            let done: $crate::store::error::Result<_> = async { $work }.await;
            match done {
                Err(error) if error.is_conflict() && lost < $crate::store::db::AGAIN => {
                    lost += 1;
                    let clock = &$store.clock;
                    clock.sleep(clock.jittered($crate::store::db::PAUSE * lost)).await;
                }
                done => break done,
            }
        }
    }};
}
pub(super) use again;

impl Sql {
    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::Statement { statement: self.name, fault: error.into() }
    }
}

impl Db {
    pub(super) async fn open(url: &str) -> Result<Self> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url).map_err(open_failed)?;
            let options = options.options(POSTGRES_PLANS.iter().copied());
            let pool = PgPoolOptions::new().max_connections(10).connect_with(options).await;
            Ok(Self::Postgres { pool: pool.map_err(open_failed)?, barrier: None })
        } else {
            Err(StoreError::Address)
        }
    }

    async fn open_sqlite(url: &str) -> Result<Self> {
        let in_memory = url.contains(":memory:");
        let options = SqliteConnectOptions::from_str(url)
            .map_err(open_failed)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            // What a statement needs to undo itself would else go to a file, page by page.
            .pragma("temp_store", "MEMORY")
            .pragma("wal_autocheckpoint", SQLITE_LOG)
            .statement_cache_capacity(SQLITE_STATEMENTS);
        // A file does not go away as a server does: no connection is asked whether it still works
        // before each statement.
        let pool = || SqlitePoolOptions::new().test_before_acquire(false);
        // A writer waits for its turn as long as it takes, and what is in memory only goes with its
        // connection.
        let one = pool()
            .max_connections(1)
            .acquire_timeout(WRITERS_WAIT)
            .idle_timeout(None)
            .max_lifetime(None);
        let writing = options.clone().pragma("cache_size", SQLITE_CACHE);
        let writer = one.connect_with(writing).await.map_err(open_failed)?;
        if in_memory {
            return Ok(Self::Sqlite { pool: writer.clone(), writer, barrier: None });
        }
        let readers = pool().max_connections(SQLITE_READERS);
        let reading = options.pragma("cache_size", SQLITE_READING_CACHE);
        let pool = readers.connect_with(reading).await.map_err(open_failed)?;
        Ok(Self::Sqlite { pool, writer, barrier: None })
    }

    /// Has every statement pass `new` from now on.
    pub(super) fn set_barrier(&mut self, new: Arc<dyn Barrier>) {
        let (Self::Sqlite { barrier, .. } | Self::Postgres { barrier, .. }) = self;
        *barrier = Some(new);
    }

    /// Tells whether statements pass a barrier.
    pub(super) const fn has_barrier(&self) -> bool {
        let (Self::Sqlite { barrier, .. } | Self::Postgres { barrier, .. }) = self;
        barrier.is_some()
    }

    async fn pass(&self) -> Passed {
        let (Self::Sqlite { barrier, .. } | Self::Postgres { barrier, .. }) = self;
        match barrier {
            None => Passed(None),
            Some(barrier) => Passed(Some((barrier.clone(), barrier.enter().await))),
        }
    }

    /// Waits until `statement` may begin, if it may.
    async fn pass_with(&self, statement: &Sql) -> Result<Passed> {
        let passed = self.pass().await;
        passed.allows(statement.writes()).map_err(|error| statement.failed(error))?;
        Ok(passed)
    }

    pub(super) const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// Returns how many rows one write transaction may touch.
    pub(super) const fn chunk(&self) -> usize {
        match self {
            Self::Sqlite { .. } => SQLITE_CHUNK,
            Self::Postgres { .. } => POSTGRES_CHUNK,
        }
    }

    pub(super) fn chunk_i64(&self) -> i64 {
        i64::try_from(self.chunk()).unwrap_or(i64::MAX)
    }

    /// Begins a write transaction; on SQLite it takes the write lock at once.
    pub(super) async fn begin(&self) -> Result<Tx> {
        let failed =
            |error: sqlx::Error| StoreError::Statement { statement: "BEGIN", fault: error.into() };
        let passed = self.pass().await;
        passed.allows(false).map_err(failed)?;
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                let tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
                Tx::Sqlite { tx, passed }
            }
            Self::Postgres { pool, .. } => {
                Tx::Postgres { tx: pool.begin().await.map_err(failed)?, passed }
            }
        })
    }

    pub(super) async fn execute(&self, statement: &'static Sql, args: Vec<Arg>) -> Result<u64> {
        let _passed = self.pass_with(statement).await?;
        on_db!(self, Db::{writer, pool}, statement, args, |sql, with, pool| async {
            let Bound { with, stays } = with?;
            let done = sqlx::query_with(sql, with).persistent(stays).execute(pool).await?;
            Ok(done.rows_affected())
        })
    }

    /// Runs a statement that writes, and returns the row that it returns.
    pub(super) async fn returning<T: Row>(
        &self,
        statement: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<Option<T>> {
        let _passed = self.pass_with(statement).await?;
        on_db!(self, Db::{writer, pool}, statement, args, |sql, with, pool| async {
            let Bound { with, stays } = with?;
            sqlx::query_as_with(sql, with).persistent(stays).fetch_optional(pool).await
        })
    }

    pub(super) async fn rows<T: Row>(
        &self,
        statement: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<Vec<T>> {
        let _passed = self.pass_with(statement).await?;
        on_db!(self, Db::pool, statement, args, |sql, with, pool| async {
            let Bound { with, stays } = with?;
            sqlx::query_as_with(sql, with).persistent(stays).fetch_all(pool).await
        })
    }

    pub(super) async fn row<T: Row>(
        &self,
        statement: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<Option<T>> {
        let _passed = self.pass_with(statement).await?;
        on_db!(self, Db::pool, statement, args, |sql, with, pool| async {
            let Bound { with, stays } = with?;
            sqlx::query_as_with(sql, with).persistent(stays).fetch_optional(pool).await
        })
    }

    /// Asks the engine whether it understands `statement`.
    pub(super) async fn prepare(&self, statement: &'static Sql) -> Result<()> {
        use sqlx::{Executor, SqlSafeStr};
        match self {
            Self::Sqlite { pool, .. } => {
                pool.prepare(statement.sqlite.into_sql_str()).await.map(drop)
            }
            Self::Postgres { pool, .. } => {
                pool.prepare(statement.postgres().into_sql_str()).await.map(drop)
            }
        }
        .map_err(|error| statement.failed(error))
    }
}

impl Tx {
    /// Tells whether rows can be locked; on SQLite the whole file is.
    pub(super) const fn locks_rows(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    pub(super) async fn execute(&mut self, statement: &'static Sql, args: Vec<Arg>) -> Result<u64> {
        self.allows(statement)?;
        on_db!(self, Tx::tx, statement, args, |sql, with, tx| async {
            let Bound { with, stays } = with?;
            let done = sqlx::query_with(sql, with).persistent(stays).execute(&mut **tx).await?;
            Ok(done.rows_affected())
        })
    }

    pub(super) async fn rows<T: Row>(
        &mut self,
        statement: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<Vec<T>> {
        self.allows(statement)?;
        on_db!(self, Tx::tx, statement, args, |sql, with, tx| async {
            let Bound { with, stays } = with?;
            sqlx::query_as_with(sql, with).persistent(stays).fetch_all(&mut **tx).await
        })
    }

    pub(super) async fn row<T: Row>(
        &mut self,
        statement: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<Option<T>> {
        self.allows(statement)?;
        on_db!(self, Tx::tx, statement, args, |sql, with, tx| async {
            let Bound { with, stays } = with?;
            sqlx::query_as_with(sql, with).persistent(stays).fetch_optional(&mut **tx).await
        })
    }

    /// Runs statements that write, none of what another does: on PostgreSQL as one, because each
    /// costs a way there and back.
    pub(super) async fn execute_together(&mut self, writes: Vec<Write>) -> Result<()> {
        let Self::Postgres { tx, passed } = self else {
            for (statement, args) in writes {
                self.execute(statement, args).await?;
            }
            return Ok(());
        };
        let statements: Vec<&'static Sql> =
            writes.iter().map(|(statement, _)| *statement).collect();
        let Some(first) = statements.first() else { return Ok(()) };
        passed.allows(true).map_err(|error| first.failed(error))?;
        let done = async {
            let Bound { with, stays } = on_postgres_together(writes)?;
            let text = AssertSqlSafe(Sql::together(&statements));
            sqlx::query_with(text, with).persistent(stays).execute(&mut **tx).await.map(drop)
        };
        done.await.map_err(|error| first.failed(error))
    }

    pub(super) async fn commit(self) -> Result<()> {
        let failed =
            |error: sqlx::Error| StoreError::Statement { statement: "COMMIT", fault: error.into() };
        self.passed().allows(true).map_err(failed)?;
        let done = match self {
            Self::Sqlite { tx, .. } => tx.commit().await,
            Self::Postgres { tx, .. } => tx.commit().await,
        };
        done.map_err(failed)
    }

    fn allows(&self, statement: &Sql) -> Result<()> {
        self.passed().allows(statement.writes()).map_err(|error| statement.failed(error))
    }

    const fn passed(&self) -> &Passed {
        match self {
            Self::Sqlite { passed, .. } | Self::Postgres { passed, .. } => passed,
        }
    }
}

impl Passed {
    fn allows(&self, writes: bool) -> sqlx::Result<()> {
        self.0.as_ref().map_or(Ok(()), |(barrier, _)| barrier.allow(writes))
    }
}

fn open_failed(error: sqlx::Error) -> StoreError {
    StoreError::Open(error.into())
}
