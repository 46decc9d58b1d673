//! Audiences that several lists share: whoever one of them wants stays for all; an opt-out ends it
//! for all (L27).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::tenure::Tenure;
use super::{KnownList, ManagedList, ReconcileError, Reconciler};
use crate::domain::{
    Actor, Address, Class, Draft, EventKind, MemberKey, OptOut, OptOutKind, Reason, TimeSource,
    Verb,
};
use crate::plan::{Decision, Verdict, judge};
use crate::providers::ListReader;
use crate::store::{LinkRow, ListRow, ProvenOptOut};

impl Reconciler {
    /// Takes out of a page of decisions what would undo the wish of a list that shares the
    /// audience.
    pub(super) async fn spare_shared(
        &self,
        list: &ListRow,
        sharers: &[KnownList],
        page: &[LinkRow],
        decisions: &mut [Decision],
        now: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        for sharer in sharers {
            let asked: Vec<MemberKey> = page
                .iter()
                .zip(decisions.iter())
                .filter(|(_, decision)| yields(decision, list, sharer))
                .filter_map(|(row, _)| key(row))
                .collect();
            if asked.is_empty() {
                continue;
            }
            let wanted = self.wanted_by(sharer, &asked, now).await?;
            for (row, decision) in page.iter().zip(decisions.iter_mut()) {
                let spared = key(row).is_some_and(|key| wanted.contains(&key));
                if spared && yields(decision, list, sharer) {
                    decision.operation = None;
                    decision.class = Class::InStep;
                    decision.reasons.insert(0, Reason::WantedByAnother);
                }
            }
        }
        Ok(())
    }

    /// Tells those who share the sender of a list that lives with us of the opt-outs on record here:
    /// no provider shows them to each other, and one ends it for all.
    pub(super) async fn tell_sharers<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        page: &[LinkRow],
    ) -> Result<(), ReconcileError> {
        if list.sharers.is_empty() || !shared(list).is_empty() {
            return Ok(());
        }
        let out: Vec<_> = page.iter().filter_map(newest_opt_out).collect();
        if out.is_empty() {
            return Ok(());
        }
        for sharer in &list.sharers {
            let clinic = sharer.row.clinic;
            let addresses = out.iter().map(|(address, _)| *address);
            let there = self.store.contacts_find(clinic, addresses).await?;
            let is_told = |(address, opt_out): &(&Address, &OptOut)| {
                let theirs = there.get(address);
                theirs.is_some_and(|(_, standing)| standing.has_opted_out_since(opt_out.at))
            };
            let untold = out.iter().filter(|out| !is_told(out));
            let told: Vec<_> = untold
                .map(|(address, opt_out)| ProvenOptOut {
                    clinic,
                    channel: sharer.row.channel,
                    hashes: self.store.address_hashes(clinic, address),
                    at: None,
                    held_since: None,
                    draft: at_a_sharer(opt_out, &sharer.row),
                })
                .collect();
            self.store.opt_outs_record(&tenure.lease, clinic, &told).await?;
        }
        Ok(())
    }

    async fn wanted_by(
        &self,
        sharer: &KnownList,
        keys: &[MemberKey],
        now: DateTime<Utc>,
    ) -> Result<BTreeSet<MemberKey>, ReconcileError> {
        let links = self.store.links_by_member(&sharer.row, keys).await?;
        let wanted = links
            .iter()
            .filter(|row| matches!(judge(&row.facts, &sharer.policy, now), Verdict::Wanted(_)));
        Ok(wanted.filter_map(key).collect())
    }
}

/// Returns the lists that share the members of an audience: none where the list lives with us, as
/// then each list has its own word.
pub(super) fn shared<L: ListReader + ?Sized>(list: &ManagedList<L>) -> &[KnownList] {
    if list.port.capabilities().shows.is_empty() { &[] } else { &list.sharers }
}

/// Returns the newest opt-out from an address; an erasure is the clinic's own affair.
fn newest_opt_out(row: &LinkRow) -> Option<(&Address, &OptOut)> {
    let contact = row.facts.contact.as_ref()?;
    let opt_outs = contact.standing.opt_outs.iter().filter(|out| out.kind != OptOutKind::Erased);
    Some((contact.address.as_ref()?, opt_outs.max_by_key(|opt_out| opt_out.at)?))
}

/// Says at one clinic what was said at another: of this channel alone, and not by whose clock.
fn at_a_sharer(opt_out: &OptOut, list: &ListRow) -> Draft {
    let actor = if opt_out.by_person { Actor::Person } else { Actor::Listwarden };
    let mut draft = Draft::new(EventKind::Withdrawn, actor, TimeSource::Listwarden, &list.slug);
    draft.channel = Some(list.channel);
    draft.list = Some(list.id);
    draft.method = Some("said no to another clinic that shares the sender".to_owned());
    draft.occurred_at = Some(opt_out.at);
    draft.unique = format!("shared/{}", opt_out.event);
    draft
}

fn key(row: &LinkRow) -> Option<MemberKey> {
    row.link.observed.as_ref()?.member.clone()
}

/// Tells whether a change gives way to another list's wish: a removal that is not the person's own
/// opt-out; and fields, which the first list by name that maps any sets.
fn yields(decision: &Decision, list: &ListRow, sharer: &KnownList) -> bool {
    let name = |row: &ListRow| (row.clinic, row.slug.clone());
    let maps = |list: &KnownList| !(list.policy.fields.is_empty() && list.policy.tags.is_empty());
    decision.operation.as_ref().is_some_and(|operation| match operation.verb {
        Verb::Update => maps(sharer) && name(&sharer.row) < name(list),
        verb => verb.removes() && !operation.reason.is_opt_out(),
    })
}
