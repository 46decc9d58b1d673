//! Patients: the clinic's records as last read, and what of them was turned into events.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use super::columns::{MaybeAt, args, count, from_json, id_rows, json, text_rows};
use super::db::{Tx, again};
use super::error::Result;
use super::holders::Holding;
use super::leases::Lease;
use super::marks::Marks;
use super::sql::statements;
use super::words::Origin;
use crate::domain::{
    Answer, Channel, ClinicId, Consent, Contacts, Patient, PatientId, PatientRecord, PatientStatus,
    Said,
};

/// What became of a batch of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upserted {
    /// Patients never seen before.
    pub new: u64,
    /// Patients whose record differs.
    pub changed: u64,
    /// Patients whose record is as it was.
    pub unchanged: u64,
}

/// Tells whether the clinic's record says no.
pub(super) const fn is_no(consent: &Consent) -> bool {
    matches!(consent.answer, Answer::Withdrawn | Answer::Objected)
}

/// A patient whose consent or restriction differs from what was last turned into events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unapplied {
    /// The patient as the clinic has it now.
    pub patient: Patient,
    /// What was last turned into events; none for a new patient.
    pub said: Option<Said>,
    /// The contacts the patient holds now, and those they left.
    pub contacts: Contacts,
}

#[derive(sqlx::FromRow)]
struct Known {
    id: PatientId,
    source_id: String,
    origin: Origin,
    status: PatientStatus,
    digest: i64,
    erased: bool,
    ordinal: i64,
    seen: Option<i64>,
    missing: bool,
    /// When somebody asked here that the patient be erased, unless they consented anew.
    #[sqlx(try_from = "MaybeAt")]
    asked_at: Option<DateTime<Utc>>,
}

/// A patient's columns from which the patient is read.
#[derive(sqlx::FromRow)]
pub(super) struct PatientColumns {
    id: PatientId,
    status: PatientStatus,
    record: String,
}

impl PatientColumns {
    /// The status column holds what the record cannot say: that it vanished from the source.
    pub(super) fn patient(self) -> Result<Patient> {
        let mut record: PatientRecord = from_json("patient record", &self.record)?;
        record.status = self.status;
        Ok(Patient { id: self.id, record })
    }
}

#[derive(sqlx::FromRow)]
struct UnappliedColumns {
    #[sqlx(flatten)]
    patient: PatientColumns,
    applied: Option<String>,
}

#[derive(Serialize)]
struct PatientPut<'a> {
    id: Uuid,
    ordinal: i64,
    source_id: &'a str,
    status: &'static str,
    record: String,
    digest: i64,
    consents: String,
    seen: Option<i64>,
}

/// A patient who is there, by the same row as the digest, if any.
#[derive(Serialize)]
struct Present {
    id: Uuid,
    seen: Option<i64>,
}

#[derive(Serialize)]
struct AppliedPut {
    id: Uuid,
    applied: String,
}

statements! {
    PATIENTS_KNOWN (given: text text) = {
        "SELECT p.id, p.source_id, p.origin, p.status, p.digest,
            p.erased_at IS NOT NULL AS erased, p.ordinal, p.seen,
            p.missing_sweeps <> 0 AS missing, e.asked_at
         FROM given g JOIN patients p ON p.clinic_id = $2 AND p.source_id = g.text
         LEFT JOIN erasures e ON e.clinic_id = p.clinic_id AND e.patient_id = p.id
            AND e.lifted_at IS NULL"
    }
    CLINIC_LOCK ["" | " FOR NO KEY UPDATE"] = {
        "SELECT clinic_id FROM clinics WHERE clinic_id = $1"
    }
    PATIENTS_END = {
        "SELECT COALESCE(MAX(ordinal), 0) + 1 FROM patients WHERE clinic_id = $1"
    }
    PATIENTS_PUT (given: id uuid, ordinal bigint, source_id text, status text, record text,
        digest bigint, consents text, seen bigint) = {
        "INSERT INTO patients (clinic_id, id, ordinal, source_id, origin, status, record, digest,
            consents, seen)
         SELECT $2, id, ordinal, source_id, $3, status, record, digest, consents, seen
         FROM given WHERE TRUE
         ON CONFLICT (clinic_id, source_id) DO UPDATE SET
            origin = CASE patients.origin WHEN 'source' THEN 'source' ELSE excluded.origin END,
            status = excluded.status, record = excluded.record, digest = excluded.digest,
            consents = excluded.consents, seen = excluded.seen, missing_sweeps = 0,
            erased_at = NULL
         WHERE NOT EXISTS (SELECT 1 FROM erasures e WHERE e.clinic_id = patients.clinic_id
            AND e.patient_id = patients.id AND e.lifted_at IS NULL)"
    }
    PATIENTS_PRESENT (given: id uuid, seen bigint) = {
        "UPDATE patients SET seen = g.seen, missing_sweeps = 0
         FROM given g WHERE patients.clinic_id = $2 AND patients.id = g.id"
    }
    PATIENTS_UNAPPLIED = {
        "SELECT id, status, record, applied FROM patients
         WHERE clinic_id = $1 AND id > $2 AND (applied IS NULL OR applied <> consents)
         ORDER BY id LIMIT $3"
    }
    PATIENTS_APPLIED (given: id uuid, applied text) = {
        "UPDATE patients SET applied = g.applied FROM given g WHERE patients.clinic_id = $2 AND patients.id = g.id"
    }
    PATIENTS_ACTIVE = {
        "SELECT COUNT(*) FROM patients WHERE clinic_id = $1 AND status = 'active'"
    }
    PATIENT_BY_SOURCE_ID = {
        "SELECT id, status, record FROM patients WHERE clinic_id = $1 AND source_id = $2"
    }
    PATIENT_BY_ID = { "SELECT id, status, record FROM patients WHERE clinic_id = $1 AND id = $2" }
    PATIENTS_PAGE = {
        "SELECT id, status, record FROM patients WHERE clinic_id = $1 AND id > $2
         ORDER BY id LIMIT $3"
    }
}

impl Store {
    /// Stores records as the clinic gives them now, with their contacts, holders and links, and marks
    /// whom the source has. Fenced.
    ///
    /// Writes only what differs. `digests` are those of the rows that the records were read from, by
    /// the clinic's own ids. Records of former patients never overwrite what the clinic's own system
    /// says.
    pub async fn patients_upsert(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        origin: Origin,
        records: &[PatientRecord],
        digests: &HashMap<String, i64>,
        marks: &mut Marks,
    ) -> Result<Upserted> {
        let mut total = Upserted::default();
        // A patient brings up to two contacts with their holders and links.
        for records in records.chunks(self.db.chunk() / 8) {
            let (done, ordinals) = again!(self, {
                let mut tx = self.begin_under(lease).await?;
                let done = self.upsert_chunk(&mut tx, clinic, origin, records, digests).await?;
                tx.commit().await?;
                Ok(done)
            })?;
            marks.extend(ordinals);
            total.new += done.new;
            total.changed += done.changed;
            total.unchanged += done.unchanged;
        }
        Ok(total)
    }

    async fn upsert_chunk(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        origin: Origin,
        records: &[PatientRecord],
        digests: &HashMap<String, i64>,
    ) -> Result<(Upserted, Vec<i64>)> {
        // Of two records with one id the later counts.
        let records: BTreeMap<&str, &PatientRecord> =
            records.iter().map(|record| (record.source_id.as_str(), record)).collect();
        let known = patients_known(tx, clinic, records.keys().copied()).await?;
        let all_known = known.len() == records.len();
        let mut free = if all_known { 0.. } else { ordinals_reserve(tx, clinic).await?.. };
        let mut done = Upserted::default();
        let (mut present, mut puts, mut holdings) = (Vec::new(), Vec::new(), Vec::new());
        let mut lifted = Vec::new();
        let mut ordinals = Vec::with_capacity(records.len());
        for (source_id, record) in records {
            let known = known.get(source_id);
            let mut put = patient_put(known, record, digests.get(source_id).copied())?;
            if known.is_none() {
                put.id = self.clock.id();
                put.ordinal = free.next().unwrap_or_default();
            }
            ordinals.push(put.ordinal);
            match known {
                None => done.new += 1,
                Some(known) if is_settled(known, origin, record, put.digest) => {
                    done.unchanged += 1;
                    present.extend(present_now(known, origin, &put));
                    continue;
                }
                Some(known) => {
                    done.changed += 1;
                    lifted.extend(known.asked_at.map(|_| known.id.0));
                }
            }
            let (patient, since) = (PatientId(put.id), record.updated_at);
            holdings.push(Holding { patient, addresses: addresses(record), since });
            puts.push(put);
        }
        if !puts.is_empty() {
            // An order to erase given since these were read outlasts what is put.
            clinic_lock(tx, clinic).await?;
            self.erasures_lift(tx, clinic, &lifted).await?;
            tx.execute(PATIENTS_PUT, args![json(&puts)?, clinic, origin]).await?;
            self.contacts_hold(tx, clinic, &holdings).await?;
        }
        if !present.is_empty() {
            tx.execute(PATIENTS_PRESENT, args![json(&present)?, clinic]).await?;
        }
        Ok((done, ordinals))
    }

    /// Returns patients whose consent or restriction is not yet turned into events, by id.
    pub async fn patients_unapplied(
        &self,
        clinic: ClinicId,
        after: Option<PatientId>,
        limit: u32,
    ) -> Result<Vec<Unapplied>> {
        let args = args![clinic, after.map_or(Uuid::nil(), |id| id.0), limit];
        let rows: Vec<UnappliedColumns> = self.db.rows(PATIENTS_UNAPPLIED, args).await?;
        let mut held = self.contacts_held(clinic, rows.iter().map(|row| row.patient.id)).await?;
        rows.into_iter()
            .map(|row| {
                let patient = row.patient.patient()?;
                let applied = row.applied.map(|text| from_json("applied consent", &text));
                let contacts = held.remove(&patient.id).unwrap_or_default();
                Ok(Unapplied { patient, said: applied.transpose()?, contacts })
            })
            .collect()
    }

    /// Records what was turned into events. Fenced.
    pub async fn patients_applied(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        applied: &[(PatientId, Said)],
    ) -> Result<()> {
        for applied in applied.chunks(self.db.chunk() / 4) {
            let rows = applied
                .iter()
                .map(|(id, applied)| Ok(AppliedPut { id: id.0, applied: json(applied)? }))
                .collect::<Result<Vec<_>>>()?;
            again!(self, {
                let mut tx = self.begin_under(lease).await?;
                tx.execute(PATIENTS_APPLIED, args![json(&rows)?, clinic]).await?;
                let patients = applied.iter().map(|(id, _)| *id);
                links_stale_of_patients(&mut tx, clinic, patients).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    /// Counts the active patients.
    pub async fn patients_active(&self, clinic: ClinicId) -> Result<u64> {
        let active: Option<(i64,)> = self.db.row(PATIENTS_ACTIVE, args![clinic]).await?;
        Ok(active.map_or(0, |(active,)| count(active)))
    }

    /// Marks patients as present in a sweep whose rows could not be read. Fenced.
    pub async fn patients_present(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        source_ids: &[&str],
        marks: &mut Marks,
    ) -> Result<()> {
        if source_ids.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin_under(lease).await?;
        let known = patients_known(&mut tx, clinic, source_ids.iter().copied()).await?;
        marks.extend(known.values().map(|known| known.ordinal));
        let missed = known.values().filter(|known| known.missing);
        let missed: Vec<_> = missed.map(|known| Present { id: known.id.0, seen: None }).collect();
        tx.execute(PATIENTS_PRESENT, args![json(&missed)?, clinic]).await?;
        tx.commit().await
    }

    /// Finds a patient by the clinic's own id or by ours.
    pub async fn patient_find(&self, clinic: ClinicId, text: &str) -> Result<Option<Patient>> {
        let mut found: Option<PatientColumns> =
            self.db.row(PATIENT_BY_SOURCE_ID, args![clinic, text]).await?;
        if let (None, Ok(id)) = (&found, text.parse::<Uuid>()) {
            found = self.db.row(PATIENT_BY_ID, args![clinic, id]).await?;
        }
        found.map(PatientColumns::patient).transpose()
    }

    /// Returns a page of patients by id.
    pub async fn patients_page(
        &self,
        clinic: ClinicId,
        after: Option<PatientId>,
        limit: u32,
    ) -> Result<Vec<Patient>> {
        let args = args![clinic, after.map_or(Uuid::nil(), |id| id.0), limit];
        let rows: Vec<PatientColumns> = self.db.rows(PATIENTS_PAGE, args).await?;
        rows.into_iter().map(PatientColumns::patient).collect()
    }
}

async fn patients_known<'a>(
    tx: &mut Tx,
    clinic: ClinicId,
    source_ids: impl Iterator<Item = &'a str> + Send,
) -> Result<BTreeMap<String, Known>> {
    let rows = text_rows(source_ids)?;
    let known: Vec<Known> = tx.rows(PATIENTS_KNOWN, args![rows, clinic]).await?;
    Ok(known.into_iter().map(|known| (known.source_id.clone(), known)).collect())
}

/// Locks the clinic against others who put patients, or order an erasure. Before the ledger's lock.
pub(super) async fn clinic_lock(tx: &mut Tx, clinic: ClinicId) -> Result<()> {
    tx.row::<(ClinicId,)>(CLINIC_LOCK, args![clinic]).await.map(drop)
}

/// Locks the clinic and returns the next ordinal.
async fn ordinals_reserve(tx: &mut Tx, clinic: ClinicId) -> Result<i64> {
    clinic_lock(tx, clinic).await?;
    ordinals_end(tx, clinic).await
}

/// Returns the ordinal after that of the clinic's last patient; the first is 1.
pub(super) async fn ordinals_end(tx: &mut Tx, clinic: ClinicId) -> Result<i64> {
    let end: Option<(i64,)> = tx.row(PATIENTS_END, args![clinic]).await?;
    Ok(end.map_or(1, |(end,)| end))
}

/// Writes a record as the columns of a patient; one who is not known has no id and no number yet.
fn patient_put<'a>(
    known: Option<&Known>,
    record: &'a PatientRecord,
    seen: Option<i64>,
) -> Result<PatientPut<'a>> {
    let text = json(record)?;
    Ok(PatientPut {
        id: known.map_or(Uuid::nil(), |known| known.id.0),
        ordinal: known.map_or(0, |known| known.ordinal),
        source_id: &record.source_id,
        status: record.status.word(),
        digest: digest(&text),
        record: text,
        consents: json(&Said::by(record))?,
        seen,
    })
}

/// Tells whether nothing is to be written: the record is as known; the clinic still lists somebody
/// who was erased as deleted, or whose erasure was asked for here and who did not consent since; or a file of former patients names one whom the clinic has.
fn is_settled(known: &Known, origin: Origin, record: &PatientRecord, digest: i64) -> bool {
    let same = known.digest == digest && known.status == record.status;
    (same && known.origin == origin)
        || (known.erased && record.status == PatientStatus::Deleted)
        || known.asked_at.is_some_and(|at| !consents_anew(record, at))
        || (origin == Origin::Import && known.origin == Origin::Source)
}

/// Tells whether the record holds consent with evidence that is newer than an erasure (L11).
fn consents_anew(record: &PatientRecord, since: DateTime<Utc>) -> bool {
    record.status == PatientStatus::Active
        && Channel::ALL.iter().map(|channel| record.consent(*channel)).any(|consent| {
            consent.answer == Answer::Granted
                && consent.is_explicit()
                && consent.at.is_some_and(|at| at > since)
        })
}

/// Returns what is to be written of a patient all the same who is settled: that the source has him
/// again, and by which row. No row stands for a record that was erased.
fn present_now(known: &Known, origin: Origin, put: &PatientPut<'_>) -> Option<Present> {
    let seen = put.seen.filter(|_| known.digest == put.digest);
    let differs = known.missing || known.seen != seen;
    (origin == Origin::Source && differs).then_some(Present { id: put.id, seen })
}

fn addresses(record: &PatientRecord) -> Vec<crate::domain::Address> {
    Channel::ALL.iter().filter_map(|channel| record.address(*channel).cloned()).collect()
}

fn digest(record: &str) -> i64 {
    let hash: [u8; 32] = Sha256::digest(record).into();
    hash.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// Marks the links of all contacts that `patients` hold or held.
pub(super) async fn links_stale_of_patients(
    tx: &mut Tx,
    clinic: ClinicId,
    patients: impl Iterator<Item = PatientId>,
) -> Result<()> {
    let rows = id_rows(patients.map(|id| id.0))?;
    tx.execute(super::following::LINKS_STALE_OF_PATIENTS, args![rows, clinic]).await.map(drop)
}
