//! Addresses that several people have or had: what of them is one person's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::{ContactId, LinkId, Patient};
use crate::store::{HeldAddress, LedgerLine, LinkRow};

/// The addresses of one patient that another person has or had too. Why something was done there may be
/// about them, and what was done before this patient had the address is.
pub(super) struct Shared {
    /// When this patient is known to have had the address first.
    since: BTreeMap<ContactId, DateTime<Utc>>,
    of_link: BTreeMap<LinkId, ContactId>,
}

impl Shared {
    pub(super) fn of(
        me: &Patient,
        held: &[HeldAddress],
        lines: &[LedgerLine],
        links: &[LinkRow],
    ) -> Self {
        let shared = held.iter().filter(|held| held.of_others);
        let since = |contact| {
            let own = lines
                .iter()
                .filter(|line| (line.patient, line.contact) == (Some(me.id), Some(contact)));
            let said = own.filter_map(|line| {
                let event = line.said.as_ref().map(|said| &said.event);
                Some(event.and_then(|event| event.draft.occurred_at)?.min(line.recorded_at))
            });
            said.chain([me.record.updated_at]).min().unwrap_or(me.record.updated_at)
        };
        let contact = |row: &LinkRow| row.facts.contact.as_ref().map(|contact| contact.id);
        Self {
            since: shared.map(|held| (held.contact, since(held.contact))).collect(),
            of_link: links.iter().filter_map(|row| Some((row.link.id, contact(row)?))).collect(),
        }
    }

    pub(super) fn contact(&self, link: LinkId) -> Option<ContactId> {
        self.of_link.get(&link).copied()
    }

    pub(super) fn is_shared(&self, contact: Option<ContactId>) -> bool {
        contact.is_some_and(|contact| self.since.contains_key(&contact))
    }

    /// Tells whether this patient had the address then.
    pub(super) fn is_theirs(&self, contact: Option<ContactId>, at: DateTime<Utc>) -> bool {
        contact.and_then(|contact| self.since.get(&contact)).is_none_or(|since| *since <= at)
    }
}
