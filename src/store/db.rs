//! The two engines behind one face: connecting, transactions, and running a statement.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{FromRow, Postgres, Sqlite, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::barrier::{Barrier, Pass};
use super::columns::Arg;
use super::error::{Result, StoreError};
use super::sql::Sql;

/// How many rows one write transaction may touch on SQLite, where it holds up every other writer.
const SQLITE_CHUNK: usize = 1_000;
/// The same on PostgreSQL, where it only bounds memory.
const POSTGRES_CHUNK: usize = 10_000;

/// A pool of connections to either engine.
#[derive(Clone)]
pub(super) enum Db {
    /// The gate lets the writers of this process queue in order instead of polling the file's lock.
    Sqlite {
        pool: SqlitePool,
        gate: Arc<Mutex<()>>,
        barrier: Option<Arc<dyn Barrier>>,
    },
    Postgres {
        pool: PgPool,
        barrier: Option<Arc<dyn Barrier>>,
    },
}

/// A write transaction; rolled back when dropped.
pub(super) enum Tx {
    Sqlite { tx: Transaction<'static, Sqlite>, _gate: OwnedMutexGuard<()>, passed: Passed },
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

/// Runs one body with the engine's text and connection in place of `$sql` and `$conn`.
macro_rules! on_db {
    ($target:expr, $type:ident :: $field:ident, $statement:expr, |$sql:ident, $conn:ident| $body:expr) => {
        match $target {
            $type::Sqlite { $field: $conn, .. } => {
                let $sql = $statement.sqlite;
                $body.await.map_err(|error| $statement.failed(error))
            }
            $type::Postgres { $field: $conn, .. } => {
                let $sql = $statement.postgres;
                $body.await.map_err(|error| $statement.failed(error))
            }
        }
    };
}

/// Binds `args` to a query in order.
macro_rules! bound {
    ($query:expr, $args:expr) => {
        $args.into_iter().fold($query, |query, arg| match arg {
            Arg::Id(id) => query.bind(id),
            Arg::Text(text) => query.bind(text),
            Arg::Int(number) => query.bind(number),
            Arg::Flag(flag) => query.bind(flag),
        })
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
            .foreign_keys(true);
        let pool = if in_memory {
            // Each connection would have a database of its own, gone when it closes.
            SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None)
        } else {
            SqlitePoolOptions::new().max_connections(8)
        };
        let pool = pool.connect_with(options).await.map_err(open_failed)?;
        Ok(Self::Sqlite { pool, gate: Arc::default(), barrier: None })
    }

    /// Has every statement pass `new` from now on.
    pub(super) fn set_barrier(&mut self, new: Arc<dyn Barrier>) {
        let (Self::Sqlite { barrier, .. } | Self::Postgres { barrier, .. }) = self;
        *barrier = Some(new);
    }

    async fn pass(&self) -> Passed {
        let (Self::Sqlite { barrier, .. } | Self::Postgres { barrier, .. }) = self;
        match barrier {
            None => Passed(None),
            Some(barrier) => Passed(Some((barrier.clone(), barrier.enter().await))),
        }
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
            Self::Sqlite { pool, gate, .. } => {
                let gate = Arc::clone(gate).lock_owned().await;
                let tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
                Tx::Sqlite { tx, _gate: gate, passed }
            }
            Self::Postgres { pool, .. } => {
                Tx::Postgres { tx: pool.begin().await.map_err(failed)?, passed }
            }
        })
    }

    pub(super) async fn execute(&self, statement: &Sql, args: Vec<Arg>) -> Result<u64> {
        let passed = self.pass().await;
        passed.allows(statement.writes()).map_err(|error| statement.failed(error))?;
        on_db!(self, Db::pool, statement, |sql, pool| async {
            Ok(bound!(sqlx::query(sql), args).execute(pool).await?.rows_affected())
        })
    }

    pub(super) async fn rows<T: Row>(&self, statement: &Sql, args: Vec<Arg>) -> Result<Vec<T>> {
        let passed = self.pass().await;
        passed.allows(statement.writes()).map_err(|error| statement.failed(error))?;
        on_db!(self, Db::pool, statement, |sql, pool| {
            bound!(sqlx::query_as(sql), args).fetch_all(pool)
        })
    }

    pub(super) async fn row<T: Row>(&self, statement: &Sql, args: Vec<Arg>) -> Result<Option<T>> {
        let passed = self.pass().await;
        passed.allows(statement.writes()).map_err(|error| statement.failed(error))?;
        on_db!(self, Db::pool, statement, |sql, pool| {
            bound!(sqlx::query_as(sql), args).fetch_optional(pool)
        })
    }

    /// Asks the engine whether it understands `statement`.
    pub(super) async fn prepare(&self, statement: &Sql) -> Result<()> {
        use sqlx::{Executor, SqlSafeStr};
        on_db!(self, Db::pool, statement, |sql, pool| async {
            pool.prepare(sql.into_sql_str()).await.map(drop)
        })
    }
}

impl Passed {
    fn allows(&self, writes: bool) -> sqlx::Result<()> {
        self.0.as_ref().map_or(Ok(()), |(barrier, _)| barrier.allow(writes))
    }
}

impl Tx {
    pub(super) async fn execute(&mut self, statement: &Sql, args: Vec<Arg>) -> Result<u64> {
        let allowed = self.passed().allows(statement.writes());
        allowed.map_err(|error| statement.failed(error))?;
        on_db!(self, Tx::tx, statement, |sql, tx| async {
            Ok(bound!(sqlx::query(sql), args).execute(&mut **tx).await?.rows_affected())
        })
    }

    pub(super) async fn rows<T: Row>(&mut self, statement: &Sql, args: Vec<Arg>) -> Result<Vec<T>> {
        let allowed = self.passed().allows(statement.writes());
        allowed.map_err(|error| statement.failed(error))?;
        on_db!(self, Tx::tx, statement, |sql, tx| {
            bound!(sqlx::query_as(sql), args).fetch_all(&mut **tx)
        })
    }

    pub(super) async fn row<T: Row>(
        &mut self,
        statement: &Sql,
        args: Vec<Arg>,
    ) -> Result<Option<T>> {
        let allowed = self.passed().allows(statement.writes());
        allowed.map_err(|error| statement.failed(error))?;
        on_db!(self, Tx::tx, statement, |sql, tx| {
            bound!(sqlx::query_as(sql), args).fetch_optional(&mut **tx)
        })
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

    const fn passed(&self) -> &Passed {
        match self {
            Self::Sqlite { passed, .. } | Self::Postgres { passed, .. } => passed,
        }
    }
}

fn open_failed(error: sqlx::Error) -> StoreError {
    StoreError::Open(error.into())
}
