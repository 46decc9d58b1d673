//! What a run would do, without doing it: the `plan` command.
//!
//! It may store what it observes, and holds only a [`ListReader`]: it cannot write to a provider,
//! and records nothing in the ledger. What the clinic's record would teach is applied in memory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::learn::at_once;
use super::sharing::shared;
use super::tenure::Tenure;
use super::{ManagedList, Practice, ReconcileError, Reconciler};
use crate::domain::operation::Counted;
use crate::domain::{
    Address, Channel, Class, Consent, ContactFacts, Contacts, EventId, LinkId, Operation, Reason,
    Verb,
};
use crate::plan::consents::{changes, holds_no};
use crate::plan::{Decision, Gauge, brake, decide};
use crate::providers::ListReader;
use crate::store::{LinkRow, Which};

/// What a run would do to one list.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// The list's short name.
    pub list: String,
    /// Whether the changes would wait: for the first approval, or for the brake.
    pub waits: bool,
    /// Links by class.
    pub classes: BTreeMap<Class, u64>,
    /// Changes by verb and reason.
    pub changes: BTreeMap<Verb, BTreeMap<Reason, u64>>,
    /// Events that would be recorded.
    pub events: u64,
    /// Set when the provider's answer was too short to plan on: (missing, total).
    pub short: Option<(u64, u64)>,
}

/// One change a run would make.
#[derive(Debug, Clone)]
pub struct PreviewRow {
    /// The link.
    pub link: LinkId,
    /// What would be done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// The address; prints redacted.
    pub address: Option<Address>,
}

impl Reconciler {
    /// Plans one list and hands each change to `each`, executing none.
    pub async fn preview<L: ListReader + ?Sized>(
        &self,
        practice: &Practice<L>,
        list: &mut ManagedList<L>,
        each: &mut (dyn FnMut(PreviewRow) + Send),
    ) -> Result<Option<Preview>, ReconcileError> {
        let name = format!("account:{}", list.account);
        let Some(tenure) = Tenure::take_in_turn(self, &name).await? else { return Ok(None) };
        let tenure = tenure.without_attending();
        let preview = self.preview_under(&tenure, practice, list, each).await;
        tenure.release().await?;
        preview.map(Some)
    }

    async fn preview_under<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice<L>,
        list: &mut ManagedList<L>,
        each: &mut (dyn FnMut(PreviewRow) + Send),
    ) -> Result<Preview, ReconcileError> {
        self.observe_patients(practice).await?;
        self.check_settings(tenure, list, false).await?;
        let mut preview = Preview {
            list: list.row.slug.clone(),
            waits: list.row.approved_at.is_none(),
            classes: BTreeMap::new(),
            changes: BTreeMap::new(),
            events: 0,
            short: None,
        };
        if let Some(short) = self.observe(tenure, list, false).await? {
            preview.short = Some((short.missing, short.total));
            return Ok(preview);
        }
        let mut gauge = self.gauge_so_far(list).await?;
        let now = self.clock.now();
        let mut after = -1;
        loop {
            let page =
                self.store.links_page(&list.row, after, at_once(Which::All), Which::All).await?;
            let Some(last) = page.last() else { break };
            after = last.ordinal;
            tenure.renew().await?;
            let foreseen: Vec<ContactFacts> = page.iter().map(|row| foreseen(row, now)).collect();
            let decided = page.iter().zip(&foreseen);
            let mut decisions: Vec<Decision> =
                decided.map(|(row, facts)| decide(facts, &row.link, &list.facts(), now)).collect();
            self.spare_shared(&list.row, shared(list), &page, &mut decisions, now).await?;
            for (facts, decision) in foreseen.into_iter().zip(decisions) {
                *preview.classes.entry(decision.class).or_default() += 1;
                preview.events += decision.drafts.len() as u64;
                if let Some(operation) = decision.operation {
                    count(&mut gauge, &operation);
                    let reasons = preview.changes.entry(operation.verb).or_default();
                    *reasons.entry(operation.reason).or_default() += 1;
                    let address = facts.contact.and_then(|contact| contact.address);
                    let Operation { link, verb, reason, .. } = operation;
                    each(PreviewRow { link, verb, reason, address });
                }
            }
        }
        preview.waits |= brake::hold(gauge, &list.policy.brake).any();
        Ok(preview)
    }

    async fn gauge_so_far<L: ListReader + ?Sized>(
        &self,
        list: &ManagedList<L>,
    ) -> Result<Gauge, ReconcileError> {
        let since = self.clock.now() - super::plan_run::ROLLING;
        Ok(Gauge {
            listed: self.store.list_counts(&list.row).await?.listed,
            removed: self.store.removals_since(&list.row, since).await?,
            invited: self.store.invitations_since(&list.row, since).await?,
            ..Gauge::default()
        })
    }
}

fn count(gauge: &mut Gauge, operation: &Operation) {
    match operation.counted {
        Counted::Removal => gauge.removals += 1,
        Counted::Invitation => gauge.invitations += 1,
        Counted::No => {}
    }
}

/// The facts as they will be once the clinic's records are in the ledger.
fn foreseen(row: &LinkRow, now: DateTime<Utc>) -> ContactFacts {
    let mut facts = row.facts.clone();
    let channel = facts.contact.as_ref().map_or(Channel::Email, |contact| contact.channel);
    for (holder, said) in facts.holders.iter_mut().zip(&row.said) {
        let is_held = |of: Channel, no: &Consent| of != channel || holds_no(&holder.standing, no);
        for draft in changes(said.as_ref(), &holder.patient, &Contacts::default(), is_held) {
            if draft.channel.is_some_and(|about| about != channel) {
                continue;
            }
            let opts_out = matches!(
                draft.kind,
                crate::domain::EventKind::Withdrawn | crate::domain::EventKind::Objected
            );
            let event = draft.into_event(EventId(uuid::Uuid::nil()), now);
            holder.standing.apply(&event);
            if opts_out
                && holder.holds_now
                && let Some(contact) = &mut facts.contact
            {
                contact.standing.apply(&event);
            }
        }
    }
    facts
}
