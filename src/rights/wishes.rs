//! What a patient told somebody at the clinic, who takes it down here: to restrict the processing of
//! their data (GDPR Art. 18), to object (Art. 21), what they prefer. Each is a line of the ledger with
//! evidence; the lists follow at once, and at the latest with the next run.

use chrono::{DateTime, Utc};

use super::erase::{EraseError, addresses};
use crate::config::ClinicConfig;
use crate::domain::{Actor, Channel, ClinicId, Draft, EventId, EventKind, Patient, TimeSource};
use crate::reconcile::Reconciler;

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
    /// How it was said, and where that can be looked up.
    pub evidence: &'a str,
    /// When it was said; now, if left out.
    pub at: Option<DateTime<Utc>>,
    /// Why, where a reason is on record.
    pub reason: Option<String>,
}

/// What was written down.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// The lines of the ledger.
    pub events: Vec<EventId>,
    /// Whether something is left to the next run.
    pub left: bool,
}

/// Takes a patient's wish down and does what follows at once; none where the clinic has no such
/// patient.
pub async fn take_down(
    reconciler: &Reconciler,
    clinic: &ClinicConfig,
    patient: &str,
    wishes: &[Wish],
    taken: &TakenDown<'_>,
) -> Result<Option<Written>, EraseError> {
    let store = &reconciler.store;
    let id = store.clinic_ensure(&clinic.slug).await?;
    let Some(patient) = store.patient_find(id, patient).await? else { return Ok(None) };
    let events = write(reconciler, id, &patient, wishes, taken).await?;
    let addresses = addresses(store, id, patient.id).await?;
    let left = reconciler.hurry(id, &addresses).await?;
    Ok(Some(Written { events, left }))
}

/// Refuses an erasure because of a duty to keep: the patient objects and is restricted instead, so that
/// nobody writes to them any more; the refusal and its reason are on record. None where the clinic has
/// no such patient.
pub async fn refuse_erasure(
    reconciler: &Reconciler,
    clinic: &ClinicConfig,
    patient: &str,
    by: &str,
    reason: &str,
) -> Result<Option<Written>, EraseError> {
    let store = &reconciler.store;
    let id = store.clinic_ensure(&clinic.slug).await?;
    let Some(found) = store.patient_find(id, patient).await? else { return Ok(None) };
    let asked = store.erasure_of(id, found.id).await?.and_then(|row| row.asked_at);
    if let Some(at) = asked {
        return Err(EraseError::UnderWay { at });
    }
    let taken = TakenDown {
        by,
        evidence: "asked to be erased",
        at: None,
        reason: Some(format!("erasure refused: {reason}")),
    };
    take_down(reconciler, clinic, patient, &[Wish::Object, Wish::Restrict], &taken).await
}

async fn write(
    reconciler: &Reconciler,
    clinic: ClinicId,
    patient: &Patient,
    wishes: &[Wish],
    taken: &TakenDown<'_>,
) -> Result<Vec<EventId>, EraseError> {
    let store = &reconciler.store;
    let contacts = store.contacts_of_patient(clinic, patient.id).await?;
    let now = reconciler.clock.now();
    let mut events = Vec::new();
    for wish in wishes {
        let mut draft = said(wish);
        let of_channel = contacts.iter().find(|contact| draft.channel == Some(contact.channel));
        draft.patient = Some(patient.id);
        draft.contact = match wish {
            Wish::NotBy { purpose: None, .. } => of_channel.map(|contact| contact.id),
            // Without an address it speaks for every one that the patient has.
            _ => None,
        };
        draft.method = Some("told an admin".to_owned());
        draft.evidence = Some(format!("{}; taken down by {}", taken.evidence, taken.by));
        draft.reason.clone_from(&taken.reason);
        draft.occurred_at = Some(taken.at.unwrap_or(now));
        let event = EventId(reconciler.clock.id());
        draft.unique = format!("told an admin/{event}");
        events.push(draft.into_event(event, now));
    }
    let ids = events.iter().map(|event| event.id).collect();
    store.ledger_append(None, clinic, events).await?;
    Ok(ids)
}

fn said(wish: &Wish) -> Draft {
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
