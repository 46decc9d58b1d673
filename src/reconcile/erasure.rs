//! Erasing here, once every provider has: the address and the person go, the keyed hash stays.

use super::tenure::Tenure;
use super::{Practice, ReconcileError, Reconciler};

/// Contacts erased at a time.
const PAGE: u32 = 200;

impl Reconciler {
    /// Erases the contacts of deleted patients that no provider holds any more, then the patients.
    pub(super) async fn erase_settled(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice,
    ) -> Result<(), ReconcileError> {
        loop {
            let contacts = self.store.contacts_to_erase(practice.id, PAGE).await?;
            if contacts.is_empty() {
                break;
            }
            self.register_addresses(practice, &contacts).await?;
            for contact in contacts {
                self.store.contact_erase(&tenure.lease, practice.id, contact).await?;
            }
        }
        let patients = self.store.patients_to_erase(practice.id).await?;
        self.register_patients(practice, &patients)?;
        for patient in patients {
            self.store.patient_erase(&tenure.lease, practice.id, patient).await?;
        }
        Ok(())
    }
}
