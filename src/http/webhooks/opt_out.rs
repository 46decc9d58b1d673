//! What a signed delivery proves by itself: opt-outs, for every list it is about.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{Actor, Draft, EventKind, TimeSource};
use crate::providers::{Notice, Word};
use crate::reconcile::{ManagedAccount, Roster};
use crate::store::{ProvenOptOut, Store};

/// Providers give whole seconds: an opt-out may have happened at the end of one (L2).
const COARSE: TimeDelta = TimeDelta::milliseconds(999);

/// Returns the opt-outs that notices prove, once for each clinic concerned (L15, L27).
pub(super) fn proven(
    store: &Store,
    roster: &Roster,
    account: &ManagedAccount,
    key: &str,
    notices: &[Notice],
    now: DateTime<Utc>,
) -> Vec<ProvenOptOut> {
    let mut proven = Vec::new();
    for (number, notice) in notices.iter().enumerate() {
        let (Word::OptedOut { complained, evidence }, Some(address)) =
            (&notice.word, &notice.address)
        else {
            continue;
        };
        let mut told = BTreeSet::new();
        for (practice, list) in roster.lists_of(account, notice) {
            if !told.insert(practice.id) {
                continue;
            }
            let kind = if *complained { EventKind::Complained } else { EventKind::Withdrawn };
            let mut draft = Draft::new(kind, Actor::Person, TimeSource::Provider, &list.row.slug);
            draft.channel = Some(account.channel);
            draft.list = Some(list.row.id);
            draft.method = Some("told by the provider at once".to_owned());
            draft.evidence.clone_from(evidence);
            draft.occurred_at = notice.at.map(|at| at.max(now.min(at + COARSE)));
            draft.unique = match &notice.id {
                Some(id) => format!("notice/{}/{id}", account.name),
                None => format!("delivery/{key}/{number}"),
            };
            proven.push(ProvenOptOut {
                clinic: practice.id,
                channel: account.channel,
                hashes: store.address_hashes(practice.id, address),
                draft,
            });
        }
    }
    proven
}
