//! Operations: planned changes as rows, read page by page; settled ones are the journal.

use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, from_json, json};
use super::db::again;
use super::error::Result;
use super::leases::Lease;
use super::lists::ListRow;
use super::sql::statements;
use super::words::OpState;
use crate::domain::operation::{Counted, Payload};
use crate::domain::{
    Address, Channel, ContactId, LinkId, ListId, MemberKey, MemberStatus, Operation, Reason, RunId,
    Verb,
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
    OPERATIONS_LEFT = {
        "SELECT ordinal FROM operations
         WHERE clinic_id = $1 AND list_id = $2 AND run_id <> $3
            AND state IN ('planned', 'waiting', 'braked', 'submitted') AND state <> 'submitted'
         LIMIT 1"
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
        for numbered in numbered.chunks(self.db.chunk()) {
            let puts = numbered
                .iter()
                .map(|(ordinal, planned)| operation_put(*ordinal, planned))
                .collect::<Result<Vec<_>>>()?;
            let args = args![json(&puts)?, list.clinic, run, list.id, now];
            self.execute_under(lease, OPERATIONS_ADD, args).await?;
        }
        Ok(())
    }

    /// Returns the first free ordinal of the run's plan.
    pub async fn operations_end(&self, run: RunId) -> Result<i64> {
        let end: Option<(i64,)> = self.db.row(OPERATIONS_END, args![run]).await?;
        Ok(end.map_or(1, |(end,)| end))
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
        while self.is_any_left(run, list).await? {
            again!(self, {
                let mut tx = self.begin_under(lease).await?;
                tx.execute(LINKS_SUPERSEDE, links.clone()).await?;
                tx.execute(OPERATIONS_SUPERSEDE, operations.clone()).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    async fn is_any_left(&self, run: RunId, list: &ListRow) -> Result<bool> {
        let left: Option<(i64,)> =
            self.db.row(OPERATIONS_LEFT, args![list.clinic, list.id, run]).await?;
        Ok(left.is_some())
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
