//! What a signed delivery proves by itself: opt-outs, for every list it is about.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::plan::opt_out;
use crate::providers::{Notice, Word};
use crate::reconcile::{ManagedAccount, Roster};
use crate::store::{ProvenOptOut, Store};

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
            let list = (list.row.id, list.row.slug.as_str());
            let mut draft = opt_out(list, account.channel, *complained, notice.at, now);
            draft.method = Some("told by the provider at once".to_owned());
            draft.evidence.clone_from(evidence);
            draft.unique = match &notice.id {
                Some(id) => format!("notice/{}/{id}", account.name),
                None => format!("delivery/{key}/{number}"),
            };
            proven.push(ProvenOptOut {
                clinic: practice.id,
                channel: account.channel,
                hashes: store.address_hashes(practice.id, address),
                // What the provider gives an id, is that act.
                at: notice.at.filter(|_| notice.id.is_none()),
                draft,
            });
        }
    }
    proven
}
