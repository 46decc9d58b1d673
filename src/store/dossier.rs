//! Everything kept about one patient, as a person who asks for it is entitled to see it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::columns::{At, MaybeAt, args, from_json, id_rows};
use super::error::Result;
use super::sql::statements;
use super::words::{OpState, ReviewKind, Told};
use crate::domain::{
    Address, Channel, ClinicId, ContactId, Event, EventId, EventKind, LinkId, ListId, PatientId,
    Reason, Verb,
};

/// An address that a patient has, or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAddress {
    /// The contact.
    pub contact: ContactId,
    /// Its channel.
    pub channel: Channel,
    /// The address; none once it was erased.
    pub address: Option<Address>,
    /// Whether the patient has it now.
    pub holds_now: bool,
    /// Whether another patient has it now.
    pub shared: bool,
    /// Whether another patient has it, or ever had it.
    pub of_others: bool,
    /// When it was erased here.
    pub erased_at: Option<DateTime<Utc>>,
}

/// One line of the ledger with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLine {
    /// Its number.
    pub seq: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The address it is about.
    pub contact: Option<ContactId>,
    /// Who acted, where known.
    pub patient: Option<PatientId>,
    /// When it was written.
    pub recorded_at: DateTime<Utc>,
    /// The key of its code.
    pub key_id: String,
    /// What it commits to.
    pub commitment: String,
    /// Its code, which covers the code before it.
    pub mac: String,
    /// What it says; none once it was erased.
    pub said: Option<Said>,
}

/// What a line says, and what proves that it said so from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The event.
    pub event: Event,
    /// Its text as it was committed to.
    pub text: String,
    /// The salt of the commitment.
    pub salt: String,
}

/// One change at a provider, planned or made.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LinkChange {
    /// The link.
    #[sqlx(rename = "link_id")]
    pub link: LinkId,
    /// The list.
    #[sqlx(rename = "list_id")]
    pub list: ListId,
    /// What was done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// How far it got.
    pub state: OpState,
    /// When it was decided.
    #[sqlx(try_from = "At")]
    pub planned_at: DateTime<Utc>,
    /// When it was sent.
    #[sqlx(try_from = "MaybeAt")]
    pub submitted_at: Option<DateTime<Utc>>,
    /// When its outcome was known.
    #[sqlx(try_from = "MaybeAt")]
    pub settled_at: Option<DateTime<Utc>>,
}

/// What the clinic's own record was told of a patient.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ToldClinic {
    /// What happened.
    pub kind: EventKind,
    /// The channel; none means every channel.
    pub channel: Option<Channel>,
    /// When it happened.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
    /// When the clinic was told; none while it is not.
    #[sqlx(try_from = "MaybeAt")]
    pub done_at: Option<DateTime<Utc>>,
}

/// What an account told of messages to a contact.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ToldOfContact {
    /// The contact.
    #[sqlx(rename = "contact_id")]
    pub contact: ContactId,
    /// What kind of thing.
    pub word: Told,
    /// When it happened.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
}

/// What an admin was shown of a contact.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ReviewOfContact {
    /// The contact.
    #[sqlx(rename = "contact_id")]
    pub contact: ContactId,
    /// What it is.
    pub kind: ReviewKind,
    /// When it happened.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
    /// What came of it.
    pub closed_because: Option<String>,
}

#[derive(sqlx::FromRow)]
struct HeldColumns {
    id: ContactId,
    channel: Channel,
    address: Option<String>,
    holds_now: bool,
    others_now: i64,
    others: i64,
    #[sqlx(try_from = "MaybeAt")]
    erased_at: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct LineColumns {
    seq: i64,
    event_id: EventId,
    kind: EventKind,
    contact_id: Option<ContactId>,
    patient_id: Option<PatientId>,
    #[sqlx(try_from = "At")]
    recorded_at: DateTime<Utc>,
    key_id: String,
    commitment: String,
    mac: String,
    payload: Option<String>,
    salt: Option<String>,
}

statements! {
    ADDRESSES_OF_PATIENT = {
        "SELECT c.id, c.channel, c.address, h.holds_now, c.erased_at,
            (SELECT COUNT(*) FROM holders o WHERE o.clinic_id = h.clinic_id
                AND o.contact_id = h.contact_id AND o.patient_id <> h.patient_id AND o.holds_now)
                AS others_now,
            (SELECT COUNT(*) FROM holders o WHERE o.clinic_id = h.clinic_id
                AND o.contact_id = h.contact_id AND o.patient_id <> h.patient_id) AS others
         FROM holders h JOIN contacts c ON c.clinic_id = h.clinic_id AND c.id = h.contact_id
         WHERE h.clinic_id = $1 AND h.patient_id = $2 ORDER BY c.id"
    }
    LEDGER_ABOUT (given: id uuid) = {
        "SELECT l.seq, l.event_id, l.kind, l.contact_id, l.patient_id, l.recorded_at, l.key_id,
            l.commitment, l.mac, d.payload, d.salt
         FROM (SELECT p.seq FROM ledger_patients p WHERE p.clinic_id = $2 AND p.patient_id = $3
            UNION SELECT k.seq FROM given g CROSS JOIN ledger k
                WHERE k.clinic_id = $2 AND k.contact_id = g.id) n
         CROSS JOIN ledger l
         LEFT JOIN ledger_detail d ON d.clinic_id = l.clinic_id AND d.seq = l.seq
         WHERE l.clinic_id = $2 AND l.seq = n.seq ORDER BY l.seq"
    }
    LEDGER_OF_CONTACTS (given: id uuid) = {
        "SELECT l.contact_id, d.payload FROM given g CROSS JOIN ledger l
         CROSS JOIN ledger_detail d
         WHERE l.clinic_id = $2 AND l.contact_id = g.id
            AND d.clinic_id = l.clinic_id AND d.seq = l.seq ORDER BY l.seq"
    }
    LEDGER_OF_PATIENTS (given: id uuid) = {
        "SELECT p.patient_id, d.payload FROM given g CROSS JOIN ledger_patients p
         CROSS JOIN ledger_detail d
         WHERE p.clinic_id = $2 AND p.patient_id = g.id
            AND d.clinic_id = p.clinic_id AND d.seq = p.seq ORDER BY p.seq"
    }
    CHANGES_OF_LINKS (given: id uuid) = {
        "SELECT o.link_id, o.list_id, o.verb, o.reason, o.state, o.planned_at, o.submitted_at,
            o.settled_at
         FROM given g CROSS JOIN operations o
         WHERE o.clinic_id = $2 AND o.link_id = g.id ORDER BY o.run_id, o.ordinal"
    }
    TOLD_OF_PATIENT = {
        "SELECT kind, channel, at, done_at FROM feedback
         WHERE clinic_id = $1 AND patient_id = $2 ORDER BY id"
    }
    TOLD_OF_CONTACTS (given: id uuid) = {
        "SELECT n.contact_id, n.word, n.at FROM given g CROSS JOIN notices n
         WHERE n.clinic_id = $2 AND n.contact_id = g.id ORDER BY n.at"
    }
    REVIEWS_OF_CONTACTS (given: id uuid) = {
        "SELECT r.contact_id, r.kind, r.at, r.closed_because FROM given g CROSS JOIN reviews r
         WHERE r.clinic_id = $2 AND r.contact_id = g.id ORDER BY r.id"
    }
}

impl Store {
    /// Returns every address that the patient has or had, as far as it is known.
    pub async fn addresses_of_patient(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Vec<HeldAddress>> {
        let rows: Vec<HeldColumns> =
            self.db.rows(ADDRESSES_OF_PATIENT, args![clinic, patient]).await?;
        Ok(rows.into_iter().map(HeldColumns::held).collect())
    }

    /// Returns the ledger's lines about the patient or binding the patient, and those about the
    /// contacts, in their order; of erased ones what is left.
    pub async fn ledger_about(
        &self,
        clinic: ClinicId,
        patient: PatientId,
        contacts: &[ContactId],
    ) -> Result<Vec<LedgerLine>> {
        let args = args![ids(contacts)?, clinic, patient];
        let rows: Vec<LineColumns> = self.db.rows(LEDGER_ABOUT, args).await?;
        rows.into_iter().map(LineColumns::line).collect()
    }

    /// Returns the events about the contacts that were not erased, in the order recorded.
    pub async fn ledger_of_contacts(
        &self,
        clinic: ClinicId,
        contacts: &BTreeSet<ContactId>,
    ) -> Result<Vec<(ContactId, Event)>> {
        let args = args![id_rows(contacts.iter().map(|id| id.0))?, clinic];
        let rows: Vec<(ContactId, String)> = self.db.rows(LEDGER_OF_CONTACTS, args).await?;
        rows.into_iter().map(|(id, text)| Ok((id, from_json("event", &text)?))).collect()
    }

    /// Returns the events about the patients, or binding them, that were not erased, in the order
    /// recorded.
    pub async fn ledger_of_patients(
        &self,
        clinic: ClinicId,
        patients: &BTreeSet<PatientId>,
    ) -> Result<Vec<(PatientId, Event)>> {
        let args = args![id_rows(patients.iter().map(|id| id.0))?, clinic];
        let rows: Vec<(PatientId, String)> = self.db.rows(LEDGER_OF_PATIENTS, args).await?;
        rows.into_iter().map(|(id, text)| Ok((id, from_json("event", &text)?))).collect()
    }

    /// Returns every change of the links at the provider, the oldest first.
    pub async fn changes_made(
        &self,
        clinic: ClinicId,
        links: &[LinkId],
    ) -> Result<Vec<LinkChange>> {
        let rows = id_rows(links.iter().map(|id| id.0))?;
        self.db.rows(CHANGES_OF_LINKS, args![rows, clinic]).await
    }

    /// Returns what the clinic's own record was told of the patient, the oldest first.
    pub async fn told_of_patient(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Vec<ToldClinic>> {
        self.db.rows(TOLD_OF_PATIENT, args![clinic, patient]).await
    }

    /// Returns what accounts told of messages to the contacts, as long as it is remembered.
    pub async fn told_of_contacts(
        &self,
        clinic: ClinicId,
        contacts: &[ContactId],
    ) -> Result<Vec<ToldOfContact>> {
        self.db.rows(TOLD_OF_CONTACTS, args![ids(contacts)?, clinic]).await
    }

    /// Returns what an admin was shown of the contacts.
    pub async fn reviews_of_contacts(
        &self,
        clinic: ClinicId,
        contacts: &[ContactId],
    ) -> Result<Vec<ReviewOfContact>> {
        self.db.rows(REVIEWS_OF_CONTACTS, args![ids(contacts)?, clinic]).await
    }
}

fn ids(contacts: &[ContactId]) -> Result<String> {
    id_rows(contacts.iter().map(|id| -> Uuid { id.0 }))
}

impl HeldColumns {
    fn held(self) -> HeldAddress {
        HeldAddress {
            contact: self.id,
            channel: self.channel,
            address: self.address.map(|text| Address::stored(self.channel, text)),
            holds_now: self.holds_now,
            shared: self.others_now > 0,
            of_others: self.others > 0,
            erased_at: self.erased_at,
        }
    }
}

impl LineColumns {
    fn line(self) -> Result<LedgerLine> {
        let said = match self.payload.zip(self.salt) {
            Some((text, salt)) => Some(Said { event: from_json("event", &text)?, text, salt }),
            None => None,
        };
        Ok(LedgerLine {
            seq: self.seq,
            id: self.event_id,
            kind: self.kind,
            contact: self.contact_id,
            patient: self.patient_id,
            recorded_at: self.recorded_at,
            key_id: self.key_id,
            commitment: self.commitment,
            mac: self.mac,
            said,
        })
    }
}
