//! A store that was put back to an older state: what it believes of the time since is no longer so.

use super::Store;
use super::columns::{args, from_json, json};
use super::db::again;
use super::error::Result;
use super::leases::Lease;
use super::lists::ListRow;
use super::sql::statements;
use crate::domain::{ClinicId, Invitation, PatientId, PatientRecord, PatientStatus, RunId};

statements! {
    RUN_KNOWN = {
        "SELECT c.clinic_id FROM clinics c
         WHERE c.clinic_id = $1 AND (c.taken_without = $2
            OR EXISTS (SELECT 1 FROM runs r WHERE r.clinic_id = $1 AND r.id = $2))"
    }
    CLINIC_TAKEN_WITHOUT = { "UPDATE clinics SET taken_without = $2 WHERE clinic_id = $1" }
    CLINIC_RESTORED = {
        "UPDATE clinics SET source_swept_at = NULL, source_cursor = NULL WHERE clinic_id = $1"
    }
    // Pins stay: account and audience are those that they were.
    LISTS_RESTORED = {
        "UPDATE lists SET approved_at = NULL, settings_read_at = NULL, swept_at = NULL,
            delta_cursor = NULL, observed_at = NULL, policy_digest = NULL, judged_at = NULL,
            restored_at = $2
         WHERE clinic_id = $1 AND retired_at IS NULL"
    }
    // What was under way then explains nothing that is seen now.
    INTENTS_RESTORED = {
        "UPDATE links SET intent_verb = NULL, intent_from = NULL, intent_invitation = NULL,
            intent_at = NULL, seen = NULL, stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND intent_verb IS NOT NULL"
    }
    OPERATIONS_RESTORED = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $2
         WHERE clinic_id = $1 AND state IN ('planned', 'waiting', 'braked', 'submitted')"
    }
    APPROVALS_RESTORED = {
        "UPDATE approvals SET valid_until = $2 WHERE clinic_id = $1 AND valid_until > $2"
    }
    ACCEPTANCES_RESTORED = {
        "UPDATE acceptances SET valid_until = $2 WHERE clinic_id = $1 AND valid_until > $2"
    }
    // Whoever is unsubscribed since may have said so: learned as on a first run (L20).
    LINKS_UNSUBSCRIBED_SINCE = {
        "UPDATE links SET base_status = NULL, base_by = NULL, base_at = NULL, stale = TRUE,
            version = links.version + 1
         WHERE clinic_id = $1 AND list_id = $2 AND ordinal > $3 AND ordinal <= $4
            AND status = 'unsubscribed' AND last_changed > base_at"
    }
    // Whoever was put away since is not put back without a newer grant (L16).
    LINKS_ARCHIVED_SINCE = {
        "UPDATE links SET removed_there = last_changed, stale = TRUE, version = links.version + 1
         WHERE clinic_id = $1 AND list_id = $2 AND ordinal > $3 AND ordinal <= $4
            AND status = 'archived' AND last_changed > base_at
            AND (removed_there IS NULL OR removed_there < last_changed)"
    }
    // Whoever is asked and did not answer was asked by us, on whatever consent was given before now:
    // nobody is asked twice (L3). A sign-up of their own was begun by themselves, unless they were put
    // there again since. One that changed since may have been: it stays a sign-up, and nobody is asked
    // on a consent from before.
    LINKS_ASKED_SINCE = {
        "UPDATE links SET base_status = 'pending', base_by = 'us', base_at = last_changed,
            invitation_key = CASE
                WHEN entry = 'contact' AND (opted_in_at IS NULL OR opted_in_at <= signed_up_at)
                THEN $4 ELSE 'asked before the store was put back' END,
            invitation_at = $3,
            invitation_voided = FALSE, invitation_confirmed = FALSE, stale = TRUE,
            version = links.version + 1
         WHERE clinic_id = $1 AND list_id = $2 AND ordinal > $5 AND ordinal <= $6
            AND status = 'pending' AND contact_id IS NOT NULL
            AND (entry IS NULL OR entry <> 'contact' OR last_changed > signed_up_at)
            AND (base_at IS NULL OR last_changed > base_at)"
    }
    // An approval since was given to a plan that did not know this.
    LIST_READ_ANEW = {
        "UPDATE lists SET restored_at = NULL, approved_at = NULL WHERE clinic_id = $1 AND id = $2"
    }
    PATIENT_KEPT = {
        "SELECT record FROM patients WHERE clinic_id = $1 AND id = $2 AND erased_at IS NULL"
    }
    // Not over what was erased since the record was read.
    PATIENT_DELETED_AGAIN = {
        "UPDATE patients SET status = 'deleted', record = $3, digest = 0, seen = NULL
         WHERE clinic_id = $1 AND id = $2 AND erased_at IS NULL"
    }
}

impl Store {
    /// Tells whether the clinic's store holds the run, or was taken as it is without it.
    pub async fn run_is_known(&self, clinic: ClinicId, run: RunId) -> Result<bool> {
        let found: Option<(ClinicId,)> = self.db.row(RUN_KNOWN, args![clinic, run]).await?;
        Ok(found.is_some())
    }

    /// Remembers that the clinic's store was taken as it is although it may not hold the run.
    pub async fn clinic_taken_without(&self, clinic: ClinicId, run: RunId) -> Result<()> {
        self.db.execute(CLINIC_TAKEN_WITHOUT, args![clinic, run]).await.map(drop)
    }

    /// Has the next run of each list of the clinic be a first run (L20): everything is read whole,
    /// nothing is approved, and nothing that was under way counts.
    pub async fn clinic_restored(&self, clinic: ClinicId) -> Result<()> {
        let now = self.clock.now();
        again!(self, {
            let mut tx = self.db.begin().await?;
            tx.execute(CLINIC_RESTORED, args![clinic]).await?;
            tx.execute(LISTS_RESTORED, args![clinic, now]).await?;
            tx.execute(INTENTS_RESTORED, args![clinic]).await?;
            tx.execute(OPERATIONS_RESTORED, args![clinic, now]).await?;
            tx.execute(APPROVALS_RESTORED, args![clinic, now]).await?;
            tx.execute(ACCEPTANCES_RESTORED, args![clinic, now]).await?;
            tx.commit().await
        })
    }

    /// Takes what a list showed that was read whole after the store was put back: what changed there
    /// after our last word was not ours to know. Fenced.
    pub async fn list_read_anew(&self, lease: &Lease, list: &ListRow) -> Result<()> {
        let end = self.ordinals_end(list).await?;
        let which = args![list.clinic, list.id];
        for since in [LINKS_UNSUBSCRIBED_SINCE, LINKS_ARCHIVED_SINCE] {
            self.execute_in_stretches(lease, since, &which, end).await?;
        }
        let (now, own) = (self.clock.now(), Invitation::SIGNED_UP_THERE);
        let asked = args![list.clinic, list.id, now, own];
        self.execute_in_stretches(lease, LINKS_ASKED_SINCE, &asked, end).await?;
        self.execute_under(lease, LIST_READ_ANEW, args![list.clinic, list.id]).await.map(drop)
    }

    /// Takes a patient as deleted who was erased before the store was put back, so that the person is
    /// erased again; nothing where the store does not hold anything of them.
    pub async fn patient_deleted_again(&self, clinic: ClinicId, patient: PatientId) -> Result<()> {
        let kept: Option<(String,)> = self.db.row(PATIENT_KEPT, args![clinic, patient]).await?;
        let Some((record,)) = kept else { return Ok(()) };
        let mut record: PatientRecord = from_json("patient record", &record)?;
        record.status = PatientStatus::Deleted;
        let args = args![clinic, patient, json(&record)?];
        self.db.execute(PATIENT_DELETED_AGAIN, args).await.map(drop)
    }
}
