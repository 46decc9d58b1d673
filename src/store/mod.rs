//! The store: SQLite and PostgreSQL behind plain methods, one file a noun.
//!
//! It keeps what was read and what was decided, and decides nothing itself. A method marked
//! *fenced* takes the [`Lease`] under which the caller works and writes nothing once another
//! process took that lease over. Instants come from the clock, never from a database.

pub mod approvals;
mod arguments;
mod asked;
pub mod audit;
pub mod barrier;
mod chain;
pub mod clinics;
mod columns;
mod contacts;
mod db;
pub mod deliveries;
pub mod endpoints;
mod erasure;
pub mod error;
pub mod facts;
pub mod feedback;
mod following;
pub mod held;
mod holders;
mod holds;
pub mod leases;
pub mod ledger;
pub mod links;
pub mod lists;
pub mod marks;
mod matching;
pub mod members;
pub mod notices;
pub mod operations;
pub mod outcomes;
pub mod parked;
pub mod patients;
pub mod report;
mod restored;
pub mod resyncs;
pub mod reviews;
pub mod runs;
mod schema;
mod seen;
pub mod shown;
mod sql;
mod standings;
mod submissions;
pub mod suppressions;
mod sweeps;
pub mod tokens;
mod upkeep;
pub mod words;

pub use approvals::{Acceptable, ApprovalRow};
pub use audit::{AuditRow, NewAudit};
pub use barrier::{Barrier, Pass};
pub use chain::Verified;
pub use clinics::ClinicRow;
pub use deliveries::{Delivery, NewDelivery, ProvenOptOut};
pub use endpoints::{Endpoint, NewEndpoint};
pub use error::{Result, StoreError};
pub use facts::{LinkRow, Which};
pub use feedback::Feedback;
pub use held::HeldRow;
pub use holds::OperationCount;
pub use leases::Lease;
pub use ledger::Appended;
pub use links::{Adopted, PlannedLink};
pub use lists::ListRow;
pub use marks::Marks;
pub use members::{ListCounts, ObservedMember};
pub use notices::NoticeRow;
pub use operations::{OperationRow, PlannedOperation};
pub use outcomes::Recorded;
pub use parked::{Park, Parked, ParkedBecause, ParkedRow};
pub use patients::{Contacts, Unapplied, Upserted};
pub use report::ListReport;
pub use resyncs::ResyncRow;
pub use reviews::{NewReview, ReviewRow};
pub use runs::{JournalRow, RunRow};
pub use shown::{ChangeRow, PlanReason, ShownLink};
pub use suppressions::SuppressionRow;
pub use tokens::{BadToken, NewToken, TokenRow};
pub use words::{AuditOutcome, OpState, Origin, ReviewKind, Told};

use std::fmt;
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::keys::Keyring;
use db::Db;
use sql::Sql;

/// Every statement of the store.
static STATEMENTS: &[&[&Sql]] = &[
    approvals::STATEMENTS,
    asked::STATEMENTS,
    audit::STATEMENTS,
    chain::STATEMENTS,
    clinics::STATEMENTS,
    contacts::STATEMENTS,
    deliveries::STATEMENTS,
    endpoints::STATEMENTS,
    erasure::STATEMENTS,
    facts::STATEMENTS,
    feedback::STATEMENTS,
    following::STATEMENTS,
    held::STATEMENTS,
    holders::STATEMENTS,
    holds::STATEMENTS,
    leases::STATEMENTS,
    ledger::STATEMENTS,
    links::STATEMENTS,
    lists::STATEMENTS,
    members::STATEMENTS,
    notices::STATEMENTS,
    operations::STATEMENTS,
    outcomes::STATEMENTS,
    parked::STATEMENTS,
    patients::STATEMENTS,
    report::STATEMENTS,
    resyncs::STATEMENTS,
    restored::STATEMENTS,
    reviews::STATEMENTS,
    runs::STATEMENTS,
    schema::STATEMENTS,
    seen::STATEMENTS,
    shown::STATEMENTS,
    standings::STATEMENTS,
    submissions::STATEMENTS,
    suppressions::STATEMENTS,
    sweeps::STATEMENTS,
    tokens::STATEMENTS,
];

/// The store: cheap to clone, safe to share.
#[derive(Clone)]
pub struct Store {
    db: Db,
    keys: Arc<Keyring>,
    clock: SharedClock,
    looked_at: Arc<upkeep::LookedAt>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("engine", &self.db.engine()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store at `url` (`sqlite:…` or `postgres:…`) without touching its tables.
    pub async fn open(url: &str, keys: Arc<Keyring>, clock: SharedClock) -> Result<Self> {
        Ok(Self { db: Db::open(url).await?, keys, clock, looked_at: Arc::default() })
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { pool, writer, .. } => {
                pool.close().await;
                writer.close().await;
            }
            Db::Postgres { pool, .. } => pool.close().await,
        }
    }

    /// Has every statement pass `barrier` from now on: how a rehearsal orders and disturbs them.
    #[must_use]
    pub fn behind(mut self, barrier: Arc<dyn Barrier>) -> Self {
        self.db.set_barrier(barrier);
        self
    }
}
