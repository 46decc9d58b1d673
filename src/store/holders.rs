//! Holders: which patients have which contact now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{MaybeAt, args, id_rows, json};
use super::db::Tx;
use super::error::Result;
use super::sql::statements;
use crate::domain::{Address, Channel, ClinicId, ContactId, Contacts, Left, PatientId};

/// The addresses that a patient holds now.
pub(super) struct Holding {
    pub(super) patient: PatientId,
    pub(super) addresses: Vec<Address>,
    /// Since when: what the patient held before was held until then.
    pub(super) since: DateTime<Utc>,
}

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
pub(super) struct HolderPut {
    pub(super) contact: Uuid,
    pub(super) patient: Uuid,
}

/// A patient who holds a contact no more.
#[derive(Serialize)]
pub(super) struct HolderLeft {
    pub(super) contact: Uuid,
    pub(super) patient: Uuid,
    pub(super) left_at: i64,
}

statements! {
    HOLDERS_OF_PATIENTS (given: id uuid) = {
        "SELECT h.contact_id, h.patient_id, c.channel
         FROM given g CROSS JOIN holders h CROSS JOIN contacts c
         WHERE h.clinic_id = $2 AND h.patient_id = g.id AND h.holds_now
            AND c.clinic_id = h.clinic_id AND c.id = h.contact_id
         ORDER BY h.contact_id"
    }
    HOLDERS_AND_LEFT_OF_PATIENTS (given: id uuid) = {
        "SELECT h.contact_id, h.patient_id, c.channel, h.left_at
         FROM given g CROSS JOIN holders h CROSS JOIN contacts c
         WHERE h.clinic_id = $2 AND h.patient_id = g.id AND (h.holds_now OR h.left_at IS NOT NULL)
            AND c.clinic_id = h.clinic_id AND c.id = h.contact_id
         ORDER BY h.contact_id"
    }
    HOLDERS_LEFT (given: contact uuid, patient uuid, left_at bigint) = {
        "UPDATE holders SET holds_now = FALSE, left_at = g.left_at FROM given g
         WHERE holders.clinic_id = $2 AND holders.contact_id = g.contact
            AND holders.patient_id = g.patient"
    }
    HOLDERS_ADD (given: contact uuid, patient uuid) = {
        "INSERT INTO holders (clinic_id, contact_id, patient_id, holds_now)
         SELECT $2, contact, patient, TRUE FROM given WHERE TRUE
         ON CONFLICT (clinic_id, contact_id, patient_id) DO UPDATE SET
            holds_now = TRUE, left_at = NULL"
    }
}

impl Store {
    /// Returns the contacts that each of `patients` holds now, and those they left.
    pub(super) async fn contacts_held(
        &self,
        clinic: ClinicId,
        patients: impl Iterator<Item = PatientId> + Send,
    ) -> Result<BTreeMap<PatientId, Contacts>> {
        let rows = id_rows(patients.map(|id| id.0))?;
        let held: Vec<(ContactId, PatientId, Channel, MaybeAt)> =
            self.db.rows(HOLDERS_AND_LEFT_OF_PATIENTS, args![rows, clinic]).await?;
        let mut contacts: BTreeMap<PatientId, Contacts> = BTreeMap::new();
        for (contact, patient, channel, left_at) in held {
            let of_patient = contacts.entry(patient).or_default();
            match (left_at.into(), channel) {
                (Some(at), _) => of_patient.left.push(Left { contact, channel, at }),
                (None, Channel::Email) => of_patient.email = Some(contact),
                (None, Channel::Sms) => of_patient.sms = Some(contact),
            }
        }
        Ok(contacts)
    }
}

/// Returns who of `patients` holds what.
pub(super) async fn holders_of(
    tx: &mut Tx,
    clinic: ClinicId,
    patients: impl Iterator<Item = PatientId>,
) -> Result<BTreeSet<HolderPut>> {
    let patients = id_rows(patients.map(|patient| patient.0))?;
    let rows: Vec<(ContactId, PatientId, Channel)> =
        tx.rows(HOLDERS_OF_PATIENTS, args![patients, clinic]).await?;
    let holders = rows.into_iter();
    Ok(holders
        .map(|(contact, patient, _)| HolderPut { contact: contact.0, patient: patient.0 })
        .collect())
}

/// Writes who holds nothing more, and who holds something new.
pub(super) async fn holders_exchange(
    tx: &mut Tx,
    clinic: ClinicId,
    left: &[HolderLeft],
    new: &[&HolderPut],
) -> Result<()> {
    tx.execute_together(vec![
        (HOLDERS_LEFT, args![json(&left)?, clinic]),
        (HOLDERS_ADD, args![json(&new)?, clinic]),
    ])
    .await
}
