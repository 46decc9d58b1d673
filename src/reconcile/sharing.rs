//! Audiences that several lists share: whoever one of them wants stays for all; an opt-out ends it
//! for all (L27).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{KnownList, ManagedList, ReconcileError, Reconciler};
use crate::domain::{Class, MemberKey, Reason, Verb};
use crate::plan::{Decision, Verdict, judge};
use crate::providers::ListReader;
use crate::store::{LinkRow, ListRow};

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
