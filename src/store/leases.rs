//! Leases: who may work on a source or a provider account now.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::columns::{Arg, args};
use super::db::{Tx, again};
use super::error::{Result, StoreError};
use super::sql::{Sql, statements};

/// The right to work on one source or account, until another process takes it over.
///
/// Its epoch grows with each change of holder: a write under an old epoch is refused, so a process
/// that was paused past its time can do no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// `source:{clinic}`, `account:{id}`, `notify`, or `mail`, which nobody gives back: the server rests.
    pub name: String,
    /// Which holder in succession.
    pub epoch: i64,
    /// Who.
    pub holder: Uuid,
}

statements! {
    LEASE_TAKEN = { "SELECT epoch FROM leases WHERE name = $1 AND expires_at > $2" }
    LEASE_ACQUIRE = {
        "INSERT INTO leases (name, epoch, holder, expires_at) VALUES ($1, 1, $2, $3)
         ON CONFLICT (name) DO UPDATE
         SET epoch = leases.epoch + 1, holder = excluded.holder, expires_at = excluded.expires_at
         WHERE leases.expires_at <= $4
         RETURNING epoch"
    }
    LEASE_RENEW = {
        "UPDATE leases SET expires_at = $4 WHERE name = $1 AND epoch = $2 AND holder = $3"
    }
    LEASE_RELEASE = {
        "UPDATE leases SET expires_at = 0 WHERE name = $1 AND epoch = $2 AND holder = $3"
    }
    // On PostgreSQL the row stays locked until the transaction ends; on SQLite the whole file is.
    LEASE_HELD ["" | " FOR SHARE"] = {
        "SELECT epoch FROM leases WHERE name = $1 AND epoch = $2 AND holder = $3"
    }
}

impl Store {
    /// Tells whether somebody holds the lease `name`.
    pub async fn lease_is_held(&self, name: &str) -> Result<bool> {
        let taken: Option<(i64,)> = self.db.row(LEASE_TAKEN, args![name, self.clock.now()]).await?;
        Ok(taken.is_some())
    }

    /// Takes the lease `name` for `holder`, when it is free or its time is over.
    pub async fn lease_acquire(
        &self,
        name: &str,
        holder: Uuid,
        ttl: Duration,
    ) -> Result<Option<Lease>> {
        let now = self.clock.now();
        let args = args![name, holder, expiry(now, ttl), now];
        let taken: Option<(i64,)> = self.db.returning(LEASE_ACQUIRE, args).await?;
        Ok(taken.map(|(epoch,)| Lease { name: name.to_owned(), epoch, holder }))
    }

    /// Prolongs `lease`; false when another process has it.
    pub async fn lease_renew(&self, lease: &Lease, ttl: Duration) -> Result<bool> {
        let until = expiry(self.clock.now(), ttl);
        let args = args![lease.name.as_str(), lease.epoch, lease.holder, until];
        Ok(self.db.execute(LEASE_RENEW, args).await? == 1)
    }

    /// Gives `lease` back, if it is still held.
    pub async fn lease_release(&self, lease: &Lease) -> Result<()> {
        let args = args![lease.name.as_str(), lease.epoch, lease.holder];
        self.db.execute(LEASE_RELEASE, args).await.map(drop)
    }

    /// Begins a write transaction that holds only while `lease` does.
    pub(super) async fn begin_under(&self, lease: &Lease) -> Result<Tx> {
        let mut tx = self.db.begin().await?;
        let args = args![lease.name.as_str(), lease.epoch, lease.holder];
        match tx.row::<(i64,)>(LEASE_HELD, args).await? {
            Some(_) => Ok(tx),
            None => Err(StoreError::LeaseLost { name: lease.name.clone() }),
        }
    }

    /// Runs one statement in a transaction under `lease`.
    pub(super) async fn execute_under(
        &self,
        lease: &Lease,
        statement: &'static Sql,
        args: Vec<Arg>,
    ) -> Result<u64> {
        again!(self, {
            let mut tx = self.begin_under(lease).await?;
            let changed = tx.execute(statement, args.clone()).await?;
            tx.commit().await?;
            Ok(changed)
        })
    }

    /// Runs a statement over the ordinals up to `end`, a stretch at a time, each in a transaction
    /// of its own; the stretch (after, up to) is appended to `args`.
    pub(super) async fn execute_in_stretches(
        &self,
        lease: &Lease,
        statement: &'static Sql,
        args: &[Arg],
        end: i64,
    ) -> Result<u64> {
        let (mut total, mut after) = (0, -1);
        while after < end {
            let up_to = after + self.db.chunk_i64();
            let args = args.iter().cloned().chain([after.into(), up_to.into()]).collect();
            total += self.execute_under(lease, statement, args).await?;
            after = up_to;
        }
        Ok(total)
    }
}

fn expiry(now: DateTime<Utc>, ttl: Duration) -> DateTime<Utc> {
    now + ttl
}
