//! Feedback: what the clinic's own record has yet to be told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{At, args, id_rows};
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use crate::domain::{Actor, Channel, ClinicId, EventId, EventKind, PatientId};

/// One thing that the clinic is to be told about one patient.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Feedback {
    /// Its id.
    pub id: Uuid,
    /// The patient.
    #[sqlx(rename = "patient_id")]
    pub patient: PatientId,
    /// The clinic's own id of the patient.
    pub source_id: String,
    /// The channel; none means every channel.
    pub channel: Option<Channel>,
    /// What happened.
    pub kind: EventKind,
    /// When it happened, or was recorded.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
    /// The name of the list it was seen on.
    pub list: Option<String>,
    /// The ledger line.
    #[sqlx(rename = "event_id")]
    pub event: EventId,
    /// Who acted.
    pub actor: Actor,
    /// Whether another holder of the same address is known to have acted (L7).
    pub by_another: bool,
}

#[derive(Serialize)]
pub(super) struct FeedbackPut {
    pub(super) id: Uuid,
    pub(super) patient: Uuid,
    pub(super) seq: i64,
    pub(super) event: Uuid,
    pub(super) kind: &'static str,
    pub(super) channel: Option<&'static str>,
    pub(super) list: Option<Uuid>,
    pub(super) actor: &'static str,
    pub(super) at: i64,
}

statements! {
    FEEDBACK_ADD (given: id uuid, patient uuid, seq bigint, event uuid, kind text, channel text,
        list uuid, actor text, at bigint) = {
        "INSERT INTO feedback (clinic_id, id, patient_id, seq, event_id, kind, channel, list_id,
            actor, at)
         SELECT $2, g.id, g.patient, g.seq, g.event, g.kind, g.channel, g.list, g.actor, g.at
         FROM given g JOIN patients p ON p.clinic_id = $2 AND p.id = g.patient"
    }
    FEEDBACK_PAGE = {
        "SELECT f.id, f.patient_id, p.source_id, f.channel, f.kind, f.at, l.slug AS list,
            f.event_id, f.actor, COALESCE(e.patient_id <> f.patient_id, FALSE) AS by_another
         FROM feedback f
         JOIN patients p ON p.clinic_id = f.clinic_id AND p.id = f.patient_id
         JOIN ledger e ON e.clinic_id = f.clinic_id AND e.seq = f.seq
         LEFT JOIN lists l ON l.clinic_id = f.clinic_id AND l.id = f.list_id
         WHERE f.clinic_id = $1 AND f.done_at IS NULL
         ORDER BY f.id LIMIT $2"
    }
    FEEDBACK_DONE (given: id uuid) [" IN (SELECT id FROM given)" | " = ANY (ARRAY(SELECT id FROM given))"] = {
        "UPDATE feedback SET done_at = $3 WHERE clinic_id = $2 AND done_at IS NULL AND id"
    }
}

impl Store {
    /// Returns what the clinic has yet to be told, the oldest first.
    pub async fn feedback_page(&self, clinic: ClinicId, limit: u32) -> Result<Vec<Feedback>> {
        self.db.rows(FEEDBACK_PAGE, args![clinic, limit]).await
    }

    /// Records that the clinic was told. Fenced.
    pub async fn feedback_done(&self, lease: &Lease, clinic: ClinicId, ids: &[Uuid]) -> Result<()> {
        let rows = id_rows(ids.iter().copied())?;
        let args = args![rows, clinic, self.clock.now()];
        self.execute_under(lease, FEEDBACK_DONE, args).await.map(drop)
    }
}
