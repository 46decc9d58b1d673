//! Suppressing by hand, and the only way back: newer evidence that an admin accepts (L11).

use chrono::{DateTime, Utc};

use super::{ReconcileError, Reconciler};
use crate::domain::{
    Actor, Address, Because, ClinicId, Contact, Draft, EventId, EventKind, Grant, GrantKind,
    OptOutKind, Patient, TimeSource,
};

/// What proves that somebody asked anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The patient who asked, by the clinic's id.
    pub patient: String,
    /// How consent was given: in person, by telephone, on paper.
    pub method: String,
    /// The wording that was read or shown, or its version.
    pub wording: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Who took it down.
    pub taken_by: String,
}

/// Why a suppression stays.
#[derive(Debug, thiserror::Error)]
pub enum NotLifted {
    /// No such patient holds the address.
    #[error("that patient does not hold that address: only somebody who holds it can ask anew")]
    Unknown,
    /// Nothing is to be lifted.
    #[error("no opt-out of that address is on record")]
    Nothing,
    /// The evidence is from the future, or not newer than what it is to lift.
    #[error(
        "the evidence is not newer than the opt-out, or by less than the five minutes that the provider's clock and ours may differ, or from the future: only a later consent lifts it (L2, L11)"
    )]
    NotNewer,
    /// It would stay on record after an erasure.
    #[error(
        "the evidence or the reason names the patient: say where it can be looked up, and no name"
    )]
    NamesPatient,
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] ReconcileError),
}

impl Reconciler {
    /// Has nobody contacted at the address any more, known or not.
    pub async fn suppress(
        &self,
        clinic: ClinicId,
        address: &Address,
        kind: EventKind,
        because: &Because,
    ) -> Result<(), ReconcileError> {
        let opt_out = match kind {
            EventKind::Objected => OptOutKind::Objected,
            EventKind::Complained => OptOutKind::Complained,
            _ => OptOutKind::Withdrawn,
        };
        let hashes = self.store.address_hashes(clinic, address);
        let mut said = Draft::new(kind, Actor::Admin, TimeSource::Listwarden, "suppression");
        said.channel = (opt_out != OptOutKind::Objected).then_some(address.channel());
        said.reason = Some(because.text().to_owned());
        Ok(self.store.suppress_by_hand(clinic, &hashes, opt_out, &said).await?)
    }

    /// Accepts a newer consent against every opt-out of the address (L11).
    pub async fn lift(
        &self,
        clinic: ClinicId,
        address: &Address,
        evidence: &Evidence,
        because: &Because,
    ) -> Result<(), NotLifted> {
        let (patient, contact) =
            self.holder(clinic, &evidence.patient, address).await?.ok_or(NotLifted::Unknown)?;
        let told = [&evidence.method, &evidence.wording, because.text()];
        if told.into_iter().any(|told| patient.record.is_named_in(told)) {
            return Err(NotLifted::NamesPatient);
        }
        if contact.standing.opt_outs.is_empty() {
            return Err(NotLifted::Nothing);
        }
        let id = EventId(self.clock.id());
        if !lifts_all(&contact, id, evidence.at, self.clock.now()) {
            return Err(NotLifted::NotNewer);
        }
        let mut draft =
            Draft::new(EventKind::Granted, Actor::Person, TimeSource::Listwarden, "lifted");
        draft.channel = Some(address.channel());
        draft.contact = Some(contact.id);
        draft.patient = Some(patient.id);
        draft.explicit = true;
        draft.accepted = true;
        draft.method = Some(evidence.method.clone());
        draft.wording = Some(evidence.wording.clone());
        draft.evidence = Some(format!("taken down by {}", evidence.taken_by));
        draft.reason = Some(because.text().to_owned());
        draft.occurred_at = Some(evidence.at);
        draft.unique = format!("by hand/{}", self.clock.id());
        let appended = self.append(None, clinic, vec![draft]).await;
        Ok(appended.map(drop)?)
    }

    async fn holder(
        &self,
        clinic: ClinicId,
        patient: &str,
        address: &Address,
    ) -> Result<Option<(Patient, Contact)>, ReconcileError> {
        let Some(patient) = self.store.patient_find(clinic, patient).await? else {
            return Ok(None);
        };
        let contacts = self.store.contacts_of_patient(clinic, patient.id).await?;
        let mut contacts = contacts.into_iter();
        let held = contacts.find(|contact| contact.address.as_ref() == Some(address));
        Ok(held.map(|contact| (patient, contact)))
    }
}

/// Judges the evidence as the law will judge the grant.
fn lifts_all(contact: &Contact, event: EventId, at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let grant = Grant {
        event,
        kind: GrantKind::Explicit,
        contact: Some(contact.id),
        at: Some(at),
        clock: TimeSource::Listwarden,
        recorded_at: now,
        purpose: None,
        accepted: true,
    };
    at <= now && contact.standing.opt_outs.iter().all(|opt_out| grant.lifts(opt_out))
}
