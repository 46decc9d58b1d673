//! The ledger: one chain of events a clinic (L1), and what follows from each at once.
//!
//! A line chains a salted commitment to the event; the event itself and the salt lie beside it and
//! are deleted on erasure, which leaves the chain whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use super::arguments::Write;
use super::chain::{Chained, Head, LEDGER_HEAD, commitment};
use super::columns::{args, count, from_json, json, millis, text_rows};
use super::db::{Tx, again};
use super::error::{Result, StoreError};
use super::following::links_stale_or_urgent;
use super::leases::Lease;
use super::spreading::spreading;
use super::sql::statements;
use super::standings::{Holdings, bound, standings_fold};
use crate::domain::{ClinicId, ContactId, Event, PatientId, Standing};

/// What became of events that were to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Lines added.
    pub new: u64,
    /// Events the ledger already had.
    pub duplicate: u64,
}

#[derive(Serialize)]
struct LinePut {
    seq: i64,
    event_id: Uuid,
    kind: &'static str,
    contact_id: Option<Uuid>,
    patient_id: Option<Uuid>,
    recorded_at: i64,
    unique_hash: String,
    key_id: String,
    commitment: String,
    mac: String,
    payload: String,
    salt: String,
}

#[derive(Serialize)]
struct LinePatientPut {
    seq: i64,
    patient_id: Uuid,
}

/// What events are appended after.
pub(super) struct After {
    /// The end of the chain, which the transaction has locked.
    pub(super) head: Head,
    /// How contacts stand, as far as it was read already.
    pub(super) standings: BTreeMap<ContactId, Standing>,
    /// Contacts whose links are to be planned at once.
    pub(super) urgent: BTreeSet<Uuid>,
}

impl After {
    fn new(head: Head) -> Self {
        Self { head, standings: BTreeMap::new(), urgent: BTreeSet::new() }
    }
}

statements! {
    // An update, because that locks the head on both engines.
    LEDGER_LOCK = {
        "UPDATE ledger_heads SET seq = seq WHERE clinic_id = $1 RETURNING seq, mac"
    }
    LEDGER_MOVE = { "UPDATE ledger_heads SET seq = $2, mac = $3 WHERE clinic_id = $1" }
    LEDGER_KNOWN (given: text text) = {
        "SELECT l.unique_hash FROM given g
         JOIN ledger l ON l.clinic_id = $2 AND l.unique_hash = g.text"
    }
    LEDGER_ADD (given: seq bigint, event_id uuid, kind text, contact_id uuid, patient_id uuid,
        recorded_at bigint, unique_hash text, key_id text, commitment text, mac text) = {
        "INSERT INTO ledger (clinic_id, seq, event_id, kind, contact_id, patient_id, recorded_at,
            unique_hash, key_id, commitment, mac)
         SELECT $2, seq, event_id, kind, contact_id, patient_id, recorded_at, unique_hash, key_id,
            commitment, mac
         FROM given ORDER BY seq"
    }
    LEDGER_DETAIL_ADD (given: seq bigint, payload text, salt text) = {
        "INSERT INTO ledger_detail (clinic_id, seq, payload, salt)
         SELECT $2, seq, payload, salt FROM given"
    }
    LEDGER_PATIENTS_ADD (given: seq bigint, patient_id uuid) = {
        "INSERT INTO ledger_patients (clinic_id, patient_id, seq)
         SELECT $2, patient_id, seq FROM given"
    }
    LEDGER_OF_CONTACT = {
        "SELECT d.payload FROM ledger l
         JOIN ledger_detail d ON d.clinic_id = l.clinic_id AND d.seq = l.seq
         WHERE l.clinic_id = $1 AND l.contact_id = $2 ORDER BY l.seq"
    }
    LEDGER_OF_PATIENT = {
        "SELECT d.payload FROM ledger_patients p
         JOIN ledger_detail d ON d.clinic_id = p.clinic_id AND d.seq = p.seq
         WHERE p.clinic_id = $1 AND p.patient_id = $2 ORDER BY p.seq"
    }
}

impl Store {
    /// Appends events that the ledger does not have yet; standings, stale links and what the
    /// clinic is to be told follow in the same transaction. Fenced where a lease is given.
    ///
    /// An opt-out or complaint is bound to all who hold the address now (L8).
    pub async fn ledger_append(
        &self,
        lease: Option<&Lease>,
        clinic: ClinicId,
        events: Vec<Event>,
    ) -> Result<Appended> {
        let mut total = Appended::default();
        // An event touches about eight rows: line, detail, patients, standings, links, feedback.
        for events in events.chunks(self.db.chunk() / 8) {
            let done = again!(self, {
                let mut tx = match lease {
                    Some(lease) => self.begin_under(lease).await?,
                    None => self.db.begin().await?,
                };
                let done = self.append_in(&mut tx, clinic, events).await?;
                tx.commit().await?;
                Ok(done)
            })?;
            total.new += done.new;
            total.duplicate += done.duplicate;
        }
        Ok(total)
    }

    /// Appends events within a transaction.
    pub(super) async fn append_in(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        events: &[Event],
    ) -> Result<Appended> {
        let head = ledger_lock(tx, clinic).await?;
        self.append_after(tx, clinic, After::new(head), events).await
    }

    /// Appends events after the head that the transaction has locked.
    pub(super) async fn append_after(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        after: After,
        events: &[Event],
    ) -> Result<Appended> {
        let mut new = events_new(tx, clinic, events).await?;
        let appended =
            Appended { new: new.len() as u64, duplicate: (events.len() - new.len()) as u64 };
        if new.is_empty() {
            let writes = links_stale_or_urgent(tx, clinic, &BTreeSet::new(), &after.urgent).await?;
            tx.execute_together(writes).await?;
            return Ok(appended);
        }
        let holdings = Holdings::bind(tx, clinic, &mut new).await?;
        let mut writes = standings_fold(tx, clinic, &new, &holdings, after.standings).await?;
        let touched = new.iter().flat_map(|event| holdings.touches(event)).map(|id| id.0).collect();
        writes.extend(links_stale_or_urgent(tx, clinic, &touched, &after.urgent).await?);
        let first = after.head.seq + 1;
        writes.extend(self.lines(clinic, after.head, &new)?);
        writes.extend(self.feedback_of(clinic, first, &new, &holdings)?);
        writes.extend(spreading(clinic, first, &new, &holdings, self.clock.now())?);
        tx.execute_together(writes).await?;
        Ok(appended)
    }

    /// Returns what adds the lines of `events` after the head, and moves it.
    fn lines(&self, clinic: ClinicId, mut head: Head, events: &[Event]) -> Result<Vec<Write>> {
        let (mut lines, mut patients) = (Vec::new(), Vec::new());
        for event in events {
            let line = self.line(clinic, &head, event)?;
            head = Head { seq: line.seq, mac: line.mac.clone() };
            let seq = line.seq;
            let bound: BTreeSet<_> = bound(event).collect();
            patients.extend(bound.into_iter().map(|id| LinePatientPut { seq, patient_id: id.0 }));
            lines.push(line);
        }
        let rows = json(&lines)?;
        let mut writes = vec![
            (LEDGER_ADD, args![rows.clone(), clinic]),
            (LEDGER_DETAIL_ADD, args![rows, clinic]),
            (LEDGER_MOVE, args![clinic, head.seq, head.mac]),
        ];
        if !patients.is_empty() {
            writes.push((LEDGER_PATIENTS_ADD, args![json(&patients)?, clinic]));
        }
        Ok(writes)
    }

    /// Chains one event to the head.
    fn line(&self, clinic: ClinicId, head: &Head, event: &Event) -> Result<LinePut> {
        let payload = json(event)?;
        let salt = self.salt();
        let key_id = self.keys.current_id().to_owned();
        let commitment = commitment(&salt, &payload);
        let seq = head.seq + 1;
        let recorded_at = millis(event.recorded_at);
        let chained = Chained {
            prev: &head.mac,
            seq,
            event: event.id,
            kind: event.draft.kind,
            recorded_at,
            commitment: &commitment,
        };
        let mac = self.chain(clinic, &key_id, &chained);
        Ok(LinePut {
            seq,
            event_id: event.id.0,
            kind: event.draft.kind.word(),
            contact_id: event.draft.contact.map(|id| id.0),
            patient_id: event.draft.patient.map(|id| id.0),
            recorded_at,
            unique_hash: unique_hash(&event.draft.unique),
            mac: mac.ok_or(StoreError::Corrupt { what: "key id" })?,
            key_id,
            commitment,
            payload,
            salt,
        })
    }

    fn salt(&self) -> String {
        hex::encode([self.clock.chance(), self.clock.chance()].map(u64::to_be_bytes).concat())
    }

    /// Returns the events about the contact that were not erased, in the order recorded.
    pub async fn ledger_of_contact(
        &self,
        clinic: ClinicId,
        contact: ContactId,
    ) -> Result<Vec<Event>> {
        events(&self.db.rows(LEDGER_OF_CONTACT, args![clinic, contact]).await?)
    }

    /// Returns the events about the patient, or binding the patient, that were not erased.
    pub async fn ledger_of_patient(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Vec<Event>> {
        events(&self.db.rows(LEDGER_OF_PATIENT, args![clinic, patient]).await?)
    }

    /// Returns the number of the clinic's last ledger line: 0 when there is none.
    pub async fn ledger_length(&self, clinic: ClinicId) -> Result<u64> {
        let head: Option<(i64, String)> = self.db.row(LEDGER_HEAD, args![clinic]).await?;
        Ok(head.map_or(0, |(seq, _)| count(seq)))
    }
}

/// Locks the clinic's chain: lines are appended one transaction at a time.
pub(super) async fn ledger_lock(tx: &mut Tx, clinic: ClinicId) -> Result<Head> {
    let head: Option<(i64, String)> = tx.row(LEDGER_LOCK, args![clinic]).await?;
    let (seq, mac) = head.ok_or(StoreError::Missing { what: "clinic" })?;
    Ok(Head { seq, mac })
}

/// Returns the events that the ledger does not have, each once.
async fn events_new(tx: &mut Tx, clinic: ClinicId, events: &[Event]) -> Result<Vec<Event>> {
    let hashes: Vec<String> = events.iter().map(|event| unique_hash(&event.draft.unique)).collect();
    let rows = text_rows(hashes.iter().map(String::as_str))?;
    let known: Vec<(String,)> = tx.rows(LEDGER_KNOWN, args![rows, clinic]).await?;
    let mut known: BTreeSet<String> = known.into_iter().map(|(hash,)| hash).collect();
    Ok(events
        .iter()
        .zip(hashes)
        .filter(|(_, hash)| known.insert(hash.clone()))
        .map(|(event, _)| event.clone())
        .collect())
}

fn events(payloads: &[(String,)]) -> Result<Vec<Event>> {
    payloads.iter().map(|(payload,)| from_json("event", payload)).collect()
}

/// What makes an event the same may name a person, so only its hash is kept beside the line.
fn unique_hash(unique: &str) -> String {
    hex::encode(Sha256::digest(unique))
}
