//! Where an address or a patient stands on one channel: the ledger folded into what still counts.
//!
//! The fold takes the same events in any order to the same standing, so a webhook that comes late
//! changes nothing that it should not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::CLOCK_SKEW;
use super::text::words;
use super::{Actor, ContactId, Event, EventId, EventKind, TimeSource};

words! {
    /// What kind of basis a grant gives.
    GrantKind {
        /// Consent with evidence.
        Explicit = "explicit",
        /// A bare flag in the clinic's records (L3).
        Flag = "flag",
        /// An existing customer (L5).
        SoftOptIn = "soft_opt_in",
    }
}

/// A basis for marketing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The ledger line that gave it.
    pub event: EventId,
    /// What kind of basis it is.
    pub kind: GrantKind,
    /// The address it was given for, where one was on record (L8).
    #[serde(default)]
    pub contact: Option<ContactId>,
    /// The earliest it can have been given; none loses against every opt-out.
    pub at: Option<DateTime<Utc>>,
    /// Whose clock `at` is by.
    pub clock: TimeSource,
    /// When it was recorded here.
    pub recorded_at: DateTime<Utc>,
    /// The purpose it is limited to.
    pub purpose: Option<String>,
    /// Whether an admin accepted it against an objection or complaint.
    pub accepted: bool,
}

impl Grant {
    /// Tells whether this grant is newer than `opt_out` for certain (L2): a tie is lost, and so is
    /// a lead of under five minutes when two clocks are compared.
    #[must_use]
    pub fn outranks(&self, opt_out: &OptOut) -> bool {
        self.at.is_some_and(|at| leads(at, self.clock, opt_out))
    }

    /// Tells whether this grant leads to a new invitation in spite of `opt_out` (L2, L3, L11).
    #[must_use]
    pub fn lifts(&self, opt_out: &OptOut) -> bool {
        let strong_enough = match opt_out.kind {
            OptOutKind::Withdrawn | OptOutKind::Erased => self.kind == GrantKind::Explicit,
            OptOutKind::Complained | OptOutKind::Objected => {
                self.kind == GrantKind::Explicit && self.accepted
            }
        };
        strong_enough && self.outranks(opt_out)
    }

    /// Tells the same of an opt-out of an address. An admin accepts a grant against the objections and
    /// complaints of the address that it was given for, and of no other (L7, L11).
    #[must_use]
    pub fn lifts_at(&self, contact: ContactId, opt_out: &OptOut) -> bool {
        let by_admin = matches!(opt_out.kind, OptOutKind::Complained | OptOutKind::Objected);
        self.lifts(opt_out) && (!by_admin || self.contact == Some(contact))
    }
}

fn leads(at: DateTime<Utc>, clock: TimeSource, opt_out: &OptOut) -> bool {
    if clock == opt_out.clock { at > opt_out.at } else { at >= opt_out.at + CLOCK_SKEW }
}

words! {
    /// What kind of opt-out it is, the gentlest first.
    OptOutKind {
        /// One channel.
        Withdrawn = "withdrawn",
        /// The person's data was erased on request or with the patient.
        Erased = "erased",
        /// A spam report.
        Complained = "complained",
        /// Direct marketing on every channel.
        Objected = "objected",
    }
}

/// A wish to be left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// The ledger line that recorded it.
    pub event: EventId,
    /// What kind.
    pub kind: OptOutKind,
    /// The latest it can have happened.
    pub at: DateTime<Utc>,
    /// Whose clock `at` is by.
    pub clock: TimeSource,
    /// Whether the person acted, or told an admin who took it down, rather than a bare flag or the
    /// clinic's staff (L23).
    pub by_person: bool,
}

words! {
    /// What proves that the address asked (L10).
    ProofKind {
        /// The provider's confirmation after our invitation.
        Confirmation = "confirmation",
        /// Evidence from before the first run, accepted by policy (L21).
        Grandfathered = "grandfathered",
    }
}

/// Proof that this very address asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The ledger line that recorded it.
    pub event: EventId,
    /// What proves it.
    pub kind: ProofKind,
    /// The earliest it can have been given.
    pub at: DateTime<Utc>,
    /// Whose clock `at` is by.
    pub clock: TimeSource,
}

impl Proof {
    /// Tells whether the proof is newer than `opt_out` for certain (L2).
    #[must_use]
    pub fn outranks(&self, opt_out: &OptOut) -> bool {
        leads(self.at, self.clock, opt_out)
    }
}

/// Whether an admin restricted the processing of a patient's data, by the newest word (GDPR Art. 18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restriction {
    /// The ledger line.
    pub event: EventId,
    /// When it was said.
    pub at: DateTime<Utc>,
    /// Restricted, or free again.
    pub stands: bool,
}

/// A purpose that a patient refused by preference, or took the refusal back of, by the newest word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// The purpose.
    pub purpose: String,
    /// Whether it is refused.
    pub refused: bool,
    /// What was said, as an opt-out from that purpose alone.
    pub said: OptOut,
}

/// What still counts of an address's or a patient's events on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// The newest grant of each kind, purpose and acceptance.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// The newest opt-out of each kind, clock and hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opt_outs: Vec<OptOut>,
    /// The newest proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The newest bounce, as an opt-out of the mailbox rather than of the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce: Option<OptOut>,
    /// Whether an admin restricted the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restriction: Option<Restriction>,
    /// The newest preference about each purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<Preference>,
    /// When a message last reached the address again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<DateTime<Utc>>,
}

impl Standing {
    /// Takes one event into account. The caller sees to it that the event is about this channel.
    pub fn apply(&mut self, event: &Event) {
        match event.draft.kind {
            EventKind::Granted if event.draft.explicit => self.grant(event, GrantKind::Explicit),
            EventKind::Granted => self.grant(event, GrantKind::Flag),
            EventKind::SoftOptIn => self.grant(event, GrantKind::SoftOptIn),
            EventKind::Confirmed => self.prove(event, ProofKind::Confirmation),
            EventKind::Grandfathered => self.prove(event, ProofKind::Grandfathered),
            EventKind::Withdrawn => self.opt_out(event, OptOutKind::Withdrawn),
            EventKind::Objected => self.opt_out(event, OptOutKind::Objected),
            EventKind::Complained => self.opt_out(event, OptOutKind::Complained),
            EventKind::Erased => self.opt_out(event, OptOutKind::Erased),
            EventKind::Bounced => {
                let bounce = opt_out_of(event, OptOutKind::Withdrawn);
                let newer = |known: &OptOut| (known.at, known.event) < (bounce.at, bounce.event);
                if self.bounce.as_ref().is_none_or(newer) {
                    self.bounce = Some(bounce);
                }
            }
            EventKind::Delivered => self.reached = self.reached.max(event.as_grant()),
            EventKind::Preferred => self.prefer(event),
            EventKind::Restricted | EventKind::Unrestricted => self.restrict(event),
            EventKind::AddressChanged => {}
        }
    }

    /// Returns the bounce, unless a message reached the address since.
    #[must_use]
    pub fn undeliverable(&self) -> Option<&OptOut> {
        self.bounce.as_ref().filter(|bounce| self.reached.is_none_or(|at| at <= bounce.at))
    }

    /// Returns the opt-outs that `grant` does not lift: by its age, or for want of an admin's
    /// acceptance (L11).
    pub fn unlifted<'a>(&'a self, grant: &'a Grant) -> impl Iterator<Item = &'a OptOut> {
        self.opt_outs.iter().filter(|opt_out| !grant.lifts(opt_out))
    }

    /// Tells whether an opt-out of this kind, seen at `at` by that clock, is on record already: the
    /// same act as a webhook told it, or as it was read later.
    #[must_use]
    pub fn has_on_record(
        &self,
        kind: EventKind,
        at: Option<DateTime<Utc>>,
        clock: TimeSource,
    ) -> bool {
        let kind = match kind {
            EventKind::Withdrawn => OptOutKind::Withdrawn,
            EventKind::Complained => OptOutKind::Complained,
            _ => return false,
        };
        let asked_again = |known: &OptOut| {
            let granted = self.grants.iter().filter_map(|grant| grant.at);
            granted.chain(self.proof.as_ref().map(|proof| proof.at)).any(|at| at > known.at)
        };
        at.is_some_and(|at| {
            self.opt_outs.iter().any(|known| {
                (known.kind, known.clock, known.by_person) == (kind, clock, true)
                    && (known.at - at).abs() <= CLOCK_SKEW
                    && (known.at >= at || !asked_again(known))
            })
        })
    }

    /// Tells whether an opt-out is on record that happened at `since` or later.
    #[must_use]
    pub fn has_opted_out_since(&self, since: DateTime<Utc>) -> bool {
        let told = |known: &&OptOut| known.kind != OptOutKind::Erased;
        self.opt_outs.iter().filter(told).any(|known| known.at >= since)
    }

    fn grant(&mut self, event: &Event, kind: GrantKind) {
        let new = Grant {
            event: event.id,
            kind,
            contact: event.draft.contact,
            at: event.as_grant(),
            clock: event.draft.clock,
            recorded_at: event.recorded_at,
            purpose: event.draft.purpose.clone(),
            accepted: event.draft.accepted,
        };
        let same = |known: &Grant| {
            (known.kind, &known.purpose, known.accepted) == (new.kind, &new.purpose, new.accepted)
        };
        match self.grants.iter_mut().find(|known| same(known)) {
            None => self.grants.push(new),
            Some(known) if (known.at, known.event) < (new.at, new.event) => *known = new,
            Some(_) => {}
        }
        self.grants.sort_by(|a, b| {
            (a.kind, &a.purpose, a.accepted).cmp(&(b.kind, &b.purpose, b.accepted))
        });
    }

    fn opt_out(&mut self, event: &Event, kind: OptOutKind) {
        let new = opt_out_of(event, kind);
        let slot = |known: &OptOut| (known.kind, known.clock, known.by_person);
        match self.opt_outs.iter_mut().find(|known| slot(known) == slot(&new)) {
            None => self.opt_outs.push(new),
            Some(known) if (known.at, known.event) < (new.at, new.event) => *known = new,
            Some(_) => {}
        }
        self.opt_outs.sort_by_key(slot);
    }

    /// What the clinic's record says of restriction is read from the record; an admin's word stands
    /// beside it.
    fn restrict(&mut self, event: &Event) {
        if event.draft.actor != Actor::Admin {
            return;
        }
        let (at, _) = event.as_opt_out();
        let stands = event.draft.kind == EventKind::Restricted;
        let new = Restriction { event: event.id, at, stands };
        if self.restriction.is_none_or(|known| (known.at, known.event) < (at, event.id)) {
            self.restriction = Some(new);
        }
    }

    /// A preference about a purpose bars that purpose, or does so no more; any other lists nobody, and
    /// bars nobody.
    fn prefer(&mut self, event: &Event) {
        let Some(purpose) = event.draft.purpose.clone() else { return };
        if event.draft.actor != Actor::Admin {
            return;
        }
        let said = opt_out_of(event, OptOutKind::Withdrawn);
        let new = Preference { purpose, refused: event.draft.refuses, said };
        match self.preferences.iter_mut().find(|known| known.purpose == new.purpose) {
            None => self.preferences.push(new),
            Some(known) if (known.said.at, known.said.event) < (new.said.at, new.said.event) => {
                *known = new;
            }
            Some(_) => {}
        }
        self.preferences.sort_by(|a, b| a.purpose.cmp(&b.purpose));
    }

    /// Tells whether an admin restricted the patient.
    #[must_use]
    pub fn is_restricted(&self) -> bool {
        self.restriction.is_some_and(|restriction| restriction.stands)
    }

    /// Returns the refusal of a purpose that `grant` is not newer than.
    #[must_use]
    pub fn refused(&self, purpose: Option<&str>, grant: &Grant) -> Option<&OptOut> {
        let of_purpose = |known: &&Preference| Some(known.purpose.as_str()) == purpose;
        let refusals = self.preferences.iter().filter(|known| known.refused);
        refusals.filter(of_purpose).map(|known| &known.said).find(|said| !grant.lifts(said))
    }

    fn prove(&mut self, event: &Event, kind: ProofKind) {
        let Some(at) = event.as_grant() else { return };
        let new = Proof { event: event.id, kind, at, clock: event.draft.clock };
        if self.proof.as_ref().is_none_or(|known| (known.at, known.event) < (new.at, new.event)) {
            self.proof = Some(new);
        }
    }
}

fn opt_out_of(event: &Event, kind: OptOutKind) -> OptOut {
    let (at, clock) = event.as_opt_out();
    let by_person = matches!(event.draft.actor, Actor::Person | Actor::Admin);
    OptOut { event: event.id, kind, at, clock, by_person }
}
