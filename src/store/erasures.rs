//! Erasures that were asked for here: the clinic's own records may still have the patient.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::columns::{MaybeAt, args, count, from_json, id_rows, json};
use super::db::{Tx, again};
use super::error::{Result, StoreError};
use super::following::links_stale_or_urgent;
use super::ledger::ledger_lock;
use super::patients::clinic_lock;
use super::sql::statements;
use crate::domain::{
    Actor, Channel, ClinicId, ContactId, Draft, Event, EventId, EventKind, PatientId,
    PatientRecord, PatientStatus, TimeSource,
};

/// Who asked for an erasure, and why.
#[derive(Debug, Clone, Copy)]
pub struct AskedBy<'a> {
    /// Who took it down.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// How far a patient's erasure is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ErasureRow {
    /// When it was asked for here; none where the clinic deleted the patient, or nobody asked.
    #[sqlx(try_from = "MaybeAt")]
    pub asked_at: Option<DateTime<Utc>>,
    /// Who took it down.
    pub asked_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When the record here was wiped.
    #[sqlx(try_from = "MaybeAt")]
    pub erased_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct OfPatient {
    id: PatientId,
    #[sqlx(flatten)]
    far: ErasureRow,
}

statements! {
    ERASURE_ASK = {
        "INSERT INTO erasures (clinic_id, patient_id, asked_at, asked_by, reason)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (clinic_id, patient_id) DO UPDATE SET asked_at = excluded.asked_at,
            asked_by = excluded.asked_by, reason = excluded.reason, lifted_at = NULL
         WHERE erasures.lifted_at IS NOT NULL"
    }
    ERASURE_OF = {
        "SELECT e.asked_at, e.asked_by, e.reason, p.erased_at FROM patients p
         LEFT JOIN erasures e ON e.clinic_id = p.clinic_id AND e.patient_id = p.id
            AND e.lifted_at IS NULL
         WHERE p.clinic_id = $1 AND p.id = $2"
    }
    ERASURES_OF (given: id uuid) = {
        "SELECT p.id, e.asked_at, e.asked_by, e.reason, p.erased_at FROM given g CROSS JOIN patients p
         LEFT JOIN erasures e ON e.clinic_id = p.clinic_id AND e.patient_id = p.id
            AND e.lifted_at IS NULL
         WHERE p.clinic_id = $2 AND p.id = g.id
            AND (e.asked_at IS NOT NULL OR p.erased_at IS NOT NULL) ORDER BY p.id"
    }
    ERASURES_LIFT (given: id uuid) = {
        "UPDATE erasures SET lifted_at = $3
         WHERE clinic_id = $2 AND lifted_at IS NULL AND patient_id IN (SELECT g.id FROM given g)"
    }
    STRANGERS_WIPE = {
        "UPDATE links SET member_key = NULL, seen = NULL
         WHERE clinic_id = $1 AND id IN (SELECT id FROM links
            WHERE clinic_id = $1 AND contact_id IS NULL AND member_key IS NOT NULL LIMIT $2)"
    }
    PERSONAL_LEFT = {
        "SELECT (SELECT COUNT(*) FROM patients WHERE clinic_id = $1 AND erased_at IS NULL),
            (SELECT COUNT(*) FROM contacts WHERE clinic_id = $1 AND address IS NOT NULL)"
    }
    RECORD_TO_ERASE = { "SELECT record FROM patients WHERE clinic_id = $1 AND id = $2" }
    PATIENT_TO_ERASE = {
        "UPDATE patients SET status = 'deleted', record = $3, digest = 0, seen = NULL
         WHERE clinic_id = $1 AND id = $2"
    }
    ADDRESSES_TO_ERASE = {
        "SELECT c.id, c.channel, EXISTS (SELECT 1 FROM holders o
            JOIN patients a ON a.clinic_id = o.clinic_id AND a.id = o.patient_id
            WHERE o.clinic_id = h.clinic_id AND o.contact_id = h.contact_id AND o.holds_now
                AND o.patient_id <> h.patient_id AND a.status <> 'deleted') AS shared
         FROM holders h JOIN contacts c ON c.clinic_id = h.clinic_id AND c.id = h.contact_id
         WHERE h.clinic_id = $1 AND h.patient_id = $2 AND c.address IS NOT NULL ORDER BY c.id"
    }
}

impl Store {
    /// Has a patient erased, whatever the clinic's own records go on to say: the order enters the
    /// ledger, and the patient's links are planned at once. Tells whether it is new.
    pub async fn erasure_ask(
        &self,
        clinic: ClinicId,
        patient: PatientId,
        asked: AskedBy<'_>,
    ) -> Result<bool> {
        again!(self, {
            let mut tx = self.db.begin().await?;
            clinic_lock(&mut tx, clinic).await?;
            ledger_lock(&mut tx, clinic).await?;
            let now = self.clock.now();
            let order = args![clinic, patient, now, asked.by, asked.reason];
            if tx.execute(ERASURE_ASK, order).await? == 0 {
                return Ok(false);
            }
            let record: Option<(String,)> = tx.row(RECORD_TO_ERASE, args![clinic, patient]).await?;
            let (record,) = record.ok_or(StoreError::Missing { what: "patient" })?;
            let mut record: PatientRecord = from_json("patient record", &record)?;
            record.status = PatientStatus::Deleted;
            let put = args![clinic, patient, json(&record)?];
            tx.execute(PATIENT_TO_ERASE, put).await?;
            self.erasure_tell(&mut tx, clinic, patient, asked).await?;
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Writes the order into the ledger: of an address that others have it speaks for the patient
    /// alone.
    async fn erasure_tell(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        patient: PatientId,
        asked: AskedBy<'_>,
    ) -> Result<()> {
        let held: Vec<(ContactId, Channel, bool)> =
            tx.rows(ADDRESSES_TO_ERASE, args![clinic, patient]).await?;
        let events: Vec<Event> = held
            .iter()
            .map(|(contact, channel, shared)| {
                self.erasure_asked(patient, (!shared).then_some(*contact), *channel, asked)
            })
            .collect();
        self.append_in(tx, clinic, &events).await?;
        let contacts: BTreeSet<Uuid> = held.iter().map(|(contact, ..)| contact.0).collect();
        let urgent = links_stale_or_urgent(tx, clinic, &BTreeSet::new(), &contacts).await?;
        tx.execute_together(urgent).await
    }

    fn erasure_asked(
        &self,
        patient: PatientId,
        contact: Option<ContactId>,
        channel: Channel,
        asked: AskedBy<'_>,
    ) -> Event {
        let (kind, clock) = (EventKind::Erased, TimeSource::Listwarden);
        let mut draft = Draft::new(kind, Actor::Admin, clock, "erasure asked for");
        let id = EventId(self.clock.id());
        let now = self.clock.now();
        draft.patient = Some(patient);
        draft.contact = contact;
        draft.channel = Some(channel);
        draft.evidence = Some(format!("taken down by {}", asked.by));
        draft.reason = Some(asked.reason.to_owned());
        draft.occurred_at = Some(now);
        draft.unique = format!("erasure asked for:{id}");
        draft.into_event(id, now)
    }

    /// Takes a patient as one whose erasure was asked for, after the store was put back to before.
    pub async fn erasure_ask_again(
        &self,
        clinic: ClinicId,
        patient: PatientId,
        asked_at: DateTime<Utc>,
    ) -> Result<()> {
        let found: Option<(String,)> = self.db.row(RECORD_TO_ERASE, args![clinic, patient]).await?;
        if found.is_none() {
            return Ok(());
        }
        let order = args![clinic, patient, asked_at, "the register", "asked for before a restore"];
        self.db.execute(ERASURE_ASK, order).await?;
        self.patient_deleted_again(clinic, patient).await
    }

    /// Returns how far a patient's erasure is.
    pub async fn erasure_of(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Option<ErasureRow>> {
        self.db.row(ERASURE_OF, args![clinic, patient]).await
    }

    /// Returns those of the patients who were erased or are to be, and how far each is.
    pub async fn erasures_of(
        &self,
        clinic: ClinicId,
        patients: &BTreeSet<PatientId>,
    ) -> Result<Vec<(PatientId, ErasureRow)>> {
        let given = id_rows(patients.iter().map(|id| id.0))?;
        let rows: Vec<OfPatient> = self.db.rows(ERASURES_OF, args![given, clinic]).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.far)).collect())
    }

    /// Forgets the providers' keys of members whom the clinic never knew: some are made from a number.
    pub async fn strangers_wipe(&self, clinic: ClinicId) -> Result<()> {
        while self.db.execute(STRANGERS_WIPE, args![clinic, self.db.chunk_i64()]).await? > 0 {}
        Ok(())
    }

    /// Counts the patients and the addresses of a clinic that are not erased.
    pub async fn personal_left(&self, clinic: ClinicId) -> Result<(u64, u64)> {
        let left: Option<(i64, i64)> = self.db.row(PERSONAL_LEFT, args![clinic]).await?;
        let (patients, addresses) = left.unwrap_or_default();
        Ok((count(patients), count(addresses)))
    }

    /// Ends the orders of patients who consented anew.
    pub(super) async fn erasures_lift(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        patients: &[Uuid],
    ) -> Result<()> {
        if patients.is_empty() {
            return Ok(());
        }
        let rows = id_rows(patients.iter().copied())?;
        tx.execute(ERASURES_LIFT, args![rows, clinic, self.clock.now()]).await.map(drop)
    }
}
