//! Who of many addresses may be sent to on a list now, and why not the others: what a sender asks
//! before a campaign, where the list lives with us.

use std::collections::BTreeMap;

use super::{KnownList, ReconcileError, Reconciler};
use crate::domain::{Address, ContactId, Reason};
use crate::plan::decide;

impl Reconciler {
    /// Answers for each address, in the order asked: it may be sent to, or why not.
    ///
    /// The answer is as of what was read last; [`Reconciler::attest`] says how old that is.
    pub async fn scrub(
        &self,
        list: &KnownList,
        addresses: &[Address],
    ) -> Result<Vec<Result<(), Reason>>, ReconcileError> {
        let mut answers = self.scrub_one(list, addresses).await?;
        for sharer in &list.sharers {
            // An opt-out to one of the sharers ends it for all (L27).
            let theirs = self.scrub_one(sharer, addresses).await?;
            for (answer, their) in answers.iter_mut().zip(theirs) {
                if answer.is_ok()
                    && let Err(reason) = their
                    && reason.is_opt_out()
                {
                    *answer = Err(reason);
                }
            }
        }
        Ok(answers)
    }

    async fn scrub_one(
        &self,
        list: &KnownList,
        addresses: &[Address],
    ) -> Result<Vec<Result<(), Reason>>, ReconcileError> {
        let clinic = list.row.clinic;
        let contacts = self.store.contacts_find(clinic, addresses.iter()).await?;
        let ids: Vec<ContactId> = contacts.values().map(|(id, _)| *id).collect();
        let rows = self.store.links_by_contact(&list.row, &ids).await?;
        let rows: BTreeMap<ContactId, _> =
            rows.iter().filter_map(|row| Some((row.facts.contact.as_ref()?.id, row))).collect();
        let now = self.clock.now();
        let facts = list.facts();
        let answer = |address: &Address| {
            let row = contacts.get(address).and_then(|(id, _)| rows.get(id));
            let Some(row) = row else { return Err(Reason::UnknownMember) };
            decide(&row.facts, &row.link, &facts, now).clears(&row.link)
        };
        // A list that no admin has approved yet sends to nobody (L20).
        let open = list.row.approved_at.is_some() && list.row.retired_at.is_none();
        let answers = addresses
            .iter()
            .map(|address| if open { answer(address) } else { Err(Reason::NotApproved) });
        Ok(answers.collect())
    }
}
