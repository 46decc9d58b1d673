//! What became of each operation, into link, journal and ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::execute::Rows;
use super::tenure::Tenure;
use super::told::EVER;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::Draft;
use crate::domain::{Actor, Base, By, EventKind, Invitation, MemberStatus, TimeSource, Verb};
use crate::plan::payload;
use crate::providers::{Outcome, Refusal};
use crate::store::{OpState, OperationRow, Park, ProvenOptOut, Recorded};

impl Reconciler {
    /// Records what became of `ids`; one without an outcome is in doubt.
    pub(super) async fn record(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        rows: &Rows,
        ids: &[Uuid],
        outcomes: Vec<(Uuid, Outcome)>,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let mut outcomes: BTreeMap<Uuid, Outcome> = outcomes.into_iter().collect();
        let mut held = Vec::new();
        let mut recorded = Vec::new();
        for row in ids.iter().filter_map(|id| rows.get(id)) {
            let outcome = outcomes.remove(&row.id).unwrap_or(Outcome::Doubtful);
            held.extend(self.held_there(list, row, &outcome));
            recorded.push(consequence(list, row, outcome, now));
        }
        if !held.is_empty() {
            self.read_notices_again(tenure, list).await?;
        }
        self.store.opt_outs_record(&tenure.lease, list.row.clinic, &held).await?;
        Ok(self.store.operations_recorded(&tenure.lease, list.row.clinic, &recorded).await?)
    }

    /// An opt-out that the provider holds: it enters the ledger where none of the address is on
    /// record. The one on record is it otherwise, and a newer consent waits for the person to lift it
    /// there.
    fn held_there(
        &self,
        list: &ManagedList,
        row: &OperationRow,
        outcome: &Outcome,
    ) -> Option<ProvenOptOut> {
        let address = row.address.as_ref().filter(|_| is_held(outcome))?;
        let (clinic, channel) = (list.row.clinic, list.row.channel);
        let mut draft =
            Draft::new(EventKind::Withdrawn, Actor::Provider, TimeSource::Provider, &list.row.slug);
        draft.channel = Some(channel);
        draft.list = Some(list.row.id);
        draft.method = Some("the provider holds an opt-out, bounce or complaint".to_owned());
        draft.unique = format!("{}/refused/{}", row.op.link, row.id);
        let hashes = self.store.address_hashes(clinic, address);
        Some(ProvenOptOut { clinic, channel, hashes, at: None, held_since: Some(EVER), draft })
    }
}

fn is_held(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(Refusal::OptedOut))
}

/// The table: outcome -> what moves on the link.
fn consequence(
    list: &ManagedList,
    row: &OperationRow,
    outcome: Outcome,
    now: DateTime<Utc>,
) -> Recorded {
    let plain = Recorded::new(row.id, row.op.link, OpState::Refused);
    match outcome {
        Outcome::Done { member, status } => Recorded {
            state: OpState::Acknowledged,
            base: row.op.verb.leads_to().map(|_| Base { status, by: By::Us, at: now }),
            observed: row.op.verb.leads_to().map(|_| (status, member)),
            invitation: invitation(list, row, now),
            void_invitation: row.op.verb.removes(),
            digest: row.op.payload.as_ref().map(payload::digest),
            clear_intent: true,
            unpark: true,
            ..plain
        },
        Outcome::Absent if row.op.verb.removes() => Recorded {
            state: OpState::Acknowledged,
            base: Some(Base { status: MemberStatus::Absent, by: By::Us, at: now }),
            observed: Some((MemberStatus::Absent, None)),
            void_invitation: true,
            clear_intent: true,
            unpark: true,
            ..plain
        },
        Outcome::Absent => {
            Recorded { observed: Some((MemberStatus::Absent, None)), clear_intent: true, ..plain }
        }
        Outcome::Doubtful | Outcome::Refused(Refusal::WrongState) => {
            Recorded { state: OpState::Doubtful, ..plain }
        }
        Outcome::Refused(Refusal::Forgotten) => Recorded {
            observed: Some((MemberStatus::Forgotten, None)),
            clear_intent: true,
            ..plain
        },
        Outcome::Refused(refusal) => {
            let next_try = now + patience(&refusal, row.tries);
            let park = Park { reason: refusal.to_string(), next_try };
            Recorded { parked: Some(park), clear_intent: true, ..plain }
        }
    }
}

fn invitation(list: &ManagedList, row: &OperationRow, now: DateTime<Utc>) -> Option<Invitation> {
    let key = row.op.invitation.clone().filter(|_| row.op.verb == Verb::Invite)?;
    let wording = list.policy.asking.as_ref().map(|asking| asking.text.clone());
    Some(Invitation { key, sent_at: now, voided: false, confirmed: false, wording })
}

/// How long a refused change waits: doubled each time, capped by what it is. Never for ever.
fn patience(refusal: &Refusal, tries: u32) -> TimeDelta {
    let (first, most) = match refusal {
        Refusal::TooManySignUps => (Duration::from_hours(72), Duration::from_hours(720)),
        Refusal::OptedOut | Refusal::InvalidAddress | Refusal::Field { .. } => {
            (Duration::from_hours(24), Duration::from_hours(720))
        }
        _ => (Duration::from_mins(15), Duration::from_hours(6)),
    };
    let wait = first.saturating_mul(1 << tries.min(16)).min(most);
    TimeDelta::from_std(wait).unwrap_or(TimeDelta::hours(6))
}
