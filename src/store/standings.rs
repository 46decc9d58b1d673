//! Standings: the ledger folded per address and per patient, kept beside it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::arguments::Write;
use super::columns::{args, from_json, id_rows, json, millis};
use super::db::Tx;
use super::error::Result;
use super::sql::statements;
use crate::domain::event::CLOCK_SKEW;
use crate::domain::{Channel, ClinicId, ContactId, Event, EventKind, PatientId, Standing};

statements! {
    STANDINGS_OF_CONTACTS (given: id uuid) = {
        "SELECT c.id, c.standing FROM given g
         JOIN contacts c ON c.clinic_id = $2 AND c.id = g.id"
    }
    // Whoever is named, or holds an address that is named, or left it since: with all that they hold or
    // left, and how they stand. Each way to PostgreSQL and back counts where many wait for it.
    HOLDINGS (given: contact uuid, patient uuid, left_since bigint) = {
        ", concerned AS (
            SELECT g.patient AS id FROM given g WHERE g.patient IS NOT NULL
            UNION SELECT h.patient_id FROM given g CROSS JOIN holders h
            WHERE h.clinic_id = $2 AND h.contact_id = g.contact
                AND (h.holds_now OR h.left_at >= g.left_since))
         SELECT h.patient_id, h.contact_id, c.channel, h.left_at, NULL AS standing
         FROM concerned g CROSS JOIN holders h CROSS JOIN contacts c
         WHERE h.clinic_id = $2 AND h.patient_id = g.id
            AND (h.holds_now OR h.left_at IS NOT NULL)
            AND c.clinic_id = h.clinic_id AND c.id = h.contact_id
         UNION ALL
         SELECT s.patient_id, NULL, s.channel, NULL, s.standing
         FROM concerned g CROSS JOIN patient_standings s
         WHERE s.clinic_id = $2 AND s.patient_id = g.id"
    }
    STANDINGS_OF_PATIENTS (given: id uuid) = {
        "SELECT s.patient_id, s.channel, s.standing FROM given g CROSS JOIN patient_standings s
         WHERE s.clinic_id = $2 AND s.patient_id = g.id"
    }
    CONTACTS_STAND (given: id uuid, standing text) = {
        "UPDATE contacts SET standing = g.standing FROM given g
         WHERE contacts.clinic_id = $2 AND contacts.id = g.id"
    }
    PATIENTS_STAND (given: id uuid, channel text, standing text) = {
        "INSERT INTO patient_standings (clinic_id, patient_id, channel, standing)
         SELECT $2, p.id, g.channel, g.standing FROM given g
         JOIN patients p ON p.clinic_id = $2 AND p.id = g.id WHERE TRUE
         ON CONFLICT (clinic_id, patient_id, channel) DO UPDATE SET standing = excluded.standing"
    }
}

impl Store {
    /// Returns how each of `patients` stands on each channel on which the ledger tells of them.
    pub async fn standings_of_patients(
        &self,
        clinic: ClinicId,
        patients: &[PatientId],
    ) -> Result<BTreeMap<(PatientId, Channel), Standing>> {
        if patients.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = id_rows(patients.iter().map(|patient| patient.0))?;
        let found: Vec<(PatientId, Channel, String)> =
            self.db.rows(STANDINGS_OF_PATIENTS, args![rows, clinic]).await?;
        let found = found.into_iter();
        found.map(|(id, on, text)| Ok(((id, on), from_json("standing", &text)?))).collect()
    }
}

#[derive(Serialize)]
struct StandingPut {
    id: Uuid,
    channel: Option<&'static str>,
    standing: String,
}

#[derive(Serialize)]
struct Named {
    contact: Option<ContactId>,
    patient: Option<PatientId>,
    /// Who left the contact then or later is bound too.
    left_since: Option<i64>,
}

/// A patient, what they hold or left and when they left it, or how they stand.
type HoldingRow = (PatientId, Option<ContactId>, Channel, Option<i64>, Option<String>);

/// Who holds what now and how they stand, as far as a batch of events is concerned.
pub(super) struct Holdings {
    by_contact: BTreeMap<ContactId, BTreeSet<PatientId>>,
    by_patient: BTreeMap<PatientId, BTreeSet<(ContactId, Channel)>>,
    standings: BTreeMap<(PatientId, Channel), String>,
}

impl Holdings {
    /// Reads who holds the events' contacts and what those and the events' patients hold, and binds
    /// them where the law says so (L8).
    pub(super) async fn bind(tx: &mut Tx, clinic: ClinicId, events: &mut [Event]) -> Result<Self> {
        let named: Vec<_> = events
            .iter()
            .map(|event| Named {
                contact: event.draft.contact,
                patient: event.draft.patient,
                left_since: left_since(event),
            })
            .collect();
        let rows: Vec<HoldingRow> = tx.rows(HOLDINGS, args![json(&named)?, clinic]).await?;
        let mut by_contact: BTreeMap<ContactId, BTreeSet<PatientId>> = BTreeMap::new();
        let mut by_patient: BTreeMap<PatientId, BTreeSet<(ContactId, Channel)>> = BTreeMap::new();
        let mut left: BTreeMap<ContactId, Vec<(PatientId, i64)>> = BTreeMap::new();
        let mut standings = BTreeMap::new();
        for (patient, contact, channel, left_at, standing) in rows {
            if let (Some(contact), Some(left_at)) = (contact, left_at) {
                left.entry(contact).or_default().push((patient, left_at));
            } else if let Some(contact) = contact {
                by_contact.entry(contact).or_default().insert(patient);
                by_patient.entry(patient).or_default().insert((contact, channel));
            }
            standings.extend(standing.map(|standing| ((patient, channel), standing)));
        }
        for event in events.iter_mut().filter(|event| follows(event.draft.kind)) {
            let holders = event.draft.contact.and_then(|contact| by_contact.get(&contact));
            event.binds.extend(holders.into_iter().flatten());
            // It may be read only after somebody who held the address then has left it.
            let Some(since) = left_since(event) else { continue };
            let left = event.draft.contact.and_then(|contact| left.get(&contact));
            let left = left.into_iter().flatten().filter(|(_, at)| *at >= since);
            event.binds.extend(left.map(|(patient, _)| *patient));
        }
        Ok(Self { by_contact, by_patient, standings })
    }

    /// Returns how whoever acted or is bound by `events` stands.
    fn standings(&self, events: &[Event]) -> Result<BTreeMap<(PatientId, Channel), Standing>> {
        let bound: BTreeSet<PatientId> = events.iter().flat_map(bound).collect();
        let standings = self.standings.iter().filter(|((patient, _), _)| bound.contains(patient));
        standings.map(|(key, text)| Ok((*key, from_json("standing", text)?))).collect()
    }

    /// Returns everybody the event concerns: who acted, whom it binds, who holds the address.
    pub(super) fn concerned(&self, event: &Event) -> BTreeSet<PatientId> {
        let holders = event.draft.contact.and_then(|contact| self.by_contact.get(&contact));
        bound(event).chain(holders.into_iter().flatten().copied()).collect()
    }

    fn held_by(&self, patient: PatientId) -> impl Iterator<Item = (ContactId, Channel)> + '_ {
        self.by_patient.get(&patient).into_iter().flatten().copied()
    }

    /// Returns the contacts whose standing the event changes: its own, and without a channel all
    /// that its patient holds; none where it speaks for its patient alone.
    fn stands(&self, event: &Event) -> BTreeSet<ContactId> {
        if event.is_of_patient_alone() {
            return BTreeSet::new();
        }
        let everywhere = event.draft.patient.filter(|_| event.draft.channel.is_none());
        let held = everywhere.into_iter().flat_map(|patient| self.held_by(patient));
        event.draft.contact.into_iter().chain(held.map(|(contact, _)| contact)).collect()
    }

    /// Returns the contacts whose links the event concerns.
    pub(super) fn touches(&self, event: &Event) -> BTreeSet<ContactId> {
        let held = bound(event).flat_map(|patient| self.held_by(patient));
        let on_channel =
            held.filter(|(_, channel)| event.draft.channel.is_none_or(|c| c == *channel));
        event.draft.contact.into_iter().chain(on_channel.map(|(contact, _)| contact)).collect()
    }
}

/// Tells whether an event binds all who hold the address, and follows them (L8).
const fn follows(kind: EventKind) -> bool {
    matches!(kind, EventKind::Withdrawn | EventKind::Objected | EventKind::Complained)
}

/// Returns since when whoever left the address is bound by what was said from it; none where it binds
/// nobody, or is one patient's own word. Provider and clinic have clocks of their own (L2).
fn left_since(event: &Event) -> Option<i64> {
    let from_there = follows(event.draft.kind) && event.draft.patient.is_none();
    from_there.then(|| millis(event.as_opt_out().0 - CLOCK_SKEW))
}

/// Returns who acted and whom the event binds.
pub(super) fn bound(event: &Event) -> impl Iterator<Item = PatientId> + '_ {
    event.draft.patient.into_iter().chain(event.binds.iter().copied())
}

/// Returns what folds `events` into the standings of all whom they are about; of contacts in `known`
/// the standing was read already.
pub(super) async fn standings_fold(
    tx: &mut Tx,
    clinic: ClinicId,
    events: &[Event],
    holdings: &Holdings,
    known: BTreeMap<ContactId, Standing>,
) -> Result<Vec<Write>> {
    let contacts: BTreeSet<_> = events.iter().flat_map(|event| holdings.stands(event)).collect();
    let mut of_contacts = contacts_load(tx, clinic, &contacts, known).await?;
    let mut of_patients = holdings.standings(events)?;
    for event in events {
        for contact in holdings.stands(event) {
            if let Some(standing) = of_contacts.get_mut(&contact) {
                standing.apply(event);
            }
        }
        // A bounce binds the address, not the person (L8).
        for patient in bound(event).filter(|_| event.draft.kind != EventKind::Bounced) {
            for channel in channels(event) {
                of_patients.entry((patient, *channel)).or_default().apply(event);
            }
        }
    }
    standings_store(clinic, &of_contacts, &of_patients)
}

const fn channels(event: &Event) -> &[Channel] {
    match &event.draft.channel {
        Some(channel) => std::slice::from_ref(channel),
        None => Channel::ALL,
    }
}

async fn contacts_load(
    tx: &mut Tx,
    clinic: ClinicId,
    contacts: &BTreeSet<ContactId>,
    mut known: BTreeMap<ContactId, Standing>,
) -> Result<BTreeMap<ContactId, Standing>> {
    known.retain(|contact, _| contacts.contains(contact));
    let others: Vec<Uuid> =
        contacts.iter().filter(|id| !known.contains_key(id)).map(|id| id.0).collect();
    if !others.is_empty() {
        let found: Vec<(ContactId, String)> =
            tx.rows(STANDINGS_OF_CONTACTS, args![id_rows(others)?, clinic]).await?;
        for (contact, standing) in found {
            known.insert(contact, from_json("standing", &standing)?);
        }
    }
    Ok(known)
}

fn standings_store(
    clinic: ClinicId,
    of_contacts: &BTreeMap<ContactId, Standing>,
    of_patients: &BTreeMap<(PatientId, Channel), Standing>,
) -> Result<Vec<Write>> {
    let put = |id, channel: Option<Channel>, standing| {
        let channel = channel.map(Channel::word);
        Ok(StandingPut { id, channel, standing: json(standing)? })
    };
    let contacts: Vec<_> =
        of_contacts.iter().map(|(id, s)| put(id.0, None, s)).collect::<Result<_>>()?;
    let patients: Vec<_> = of_patients
        .iter()
        .map(|((id, channel), s)| put(id.0, Some(*channel), s))
        .collect::<Result<_>>()?;
    let mut writes = Vec::new();
    if !contacts.is_empty() {
        writes.push((CONTACTS_STAND, args![json(&contacts)?, clinic]));
    }
    if !patients.is_empty() {
        writes.push((PATIENTS_STAND, args![json(&patients)?, clinic]));
    }
    Ok(writes)
}
