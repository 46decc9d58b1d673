//! Sweeps: reading a clinic's source from end to end, and who was missing from it (L9).

use uuid::Uuid;

use super::Store;
use super::columns::{args, count, id_rows};
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::patients::links_stale_of_patients;
use super::sql::statements;
use crate::domain::{ClinicId, PatientId};

statements! {
    SWEEP_BEGIN = {
        "UPDATE clinics SET sweep_no = sweep_no + 1 WHERE clinic_id = $1 RETURNING sweep_no"
    }
    // Whoever was deleted may be missing, and stays deleted: erasing may take longer than the row stays.
    SWEEP_MISSING = {
        "SELECT COUNT(CASE WHEN seen_sweep <> $2 THEN 1 END), COUNT(*) FROM patients
         WHERE clinic_id = $1 AND origin = 'source' AND status NOT IN ('vanished', 'deleted')"
    }
    SWEEP_UNSEEN = {
        "SELECT id, missing_sweeps + 1 FROM patients
         WHERE clinic_id = $1 AND origin = 'source' AND status NOT IN ('vanished', 'deleted')
            AND seen_sweep <> $2 AND missed_sweep <> $2 AND id > $3
         ORDER BY id LIMIT $4"
    }
    // Counted once a sweep, so that a sweep finished twice drops nobody.
    SWEEP_MISS (given: id uuid) = {
        "UPDATE patients SET missing_sweeps = missing_sweeps + 1, missed_sweep = $3,
            status = CASE WHEN missing_sweeps + 1 >= 2 THEN 'vanished' ELSE status END
         FROM given g WHERE patients.clinic_id = $2 AND patients.id = g.id"
    }
}

impl Store {
    /// Begins a sweep of the clinic's source and returns its number.
    pub async fn sweep_begin(&self, clinic: ClinicId) -> Result<i64> {
        let number: Option<(i64,)> = self.db.returning(SWEEP_BEGIN, args![clinic]).await?;
        number.map(|(number,)| number).ok_or(StoreError::Missing { what: "clinic" })
    }

    /// Counts the patients of the source not seen in `sweep`, and all that have not vanished.
    pub async fn sweep_missing(&self, clinic: ClinicId, sweep: i64) -> Result<(u64, u64)> {
        let counts: Option<(i64, i64)> = self.db.row(SWEEP_MISSING, args![clinic, sweep]).await?;
        let (missing, total) = counts.unwrap_or_default();
        Ok((count(missing), count(total)))
    }

    /// Ends a complete sweep: who was missing from this one and the one before has vanished.
    /// Returns how many vanished. Fenced.
    pub async fn sweep_finish(&self, lease: &Lease, clinic: ClinicId, sweep: i64) -> Result<u64> {
        let limit = self.db.chunk_i64() / 4;
        let (mut vanished, mut after) = (0, Uuid::nil());
        loop {
            let mut tx = self.begin_under(lease).await?;
            let args = args![clinic, sweep, after, limit];
            let unseen: Vec<(PatientId, i64)> = tx.rows(SWEEP_UNSEEN, args).await?;
            let Some((last, _)) = unseen.last() else { return Ok(vanished) };
            after = last.0;
            let rows = id_rows(unseen.iter().map(|(id, _)| id.0))?;
            tx.execute(SWEEP_MISS, args![rows, clinic, sweep]).await?;
            let gone: Vec<_> = unseen.iter().filter(|(_, times)| *times >= 2).collect();
            links_stale_of_patients(&mut tx, clinic, gone.iter().map(|(id, _)| *id)).await?;
            tx.commit().await?;
            vanished += gone.len() as u64;
        }
    }
}
