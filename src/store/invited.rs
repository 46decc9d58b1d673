//! Invitations that the clinic's own record is to be told of, where it takes that.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use super::columns::{At, MaybeAt, args, json, millis};
use super::db::Tx;
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use crate::domain::{Channel, ClinicId, EventId, Invitation, LinkId, PatientId};

/// One invitation that one patient's record is to tell of.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Invited {
    /// Names the invitation; the same for all who share the address.
    #[sqlx(rename = "event_id")]
    pub event: EventId,
    /// The patient.
    #[sqlx(rename = "patient_id")]
    pub patient: PatientId,
    /// The clinic's own id of the patient.
    pub source_id: String,
    /// The list's channel.
    pub channel: Channel,
    /// The list.
    pub list: String,
    /// When it was sent.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
    /// When the clinic was told; none while it is not.
    #[sqlx(try_from = "MaybeAt")]
    pub done_at: Option<DateTime<Utc>>,
}

#[derive(Serialize)]
struct InvitedPut {
    link: Uuid,
    event: Uuid,
    at: i64,
}

#[derive(Serialize)]
struct InvitedKey {
    event: Uuid,
    patient: Uuid,
}

statements! {
    INVITED_ADD (given: link uuid, event uuid, at bigint) = {
        "INSERT INTO invited (clinic_id, event_id, patient_id, list_id, at)
         SELECT $2, g.event, h.patient_id, k.list_id, g.at
         FROM given g CROSS JOIN links k CROSS JOIN holders h
         WHERE k.clinic_id = $2 AND k.id = g.link
            AND h.clinic_id = $2 AND h.contact_id = k.contact_id AND h.holds_now
         ON CONFLICT (clinic_id, event_id, patient_id) DO NOTHING"
    }
    INVITED_PAGE = {
        "SELECT i.event_id, i.patient_id, p.source_id, l.channel, l.slug AS list, i.at, i.done_at
         FROM invited i
         JOIN patients p ON p.clinic_id = i.clinic_id AND p.id = i.patient_id
         JOIN lists l ON l.clinic_id = i.clinic_id AND l.id = i.list_id
         WHERE i.clinic_id = $1 AND i.done_at IS NULL
         ORDER BY i.event_id, i.patient_id LIMIT $2"
    }
    INVITED_DONE (given: event uuid, patient uuid) = {
        "UPDATE invited SET done_at = $3 FROM given g
         WHERE invited.clinic_id = $2 AND invited.event_id = g.event
            AND invited.patient_id = g.patient AND invited.done_at IS NULL"
    }
    INVITED_UNTOLD_DELETE = { "DELETE FROM invited WHERE clinic_id = $1 AND done_at IS NULL" }
    INVITED_OF_PATIENT = {
        "SELECT i.event_id, i.patient_id, p.source_id, l.channel, l.slug AS list, i.at, i.done_at
         FROM invited i
         JOIN patients p ON p.clinic_id = i.clinic_id AND p.id = i.patient_id
         JOIN lists l ON l.clinic_id = i.clinic_id AND l.id = i.list_id
         WHERE i.clinic_id = $1 AND i.patient_id = $2 ORDER BY i.at"
    }
}

impl Store {
    /// Returns invitations that the clinic has yet to be told of.
    pub async fn invited_page(&self, clinic: ClinicId, limit: u32) -> Result<Vec<Invited>> {
        self.db.rows(INVITED_PAGE, args![clinic, limit]).await
    }

    /// Records that the clinic was told. Fenced.
    pub async fn invited_done(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        told: &[Invited],
    ) -> Result<()> {
        let key = |told: &Invited| InvitedKey { event: told.event.0, patient: told.patient.0 };
        let keys: Vec<_> = told.iter().map(key).collect();
        let args = args![json(&keys)?, clinic, self.clock.now()];
        self.execute_under(lease, INVITED_DONE, args).await.map(drop)
    }

    /// Forgets what waits to be told to a clinic that does not take it. Fenced.
    pub async fn invited_forget(&self, lease: &Lease, clinic: ClinicId) -> Result<()> {
        self.execute_under(lease, INVITED_UNTOLD_DELETE, args![clinic]).await.map(drop)
    }

    /// Returns the invitations that a patient's own record was told of, the oldest first.
    pub async fn invited_of_patient(
        &self,
        clinic: ClinicId,
        patient: PatientId,
    ) -> Result<Vec<Invited>> {
        self.db.rows(INVITED_OF_PATIENT, args![clinic, patient]).await
    }
}

/// Has the clinic told of invitations that went out, each once, in the record of everybody who holds the
/// address.
pub(super) async fn invited_add<'a>(
    tx: &mut Tx,
    clinic: ClinicId,
    sent: impl Iterator<Item = (LinkId, &'a Invitation)>,
) -> Result<()> {
    let put = |(link, invitation): (LinkId, &Invitation)| InvitedPut {
        link: link.0,
        event: event(link, &invitation.key),
        at: millis(invitation.sent_at),
    };
    let puts: Vec<_> = sent.map(put).collect();
    if puts.is_empty() {
        return Ok(());
    }
    tx.execute(INVITED_ADD, args![json(&puts)?, clinic]).await.map(drop)
}

/// The same invitation has the same id, however often it is heard of.
fn event(link: LinkId, key: &str) -> Uuid {
    let digest = Sha256::digest(format!("invited/{link}/{key}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
