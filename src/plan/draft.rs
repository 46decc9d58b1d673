//! An event before it has an id and a time of recording.

use chrono::{DateTime, Utc};

use crate::domain::{
    Actor, Channel, ContactId, Event, EventId, EventKind, ListId, PatientId, TimeSource,
};

/// An event that is about to be recorded.
#[derive(Debug, Clone, PartialEq)]
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
            occurred_at: None,
            clock,
            unique: String::new(),
        }
    }

    /// Gives it its id and its time of recording.
    #[must_use]
    pub fn into_event(self, id: EventId, recorded_at: DateTime<Utc>) -> Event {
        Event {
            id,
            kind: self.kind,
            channel: self.channel,
            contact: self.contact,
            patient: self.patient,
            binds: std::collections::BTreeSet::new(),
            list: self.list,
            actor: self.actor,
            method: self.method,
            source: self.source,
            wording: self.wording,
            evidence: self.evidence,
            purpose: self.purpose,
            reason: self.reason,
            explicit: self.explicit,
            accepted: self.accepted,
            occurred_at: self.occurred_at,
            clock: self.clock,
            recorded_at,
            unique: self.unique,
        }
    }
}
