//! Who of many addresses may be sent to on a list now, and why not the others: what a sender asks
//! before a campaign, where the list lives with us.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{KnownList, ReconcileError, Reconciler};
use crate::domain::{Address, ClinicId, ContactId, Reason};
use crate::keys::AddressHash;
use crate::plan::decide;
use crate::store::SuppressionRow;

/// Why an address may not be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayNot {
    /// Why.
    pub reason: Reason,
    /// Since when, where it is an opt-out of an address that nobody is known by.
    pub since: Option<DateTime<Utc>>,
}

impl From<Reason> for MayNot {
    fn from(reason: Reason) -> Self {
        Self { reason, since: None }
    }
}

impl Reconciler {
    /// Answers for each address, in the order asked: it may be sent to, or why not.
    ///
    /// The answer is as of what was read last; [`Reconciler::attest`] says how old that is.
    pub async fn scrub(
        &self,
        list: &KnownList,
        addresses: &[Address],
    ) -> Result<Vec<Result<(), MayNot>>, ReconcileError> {
        let mut answers = self.scrub_one(list, addresses).await?;
        for sharer in &list.sharers {
            // An opt-out to one of the sharers ends it for all (L27); which one, another clinic is not told.
            let elsewhere = sharer.row.clinic != list.row.clinic;
            let theirs = self.scrub_one(sharer, addresses).await?;
            for (answer, their) in answers.iter_mut().zip(theirs) {
                // An erasure is the one clinic's affair, and so is that it knew the person.
                if answer.is_ok()
                    && let Err(may_not) = their
                    && may_not.reason.is_opt_out()
                    && (!elsewhere || may_not.reason != Reason::Erased)
                {
                    let told = if elsewhere { Reason::WantedByAnother.into() } else { may_not };
                    *answer = Err(told);
                }
            }
        }
        Ok(answers)
    }

    async fn scrub_one(
        &self,
        list: &KnownList,
        addresses: &[Address],
    ) -> Result<Vec<Result<(), MayNot>>, ReconcileError> {
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
        let answers: Vec<_> = answers.map(|answer| answer.map_err(MayNot::from)).collect();
        self.as_suppressed(clinic, addresses, answers).await
    }

    /// Says of addresses that nobody is known by what their hashes tell: a no comes before not being
    /// known.
    async fn as_suppressed(
        &self,
        clinic: ClinicId,
        addresses: &[Address],
        mut answers: Vec<Result<(), MayNot>>,
    ) -> Result<Vec<Result<(), MayNot>>, ReconcileError> {
        let is_stranger = |answer: &Result<(), MayNot>| {
            answer.is_err_and(|may_not| {
                matches!(may_not.reason, Reason::UnknownMember | Reason::UnknownSuppressed)
            })
        };
        let strangers = (0..).zip(addresses.iter().zip(&answers));
        let asked: Vec<(usize, Vec<AddressHash>)> = strangers
            .filter(|(_, (_, answer))| is_stranger(answer))
            .map(|(place, (address, _))| (place, self.store.address_hashes(clinic, address)))
            .collect();
        let hashes = asked.iter().flat_map(|(_, hashes)| hashes);
        let known = self.store.suppressions_of(clinic, hashes).await?;
        let mut by_hash: BTreeMap<&str, &SuppressionRow> = BTreeMap::new();
        for row in &known {
            let strongest = by_hash.entry(&row.hash).or_insert(row);
            if strongest.kind < row.kind {
                *strongest = row;
            }
        }
        for (place, hashes) in &asked {
            let found = hashes.iter().filter_map(|hash| by_hash.get(hash.hash.as_str()));
            if let Some(row) = found.max_by_key(|row| row.kind) {
                let reason = Reason::opted_out(row.kind);
                answers[*place] = Err(MayNot { reason, since: Some(row.at) });
            }
        }
        Ok(answers)
    }
}
