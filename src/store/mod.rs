//! The store: SQLite and PostgreSQL behind plain methods, one file a noun.
//!
//! It keeps what was read and what was decided, and decides nothing itself. A method marked
//! *fenced* takes the [`Lease`] under which the caller works and writes nothing once another
//! process took that lease over. Instants come from the clock, never from a database.

pub mod alerts;
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
pub mod dossier;
pub mod endpoints;
mod erasure;
pub mod erasures;
pub mod error;
pub mod facts;
pub mod feedback;
pub mod figures;
mod following;
pub mod held;
mod holders;
mod holds;
pub mod invited;
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
#[cfg(test)]
mod plans;
pub mod report;
mod resealed;
mod restored;
pub mod resyncs;
pub mod reviews;
pub mod runs;
mod schema;
mod seen;
pub mod shown;
mod spreading;
mod sql;
mod standings;
mod submissions;
pub mod suppressions;
mod sweeps;
pub mod tally;
pub mod tokens;
mod unbound;
mod upkeep;
pub mod words;

pub use alerts::{AlertRow, NewAlert, ToldBy};
pub use approvals::{Acceptable, ApprovalRow, DecidedLast};
pub use audit::{AuditRow, NewAudit};
pub use barrier::{Barrier, Pass};
pub use chain::Verified;
pub use clinics::ClinicRow;
pub use deliveries::{Delivery, NewDelivery, ProvenOptOut};
pub use dossier::{
    HeldAddress, LedgerLine, LinkChange, ReviewOfContact, ToldClinic, ToldOfContact,
};
pub use endpoints::{Endpoint, NewEndpoint};
pub use erasures::{AskedBy, ErasureRow};
pub use error::{Result, StoreError};
pub use facts::{LinkRow, Which};
pub use feedback::Feedback;
pub use figures::{LedgerFigures, Links, ListFigures};
pub use held::HeldRow;
pub use holds::OperationCount;
pub use invited::Invited;
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
pub use patients::{Unapplied, Upserted};
pub use report::ListReport;
pub use resealed::Resealed;
pub use resyncs::ResyncRow;
pub use reviews::{NewReview, ReviewRow};
pub use runs::{BY_WEBHOOK, IN_STEP, JournalRow, RunRow};
pub use shown::{ChangeRow, HeldLink, PlanReason, ShownLink};
pub use suppressions::{SuppressionRow, mark};
pub use tally::Tally;
pub use tokens::{BadToken, NewToken, SIGNED_IN, TokenRow};
pub use words::{AlertKind, AuditOutcome, Counter, OpState, Origin, ReviewKind, Told};

use std::fmt;
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::keys::Keyring;
use db::Db;
use sql::Sql;

/// Every statement of the store.
static STATEMENTS: &[&[&Sql]] = &[
    alerts::STATEMENTS,
    approvals::STATEMENTS,
    asked::STATEMENTS,
    audit::STATEMENTS,
    chain::STATEMENTS,
    clinics::STATEMENTS,
    contacts::STATEMENTS,
    deliveries::STATEMENTS,
    dossier::STATEMENTS,
    endpoints::STATEMENTS,
    erasure::STATEMENTS,
    erasures::STATEMENTS,
    facts::STATEMENTS,
    feedback::STATEMENTS,
    invited::STATEMENTS,
    figures::STATEMENTS,
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
    resealed::STATEMENTS,
    resyncs::STATEMENTS,
    restored::STATEMENTS,
    reviews::STATEMENTS,
    runs::STATEMENTS,
    schema::STATEMENTS,
    seen::STATEMENTS,
    spreading::STATEMENTS,
    shown::STATEMENTS,
    standings::STATEMENTS,
    submissions::STATEMENTS,
    suppressions::STATEMENTS,
    sweeps::STATEMENTS,
    tally::STATEMENTS,
    tokens::STATEMENTS,
    unbound::STATEMENTS,
];

/// The store: cheap to clone, safe to share.
#[derive(Clone)]
pub struct Store {
    db: Db,
    keys: Arc<Keyring>,
    clock: SharedClock,
    seen_to: Arc<upkeep::SeenTo>,
    counting: tally::Counting,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("engine", &self.db.engine()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store at `url` (`sqlite:…` or `postgres:…`) without touching its tables.
    pub async fn open(url: &str, keys: Arc<Keyring>, clock: SharedClock) -> Result<Self> {
        let db = Db::open(url).await?;
        Ok(Self { db, keys, clock, seen_to: Arc::default(), counting: Arc::default() })
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
