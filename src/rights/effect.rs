//! Whether something that was written down changes anything, and if not, why: whoever typed it is told
//! at once, not after the lists did not follow.

use std::collections::BTreeSet;

use super::desk::{Desk, RightsError};
use super::wishes::Wish;
use crate::domain::text::words;
use crate::domain::{
    Channel, ClinicId, ContactId, Event, EventId, EventKind, Grant, OptOutKind, Patient, Standing,
};
use crate::store::{Store, StoreError};

words! {
    /// Why something that was written down changes nothing.
    Idle {
        /// Restricted before.
        Restricted = "already_restricted",
        /// Not restricted here.
        NotRestricted = "not_restricted",
        /// Restricted by the clinic's own record.
        ClinicRestricts = "clinic_restricts",
        /// Something newer was said about it.
        NewerWord = "newer_word",
        /// Out before.
        AlreadyOut = "already_out",
        /// A consent that stands is newer.
        NewerConsent = "newer_consent",
        /// No list is for that purpose.
        NoSuchPurpose = "no_such_purpose",
        /// A preference for something.
        ListsNobody = "lists_nobody",
        /// No address on that channel.
        NoAddress = "no_address",
        /// Erased.
        Erased = "erased",
        /// An opt-out stands against a consent.
        OptOutStands = "opt_out_stands",
        /// An objection or a complaint does.
        ObjectionStands = "objection_stands",
        /// The same was asked before.
        AskedBefore = "asked_before",
    }
}

impl Idle {
    /// Says it to a person.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Restricted => "It changes nothing: the patient was restricted before.",
            Self::NotRestricted => "It changes nothing: no restriction was taken down here.",
            Self::ClinicRestricts => {
                "It changes nothing yet: the clinic's own record restricts the patient, and only the record lifts that."
            }
            Self::NewerWord => {
                "It changes nothing: what the patient said about it later is on record, and counts."
            }
            Self::AlreadyOut => "It changes nothing: the patient had said so before.",
            Self::NewerConsent => {
                "It changes nothing: a consent is on record that is newer than this, and counts."
            }
            Self::NoSuchPurpose => {
                "It changes nothing: no list of the clinic has that purpose on that channel; `purpose` of a list says its own."
            }
            Self::ListsNobody => {
                "It changes nothing: a preference for something lists nobody (L1)."
            }
            Self::NoAddress => {
                "It changes nothing yet: the patient has no address on that channel; it will hold for one that comes."
            }
            Self::Erased => "It changes nothing: the patient was erased.",
            Self::OptOutStands => {
                "It changes nothing: an opt-out stands. A consent counts only if it is newer, and by five minutes where the opt-out is by another clock (L2)."
            }
            Self::ObjectionStands => {
                "It changes nothing: an objection or a complaint stands, and only a newer consent that an admin accepts lifts it (L11)."
            }
            Self::AskedBefore => {
                "It was asked for before: who asked then, and why, stays on the receipt. What was given now is in the audit log alone."
            }
        }
    }
}

/// What counts of what somebody said about one channel.
#[derive(PartialEq, Eq)]
struct Counts {
    restricted: bool,
    out: BTreeSet<OptOutKind>,
    refused: BTreeSet<String>,
}

/// Returns what a patient's lines add up to on a channel, and what of it counts.
fn counts<'a>(events: impl Iterator<Item = &'a Event>, channel: Channel) -> Counts {
    let mut standing = Standing::default();
    let here = |event: &&Event| event.draft.channel.is_none_or(|of| of == channel);
    for event in events.filter(here).filter(|event| event.draft.kind != EventKind::Bounced) {
        standing.apply(event);
    }
    let lifted = |out| standing.grants.iter().any(|grant: &Grant| grant.lifts(out));
    let out = standing.opt_outs.iter().filter(|out| !lifted(out)).map(|out| out.kind);
    let refused = standing.preferences.iter().filter(|known| known.refused && !lifted(&known.said));
    Counts {
        restricted: standing.is_restricted(),
        out: out.collect(),
        refused: refused.map(|known| known.purpose.clone()).collect(),
    }
}

impl Desk<'_> {
    /// Tells why a wish that `event` took down changes nothing; none where it changes something.
    pub(super) async fn idle(
        &self,
        clinic: ClinicId,
        patient: &Patient,
        wish: &Wish,
        event: EventId,
    ) -> Result<Option<Idle>, RightsError> {
        let store = &self.reconciler.store;
        if store.erasure_of(clinic, patient.id).await?.is_some_and(|far| far.erased_at.is_some()) {
            return Ok(Some(Idle::Erased));
        }
        let held = store.contacts_of_patient(clinic, patient.id).await?;
        let lines = store.ledger_of_patient(clinic, patient.id).await?;
        let before = || lines.iter().filter(|line| line.id != event);
        let channels = wish.channel().map_or_else(|| Channel::ALL.to_vec(), |one| vec![one]);
        let stands: Vec<_> = channels
            .iter()
            .map(|channel| (counts(before(), *channel), counts(lines.iter(), *channel)))
            .collect();
        let changes = stands.iter().any(|(before, after)| before != after);
        let was = |so: fn(&Counts) -> bool| stands.iter().any(|(before, _)| so(before));
        let is = |so: fn(&Counts) -> bool| stands.iter().any(|(_, after)| so(after));
        let restricts = patient.record.restricted;
        Ok(match wish {
            Wish::Unrestrict if restricts => Some(Idle::ClinicRestricts),
            Wish::NotBy { channel, purpose: Some(purpose) } if !self.has(*channel, purpose) => {
                Some(Idle::NoSuchPurpose)
            }
            Wish::NotBy { channel, .. } if held.iter().all(|held| held.channel != *channel) => {
                Some(Idle::NoAddress)
            }
            _ if changes => None,
            Wish::Restrict if is(|counts| counts.restricted) => Some(Idle::Restricted),
            Wish::Unrestrict if !was(|counts| counts.restricted) => Some(Idle::NotRestricted),
            Wish::Restrict | Wish::Unrestrict => Some(Idle::NewerWord),
            Wish::Object if was(|counts| counts.out.contains(&OptOutKind::Objected)) => {
                Some(Idle::AlreadyOut)
            }
            Wish::NotBy { purpose: None, .. } if was(|counts| !counts.out.is_empty()) => {
                Some(Idle::AlreadyOut)
            }
            Wish::NotBy { purpose: Some(purpose), .. } => {
                let refused = stands.iter().any(|(before, _)| before.refused.contains(purpose));
                Some(if refused { Idle::AlreadyOut } else { Idle::NewerWord })
            }
            Wish::Object | Wish::NotBy { .. } => Some(Idle::NewerConsent),
            Wish::Gladly { .. } => Some(Idle::ListsNobody),
        })
    }

    fn has(&self, channel: Channel, purpose: &str) -> bool {
        let mut lists = self.clinic.lists.iter().map(|list| &list.policy);
        lists.any(|list| list.channel == channel && list.purpose.as_deref() == Some(purpose))
    }
}

/// Tells why a consent that `event` took down changes nothing; none where it counts.
pub async fn idle_consent(
    store: &Store,
    clinic: ClinicId,
    contact: ContactId,
    event: EventId,
) -> Result<Option<Idle>, StoreError> {
    let Some(facts) = store.contact(clinic, contact).await? else { return Ok(None) };
    let grants = facts
        .holders
        .iter()
        .flat_map(|holder| holder.standing.grants.iter().map(move |g| (holder, g)));
    let mut own = grants.filter(|(_, grant)| grant.event == event);
    let Some((holder, grant)) = own.next() else { return Ok(Some(Idle::NewerConsent)) };
    let standings = facts.contact.iter().map(|contact| &contact.standing).chain([&holder.standing]);
    let stand = standings.flat_map(|standing| standing.unlifted(grant)).map(|out| out.kind);
    Ok(stand.max().map(|kind| match kind {
        OptOutKind::Complained | OptOutKind::Objected if !grant.accepted => Idle::ObjectionStands,
        _ => Idle::OptOutStands,
    }))
}
