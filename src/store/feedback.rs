//! Feedback: what the clinic's own record has yet to be told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::arguments::Write;
use super::columns::{At, args, id_rows, json, millis};
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use super::standings::Holdings;
use crate::domain::{Actor, Channel, ClinicId, Event, EventId, EventKind, PatientId, TimeSource};

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
struct FeedbackPut {
    id: Uuid,
    patient: Uuid,
    seq: i64,
    event: Uuid,
    kind: &'static str,
    channel: Option<&'static str>,
    list: Option<Uuid>,
    actor: &'static str,
    at: i64,
}

macro_rules! feedback_pending {
    () => {
        "SELECT f.id, f.patient_id, p.source_id, f.channel, f.kind, f.at, l.slug AS list,
            f.event_id, f.actor, COALESCE(e.patient_id <> f.patient_id, FALSE) AS by_another
         FROM feedback f
         JOIN patients p ON p.clinic_id = f.clinic_id AND p.id = f.patient_id
         JOIN ledger e ON e.clinic_id = f.clinic_id AND e.seq = f.seq
         LEFT JOIN lists l ON l.clinic_id = f.clinic_id AND l.id = f.list_id
         WHERE f.clinic_id = $1 AND f.done_at IS NULL AND f.kind "
    };
}

statements! {
    FEEDBACK_ADD (given: id uuid, patient uuid, seq bigint, event uuid, kind text, channel text,
        list uuid, actor text, at bigint) = {
        "INSERT INTO feedback (clinic_id, id, patient_id, seq, event_id, kind, channel, list_id,
            actor, at)
         SELECT $2, g.id, g.patient, g.seq, g.event, g.kind, g.channel, g.list, g.actor, g.at
         FROM given g JOIN patients p ON p.clinic_id = $2 AND p.id = g.patient"
    }
    FEEDBACK_OPT_OUTS = {
        feedback_pending!(), "IN ('withdrawn', 'objected', 'complained') ORDER BY f.id LIMIT $2"
    }
    FEEDBACK_OTHERS = {
        feedback_pending!(), "NOT IN ('withdrawn', 'objected', 'complained') ORDER BY f.id LIMIT $2"
    }
    FEEDBACK_DONE (given: id uuid) [" IN (SELECT id FROM given)" | " = ANY (ARRAY(SELECT id FROM given))"] = {
        "UPDATE feedback SET done_at = $3 WHERE clinic_id = $2 AND done_at IS NULL AND id"
    }
}

impl Store {
    /// Returns what the clinic has yet to be told, the oldest first; opt-outs before all others.
    pub async fn feedback_page(&self, clinic: ClinicId, limit: u32) -> Result<Vec<Feedback>> {
        let opt_outs: Vec<_> = self.db.rows(FEEDBACK_OPT_OUTS, args![clinic, limit]).await?;
        if !opt_outs.is_empty() {
            return Ok(opt_outs);
        }
        self.db.rows(FEEDBACK_OTHERS, args![clinic, limit]).await
    }

    /// Records that the clinic was told. Fenced.
    pub async fn feedback_done(&self, lease: &Lease, clinic: ClinicId, ids: &[Uuid]) -> Result<()> {
        let rows = id_rows(ids.iter().copied())?;
        let args = args![rows, clinic, self.clock.now()];
        self.execute_under(lease, FEEDBACK_DONE, args).await.map(drop)
    }

    /// Returns what has the clinic told of `events`, the first of which is line `first`, in the
    /// record of each patient concerned.
    pub(super) fn feedback_of(
        &self,
        clinic: ClinicId,
        first: i64,
        events: &[Event],
        holdings: &Holdings,
    ) -> Result<Option<Write>> {
        let mut puts = Vec::new();
        for (seq, event) in (first..).zip(events).filter(|(_, event)| is_news(event)) {
            let told = holdings.concerned(event).into_iter();
            let told = told.filter(|patient| !is_from_record_of(event, *patient));
            puts.extend(told.map(|patient| FeedbackPut {
                id: self.clock.id(),
                patient: patient.0,
                seq,
                event: event.id.0,
                kind: event.draft.kind.word(),
                channel: event.draft.channel.map(Channel::word),
                list: event.draft.list.map(|id| id.0),
                actor: event.draft.actor.word(),
                at: millis(event.as_opt_out().0),
            }));
        }
        Ok(if puts.is_empty() { None } else { Some((FEEDBACK_ADD, args![json(&puts)?, clinic])) })
    }
}

/// Tells whether the clinic is to be told: it was not its own act.
fn is_news(event: &Event) -> bool {
    let told = matches!(
        event.draft.kind,
        EventKind::Withdrawn
            | EventKind::Objected
            | EventKind::Complained
            | EventKind::Confirmed
            | EventKind::Bounced
            | EventKind::AddressChanged
    );
    told && event.draft.actor != Actor::Clinic
}

/// Tells what the clinic's own record of this patient says already.
fn is_from_record_of(event: &Event, patient: PatientId) -> bool {
    event.draft.clock == TimeSource::Clinic && event.draft.patient == Some(patient)
}
