//! Where people's rights are seen to: one clinic's, for whoever takes them down.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::dossier::Dossier;
use crate::clock::timeout;
use crate::config::ClinicConfig;
use crate::domain::{Address, Because, ClinicId, EventKind, Patient, PatientId};
use crate::reconcile::{ReconcileError, Reconciler};
use crate::store::StoreError;

/// Why a right was not seen to. Names nobody.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// There is no way back, and the clinic was not named.
    #[error(
        "nothing was done: the clinic's short name, `{clinic}`, is asked for again, for there is no way back"
    )]
    NotConfirmed {
        /// The clinic's short name.
        clinic: String,
    },
    /// It was ordered, and cannot be refused any more.
    #[error("the erasure was asked for on {at} and is under way: it cannot be refused any more")]
    UnderWay {
        /// When it was ordered.
        at: DateTime<Utc>,
    },
    /// Nothing can have been said then.
    #[error("the time lies in the future: nothing can have been said there")]
    Future,
    /// It would stay on record after an erasure.
    #[error("the reason or evidence names the patient: say where it can be looked up, and no name")]
    NamesPatient,
    /// The loop failed.
    #[error(transparent)]
    Loop(#[from] ReconcileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who sees to the rights of one clinic's patients. Each is named by the clinic's own id or by ours.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The loop, with the lists of this process.
    pub reconciler: Reconciler,
    /// The clinic.
    pub clinic: &'a ClinicConfig,
    /// How long what follows at the providers is waited for; it goes on all the same. None means to
    /// its end.
    pub patience: Option<Duration>,
}

impl Desk<'_> {
    /// Gathers everything that is held of a patient; none where the clinic has no such patient.
    pub async fn dossier(&self, patient: &str) -> Result<Option<Dossier>, RightsError> {
        let now = self.reconciler.clock.now();
        Ok(Dossier::gather(&self.reconciler.store, self.clinic, patient, now).await?)
    }

    pub(super) async fn patient(
        &self,
        patient: &str,
    ) -> Result<Option<(ClinicId, Patient)>, RightsError> {
        let store = &self.reconciler.store;
        let id = store.clinic_ensure(&self.clinic.slug).await?;
        Ok(store.patient_find(id, patient).await?.map(|patient| (id, patient)))
    }

    /// Does at once what follows from what was taken down; tells whether something is left.
    pub(super) async fn follow(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<bool, RightsError> {
        let addresses = self.addresses(clinic, patient).await?;
        self.at_once(clinic, addresses).await
    }

    /// Has nobody contacted at the address any more, and its lists follow; tells whether something is
    /// left.
    pub async fn suppress(
        &self,
        address: &Address,
        kind: EventKind,
        because: &Because,
    ) -> Result<bool, RightsError> {
        let store = &self.reconciler.store;
        let clinic = store.clinic_ensure(&self.clinic.slug).await?;
        let facts = match store.contact_find(clinic, address).await? {
            Some(contact) => store.contact(clinic, contact.id).await?,
            None => None,
        };
        let holders = || facts.iter().flat_map(|facts| &facts.holders);
        for holder in holders() {
            unnamed(&holder.patient, because)?;
        }
        self.reconciler.suppress(clinic, address, kind, because).await?;
        let mut addresses = vec![address.clone()];
        if kind == EventKind::Objected {
            for holder in holders() {
                addresses.extend(self.addresses(clinic, holder.patient.id).await?);
            }
        }
        self.at_once(clinic, addresses).await
    }

    /// Returns the addresses that a patient has or had, as far as they are not erased.
    async fn addresses(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Vec<Address>, RightsError> {
        let held = self.reconciler.store.addresses_of_patient(clinic, patient).await?;
        Ok(held.into_iter().filter_map(|held| held.address).collect())
    }

    async fn at_once(
        &self,
        clinic: ClinicId,
        addresses: Vec<Address>,
    ) -> Result<bool, RightsError> {
        let Some(patience) = self.patience else {
            return Ok(self.reconciler.hurry(clinic, &addresses).await?);
        };
        let reconciler = self.reconciler.clone();
        let going_on = tokio::spawn(async move {
            reconciler.hurry(clinic, &addresses).await.unwrap_or_else(|error| {
                let error = error.chain();
                tracing::warn!(error, "could not be done at once; the next run does it");
                true
            })
        });
        let waited = timeout(self.reconciler.clock.as_ref(), patience, going_on).await;
        Ok(!matches!(waited, Ok(Ok(false))))
    }
}

/// Makes sure that what outlives an erasure does not name the patient.
pub(super) fn unnamed(patient: &Patient, text: &Because) -> Result<(), RightsError> {
    if patient.record.is_named_in(text.text()) { Err(RightsError::NamesPatient) } else { Ok(()) }
}

/// Makes sure that whoever does what cannot be undone has named the clinic.
pub fn confirmed(clinic: &ClinicConfig, typed: &str) -> Result<(), RightsError> {
    if typed.trim() == clinic.slug {
        return Ok(());
    }
    Err(RightsError::NotConfirmed { clinic: clinic.slug.clone() })
}
