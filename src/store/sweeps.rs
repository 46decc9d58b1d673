//! Sweeps: reading a clinic's source from end to end, and who was missing from it (L9).

use super::Store;
use super::columns::{args, id_rows, json};
use super::db::{Tx, again};
use super::error::{Result, StoreError};
use super::leases::Lease;
use super::marks::{Marks, Stretch};
use super::patients::{links_stale_of_patients, ordinals_end};
use super::sql::statements;
use crate::domain::{ClinicId, PatientId};

statements! {
    SWEEP_BEGIN = {
        "UPDATE clinics SET sweep_no = sweep_no + 1 WHERE clinic_id = $1 RETURNING sweep_no"
    }
    // Whoever was deleted may be missing, and stays deleted: erasing may take longer than the row stays.
    SWEEP_MISSING (given: low bigint, high bigint) = {
        "SELECT p.ordinal, p.id, p.missing_sweeps + 1 FROM given g CROSS JOIN patients p
         WHERE p.clinic_id = $2 AND p.ordinal >= g.low AND p.ordinal <= g.high
            AND p.ordinal > $4 AND p.origin = 'source' AND p.status NOT IN ('vanished', 'deleted')
            AND p.missed_sweep <> $3
         ORDER BY p.ordinal LIMIT $5"
    }
    // Counted once a sweep, so that a sweep finished twice drops nobody.
    SWEEP_MISS (given: id uuid) = {
        "UPDATE patients SET missing_sweeps = missing_sweeps + 1, missed_sweep = $3,
            status = CASE WHEN missing_sweeps + 1 >= 2 THEN 'vanished' ELSE status END,
            seen = NULL
         FROM given g WHERE patients.clinic_id = $2 AND patients.id = g.id
            AND patients.status <> 'deleted'"
    }
}

impl Store {
    /// Begins a sweep of the clinic's source and returns its number.
    pub async fn sweep_begin(&self, clinic: ClinicId) -> Result<i64> {
        let number: Option<(i64,)> = self.db.returning(SWEEP_BEGIN, args![clinic]).await?;
        number.map(|(number,)| number).ok_or(StoreError::Missing { what: "clinic" })
    }

    /// Counts the patients of the source that `present` has not marked, and all that have not vanished.
    pub async fn sweep_missing(&self, clinic: ClinicId, present: &Marks) -> Result<(u64, u64)> {
        let mut tx = self.db.begin().await?;
        let mut missing = Missing::of(&mut tx, clinic, NO_SWEEP, present).await?;
        let mut number = 0;
        loop {
            let found = missing.next(&mut tx, self.db.chunk_i64()).await?;
            let Some((last, ..)) = found.last() else {
                return Ok((number, number + present.count()));
            };
            missing.after = *last;
            number += found.len() as u64;
        }
    }

    /// Ends a complete sweep: who was missing from this one and the one before has vanished.
    /// Returns how many vanished. Fenced.
    pub async fn sweep_finish(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        sweep: i64,
        present: &Marks,
    ) -> Result<u64> {
        let mut missing = {
            let mut tx = self.begin_under(lease).await?;
            Missing::of(&mut tx, clinic, sweep, present).await?
        };
        let mut vanished = 0;
        loop {
            let missed: Option<(i64, u64)> = again!(self, {
                let mut tx = self.begin_under(lease).await?;
                let found = missing.next(&mut tx, self.db.chunk_i64() / 4).await?;
                let Some((last, ..)) = found.last() else { return Ok(None) };
                let rows = id_rows(found.iter().map(|(_, id, _)| id.0))?;
                tx.execute(SWEEP_MISS, args![rows, clinic, sweep]).await?;
                let gone = found.iter().filter(|(.., times)| *times >= 2);
                let gone: Vec<PatientId> = gone.map(|(_, id, _)| *id).collect();
                links_stale_of_patients(&mut tx, clinic, gone.iter().copied()).await?;
                tx.commit().await?;
                Ok(Some((*last, gone.len() as u64)))
            })?;
            let Some((last, gone)) = missed else { return Ok(vanished) };
            missing.after = last;
            vanished += gone;
        }
    }
}

/// The patients of a source that are not marked, page by page.
struct Missing {
    clinic: ClinicId,
    /// Those missed in this sweep already are left out.
    sweep: i64,
    gaps: Vec<Stretch>,
    after: i64,
}

/// The number of no sweep: who was missed in it is nobody.
const NO_SWEEP: i64 = -1;
/// Gaps looked through at a time.
const GAPS: usize = 1_000;

impl Missing {
    async fn of(tx: &mut Tx, clinic: ClinicId, sweep: i64, present: &Marks) -> Result<Self> {
        let end = ordinals_end(tx, clinic).await?;
        let mut gaps: Vec<_> = present.gaps(end).collect();
        gaps.reverse();
        Ok(Self { clinic, sweep, gaps, after: 0 })
    }

    /// Returns the next ones, at most `limit`: ordinal, id, and the sweeps in a row that missed them.
    /// They are the next ones until `after` is set to the last of them.
    async fn next(&mut self, tx: &mut Tx, limit: i64) -> Result<Vec<(i64, PatientId, i64)>> {
        while !self.gaps.is_empty() {
            let rest = self.gaps.len().saturating_sub(GAPS);
            let gaps: Vec<_> = self.gaps[rest..].iter().rev().collect();
            let args = args![json(&gaps)?, self.clinic, self.sweep, self.after, limit];
            let found: Vec<(i64, PatientId, i64)> = tx.rows(SWEEP_MISSING, args).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            self.gaps.truncate(rest);
        }
        Ok(Vec::new())
    }
}
