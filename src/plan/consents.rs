//! What a change in the clinic's record teaches the ledger (L3 to L5).
//!
//! A record is compared with what it last said. The first `false` of a record is *not asked*; a
//! `false` after a `true` is a withdrawal.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Draft;
use crate::domain::{
    Actor, Answer, Channel, Consent, ContactId, EventKind, Patient, PatientRecord, TimeSource,
};

/// What a record said when it was last turned into events.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Said {
    /// Marketing by e-mail.
    pub email: Consent,
    /// Marketing by text message.
    pub sms: Consent,
    /// Restriction of processing.
    pub restricted: bool,
}

impl Said {
    /// Reads off what a record says now.
    #[must_use]
    pub fn by(record: &PatientRecord) -> Self {
        Self {
            email: record.email_consent.clone(),
            sms: record.sms_consent.clone(),
            restricted: record.restricted,
        }
    }

    const fn consent(&self, channel: Channel) -> &Consent {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.sms,
        }
    }
}

/// Where events of the clinic's record say they were learned.
pub const SOURCE: &str = "clinic record";

/// Returns what the ledger learns from a record that said `before`, or nothing yet.
///
/// `contact` names the patient's present contact on a channel.
#[must_use]
pub fn changes(
    before: Option<&Said>,
    patient: &Patient,
    contact: impl Fn(Channel) -> Option<ContactId>,
) -> Vec<Draft> {
    let record = &patient.record;
    let mut drafts = Vec::new();
    for channel in Channel::ALL {
        let old = before.map(|said| said.consent(*channel));
        let new = record.consent(*channel);
        if old == Some(new) {
            continue;
        }
        if let Some(mut draft) = change(old, new, record.updated_at) {
            draft.patient = Some(patient.id);
            draft.contact = contact(*channel);
            draft.channel = (draft.kind != EventKind::Objected).then_some(*channel);
            draft.unique = unique(patient, &draft, *channel, record.updated_at);
            drafts.push(draft);
        }
    }
    if before.map_or(record.restricted, |said| said.restricted != record.restricted) {
        let kind = if record.restricted { EventKind::Restricted } else { EventKind::Unrestricted };
        let mut draft = Draft::new(kind, Actor::Clinic, TimeSource::Clinic, SOURCE);
        draft.patient = Some(patient.id);
        draft.occurred_at = Some(record.updated_at);
        draft.unique = unique(patient, &draft, Channel::Email, record.updated_at);
        drafts.push(draft);
    }
    drafts
}

/// The table: what the record said x what it says -> the event.
fn change(old: Option<&Consent>, new: &Consent, updated_at: DateTime<Utc>) -> Option<Draft> {
    let said_yes =
        |consent: &Consent| matches!(consent.answer, Answer::Granted | Answer::SoftOptIn);
    match (new.answer, old) {
        (Answer::Granted, _) if new.is_explicit() => {
            Some(Draft { explicit: true, ..draft(EventKind::Granted, Actor::Person, new, new.at) })
        }
        (Answer::Granted, None) => Some(draft(EventKind::Granted, Actor::Clinic, new, None)),
        (Answer::Granted, Some(old)) if old.answer != Answer::Granted => {
            Some(draft(EventKind::Granted, Actor::Clinic, new, Some(updated_at)))
        }
        (Answer::Granted, Some(_)) => None,
        (Answer::SoftOptIn, _) if new.soft_opt_in.is_complete() => {
            Some(draft(EventKind::SoftOptIn, Actor::Clinic, new, new.at))
        }
        (Answer::SoftOptIn, _) => None,
        (Answer::Withdrawn, _) => Some(opt_out(EventKind::Withdrawn, new, updated_at)),
        (Answer::Objected, _) => Some(opt_out(EventKind::Objected, new, updated_at)),
        (Answer::Preferred, _) => Some(draft(EventKind::Preferred, Actor::Person, new, new.at)),
        (Answer::NotAsked, Some(old)) if said_yes(old) => {
            Some(opt_out(EventKind::Withdrawn, new, updated_at))
        }
        (Answer::NotAsked, _) => None,
    }
}

/// A withdrawal with a method on record is the person's own; a bare flag is the clinic's change.
fn opt_out(kind: EventKind, new: &Consent, updated_at: DateTime<Utc>) -> Draft {
    let actor = if is_bare(new) { Actor::Clinic } else { Actor::Person };
    draft(kind, actor, new, Some(new.at.unwrap_or(updated_at)))
}

fn is_bare(consent: &Consent) -> bool {
    consent.method.is_none()
}

fn draft(
    kind: EventKind,
    actor: Actor,
    consent: &Consent,
    occurred_at: Option<DateTime<Utc>>,
) -> Draft {
    let mut draft = Draft::new(kind, actor, TimeSource::Clinic, SOURCE);
    draft.method.clone_from(&consent.method);
    draft.wording.clone_from(&consent.wording);
    draft.purpose.clone_from(&consent.purpose);
    draft.evidence = consent.actor.as_ref().map(|actor| format!("taken down by {actor}"));
    draft.occurred_at = occurred_at;
    draft
}

fn unique(patient: &Patient, draft: &Draft, channel: Channel, updated_at: DateTime<Utc>) -> String {
    let at = draft.occurred_at.unwrap_or(updated_at).timestamp_millis();
    format!("record/{}/{channel}/{}/{at}", patient.id, draft.kind)
}

/// Tells whether the record withdraws by a bare flag: such changes in bulk wait for an admin (L23).
#[must_use]
pub fn withdraws_barely(before: Option<&Said>, record: &PatientRecord) -> bool {
    Channel::ALL.iter().any(|channel| {
        let old = before.map(|said| said.consent(*channel));
        let new = record.consent(*channel);
        old != Some(new)
            && change(old, new, record.updated_at).is_some_and(|draft| {
                draft.actor == Actor::Clinic
                    && matches!(draft.kind, EventKind::Withdrawn | EventKind::Objected)
            })
    })
}
