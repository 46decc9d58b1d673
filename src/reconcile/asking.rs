//! Asking by text: within the hours, and one question at a time from each sender.

use chrono::{DateTime, Utc};

use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{Address, Verb};
use crate::store::OperationRow;

impl Reconciler {
    /// Puts off the texts that may not be sent now, and returns what may go.
    pub(super) async fn ask_in_turn(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        page: Vec<OperationRow>,
    ) -> Result<Vec<OperationRow>, ReconcileError> {
        let Some(asking) = &list.policy.asking else { return Ok(page) };
        let now = self.clock.now();
        let opens = asking.hours.next(now);
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

    /// Returns until when another clinic's question to the number is open, where the two share the
    /// account: an answer must be to one of them (L27).
    async fn asked_by_others(
        &self,
        list: &ManagedList,
        address: &Address,
    ) -> Result<Option<DateTime<Utc>>, ReconcileError> {
        let now = self.clock.now();
        let mut until = None;
        let others = self.roster.lists().filter(|(practice, other)| {
            other.account == list.account && practice.id != list.row.clinic
        });
        for (_, other) in others {
            let expires = other.policy.invitation_expires;
            let asked = self.asked_on(other, address).await?.and_then(|row| row.link.invitation);
            let open = asked.filter(|sent| sent.is_open(now, expires));
            until = until.max(open.map(|sent| sent.sent_at + expires));
        }
        Ok(until)
    }
}
