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
        /// The contact reported a message as spam.
        Complained = "complained",
        /// The person was erased.
        Erased = "erased",
        /// Proof accepted for a member from before the first run (L21).
        Grandfathered = "grandfathered",
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

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The channel it is about; none means every channel.
    pub channel: Option<Channel>,
    /// The address it came from or is about.
    pub contact: Option<ContactId>,
    /// The patient who acted, where known.
    pub patient: Option<PatientId>,
    /// Further patients it binds: those who held the address then (L8).
    #[serde(default)]
    pub binds: BTreeSet<PatientId>,
    /// The list it was seen on, where it was on one.
    pub list: Option<ListId>,
    /// Who acted.
    pub actor: Actor,
    /// How.
    pub method: Option<String>,
    /// Where it was learned: `clinic record`, `import`, a provider's name.
    pub source: String,
    /// The wording shown, or its version.
    pub wording: Option<String>,
    /// What proves it: a campaign, a message id, a form.
    pub evidence: Option<String>,
    /// The purpose it is limited to; none means marketing in general.
    pub purpose: Option<String>,
    /// The reason given, if any.
    pub reason: Option<String>,
    /// Whether actor, method, wording and time are on record (L3).
    pub explicit: bool,
    /// Whether an admin accepted it as lifting an objection or complaint (L11).
    pub accepted: bool,
    /// When it happened, as far as known.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Whose clock `occurred_at` was read from.
    pub clock: TimeSource,
    /// When it was recorded here.
    pub recorded_at: DateTime<Utc>,
    /// What makes it the same event when it is learned twice.
    pub unique: String,
}

impl Event {
    /// Returns the instant a grant counts at: the earliest it can have happened (L2).
    ///
    /// None where it has no time of its own, or one later than its own recording: a clock set
    /// forward gains nothing.
    #[must_use]
    pub fn as_grant(&self) -> Option<DateTime<Utc>> {
        self.occurred_at
            .filter(|at| *at <= self.recorded_at + CLOCK_SKEW)
            .map(|at| at.min(self.recorded_at))
    }

    /// Returns the instant an opt-out counts at, the latest it can have happened, and whose clock
    /// that is by (L2).
    ///
    /// Without a believable time of its own it is the recording, which is by our clock.
    #[must_use]
    pub fn as_opt_out(&self) -> (DateTime<Utc>, TimeSource) {
        match self.occurred_at.filter(|at| *at <= self.recorded_at) {
            Some(at) => (at, self.clock),
            None => (self.recorded_at, TimeSource::Listwarden),
        }
    }

    /// Tells whether it speaks for its patient alone: a grant of one holder is none of another who
    /// shares the address (L7).
    #[must_use]
    pub const fn is_of_patient_alone(&self) -> bool {
        self.patient.is_some() && matches!(self.kind, EventKind::Granted | EventKind::SoftOptIn)
    }
}
