//! What a signed delivery proves by itself: opt-outs, for every list it is about.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::providers::Notice;
use crate::reconcile::{ManagedAccount, Roster, opt_out};
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
        let mut told = BTreeSet::new();
        let lists = roster.lists_of(account, notice);
        for (practice, list) in lists.filter(|(practice, _)| told.insert(practice.id)) {
            let otherwise = || format!("delivery/{key}/{number}");
            proven.extend(opt_out(store, practice, list, notice, otherwise, now));
        }
    }
    proven
}
