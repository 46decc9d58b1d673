//! The plan: every change that is due as a row, counted by the brake before the first is sent.

use chrono::{DateTime, TimeDelta, Utc};

use super::learn::at_once;
use super::sharing::shared;
use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::operation::Counted;
use crate::domain::{Class, RunId, Verb};
use crate::plan::{Decision, Gauge, brake, decide};
use crate::providers::ListReader;
use crate::store::{LinkRow, OpState, OperationCount, PlannedLink, PlannedOperation, Which};

/// The brake looks back this far (L23).
pub(super) const ROLLING: TimeDelta = TimeDelta::hours(24);

/// Where the plan of a run begins that has planned nothing yet.
const FIRST_ORDINAL: i64 = 1;

/// What a plan came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Planned {
    /// Operations free to be carried out.
    pub(super) to_execute: u64,
}

impl Reconciler {
    /// Plans every link, or some, and holds back what must wait for an admin.
    pub(super) async fn plan_run<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList<L>,
        which: Which,
    ) -> Result<Planned, ReconcileError> {
        let now = self.clock.now();
        if self.plan_links(tenure, run, list, which, now).await? == FIRST_ORDINAL {
            return Ok(Planned::default());
        }
        self.store.operations_release(&tenure.lease, run, now).await?;
        self.brake(tenure, run, list, now).await?;
        self.store.links_withheld(&tenure.lease, run, &list.row).await?;
        let counts = self.store.operations_counts(run, &list.row).await?;
        let to_execute = counted(&counts, |kind| kind.state == OpState::Planned);
        Ok(Planned { to_execute })
    }

    /// Plans the links and returns the ordinal after that of the run's last operation.
    async fn plan_links<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList<L>,
        which: Which,
        now: DateTime<Utc>,
    ) -> Result<i64, ReconcileError> {
        let facts = list.facts();
        let first = list.row.approved_at.is_none();
        let opens = list.policy.asking.as_ref().and_then(|asking| asking.hours.next(now));
        let mut ordinal = self.store.operations_end(run).await?;
        let again = which == Which::Urgent || ordinal > FIRST_ORDINAL;
        let mut after = -1;
        let mut done = 0;
        loop {
            let page = self.store.links_page(&list.row, after, at_once(which), which).await?;
            let Some(last) = page.last() else { return Ok(ordinal) };
            after = last.ordinal;
            tenure.renew().await?;
            let mut links = Vec::with_capacity(page.len());
            let mut operations = Vec::new();
            let mut settled = Vec::new();
            let mut decisions: Vec<Decision> =
                page.iter().map(|row| decide(&row.facts, &row.link, &facts, now)).collect();
            self.spare_shared(&list.row, shared(list), &page, &mut decisions, now).await?;
            for (row, decision) in page.iter().zip(decisions) {
                let (link, operation) = self.placed(row, decision, first, opens, now);
                let is_parked = link.class == Class::Parked;
                if row.parked.is_some() && operation.is_none() && !is_parked {
                    settled.push(row.link.id);
                }
                // With a change, always: should the facts have changed meanwhile, it is kept back.
                if operation.is_some() || !stands_as(row, &link) {
                    links.push(link);
                }
                operations.extend(operation);
            }
            done += page.len() as u64;
            let store = &self.store;
            if again {
                let planned: Vec<_> = page.iter().map(|row| row.link.id).collect();
                store.operations_outdate(&tenure.lease, run, list.row.clinic, &planned).await?;
            }
            store.operations_insert(&tenure.lease, run, &list.row, ordinal, &operations).await?;
            store.links_planned(&tenure.lease, list.row.clinic, &links).await?;
            store.parked_clear(&tenure.lease, list.row.clinic, &settled).await?;
            ordinal += i64::try_from(operations.len()).unwrap_or_default();
            self.progress.at(&list.row.slug, "links planned", done, None);
        }
    }

    /// Says where a link stands and, if a change is due, in which state its row begins.
    ///
    /// What the brake counts begins held and is let go once the count is known. A text that may not
    /// be sent before `opens` is planned then.
    fn placed(
        &self,
        row: &LinkRow,
        decision: Decision,
        first: bool,
        opens: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> (PlannedLink, Option<PlannedOperation>) {
        let reason = decision.reason();
        let link = PlannedLink {
            link: row.link.id,
            version: row.version,
            class: decision.class,
            reason,
            due_at: decision.due_at,
            stale: !decision.drafts.is_empty(),
        };
        let Some(op) = decision.operation.filter(|_| decision.drafts.is_empty()) else {
            return (link, None);
        };
        let parked = row.parked.as_ref().filter(|parked| parked.verb == op.verb);
        if let Some(parked) = parked.filter(|parked| parked.next_try > now) {
            let due_at = Some(parked.next_try);
            return (PlannedLink { class: Class::Parked, due_at, ..link }, None);
        }
        if let Some(opens) = opens.filter(|_| op.verb == Verb::Invite && !first) {
            return (PlannedLink { due_at: Some(opens), ..link }, None);
        }
        let state = match op.counted {
            _ if first => OpState::Waiting,
            Counted::No => OpState::Planned,
            Counted::Removal | Counted::Invitation => OpState::Braked,
        };
        (link, Some(PlannedOperation { id: self.clock.id(), op, state }))
    }

    /// Lets go what is few enough, together with what other runs of the list would still change (a
    /// turn for a webhook beside a sweep, say); the rest waits for an admin.
    async fn brake<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList<L>,
        now: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let store = &self.store;
        let since = now - ROLLING;
        let counts = store.operations_counts(run, &list.row).await?;
        let braked = |what: Counted| {
            counted(&counts, |kind| kind.state == OpState::Braked && kind.counted == what)
        };
        let of_others = |what| store.operations_of_others(run, &list.row, what, now);
        if braked(Counted::Removal) + braked(Counted::Invitation) == 0 {
            return Ok(());
        }
        let (removals, removals_held) = of_others(Counted::Removal).await?;
        let (invitations, invitations_held) = of_others(Counted::Invitation).await?;
        let gauge = Gauge {
            listed: store.list_counts(&list.row).await?.listed,
            removals: removals + braked(Counted::Removal),
            removals_held: removals_held > 0,
            removed: store.removals_since(&list.row, since).await?,
            invitations: invitations + braked(Counted::Invitation),
            invitations_held: invitations_held > 0,
            invited: store.invitations_since(&list.row, since).await?,
        };
        let held = brake::hold(gauge, &list.policy.brake);
        for (counted, holds) in
            [(Counted::Removal, held.removals), (Counted::Invitation, held.invitations)]
        {
            if !holds {
                store.operations_unhold(&tenure.lease, run, &list.row, counted).await?;
            }
        }
        Ok(())
    }
}

/// Tells whether the row says already what was planned; then it is not written again.
fn stands_as(row: &LinkRow, planned: &PlannedLink) -> bool {
    row.planned == Some((planned.class, planned.reason))
        && row.due_at == planned.due_at
        && row.stale == planned.stale
}

fn counted(counts: &[OperationCount], which: impl Fn(&OperationCount) -> bool) -> u64 {
    counts.iter().filter(|kind| which(kind)).map(|kind| kind.count).sum()
}
