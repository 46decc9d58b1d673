//! Erasure: what is personal goes; what keeps the person from being contacted again stays.

use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, from_json, json};
use super::db::{Tx, again};
use super::error::{Result, StoreError};
use super::following::links_stale_of_contacts;
use super::leases::Lease;
use super::ledger::ledger_lock;
use super::patients::clinic_lock;
use super::sql::statements;
use super::suppressions::suppressions_add;
use crate::domain::{
    Actor, Address, Channel, ClinicId, ContactId, Draft, Event, EventId, EventKind, PatientId,
    PatientRecord, Personal, Standing, TimeSource,
};
use crate::keys::AddressHash;

#[derive(sqlx::FromRow)]
struct Erasing {
    channel: Channel,
    address: Option<String>,
    hash: String,
    key_id: String,
    standing: String,
}

#[derive(Serialize)]
struct PatientStandingPut {
    channel: String,
    standing: String,
}

#[derive(Serialize)]
struct RecordPut {
    id: Uuid,
    record: String,
}

statements! {
    CONTACTS_TO_ERASE = {
        "SELECT DISTINCT c.id FROM patients p CROSS JOIN holders h CROSS JOIN contacts c
         WHERE p.clinic_id = $1 AND p.status = 'deleted' AND p.erased_at IS NULL
            AND h.clinic_id = p.clinic_id AND h.patient_id = p.id
            AND c.clinic_id = h.clinic_id AND c.id = h.contact_id AND c.address IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM holders o
                JOIN patients a ON a.clinic_id = o.clinic_id AND a.id = o.patient_id
                WHERE o.clinic_id = c.clinic_id AND o.contact_id = c.id AND o.holds_now
                    AND a.status <> 'deleted')
            AND NOT EXISTS (SELECT 1 FROM links k
                JOIN lists l ON l.clinic_id = k.clinic_id AND l.id = k.list_id
                WHERE k.clinic_id = c.clinic_id AND k.contact_id = c.id AND l.retired_at IS NULL
                    AND (k.intent_verb IS NOT NULL OR l.swept_at IS NULL
                        OR k.status NOT IN ('absent', 'forgotten')))
         LIMIT $2"
    }
    PATIENTS_TO_ERASE = {
        "SELECT p.id FROM patients p
         WHERE p.clinic_id = $1 AND p.status = 'deleted' AND p.erased_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM holders h
                JOIN contacts c ON c.clinic_id = h.clinic_id AND c.id = h.contact_id
                WHERE h.clinic_id = p.clinic_id AND h.patient_id = p.id
                    AND c.address IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM holders o
                        JOIN patients a ON a.clinic_id = o.clinic_id AND a.id = o.patient_id
                        WHERE o.clinic_id = c.clinic_id AND o.contact_id = c.id AND o.holds_now
                            AND a.status <> 'deleted'))"
    }
    CONTACT_ERASING = {
        "SELECT channel, address, hash, key_id, standing FROM contacts
         WHERE clinic_id = $1 AND id = $2"
    }
    CONTACT_WIPE = {
        "UPDATE contacts SET address = NULL, standing = $3, erased_at = $4
         WHERE clinic_id = $1 AND id = $2"
    }
    // Some providers' keys of a number are made from it alone.
    CONTACT_KEYS_WIPE = {
        "UPDATE links SET member_key = NULL, seen = NULL WHERE clinic_id = $1 AND contact_id = $2"
    }
    CONTACT_NOTICES_DELETE = {
        "DELETE FROM notices WHERE clinic_id = $1 AND contact_id = $2"
    }
    CONTACT_HELD_DELETE = {
        "DELETE FROM held_opt_outs WHERE clinic_id = $1 AND contact_id = $2"
    }
    CONTACT_REVIEWS_DELETE = {
        "DELETE FROM reviews WHERE clinic_id = $1 AND contact_id = $2"
    }
    CONTACT_DETAIL_DELETE = {
        "DELETE FROM ledger_detail WHERE clinic_id = $1 AND seq IN
            (SELECT seq FROM ledger WHERE clinic_id = $1 AND contact_id = $2)"
    }
    CONTACT_HOLDERS = {
        "SELECT p.id, p.record FROM holders h
         JOIN patients p ON p.clinic_id = h.clinic_id AND p.id = h.patient_id
         WHERE h.clinic_id = $1 AND h.contact_id = $2"
    }
    CONTACT_HOLDERS_LEAVE = {
        "UPDATE holders SET holds_now = FALSE, left_at = NULL
         WHERE clinic_id = $1 AND contact_id = $2"
    }
    // What a plan carried for the contact goes too; the operation itself stays in the journal.
    CONTACT_PAYLOADS_WIPE = {
        "UPDATE operations SET payload = NULL WHERE clinic_id = $1 AND link_id IN
            (SELECT id FROM links WHERE clinic_id = $1 AND contact_id = $2)"
    }
    // The digest goes, so that a source which still has the patient is read anew.
    PATIENT_RECORDS_PUT (given: id uuid, record text) = {
        "UPDATE patients SET record = g.record, digest = 0, seen = NULL FROM given g
         WHERE patients.clinic_id = $2 AND patients.id = g.id"
    }
    PATIENT_RECORD = { "SELECT record FROM patients WHERE clinic_id = $1 AND id = $2" }
    PATIENT_WIPE = {
        "UPDATE patients SET record = $3, consents = $4, applied = $4,
            digest = 0, seen = NULL, erased_at = $5
         WHERE clinic_id = $1 AND id = $2"
    }
    PATIENT_STANDINGS = {
        "SELECT channel, standing FROM patient_standings WHERE clinic_id = $1 AND patient_id = $2"
    }
    PATIENT_STANDINGS_PUT (given: channel text, standing text) = {
        "UPDATE patient_standings SET standing = g.standing FROM given g
         WHERE patient_standings.clinic_id = $2 AND patient_standings.patient_id = $3
            AND patient_standings.channel = g.channel"
    }
    PATIENT_DETAIL_DELETE = {
        "DELETE FROM ledger_detail WHERE clinic_id = $1 AND seq IN
            (SELECT p.seq FROM ledger_patients p
             JOIN ledger l ON l.clinic_id = p.clinic_id AND l.seq = p.seq
             WHERE p.clinic_id = $1 AND p.patient_id = $2 AND l.patient_id = $2)"
    }
    PATIENT_INVITED_DELETE = {
        "DELETE FROM invited WHERE clinic_id = $1 AND patient_id = $2"
    }
    PATIENT_HOLDS_NOTHING = {
        "UPDATE holders SET holds_now = FALSE, left_at = NULL
         WHERE clinic_id = $1 AND patient_id = $2"
    }
    PATIENT_CONTACTS = {
        "SELECT contact_id FROM holders WHERE clinic_id = $1 AND patient_id = $2"
    }
}

impl Store {
    /// Returns contacts that are to be erased here: held, now or before, by a patient whom the
    /// clinic deleted, by no active one now, and by no provider any more.
    pub async fn contacts_to_erase(&self, clinic: ClinicId, limit: u32) -> Result<Vec<ContactId>> {
        let found: Vec<(ContactId,)> =
            self.db.rows(CONTACTS_TO_ERASE, args![clinic, limit]).await?;
        Ok(found.into_iter().map(|(contact,)| contact).collect())
    }

    /// Returns deleted patients whose record still holds personal data and whose contacts, of now and
    /// of before, are all erased, or another patient's now.
    pub async fn patients_to_erase(&self, clinic: ClinicId) -> Result<Vec<PatientId>> {
        let found: Vec<(PatientId,)> = self.db.rows(PATIENTS_TO_ERASE, args![clinic]).await?;
        Ok(found.into_iter().map(|(patient,)| patient).collect())
    }

    /// Returns every hash that a contact can be known by.
    pub async fn contact_hashes(
        &self,
        clinic: ClinicId,
        contact: ContactId,
    ) -> Result<Vec<AddressHash>> {
        let known: Option<Erasing> = self.db.row(CONTACT_ERASING, args![clinic, contact]).await?;
        Ok(known.map(|known| self.hashes_of(clinic, &known)).unwrap_or_default())
    }

    /// Erases a contact: its address goes, from its holders' records too, and what the ledger says
    /// of it; its hash stays as a tombstone and is suppressed. Fenced.
    ///
    /// A source that still has the address with an active patient brings it back at the next read,
    /// barred until a newer explicit grant (L11).
    pub async fn contact_erase(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        contact: ContactId,
    ) -> Result<()> {
        again!(self, {
            let mut tx = self.begin_under(lease).await?;
            // Nobody's no is written down between what is read here and what is kept of it.
            ledger_lock(&mut tx, clinic).await?;
            let erasing: Option<Erasing> = tx.row(CONTACT_ERASING, args![clinic, contact]).await?;
            let erasing = erasing.ok_or(StoreError::Missing { what: "contact" })?;
            let event = self.erased(contact, erasing.channel);
            tx.execute(CONTACT_KEYS_WIPE, args![clinic, contact]).await?;
            tx.execute(CONTACT_NOTICES_DELETE, args![clinic, contact]).await?;
            tx.execute(CONTACT_HELD_DELETE, args![clinic, contact]).await?;
            tx.execute(CONTACT_REVIEWS_DELETE, args![clinic, contact]).await?;
            tx.execute(CONTACT_DETAIL_DELETE, args![clinic, contact]).await?;
            tx.execute(CONTACT_PAYLOADS_WIPE, args![clinic, contact]).await?;
            self.append_in(&mut tx, clinic, std::slice::from_ref(&event)).await?;
            self.contact_wipe(&mut tx, clinic, contact, erasing, &event).await?;
            tx.commit().await
        })
    }

    async fn contact_wipe(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        contact: ContactId,
        erasing: Erasing,
        event: &Event,
    ) -> Result<()> {
        let mut standing: Standing = from_json("standing", &erasing.standing)?;
        standing.apply(event);
        // Of its past only the wishes to be left alone still count.
        let kept = Standing { opt_outs: standing.opt_outs, ..Standing::default() };
        let hashes = self.hashes_of(clinic, &erasing);
        suppressions_add(tx, clinic, &hashes, &kept.opt_outs).await?;
        let holders: Vec<(PatientId, String)> =
            tx.rows(CONTACT_HOLDERS, args![clinic, contact]).await?;
        let records = holders
            .iter()
            .map(|(id, record)| without_address(*id, record, &erasing))
            .collect::<Result<Vec<_>>>()?;
        let records: Vec<_> = records.into_iter().flatten().collect();
        tx.execute(PATIENT_RECORDS_PUT, args![json(&records)?, clinic]).await?;
        tx.execute(CONTACT_HOLDERS_LEAVE, args![clinic, contact]).await?;
        let args = args![clinic, contact, json(&kept)?, event.recorded_at];
        tx.execute(CONTACT_WIPE, args).await.map(drop)
    }

    /// Returns every hash of the contact; of one that was erased before only the stored one.
    fn hashes_of(&self, clinic: ClinicId, erasing: &Erasing) -> Vec<AddressHash> {
        let stored = AddressHash { key_id: erasing.key_id.clone(), hash: erasing.hash.clone() };
        let address = erasing.address.clone().map(|text| Address::stored(erasing.channel, text));
        let mut hashes = address.map(|a| self.address_hashes(clinic, &a)).unwrap_or_default();
        if !hashes.contains(&stored) {
            hashes.push(stored);
        }
        hashes
    }

    fn erased(&self, contact: ContactId, channel: Channel) -> Event {
        let id = EventId(self.clock.id());
        let kind = EventKind::Erased;
        let mut draft = Draft::new(kind, Actor::Listwarden, TimeSource::Listwarden, "erasure");
        draft.channel = Some(channel);
        draft.contact = Some(contact);
        draft.unique = format!("erased:{id}");
        draft.into_event(id, self.clock.now())
    }

    /// Erases a patient: names, addresses, birth date and consent texts go from the record, and
    /// what the ledger says of the patient's own acts. Fenced.
    pub async fn patient_erase(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<()> {
        again!(self, {
            let mut tx = self.begin_under(lease).await?;
            // Between what is read here and what is kept of it nobody's no is written down, and no
            // order to erase is given, which would put back the record that it has read.
            clinic_lock(&mut tx, clinic).await?;
            ledger_lock(&mut tx, clinic).await?;
            let record: Option<(String,)> = tx.row(PATIENT_RECORD, args![clinic, patient]).await?;
            let (record,) = record.ok_or(StoreError::Missing { what: "patient" })?;
            let wiped = wiped(from_json("patient record", &record)?);
            let consents = json(&crate::domain::Said::by(&wiped))?;
            let now = self.clock.now();
            let contacts: Vec<(ContactId,)> =
                tx.rows(PATIENT_CONTACTS, args![clinic, patient]).await?;
            let args = args![clinic, patient, json(&wiped)?, consents, now];
            tx.execute(PATIENT_WIPE, args).await?;
            patient_standings_wipe(&mut tx, clinic, patient).await?;
            tx.execute(PATIENT_DETAIL_DELETE, args![clinic, patient]).await?;
            tx.execute(PATIENT_INVITED_DELETE, args![clinic, patient]).await?;
            tx.execute(PATIENT_HOLDS_NOTHING, args![clinic, patient]).await?;
            let contacts = contacts.iter().map(|(contact,)| contact.0).collect();
            links_stale_of_contacts(&mut tx, clinic, &contacts).await?;
            tx.commit().await
        })
    }
}

/// Keeps of how a patient stands only the wishes to be left alone, which still count.
async fn patient_standings_wipe(tx: &mut Tx, clinic: ClinicId, patient: PatientId) -> Result<()> {
    let rows: Vec<(String, String)> = tx.rows(PATIENT_STANDINGS, args![clinic, patient]).await?;
    let wiped = rows.into_iter().map(|(channel, standing)| {
        let Standing { opt_outs, restriction, .. } = from_json("standing", &standing)?;
        let kept = Standing { opt_outs, restriction, ..Standing::default() };
        Ok(PatientStandingPut { channel, standing: json(&kept)? })
    });
    let wiped = wiped.collect::<Result<Vec<_>>>()?;
    tx.execute(PATIENT_STANDINGS_PUT, args![json(&wiped)?, clinic, patient]).await.map(drop)
}

/// Takes the erased address out of a holder's record; none where it is not in it.
fn without_address(
    patient: PatientId,
    record: &str,
    erasing: &Erasing,
) -> Result<Option<RecordPut>> {
    let mut record: PatientRecord = from_json("patient record", record)?;
    let address = match erasing.channel {
        Channel::Email => &mut record.email,
        Channel::Sms => &mut record.mobile,
    };
    if address.as_ref().map(Address::expose) != erasing.address.as_deref() || address.is_none() {
        return Ok(None);
    }
    *address = None;
    Ok(Some(RecordPut { id: patient.0, record: json(&record)? }))
}

/// Keeps of a record what names nobody.
fn wiped(record: PatientRecord) -> PatientRecord {
    PatientRecord {
        given_name: Personal::default(),
        family_name: Personal::default(),
        email: None,
        mobile: None,
        birth_date: None,
        tags: std::collections::BTreeSet::new(),
        privacy_policy: None,
        email_consent: crate::domain::Consent::default(),
        sms_consent: crate::domain::Consent::default(),
        ..record
    }
}
