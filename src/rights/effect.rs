//! Whether something that was written down changes anything, and if not, why: whoever typed it is told
//! at once, not after the lists did not follow.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::{Desk, RightsError};
use super::wishes::Wish;
use crate::domain::text::words;
use crate::domain::{
    Channel, ClinicId, ContactId, Event, EventId, EventKind, OptOut, OptOutKind, Patient,
    PatientId, Reason, Standing,
};
use crate::plan::{Verdict, judge};
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

/// What counts of what is on record of one person at one address.
#[derive(PartialEq, Eq)]
struct Counts {
    restricted: bool,
    /// Opt-outs of their own, which follow them to another address.
    own: BTreeSet<OptOutKind>,
    /// Those of the address.
    there: BTreeSet<OptOutKind>,
    refused: BTreeSet<String>,
}

impl Counts {
    /// Adds up what a person said, `own`, and what is known of the address, as the law does: what
    /// counts is what bars every consent, whosever word it is.
    fn of(own: &Standing, address: Option<&Standing>) -> Self {
        let all = || [own].into_iter().chain(address);
        let outs = || all().flat_map(|standing| &standing.opt_outs);
        let grants = || all().flat_map(|standing| &standing.grants);
        let live = || grants().filter(|grant| outs().all(|out| grant.lifts(out)));
        let bars = |out: &&OptOut| !grants().any(|grant| grant.lifts(out));
        let out = |standing: &Standing| -> BTreeSet<OptOutKind> {
            let bar = standing.opt_outs.iter().filter(|out| live().next().is_none() && bars(out));
            bar.map(|out| out.kind).collect()
        };
        let refusals = own.preferences.iter().filter(|known| known.refused);
        let refused = refusals.filter(|known| !live().any(|grant| grant.lifts(&known.said)));
        Self {
            restricted: own.is_restricted(),
            own: out(own),
            there: address.map(out).unwrap_or_default(),
            refused: refused.map(|known| known.purpose.clone()).collect(),
        }
    }

    fn is_out(&self, kind: OptOutKind) -> bool {
        self.own.contains(&kind) || self.there.contains(&kind)
    }
}

/// How a patient stands, and whoever shares an address with them.
#[derive(PartialEq, Eq)]
pub(super) struct Stands {
    patient: PatientId,
    /// By channel and address; none of a channel on which the patient has no address.
    counts: BTreeMap<(Channel, Option<ContactId>, PatientId), Counts>,
    /// What the law says of each address on each list, and by which proof.
    verdicts: BTreeMap<(ContactId, String), (Vec<Reason>, Option<EventId>)>,
}

impl Stands {
    /// Tells whether something counts of what the patient said, on one channel or on any.
    fn any(&self, channel: Option<Channel>, so: impl Fn(&Counts) -> bool) -> bool {
        self.counts.iter().any(|((on, _, patient), counts)| {
            *patient == self.patient && channel.is_none_or(|one| one == *on) && so(counts)
        })
    }
}

/// Says what a verdict rests on, as far as lists follow it.
fn rests_on(verdict: Verdict<'_>) -> (Vec<Reason>, Option<EventId>) {
    match verdict {
        Verdict::Wanted(wanted) => (vec![Reason::Wanted], wanted.proof.map(|proof| proof.event)),
        Verdict::Barred { reasons, .. } | Verdict::Dropped { reasons } => (reasons, None),
        Verdict::Unknown { .. } => (vec![Reason::UnknownMember], None),
    }
}

impl Desk<'_> {
    /// Asks the law how a patient stands.
    pub(super) async fn stands(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Stands, RightsError> {
        let store = &self.reconciler.store;
        let now = self.reconciler.clock.now();
        let mut stands = Stands { patient, counts: BTreeMap::new(), verdicts: BTreeMap::new() };
        for held in store.contacts_of_patient(clinic, patient).await? {
            let Some(facts) = store.contact(clinic, held.id).await? else { continue };
            let address = facts.contact.as_ref().map(|contact| &contact.standing);
            for holder in facts.holders.iter().filter(|holder| holder.holds_now) {
                let key = (held.channel, Some(held.id), holder.patient.id);
                stands.counts.insert(key, Counts::of(&holder.standing, address));
            }
            let lists = self.clinic.lists.iter();
            for list in lists.filter(|list| list.policy.channel == held.channel) {
                let verdict = rests_on(judge(&facts, &list.policy, now));
                stands.verdicts.insert((held.id, list.slug.clone()), verdict);
            }
        }
        let lines = store.ledger_of_patient(clinic, patient).await?;
        for channel in Channel::ALL {
            if !stands.counts.keys().any(|(on, ..)| on == channel) {
                let own = Counts::of(&alone(&lines, *channel), None);
                stands.counts.insert((*channel, None, patient), own);
            }
        }
        Ok(stands)
    }

    /// Tells why a wish that was taken down changes nothing; none where it changes something.
    pub(super) async fn idle(
        &self,
        clinic: ClinicId,
        patient: &Patient,
        wishes: &[Wish],
        before: &Stands,
    ) -> Result<Option<Idle>, RightsError> {
        let erasure = self.reconciler.store.erasure_of(clinic, patient.id).await?;
        if erasure.is_some_and(|far| far.erased_at.is_some()) {
            return Ok(Some(Idle::Erased));
        }
        let after = self.stands(clinic, patient.id).await?;
        let mut idle = None;
        for wish in wishes {
            idle = self.idle_wish(patient, wish, before, &after);
            if idle.is_none() {
                break;
            }
        }
        Ok(idle)
    }

    fn idle_wish(
        &self,
        patient: &Patient,
        wish: &Wish,
        before: &Stands,
        after: &Stands,
    ) -> Option<Idle> {
        let has = |channel| before.counts.keys().any(|(on, at, _)| *on == channel && at.is_some());
        let was = |so: fn(&Counts) -> bool| before.any(wish.channel(), so);
        match wish {
            Wish::Unrestrict if patient.record.restricted => Some(Idle::ClinicRestricts),
            Wish::NotBy { channel, purpose: Some(purpose) } if !self.has(*channel, purpose) => {
                Some(Idle::NoSuchPurpose)
            }
            Wish::NotBy { channel, .. } if !has(*channel) => Some(Idle::NoAddress),
            _ if before != after => None,
            Wish::Restrict if was(|counts| counts.restricted) => Some(Idle::Restricted),
            Wish::Unrestrict if !was(|counts| counts.restricted) => Some(Idle::NotRestricted),
            Wish::Restrict | Wish::Unrestrict => Some(Idle::NewerWord),
            Wish::Object if was(|counts| counts.is_out(OptOutKind::Objected)) => {
                Some(Idle::AlreadyOut)
            }
            Wish::NotBy { purpose: None, .. }
                if was(|counts| OptOutKind::ALL.iter().any(|kind| counts.is_out(*kind))) =>
            {
                Some(Idle::AlreadyOut)
            }
            Wish::NotBy { channel, purpose: Some(purpose) } => {
                let refused = |counts: &Counts| counts.refused.contains(purpose);
                let refused = before.any(Some(*channel), refused);
                Some(if refused { Idle::AlreadyOut } else { Idle::NewerWord })
            }
            Wish::Object | Wish::NotBy { .. } => Some(Idle::NewerConsent),
            Wish::Gladly { .. } => Some(Idle::ListsNobody),
        }
    }

    fn has(&self, channel: Channel, purpose: &str) -> bool {
        let mut lists = self.clinic.lists.iter().map(|list| &list.policy);
        lists.any(|list| list.channel == channel && list.purpose.as_deref() == Some(purpose))
    }
}

/// Adds up what a patient said on a channel by their own lines.
fn alone(lines: &[Event], channel: Channel) -> Standing {
    let mut standing = Standing::default();
    let here = |line: &&Event| line.draft.channel.is_none_or(|of| of == channel);
    for line in lines.iter().filter(here).filter(|line| line.draft.kind != EventKind::Bounced) {
        standing.apply(line);
    }
    standing
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
