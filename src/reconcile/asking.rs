//! Asking by text: within the hours, and one question at a time from each sender.

use chrono::{DateTime, Utc};

use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{Address, Verb};
use crate::store::OperationRow;

impl Reconciler {
    /// Returns when texts that ask may be sent again; none while they may. A page of them may take
    /// hours.
    pub(super) fn opens(&self, list: &ManagedList) -> Option<DateTime<Utc>> {
        list.policy.asking.as_ref()?.hours.next(self.clock.now())
    }

    /// Puts off the texts that may not be sent now, and returns what may go.
    pub(super) async fn ask_in_turn(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        page: Vec<OperationRow>,
    ) -> Result<Vec<OperationRow>, ReconcileError> {
        if list.policy.asking.is_none() {
            return Ok(page);
        }
        let opens = self.opens(list);
        let mut going = Vec::with_capacity(page.len());
        for row in page {
            let put_off = match (row.op.verb, &row.address, opens) {
                (Verb::Invite, _, Some(opens)) => Some(opens),
                (Verb::Invite, Some(address), None) => self.asked_by_others(list, address).await?,
                _ => None,
            };
            match put_off {
                None => going.push(row),
                Some(until) => {
                    let store = &self.store;
                    store
                        .operations_put_off(&tenure.lease, list.row.clinic, &[row.id], until)
                        .await?;
                }
            }
        }
        Ok(going)
    }

    /// Returns until when another question to the number is open: of another list of the clinic, or
    /// of another clinic where the two share the account. An answer must be to one of them (L27).
    async fn asked_by_others(
        &self,
        list: &ManagedList,
        address: &Address,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let now = self.clock.now();
        let mut until = None;
        let others = self.roster.lists().filter(|(practice, other)| {
            let beside = other.account == list.account || practice.id == list.row.clinic;
            beside && other.policy.asking.is_some() && other.row.id != list.row.id
        });
        for (_, other) in others {
            let expires = other.policy.invitation_expires;
            let Some(row) = self.asked_on(other, address).await? else { continue };
            let sent = row.link.invitation.filter(|sent| sent.is_open(now, expires));
            let going = row.link.intent.filter(|intent| intent.verb == Verb::Invite);
            let since = sent.map(|sent| sent.sent_at).max(going.map(|intent| intent.at));
            until = until.max(since.map(|since| since + expires).filter(|until| *until > now));
        }
        Ok(until)
    }
}
