//! Opt-outs on a provider's own lists, which have no dates: whoever stands there since the last
//! reading opted out between the two.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::replies::Share;
use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::told::{EVER, opt_out};
use super::{ReconcileError, Reconciler};
use crate::domain::ClinicId;
use crate::providers::{Notice, Word};
use crate::store::{HeldRow, ProvenOptOut};

/// How long before a reading an opt-out may have been made that it did not show yet: a list may lag
/// behind.
const LAG: TimeDelta = TimeDelta::minutes(10);

impl Reconciler {
    /// Records the opt-outs of a clinic's share that were not there the last time, unless they are on
    /// record by another way.
    pub(super) async fn heed_held(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        share: &Share<'_>,
    ) -> Result<(), ReconcileError> {
        let listed: Vec<_> = share.told.iter().filter(|(notice, ..)| is_listed(notice)).collect();
        if listed.is_empty() {
            return Ok(());
        }
        let (clinic, reader, now) = (share.practice.id, reader(account), self.clock.now());
        let keys: Vec<&str> =
            listed.iter().filter_map(|(notice, ..)| notice.id.as_deref()).collect();
        let known = self.store.held_known(clinic, &reader, &keys).await?;
        let before = self.store.notices_read_until(clinic, &reader).await?;
        let since = before.map_or(EVER, |before| before - LAG);
        let is_new = |notice: &Notice| notice.id.as_ref().is_some_and(|id| !known.contains(id));
        let new =
            listed.iter().filter(|(notice, ..)| is_new(notice)).filter_map(|(notice, _, lists)| {
                // Named anew: it may have stood there once before.
                let told = Notice { id: None, ..(*notice).clone() };
                let anew = || self.clock.id().to_string();
                let told = opt_out(&self.store, share.practice, lists.first()?, &told, anew, now)?;
                Some(ProvenOptOut { held_since: Some(since), ..told })
            });
        let new: Vec<_> = new.collect();
        self.store.opt_outs_record(&tenure.lease, clinic, &new).await?;
        let addresses = listed.iter().map(|(_, address, _)| *address);
        let contacts = self.store.contacts_find(clinic, addresses).await?;
        let seen = listed.iter().filter_map(|(notice, address, _)| {
            let contact = contacts.get(*address).map(|(id, _)| *id);
            Some(HeldRow { key: notice.id.clone()?, contact })
        });
        let seen: Vec<_> = seen.collect();
        Ok(self.store.held_seen(&tenure.lease, clinic, &reader, &seen).await?)
    }

    /// Records that the account's lists of opt-outs have been read whole, beginning at `begun`.
    pub(super) async fn held_read(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        begun: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let reader = reader(account);
        let of_account = self.roster.lists().filter(|(_, list)| list.account == account.account);
        let clinics: BTreeSet<ClinicId> = of_account.map(|(practice, _)| practice.id).collect();
        for clinic in clinics {
            self.store.held_gone(&tenure.lease, clinic, &reader, begun).await?;
            self.store.notices_read(&tenure.lease, clinic, &reader, begun).await?;
        }
        Ok(())
    }
}

/// Tells whether a notice is about an opt-out on a list.
pub(super) fn is_listed(notice: &Notice) -> bool {
    matches!(notice.word, Word::HoldsOptOut { listed: true, .. })
}

/// Each account reads by itself, and may read lists that another does not.
fn reader(account: &ManagedAccount) -> String {
    format!("opt-outs/{}/{}", account.clinic, account.name)
}
