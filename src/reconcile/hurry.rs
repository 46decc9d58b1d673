//! What an admin asked for about single people is done at once: their members are read again on every
//! list, and what follows from it is carried out, as after a webhook.

use std::collections::BTreeSet;

use super::tenure::Tenure;
use super::{ReconcileError, Reconciler};
use crate::domain::{Address, ClinicId};

impl Reconciler {
    /// Attends at once to whoever has one of the addresses, on all of the clinic's lists, then to the
    /// clinic's own record and what is to be erased here. Tells whether something is left: to a worker
    /// that holds an account for long, to an admin's first approval, or because it failed, which is
    /// logged; the next run does it.
    pub async fn hurry(
        &self,
        clinic: ClinicId,
        addresses: &[Address],
    ) -> Result<bool, ReconcileError> {
        let lists = self.roster.lists().filter(|(practice, _)| practice.id == clinic);
        let names: BTreeSet<&str> = lists.map(|(_, list)| list.account.as_str()).collect();
        let mut left = false;
        for name in names {
            let Some(tenure) = Tenure::take_in_turn(self, &format!("account:{name}")).await? else {
                left = true;
                continue;
            };
            let done = Box::pin(self.hurry_account(&tenure, clinic, addresses)).await;
            tenure.release().await?;
            left |= done.unwrap_or_else(|error| {
                tracing::warn!(
                    account = name,
                    error = error.chain(),
                    "could not be done at once; the next run does it"
                );
                true
            });
        }
        let practice = self.roster.practices.iter().find(|practice| practice.id == clinic);
        if let Some(practice) = practice {
            Box::pin(self.close(practice)).await?;
        }
        Ok(left)
    }

    async fn hurry_account(
        &self,
        tenure: &Tenure<'_>,
        clinic: ClinicId,
        addresses: &[Address],
    ) -> Result<bool, ReconcileError> {
        let account = tenure.lease.name.strip_prefix("account:").unwrap_or_default();
        let lists = self
            .roster
            .lists()
            .filter(|(practice, list)| practice.id == clinic && list.account == account);
        let mut left = false;
        for (_, list) in lists {
            let Some(list) = self.as_it_is(list).await? else {
                left = true;
                continue;
            };
            tenure.prolong().await?;
            self.settle_sent(tenure, &list).await?;
            let asked_at = self.clock.now();
            let mut read = Vec::new();
            for address in addresses.iter().filter(|a| a.channel() == list.row.channel) {
                read.extend(self.read_address(&list, address).await?);
            }
            let seen = self.store.members_observe(&tenure.lease, &list.row, &read).await?;
            self.store.links_urgent(&tenure.lease, &list.row, &seen, asked_at).await?;
            self.turn_urgent(tenure, &list).await?;
        }
        Ok(left)
    }
}
