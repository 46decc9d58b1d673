//! Events: what is known about a person's wishes, one line of the ledger each (L1).

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::text::words;
use super::{Channel, ContactId, EventId, ListId, PatientId};

words! {
    /// What happened.
    EventKind {
        /// Consent, with or without evidence (see [`Event::explicit`]).
        Granted = "granted",
        /// An existing customer, with the three facts on record (L5).
        SoftOptIn = "soft_opt_in",
        /// The address proved that it asked (L10).
        Confirmed = "confirmed",
        /// Consent withdrawn on one channel.
        Withdrawn = "withdrawn",
        /// Direct marketing objected to, on every channel.
        Objected = "objected",
        /// A preference, which lists nobody.
        Preferred = "preferred",
        /// Processing restricted (GDPR Art. 18).
        Restricted = "restricted",
        /// The restriction lifted.
        Unrestricted = "unrestricted",
        /// The address is undeliverable.
        Bounced = "bounced",
        /// A message reached the address again after it was undeliverable.
        Delivered = "delivered",
        /// The contact reported a message as spam.
        Complained = "complained",
        /// The person was erased.
        Erased = "erased",
        /// Proof accepted for a member from before the first run (L21).
        Grandfathered = "grandfathered",
        /// The member's address was changed at the provider (L19); which one it is now, is not told.
        AddressChanged = "address_changed",
    }
}

words! {
    /// What a clinic's own record is told of.
    NoteKind {
        /// Consent withdrawn.
        Withdrawn = "withdrawn",
        /// Direct marketing objected to.
        Objected = "objected",
        /// A message reported as spam.
        Complained = "complained",
        /// The address confirmed.
        Confirmed = "confirmed",
        /// The address is undeliverable.
        Bounced = "bounced",
        /// The member's address was changed at the provider.
        AddressChanged = "address_changed",
        /// Asked to confirm.
        Invited = "invited",
    }
}

impl NoteKind {
    /// Returns what is told of an event; none where nothing is.
    #[must_use]
    pub const fn of(kind: EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::Withdrawn => Self::Withdrawn,
            EventKind::Objected => Self::Objected,
            EventKind::Complained => Self::Complained,
            EventKind::Confirmed => Self::Confirmed,
            EventKind::Bounced => Self::Bounced,
            EventKind::AddressChanged => Self::AddressChanged,
            _ => return None,
        })
    }

    /// Tells whether it is a no, which is told whatever else the record takes (L15).
    #[must_use]
    pub const fn is_opt_out(self) -> bool {
        matches!(self, Self::Withdrawn | Self::Objected | Self::Complained)
    }
}

words! {
    /// Who acted.
    Actor {
        /// The person, at the provider or on record as explicit.
        Person = "person",
        /// The clinic, by a bare change in its records.
        Clinic = "clinic",
        /// An admin, by hand.
        Admin = "admin",
        /// The provider, by its own rules.
        Provider = "provider",
        /// This program, by the configured policy.
        Listwarden = "listwarden",
    }
}

words! {
    /// Whose clock an instant was read from.
    TimeSource {
        /// The clinic's.
        Clinic = "clinic",
        /// The list provider's.
        Provider = "provider",
        /// Ours.
        Listwarden = "listwarden",
    }
}

/// By how much a grant must lead an opt-out whose time came from another clock (L2).
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// What an event says: the event before it has an id and a time of recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// What happened.
    pub kind: EventKind,
    /// The channel; none means every channel.
    pub channel: Option<Channel>,
    /// The address it came from.
    pub contact: Option<ContactId>,
    /// The patient who acted, where known.
    pub patient: Option<PatientId>,
    /// The list it was seen on.
    pub list: Option<ListId>,
    /// Who acted.
    pub actor: Actor,
    /// How.
    pub method: Option<String>,
    /// Where it was learned.
    pub source: String,
    /// The wording shown.
    pub wording: Option<String>,
    /// What proves it.
    pub evidence: Option<String>,
    /// The purpose it is limited to.
    pub purpose: Option<String>,
    /// The reason given.
    pub reason: Option<String>,
    /// Whether actor, method, wording and time are on record.
    pub explicit: bool,
    /// Whether an admin accepted it against an objection.
    pub accepted: bool,
    /// Whether a preference refuses its purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses: bool,
    /// When it happened, as far as known.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Whose clock that is by.
    pub clock: TimeSource,
    /// What makes it the same event when it is learned twice.
    pub unique: String,
}

impl Draft {
    /// Starts a draft with nothing but what every event has.
    #[must_use]
    pub fn new(kind: EventKind, actor: Actor, clock: TimeSource, source: &str) -> Self {
        Self {
            kind,
            channel: None,
            contact: None,
            patient: None,
            list: None,
            actor,
            method: None,
            source: source.to_owned(),
            wording: None,
            evidence: None,
            purpose: None,
            reason: None,
            explicit: false,
            accepted: false,
            refuses: false,
            occurred_at: None,
            clock,
            unique: String::new(),
        }
    }

    /// Names what somebody did by whom, what and when: told by a webhook or read later, it is the
    /// same act.
    #[must_use]
    pub fn act(contact: ContactId, kind: EventKind, at: DateTime<Utc>) -> String {
        format!("{contact}/{kind}/{}", at.timestamp_millis())
    }

    /// Gives it its id and its time of recording.
    #[must_use]
    pub const fn into_event(self, id: EventId, recorded_at: DateTime<Utc>) -> Event {
        Event { id, draft: self, binds: BTreeSet::new(), recorded_at }
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What it says.
    #[serde(flatten)]
    pub draft: Draft,
    /// Further patients it binds: those who held the address then (L8).
    #[serde(default)]
    pub binds: BTreeSet<PatientId>,
    /// When it was recorded here.
    pub recorded_at: DateTime<Utc>,
}

impl Event {
    /// Returns the instant a grant counts at: the earliest it can have happened (L2).
    ///
    /// None where it has no time of its own, or one later than its own recording: a clock set
    /// forward gains nothing.
    #[must_use]
    pub fn as_grant(&self) -> Option<DateTime<Utc>> {
        self.draft
            .occurred_at
            .filter(|at| *at <= self.recorded_at + CLOCK_SKEW)
            .map(|at| at.min(self.recorded_at))
    }

    /// Returns the instant an opt-out counts at, the latest it can have happened, and whose clock
    /// that is by (L2).
    ///
    /// Without a believable time of its own it is the recording, which is by our clock.
    #[must_use]
    pub fn as_opt_out(&self) -> (DateTime<Utc>, TimeSource) {
        match self.draft.occurred_at.filter(|at| *at <= self.recorded_at) {
            Some(at) => (at, self.draft.clock),
            None => (self.recorded_at, TimeSource::Listwarden),
        }
    }

    /// Tells whether it speaks for its patient alone: a grant of one holder is none of another who
    /// shares the address (L7).
    #[must_use]
    pub const fn is_of_patient_alone(&self) -> bool {
        self.draft.patient.is_some()
            && matches!(self.draft.kind, EventKind::Granted | EventKind::SoftOptIn)
    }
}
