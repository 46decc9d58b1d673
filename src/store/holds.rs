//! Holds: what keeps a planned operation from being made, and what the brake counts (L23).

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{Count, args, count};
use super::db::again;
use super::error::Result;
use super::leases::Lease;
use super::lists::ListRow;
use super::sql::statements;
use super::words::OpState;
use crate::domain::operation::Counted;
use crate::domain::{RunId, Verb};

/// How many operations of a plan are of one kind.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OperationCount {
    /// What is done.
    pub verb: Verb,
    /// What the brake counts it as.
    pub counted: Counted,
    /// How far they got.
    pub state: OpState,
    /// How many.
    #[sqlx(try_from = "Count")]
    pub count: u64,
}

statements! {
    OPERATIONS_RELEASE = {
        "UPDATE operations SET state = 'planned', counted = 'no'
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1
            AND state IN ('waiting', 'braked')
            AND EXISTS (SELECT 1 FROM approvals a JOIN operations o
                ON o.clinic_id = a.clinic_id AND o.run_id = a.run_id
                WHERE a.clinic_id = operations.clinic_id AND a.approved AND a.valid_until > $2
                    AND o.planned_at <= a.decided_at
                    AND o.link_id = operations.link_id
                    AND (o.verb = operations.verb OR (o.verb = 'archive'
                        AND operations.verb = 'invite'
                        AND o.reason IN ('unproven', 'turned_subscribed'))))
            AND ordinal > $3 AND ordinal <= $4"
    }
    OPERATIONS_UNHOLD = {
        "UPDATE operations SET state = 'planned'
         WHERE clinic_id = $1 AND run_id = $2 AND list_id = $3 AND counted = $4
            AND state = 'braked' AND ordinal > $5 AND ordinal <= $6"
    }
    LINKS_STALE_OF_BRAKED = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND id IN (SELECT o.link_id FROM operations o
            WHERE o.clinic_id = $1 AND o.run_id = $2 AND o.list_id = $3 AND o.state = 'braked')"
    }
    OPERATIONS_LEAVE = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $4
         WHERE clinic_id = $1 AND run_id = $2 AND list_id = $3 AND state = 'braked'"
    }
    OPERATIONS_COUNTS = {
        "SELECT verb, counted, state, COUNT(*) AS count FROM operations
         WHERE clinic_id = $1 AND run_id = $2 AND list_id = $3
         GROUP BY verb, counted, state ORDER BY verb, counted, state"
    }
    OPERATIONS_OF_OTHERS = {
        "SELECT COUNT(DISTINCT link_id), COUNT(CASE WHEN state IN ('waiting', 'braked') THEN 1 END)
         FROM operations
         WHERE clinic_id = $1 AND list_id = $2 AND run_id <> $3 AND counted = $4
            AND state IN ('planned', 'waiting', 'braked', 'submitted')
            AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.clinic_id = $1
                AND a.run_id = operations.run_id AND a.approved AND a.valid_until > $5
                AND operations.planned_at <= a.decided_at)
            AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.clinic_id = $1
                AND o.link_id = operations.link_id AND o.run_id = $3
                AND o.state IN ('planned', 'waiting', 'braked', 'submitted'))"
    }
    OPERATIONS_SINCE = {
        "SELECT COUNT(*) FROM operations
         WHERE clinic_id = $1 AND list_id = $2 AND settled_at >= $3 AND state = 'acknowledged'
            AND counted <> 'no' AND counted = $4"
    }
}

impl Store {
    /// Lets operations go that an approval still covers: its plan, as it was when it was approved,
    /// holds one of the same link and verb, or the archive that was to be followed by this invitation (L21, L23). The brake does not count them any more. Returns how many. Fenced.
    pub async fn operations_release(
        &self,
        lease: &Lease,
        run: RunId,
        now: DateTime<Utc>,
    ) -> Result<u64> {
        let end = self.operations_end(run).await?;
        self.execute_in_stretches(lease, OPERATIONS_RELEASE, &[run.into(), now.into()], end).await
    }

    /// Lets braked operations go that the brake counts as `counted`, once it found them few
    /// enough. Returns how many. Fenced.
    pub async fn operations_unhold(
        &self,
        lease: &Lease,
        run: RunId,
        list: &ListRow,
        counted: Counted,
    ) -> Result<u64> {
        let end = self.operations_end(run).await?;
        let args = args![list.clinic, run, list.id, counted];
        self.execute_in_stretches(lease, OPERATIONS_UNHOLD, &args, end).await
    }

    /// Leaves what the brake holds of the run to the list's next plan, where it is counted with all
    /// else. Fenced.
    pub async fn operations_leave(&self, lease: &Lease, run: RunId, list: &ListRow) -> Result<()> {
        let now = self.clock.now();
        again!(self, {
            let mut tx = self.begin_under(lease).await?;
            tx.execute(LINKS_STALE_OF_BRAKED, args![list.clinic, run, list.id]).await?;
            tx.execute(OPERATIONS_LEAVE, args![list.clinic, run, list.id, now]).await?;
            tx.commit().await
        })
    }

    /// Counts the run's operations on the list by kind and state.
    pub async fn operations_counts(
        &self,
        run: RunId,
        list: &ListRow,
    ) -> Result<Vec<OperationCount>> {
        self.db.rows(OPERATIONS_COUNTS, args![list.clinic, run, list.id]).await
    }

    /// Counts the links that other runs would still change on the list, as the brake counts them,
    /// and how many of those are held back; not what an admin approved, nor what `run` plans itself.
    pub async fn operations_of_others(
        &self,
        run: RunId,
        list: &ListRow,
        counted: Counted,
        now: DateTime<Utc>,
    ) -> Result<(u64, u64)> {
        let args = args![list.clinic, list.id, run, counted.word(), now];
        let found: Option<(i64, i64)> = self.db.row(OPERATIONS_OF_OTHERS, args).await?;
        Ok(found.map_or((0, 0), |(open, held)| (count(open), count(held))))
    }

    /// Counts removals made on the list since then, as the brake counts them.
    pub async fn removals_since(&self, list: &ListRow, since: DateTime<Utc>) -> Result<u64> {
        self.made_since(list, since, Counted::Removal).await
    }

    /// Counts invitations made on the list since then.
    pub async fn invitations_since(&self, list: &ListRow, since: DateTime<Utc>) -> Result<u64> {
        self.made_since(list, since, Counted::Invitation).await
    }

    async fn made_since(
        &self,
        list: &ListRow,
        since: DateTime<Utc>,
        counted: Counted,
    ) -> Result<u64> {
        let args = args![list.clinic, list.id, since, counted];
        let made: Option<(i64,)> = self.db.row(OPERATIONS_SINCE, args).await?;
        Ok(made.map_or(0, |(made,)| count(made)))
    }
}
