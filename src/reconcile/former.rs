//! Former patients, named by an admin: known, and dropped (L22).

use super::tenure::Tenure;
use super::{ReconcileError, Reconciler, Refused};
use crate::domain::{ClinicId, PatientRecord};
use crate::store::Origin;

impl Reconciler {
    /// Stores people who are no patients any more; the next run takes them off every list.
    pub async fn import_former(
        &self,
        clinic: ClinicId,
        records: &[PatientRecord],
    ) -> Result<(), ReconcileError> {
        let Some(tenure) = Tenure::take_in_turn(self, &format!("source:{clinic}")).await? else {
            return Err(Refused::Busy.into());
        };
        let (store, lease) = (&self.store, &tenure.lease);
        let (digests, mut marks) = Default::default();
        let stored = store
            .patients_upsert(lease, clinic, Origin::Import, records, &digests, &mut marks)
            .await;
        tenure.release().await?;
        stored?;
        Ok(())
    }
}
