//! Operations: planned changes as rows, sent and settled page by page; settled ones are the journal.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{At, Count, args, count, from_json, id_rows, json};
use super::error::Result;
use super::leases::Lease;
use super::lists::ListRow;
use super::sql::statements;
use super::words::OpState;
use crate::domain::operation::{Counted, Payload};
use crate::domain::{
    Address, Channel, ClinicId, ContactId, LinkId, ListId, MemberKey, MemberStatus, Operation,
    Reason, RunId, Verb,
};

/// An operation to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedOperation {
    /// Its id.
    pub id: Uuid,
    /// What is to be done.
    pub op: Operation,
    /// Whether it may be made.
    pub state: OpState,
}

/// A stored operation with what is needed to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Its id.
    pub id: Uuid,
    /// The run that planned it.
    pub run: RunId,
    /// Its place in the run's plan.
    pub ordinal: i64,
    /// What is to be done.
    pub op: Operation,
    /// The contact's address; none of a member whom the clinic never knew, or once erased.
    pub address: Option<Address>,
    /// The provider's key of the member.
    pub member: Option<MemberKey>,
    /// The provider's job it was sent in.
    pub job: Option<String>,
    /// The list.
    pub list: ListId,
    /// The contact; none of a member whom the clinic never knew.
    pub contact: Option<ContactId>,
    /// How often it was tried in vain before.
    pub tries: u32,
    /// How far it got.
    pub state: OpState,
}

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

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct JournalRow {
    /// Its place in the run's plan.
    pub ordinal: i64,
    /// The list.
    #[sqlx(rename = "list_id")]
    pub list: ListId,
    /// The link.
    #[sqlx(rename = "link_id")]
    pub link: LinkId,
    /// What was done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// How far it got.
    pub state: OpState,
    /// When it got there.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
}

#[derive(Serialize)]
struct LinkGiven {
    link: Uuid,
}

#[derive(Serialize)]
struct OperationPut<'a> {
    id: Uuid,
    ordinal: i64,
    link: Uuid,
    verb: &'static str,
    reason: &'static str,
    counted: &'static str,
    from_status: &'static str,
    payload: Option<String>,
    invitation: Option<&'a str>,
    state: &'static str,
}

#[derive(sqlx::FromRow)]
struct OperationColumns {
    id: Uuid,
    run_id: RunId,
    ordinal: i64,
    list_id: ListId,
    link_id: LinkId,
    verb: Verb,
    reason: Reason,
    counted: Counted,
    from_status: MemberStatus,
    payload: Option<String>,
    invitation: Option<String>,
    state: OpState,
    job: Option<String>,
    channel: Channel,
    contact_id: Option<ContactId>,
    address: Option<String>,
    member_key: Option<MemberKey>,
    tries: Option<i64>,
}

macro_rules! operation_columns {
    () => {
        "SELECT o.id, o.run_id, o.ordinal, o.list_id, o.link_id, o.verb, o.reason, o.counted,
            o.from_status, o.payload, o.invitation, o.state, o.job, l.channel, k.contact_id, c.address,
            k.member_key, CASE WHEN p.verb = o.verb THEN p.tries END AS tries
         FROM operations o
         JOIN lists l ON l.clinic_id = o.clinic_id AND l.id = o.list_id
         JOIN links k ON k.clinic_id = o.clinic_id AND k.id = o.link_id
         LEFT JOIN contacts c ON c.clinic_id = k.clinic_id AND c.id = k.contact_id
         LEFT JOIN parked p ON p.clinic_id = k.clinic_id AND p.link_id = k.id "
    };
}

statements! {
    OPERATIONS_ADD (given: id uuid, ordinal bigint, link uuid, verb text, reason text,
        counted text, from_status text, payload text, invitation text, state text) = {
        "INSERT INTO operations (clinic_id, run_id, ordinal, id, list_id, link_id, verb, reason,
            counted, from_status, payload, invitation, state, planned_at)
         SELECT $2, $3, ordinal, id, $4, link, verb, reason, counted, from_status, payload,
            invitation, state, $5
         FROM given"
    }
    OPERATIONS_END = {
        "SELECT COALESCE(MAX(ordinal), 0) + 1 FROM operations
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1"
    }
    OPERATIONS_RELEASE = {
        "UPDATE operations SET state = 'planned', counted = 'no'
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1
            AND state IN ('waiting', 'braked')
            AND EXISTS (SELECT 1 FROM approvals a JOIN operations o
                ON o.clinic_id = a.clinic_id AND o.run_id = a.run_id
                WHERE a.clinic_id = operations.clinic_id AND a.approved AND a.valid_until > $2
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
    // A link planned again within a run: the newer plan counts. `= TRUE` keeps SQLite from reading
    // the whole run for each page of it.
    OPERATIONS_REPLACE (given: link uuid) = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $4
         WHERE operations.clinic_id = $2 AND operations.link_id IN (SELECT g.link FROM given g)
            AND (operations.run_id = $3) = TRUE AND state IN ('planned', 'waiting', 'braked')"
    }
    OPERATIONS_UNSENT (given: id uuid) = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $3
         FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id AND state = 'submitted'"
    }
    LINKS_UNSENT (given: id uuid) = {
        "UPDATE links SET intent_verb = NULL, intent_from = NULL, intent_at = NULL, stale = TRUE,
            version = links.version + 1
         FROM operations o
         WHERE o.clinic_id = $2 AND o.id IN (SELECT g.id FROM given g)
            AND links.clinic_id = $2 AND links.id = o.link_id"
    }
    LINKS_SUPERSEDE = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND id IN (SELECT link_id FROM operations
            WHERE clinic_id = $1 AND list_id = $2 AND run_id <> $3
                AND state IN ('planned', 'waiting', 'braked', 'submitted')
                AND state <> 'submitted'
            LIMIT $4)"
    }
    OPERATIONS_SUPERSEDE = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $4
         WHERE clinic_id = $1 AND (run_id, ordinal) IN (SELECT run_id, ordinal FROM operations
            WHERE clinic_id = $1 AND list_id = $2 AND run_id <> $3
                AND state IN ('planned', 'waiting', 'braked', 'submitted')
                AND state <> 'submitted'
            LIMIT $5)"
    }
    OPERATIONS_COUNTS = {
        "SELECT verb, counted, state, COUNT(*) AS count FROM operations
         WHERE clinic_id = $1 AND run_id = $2 AND list_id = $3
         GROUP BY verb, counted, state ORDER BY verb, counted, state"
    }
    OPERATIONS_SINCE = {
        "SELECT COUNT(*) FROM operations
         WHERE clinic_id = $1 AND list_id = $2 AND settled_at >= $3 AND state = 'acknowledged'
            AND counted <> 'no' AND counted = $4"
    }
    OPERATIONS_PAGE = {
        operation_columns!(),
        "WHERE o.clinic_id = $1 AND o.run_id = $2 AND o.list_id = $3 AND o.ordinal > $4
            AND o.state = $6
         ORDER BY o.ordinal LIMIT $5"
    }
    OPERATIONS_OPEN = {
        operation_columns!(),
        "WHERE o.clinic_id = $1 AND o.list_id = $2
            AND o.state IN ('planned', 'waiting', 'braked', 'submitted') AND o.state = 'submitted'
         ORDER BY o.run_id, o.ordinal"
    }
    OPERATIONS_SUBMITTED (given: id uuid) = {
        "UPDATE operations SET state = 'submitted', job = COALESCE($3, job), submitted_at = $4
         FROM given g WHERE operations.clinic_id = $2 AND operations.id = g.id"
    }
    // An open invitation is void before the provider is called (L12).
    LINKS_INTENT (given: id uuid) = {
        "UPDATE links SET intent_verb = o.verb, intent_from = o.from_status, intent_at = $3,
            intent_invitation = o.invitation,
            invitation_voided = links.invitation_voided
                OR o.verb IN ('unsubscribe', 'archive', 'erase')
         FROM operations o
         WHERE o.clinic_id = $2 AND o.id IN (SELECT g.id FROM given g)
            AND links.clinic_id = $2 AND links.id = o.link_id"
    }
    OPERATIONS_JOB (given: id uuid) = {
        "UPDATE operations SET job = $3 FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id"
    }
    JOURNAL = {
        "SELECT ordinal, list_id, link_id, verb, reason, state,
            COALESCE(settled_at, submitted_at, planned_at) AS at
         FROM operations
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1
            AND ordinal > $2
         ORDER BY ordinal LIMIT $3"
    }
}

impl Store {
    /// Stores planned operations, numbered from `start_ordinal` on. A run's ordinals are unique
    /// over all its lists: see [`Store::operations_end`]. Fenced.
    pub async fn operations_insert(
        &self,
        lease: &Lease,
        run: RunId,
        list: &ListRow,
        start_ordinal: i64,
        planned: &[PlannedOperation],
    ) -> Result<()> {
        let now = self.clock.now();
        let numbered: Vec<_> = (start_ordinal..).zip(planned).collect();
        for numbered in numbered.chunks(self.db.chunk() / 2) {
            let links: Vec<_> =
                numbered.iter().map(|(_, planned)| LinkGiven { link: planned.op.link.0 }).collect();
            let puts = numbered
                .iter()
                .map(|(ordinal, planned)| operation_put(*ordinal, planned))
                .collect::<Result<Vec<_>>>()?;
            let mut tx = self.begin_under(lease).await?;
            let args = args![json(&links)?, list.clinic, run, now];
            tx.execute(OPERATIONS_REPLACE, args).await?;
            let args = args![json(&puts)?, list.clinic, run, list.id, now];
            tx.execute(OPERATIONS_ADD, args).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Returns the first free ordinal of the run's plan.
    pub async fn operations_end(&self, run: RunId) -> Result<i64> {
        let end: Option<(i64,)> = self.db.row(OPERATIONS_END, args![run]).await?;
        Ok(end.map_or(1, |(end,)| end))
    }

    /// Lets operations go that an approval still covers: its plan holds one of the same link and
    /// verb, or the archive that was to be followed by this invitation (L21, L23). The brake does not count them any more. Returns how many. Fenced.
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

    /// Sets aside operations that were certainly not sent; their links are planned again. Fenced.
    pub async fn operations_unsent(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
    ) -> Result<()> {
        let now = self.clock.now();
        for ids in ids.chunks(self.db.chunk() / 2) {
            let rows = id_rows(ids.iter().copied())?;
            let mut tx = self.begin_under(lease).await?;
            tx.execute(LINKS_UNSENT, args![rows.clone(), clinic]).await?;
            tx.execute(OPERATIONS_UNSENT, args![rows, clinic, now]).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Sets aside what runs other than `run` planned for the list and did not send; their links are
    /// planned again. Fenced.
    pub async fn operations_supersede(
        &self,
        lease: &Lease,
        run: RunId,
        list: &ListRow,
    ) -> Result<()> {
        let limit = self.db.chunk_i64() / 2;
        let links = args![list.clinic, list.id, run, limit];
        let operations = args![list.clinic, list.id, run, self.clock.now(), limit];
        loop {
            let mut tx = self.begin_under(lease).await?;
            tx.execute(LINKS_SUPERSEDE, links.clone()).await?;
            let done = tx.execute(OPERATIONS_SUPERSEDE, operations.clone()).await?;
            tx.commit().await?;
            if done == 0 {
                return Ok(());
            }
        }
    }

    /// Counts the run's operations on the list by kind and state.
    pub async fn operations_counts(
        &self,
        run: RunId,
        list: &ListRow,
    ) -> Result<Vec<OperationCount>> {
        self.db.rows(OPERATIONS_COUNTS, args![list.clinic, run, list.id]).await
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

    /// Returns a page of the run's operations in `state` on the list, by ordinal.
    pub async fn operations_page(
        &self,
        run: RunId,
        list: &ListRow,
        after_ordinal: i64,
        limit: u32,
        state: OpState,
    ) -> Result<Vec<OperationRow>> {
        let args = args![list.clinic, run, list.id, after_ordinal, limit, state];
        let rows: Vec<OperationColumns> = self.db.rows(OPERATIONS_PAGE, args).await?;
        rows.into_iter().map(OperationColumns::row).collect()
    }

    /// Returns what was sent to the list and never settled: the leftovers of a crash.
    pub async fn operations_open(&self, list: &ListRow) -> Result<Vec<OperationRow>> {
        let rows: Vec<OperationColumns> =
            self.db.rows(OPERATIONS_OPEN, args![list.clinic, list.id]).await?;
        rows.into_iter().map(OperationColumns::row).collect()
    }

    /// Records that the operations are about to be sent, and the intent with each link: before the
    /// call, so that a crash cannot hide it (L17). Fenced.
    pub async fn operations_submitted(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
        job: Option<&str>,
    ) -> Result<()> {
        let now = self.clock.now();
        for ids in ids.chunks(self.db.chunk() / 2) {
            let rows = id_rows(ids.iter().copied())?;
            let mut tx = self.begin_under(lease).await?;
            tx.execute(OPERATIONS_SUBMITTED, args![rows.clone(), clinic, job, now]).await?;
            tx.execute(LINKS_INTENT, args![rows, clinic, now]).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Records the provider's job that the operations were sent in. Fenced.
    pub async fn operations_job(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
        job: &str,
    ) -> Result<()> {
        for ids in ids.chunks(self.db.chunk()) {
            let rows = id_rows(ids.iter().copied())?;
            self.execute_under(lease, OPERATIONS_JOB, args![rows, clinic, job]).await?;
        }
        Ok(())
    }

    /// Returns a page of the run's journal, by ordinal.
    pub async fn journal(&self, run: RunId, after: i64, limit: u32) -> Result<Vec<JournalRow>> {
        self.db.rows(JOURNAL, args![run, after, limit]).await
    }
}

fn operation_put(ordinal: i64, planned: &PlannedOperation) -> Result<OperationPut<'_>> {
    let op = &planned.op;
    Ok(OperationPut {
        id: planned.id,
        ordinal,
        link: op.link.0,
        verb: op.verb.word(),
        reason: op.reason.word(),
        counted: op.counted.word(),
        from_status: op.from.word(),
        payload: op.payload.as_ref().map(json).transpose()?,
        invitation: op.invitation.as_deref(),
        state: planned.state.word(),
    })
}

impl OperationColumns {
    fn row(self) -> Result<OperationRow> {
        let payload = self.payload.map(|text| from_json::<Payload>("payload", &text));
        let op = Operation {
            link: self.link_id,
            verb: self.verb,
            reason: self.reason,
            counted: self.counted,
            from: self.from_status,
            payload: payload.transpose()?,
            invitation: self.invitation,
        };
        Ok(OperationRow {
            id: self.id,
            run: self.run_id,
            ordinal: self.ordinal,
            op,
            address: self.address.map(|text| Address::stored(self.channel, text)),
            member: self.member_key,
            job: self.job,
            list: self.list_id,
            contact: self.contact_id,
            tries: self.tries.and_then(|tries| u32::try_from(tries).ok()).unwrap_or_default(),
            state: self.state,
        })
    }
}
