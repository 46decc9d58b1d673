//! Approvals: what an admin decided about a plan that waits (L20, L23).

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{At, args, count};
use super::db::{Tx, again};
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::lists::ListRow;
use super::runs::WAITING;
use super::sql::statements;
use crate::domain::{ClinicId, ListId, RunId};

/// One decision of an admin about a plan.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ApprovalRow {
    /// The run whose plan it is about.
    #[sqlx(rename = "run_id")]
    pub run: RunId,
    /// Approved, or refused.
    pub approved: bool,
    /// Who decided.
    pub decided_by: String,
    /// Why, where it was refused.
    pub reason: Option<String>,
    /// When.
    #[sqlx(try_from = "At")]
    pub decided_at: DateTime<Utc>,
    /// Until when an approval holds.
    #[sqlx(try_from = "At")]
    pub valid_until: DateTime<Utc>,
}

/// The newest decision about a list's plans.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DecidedLast {
    /// The decision.
    #[sqlx(flatten)]
    pub decision: ApprovalRow,
    /// The newest run that planned afresh since.
    pub run_since: Option<RunId>,
}

/// What an admin can accept although there is much of it at once (L23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptable {
    /// A patient source that shrank.
    Source,
    /// Withdrawals by bare flags in bulk.
    Withdrawals,
    /// Members gone from this list at the provider.
    Members(ListId),
}

impl Acceptable {
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Withdrawals => "withdrawals",
            Self::Members(_) => "members",
        }
    }

    const fn list(self) -> Option<ListId> {
        match self {
            Self::Source | Self::Withdrawals => None,
            Self::Members(list) => Some(list),
        }
    }
}

statements! {
    PLAN_OPEN = {
        "SELECT run_id FROM operations
         WHERE clinic_id = $1 AND list_id = $2
            AND state IN ('planned', 'waiting', 'braked', 'submitted')
            AND state IN ('waiting', 'braked')
         ORDER BY run_id DESC LIMIT 1"
    }
    // Of two decisions about one plan at the same time the later finds the earlier.
    RUN_LOCK ["" | " FOR NO KEY UPDATE"] = {
        "SELECT outcome FROM runs WHERE id = $1"
    }
    APPROVAL_ADD = {
        "INSERT INTO approvals (clinic_id, id, run_id, approved, decided_by, reason, decided_at,
            valid_until)
         SELECT clinic_id, $2, id, $3, $4, $5, $6, $7 FROM runs WHERE id = $1"
    }
    DECIDED = {
        "SELECT COUNT(CASE WHEN approved THEN 1 END), COUNT(CASE WHEN NOT approved THEN 1 END)
         FROM approvals
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1"
    }
    APPROVALS_END = {
        "UPDATE approvals SET valid_until = $2
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1
            AND valid_until > $2"
    }
    // Else a run that reads only what changed would not plan them again.
    LINKS_STALE_OF_REFUSED = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND id IN
            (SELECT o.link_id FROM operations o
             WHERE o.clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND o.run_id = $1
                AND o.state IN ('waiting', 'braked'))"
    }
    OPERATIONS_REFUSE = {
        "UPDATE operations SET state = 'refused', payload = NULL, settled_at = $2
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1
            AND state IN ('waiting', 'braked')"
    }
    // Those of it that a newer run plans as well, or is about to, wait there.
    OPERATIONS_AWAITED = {
        "SELECT COUNT(*) FROM operations o
         WHERE o.clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND o.run_id = $1
            AND (o.state IN ('waiting', 'braked') OR o.state = 'superseded'
                AND (EXISTS (SELECT 1 FROM operations n WHERE n.clinic_id = o.clinic_id
                        AND n.link_id = o.link_id AND n.verb = o.verb
                        AND n.state IN ('waiting', 'braked'))
                    OR EXISTS (SELECT 1 FROM links k WHERE k.clinic_id = o.clinic_id
                            AND k.id = o.link_id AND k.stale)
                        AND NOT EXISTS (SELECT 1 FROM operations m WHERE m.clinic_id = o.clinic_id
                            AND m.link_id = o.link_id AND m.run_id > o.run_id)))"
    }
    OPERATIONS_PLANNED = {
        "SELECT COUNT(*), COUNT(CASE WHEN state = 'acknowledged' THEN 1 END) FROM operations
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1"
    }
    LIST_APPROVED = {
        "UPDATE lists SET approved_at = COALESCE(approved_at, $2)
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1)
            AND id = (SELECT list_id FROM runs WHERE id = $1)"
    }
    // As if the approval that opened it had not been given.
    LIST_DISAPPROVED = {
        "UPDATE lists SET approved_at = NULL
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1)
            AND id = (SELECT list_id FROM runs WHERE id = $1)
            AND approved_at IN (SELECT a.decided_at FROM approvals a
                WHERE a.clinic_id = lists.clinic_id AND a.run_id = $1 AND a.approved)"
    }
    ACCEPTANCE_ADD = {
        "INSERT INTO acceptances (clinic_id, id, what, list_id, decided_by, decided_at, valid_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    }
    ACCEPTANCE_OPEN = {
        "SELECT COUNT(*) FROM acceptances
         WHERE clinic_id = $1 AND what = $2 AND list_id IS NOT DISTINCT FROM $3 AND valid_until > $4"
    }
    ACCEPTANCE_CLOSE = {
        "UPDATE acceptances SET valid_until = $4
         WHERE clinic_id = $1 AND what = $2 AND list_id IS NOT DISTINCT FROM $3 AND valid_until > $4"
    }
    // Approvals and runs are numbered as time goes: a run with a later number began after it.
    DECIDED_LAST = {
        "SELECT a.run_id, a.approved, a.decided_by, a.reason, a.decided_at, a.valid_until,
            (SELECT n.id FROM runs n WHERE n.clinic_id = $1 AND n.list_id = $2 AND n.id > a.id
                AND n.ended_at IS NOT NULL AND n.woken_by <> 'webhook'
             ORDER BY n.id DESC LIMIT 1) AS run_since
         FROM approvals a CROSS JOIN runs r
         WHERE a.clinic_id = $1 AND r.clinic_id = a.clinic_id AND r.id = a.run_id
            AND r.list_id = $2
         ORDER BY a.id DESC LIMIT 1"
    }
}

impl Store {
    /// Returns the newest run with operations on the list that wait for an admin.
    pub async fn plan_open(&self, list: &ListRow) -> Result<Option<RunId>> {
        let found: Option<(RunId,)> = self.db.row(PLAN_OPEN, args![list.clinic, list.id]).await?;
        Ok(found.map(|(run,)| run))
    }

    /// Approves the run's plan: until then, its links may be changed as it says; a list's first
    /// approval opens it (L20). Returns how many changes that covers.
    pub async fn approve(&self, run: RunId, until: DateTime<Utc>, by: &str) -> Result<u64> {
        let now = self.clock.now();
        let no_reason: Option<&str> = None;
        let mut tx = self.db.begin().await?;
        let awaited = awaited(&mut tx, run).await?;
        let args = args![run, self.clock.id(), true, by, no_reason, now, until];
        if tx.execute(APPROVAL_ADD, args).await? == 0 {
            return Err(StoreError::Missing { what: "plan" });
        }
        tx.execute(LIST_APPROVED, args![run, now]).await?;
        tx.commit().await?;
        Ok(awaited)
    }

    /// Refuses the run's plan: what waits in it is not made, also where it was approved before, and is
    /// planned anew. Returns how many changes that is.
    pub async fn refuse(&self, run: RunId, by: &str, reason: &str) -> Result<u64> {
        let now = self.clock.now();
        again!(self, {
            let mut tx = self.db.begin().await?;
            let awaited = awaited(&mut tx, run).await?;
            let ended = tx.execute(APPROVALS_END, args![run, now]).await?;
            tx.execute(LIST_DISAPPROVED, args![run]).await?;
            let args = args![run, self.clock.id(), false, by, reason, now, now];
            if tx.execute(APPROVAL_ADD, args).await? == 0 {
                return Err(StoreError::Missing { what: "plan" });
            }
            tx.execute(LINKS_STALE_OF_REFUSED, args![run]).await?;
            let refused = tx.execute(OPERATIONS_REFUSE, args![run, now]).await?;
            if refused == 0 && ended == 0 && awaited > 0 {
                return Err(StoreError::Settled { how: REPLACED });
            }
            tx.commit().await?;
            Ok(refused)
        })
    }

    /// Accepts until then what is not believed without an admin (L23).
    pub async fn acceptance_open(
        &self,
        clinic: ClinicId,
        what: Acceptable,
        until: DateTime<Utc>,
        by: &str,
    ) -> Result<()> {
        let now = self.clock.now();
        let args = args![clinic, self.clock.id(), what.word(), what.list(), by, now, until];
        self.db.execute(ACCEPTANCE_ADD, args).await.map(drop)
    }

    /// Tells whether such an acceptance is open.
    pub async fn acceptance_is_open(
        &self,
        clinic: ClinicId,
        what: Acceptable,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let args = args![clinic, what.word(), what.list(), now];
        let open: Option<(i64,)> = self.db.row(ACCEPTANCE_OPEN, args).await?;
        Ok(open.is_some_and(|(open,)| open > 0))
    }

    /// Ends an acceptance that was used up. Fenced.
    pub async fn acceptance_close(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        what: Acceptable,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let args = args![clinic, what.word(), what.list(), now];
        self.execute_under(lease, ACCEPTANCE_CLOSE, args).await.map(drop)
    }

    /// Returns the newest decision about a plan of the list.
    pub async fn decided_last(&self, list: &ListRow) -> Result<Option<DecidedLast>> {
        self.db.row(DECIDED_LAST, args![list.clinic, list.id]).await
    }
}

/// A run that has not come to its plan's end.
const UNFINISHED: &str = "its run is not through: what it comes to can be decided about then";
/// A run that planned nothing, on a list that did not wait for it.
const NOTHING: &str = "it has nothing that waits";
/// What became of a plan that nobody decided about.
const REPLACED: &str = "a newer run has planned afresh";

/// Counts what waits of a plan; none of it does once it was refused, or is through. A first plan that
/// had nothing in it may be decided about all the same, once its run has ended: that opens the list
/// (L20). A run that still reads has no plan yet.
async fn awaited(tx: &mut Tx, run: RunId) -> Result<u64> {
    let locked: Option<(Option<String>,)> = tx.row(RUN_LOCK, args![run]).await?;
    let (outcome,) = locked.ok_or(StoreError::Missing { what: "plan" })?;
    let decided: Option<(i64, i64)> = tx.row(DECIDED, args![run]).await?;
    let (approved, refused) = decided.unwrap_or_default();
    if refused > 0 {
        return Err(StoreError::Refused);
    }
    let awaited: Option<(i64,)> = tx.row(OPERATIONS_AWAITED, args![run]).await?;
    let planned: Option<(i64, i64)> = tx.row(OPERATIONS_PLANNED, args![run]).await?;
    let (planned, done) = planned.unwrap_or_default();
    let awaited = awaited.map_or(0, |(awaited,)| count(awaited));
    if awaited > 0 || ((planned, approved) == (0, 0) && outcome.as_deref() == Some(WAITING)) {
        return Ok(awaited);
    }
    let how = match (approved, done) {
        (0, 0) if outcome.is_none() => UNFINISHED,
        (0, 0) if planned == 0 => NOTHING,
        (0, 0) => REPLACED,
        (0, _) => "it was carried out",
        _ => "it was approved, and carried out as far as it still held",
    };
    Err(StoreError::Settled { how })
}
