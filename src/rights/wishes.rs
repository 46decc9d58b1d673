//! What a patient told somebody at the clinic, who takes it down here: to restrict the processing of
//! their data (GDPR Art. 18), to object (Art. 21), what they prefer. Each is a line of the ledger with
//! evidence; the lists follow at once, and at the latest with the next run.

use chrono::{DateTime, Utc};

use super::desk::{Desk, RightsError, unnamed};
use super::effect::Idle;
use crate::domain::{
    Actor, Because, Channel, ClinicId, Draft, EventId, EventKind, Patient, TimeSource,
};

/// What a patient wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Off every list, and kept here.
    Restrict,
    /// The restriction lifted.
    Unrestrict,
    /// No marketing on any channel.
    Object,
    /// Not on this channel; with a purpose, not for this purpose.
    NotBy {
        /// The channel.
        channel: Channel,
        /// The purpose; none means the whole channel.
        purpose: Option<String>,
    },
    /// Gladly on this channel, or for this purpose: it lists nobody, and takes back a refusal of the
    /// purpose.
    Gladly {
        /// The channel.
        channel: Channel,
        /// The purpose.
        purpose: Option<String>,
    },
}

/// Who took a wish down, and what proves it.
#[derive(Debug, Clone)]
pub struct TakenDown<'a> {
    /// Who took it down.
    pub by: &'a str,
    /// How it was said, and where that can be looked up. Like a reason it holds no address: it is
    /// shown to whoever asks why somebody is not on a list, and stays in the audit log.
    pub evidence: &'a Because,
    /// When it was said; now, if left out.
    pub at: Option<DateTime<Utc>>,
}

/// What was written down.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Written {
    /// The lines of the ledger.
    pub events: Vec<EventId>,
    /// Whether something is left to the next run.
    pub left: bool,
    /// Whether anything follows from it.
    pub effect: Effect,
    /// Why nothing does.
    pub why: Option<&'static str>,
    /// The same in a word.
    #[serde(skip)]
    pub idle: Option<Idle>,
}

/// Whether anything follows from what was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The lists follow it.
    Follows,
    /// It is on record, and changes nothing.
    None,
}

impl Written {
    fn new(events: Vec<EventId>, left: bool, idle: Option<Idle>) -> Self {
        let effect = if idle.is_some() { Effect::None } else { Effect::Follows };
        Self { events, left, effect, why: idle.map(Idle::sentence), idle }
    }
}

impl Wish {
    /// Returns the channel it is about; none means all.
    pub(super) const fn channel(&self) -> Option<Channel> {
        match self {
            Self::NotBy { channel, .. } | Self::Gladly { channel, .. } => Some(*channel),
            Self::Restrict | Self::Unrestrict | Self::Object => None,
        }
    }
}

impl Desk<'_> {
    /// Takes a patient's wish down and does what follows at once; none where the clinic has no such
    /// patient.
    pub async fn take_down(
        &self,
        patient: &str,
        wish: &Wish,
        taken: &TakenDown<'_>,
    ) -> Result<Option<Written>, RightsError> {
        if taken.at.is_some_and(|at| at > self.reconciler.clock.now()) {
            return Err(RightsError::Future);
        }
        let Some((id, patient)) = self.patient(patient).await? else { return Ok(None) };
        unnamed(&patient, taken.evidence)?;
        let said = |draft: &mut Draft| {
            draft.evidence = Some(by(taken.evidence.text(), taken.by));
            draft.occurred_at = taken.at;
        };
        self.write(id, &patient, std::slice::from_ref(wish), said).await.map(Some)
    }

    /// Refuses an erasure because of a duty to keep: the patient objects and is restricted instead, so
    /// that nobody writes to them any more; the refusal and its reason are on record. None where the
    /// clinic has no such patient.
    pub async fn refuse_erasure(
        &self,
        patient: &str,
        refused_by: &str,
        reason: &Because,
    ) -> Result<Option<Written>, RightsError> {
        let Some((id, patient)) = self.patient(patient).await? else { return Ok(None) };
        unnamed(&patient, reason)?;
        let row = self.reconciler.store.erasure_of(id, patient.id).await?;
        if let Some(at) = row.and_then(|row| row.asked_at) {
            return Err(RightsError::UnderWay { at });
        }
        let said = |draft: &mut Draft| {
            draft.evidence = Some(by("asked to be erased", refused_by));
            draft.reason = Some(format!("erasure refused: {}", reason.text()));
        };
        self.write(id, &patient, &[Wish::Object, Wish::Restrict], said).await.map(Some)
    }

    async fn write(
        &self,
        clinic: ClinicId,
        patient: &Patient,
        wishes: &[Wish],
        said: impl Fn(&mut Draft),
    ) -> Result<Written, RightsError> {
        let store = &self.reconciler.store;
        let contacts = store.contacts_of_patient(clinic, patient.id).await?;
        let now = self.reconciler.clock.now();
        let mut events = Vec::new();
        for wish in wishes {
            let mut draft = draft(wish);
            let of_channel = contacts.iter().find(|contact| draft.channel == Some(contact.channel));
            draft.patient = Some(patient.id);
            draft.contact = match wish {
                Wish::NotBy { purpose: None, .. } => of_channel.map(|contact| contact.id),
                // Without an address it speaks for every one that the patient has.
                _ => None,
            };
            draft.method = Some("told an admin".to_owned());
            said(&mut draft);
            draft.occurred_at = draft.occurred_at.or(Some(now));
            let event = EventId(self.reconciler.clock.id());
            draft.unique = format!("told an admin/{event}");
            events.push(draft.into_event(event, now));
        }
        let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
        let before = self.stands(clinic, patient.id).await?;
        store.ledger_append(None, clinic, events).await?;
        // It is on record, and the lists follow, whether or not it can be told what it changes.
        let idle = self.idle(clinic, patient, wishes, &before).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "could not be told whether what was taken down changes anything");
            None
        });
        let left = self.follow(clinic, patient.id).await?;
        Ok(Written::new(ids, left, idle))
    }
}

fn by(evidence: &str, taken_by: &str) -> String {
    format!("{evidence}; taken down by {taken_by}")
}

fn draft(wish: &Wish) -> Draft {
    let draft = |kind| Draft::new(kind, Actor::Admin, TimeSource::Listwarden, "admin");
    match wish {
        Wish::Restrict => draft(EventKind::Restricted),
        Wish::Unrestrict => draft(EventKind::Unrestricted),
        Wish::Object => draft(EventKind::Objected),
        Wish::NotBy { channel, purpose: None } => {
            Draft { channel: Some(*channel), ..draft(EventKind::Withdrawn) }
        }
        Wish::NotBy { channel, purpose } => Draft {
            channel: Some(*channel),
            purpose: purpose.clone(),
            refuses: true,
            ..draft(EventKind::Preferred)
        },
        Wish::Gladly { channel, purpose } => Draft {
            channel: Some(*channel),
            purpose: purpose.clone(),
            ..draft(EventKind::Preferred)
        },
    }
}
