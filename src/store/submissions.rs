//! Submissions: operations on their way to the provider, with the intent on their links (L17).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::columns::{args, id_rows};
use super::db::again;
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use crate::domain::{ClinicId, LinkId, RunId};

statements! {
    // `|| ''` keeps an engine from finding an operation among all that are open, rather than by its id.
    OPERATIONS_UNSENT (given: id uuid) = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $3
         FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id
            AND operations.state || '' = 'submitted'"
    }
    LINKS_UNSENT (given: id uuid) = {
        "UPDATE links SET intent_verb = NULL, intent_from = NULL, intent_at = NULL, stale = TRUE,
            version = links.version + 1
         FROM operations o
         WHERE o.clinic_id = $2 AND o.id IN (SELECT g.id FROM given g)
            AND links.clinic_id = $2 AND links.id = o.link_id"
    }
    OPERATIONS_SUBMITTED (given: id uuid) = {
        "UPDATE operations SET state = 'submitted', submitted_at = $3
         FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id
            AND operations.state || '' = 'planned'
            AND NOT EXISTS (SELECT 1 FROM links k WHERE k.clinic_id = $2
                AND k.id = operations.link_id AND k.stale)
         RETURNING operations.id"
    }
    // Right after the former: what it left.
    OPERATIONS_KEPT_BACK (given: id uuid) = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $3
         FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id
            AND operations.state || '' = 'planned'"
    }
    OPERATIONS_OUTDATE (given: id uuid) = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $4
         WHERE clinic_id = $2 AND link_id IN (SELECT g.id FROM given g)
            AND state || '' IN ('planned', 'waiting', 'braked')
            AND (state = 'planned' OR run_id = $3)"
    }
    OPERATIONS_PUT_OFF (given: id uuid) = {
        "UPDATE operations SET state = 'superseded', payload = NULL, settled_at = $3 FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id
            AND operations.state || '' = 'planned'
         RETURNING operations.link_id"
    }
    LINKS_PUT_OFF (given: id uuid) = {
        "UPDATE links SET class = 'due', due_at = $3 FROM given g
         WHERE links.clinic_id = $2 AND links.id = g.id"
    }
    // An open invitation is void before the provider is called (L12).
    LINKS_INTENT (given: id uuid) = {
        "UPDATE links SET intent_verb = o.verb, intent_from = o.from_status, intent_at = $3,
            intent_invitation = o.invitation, seen = NULL,
            invitation_voided = links.invitation_voided
                OR o.verb IN ('unsubscribe', 'archive', 'erase')
         FROM operations o
         WHERE o.clinic_id = $2 AND o.id IN (SELECT g.id FROM given g)
            AND links.clinic_id = $2 AND links.id = o.link_id"
    }
    OPERATIONS_JOB (given: id uuid) = {
        "UPDATE operations SET job = $3 FROM given g
         WHERE operations.clinic_id = $2 AND operations.id = g.id"
    }
}

impl Store {
    /// Records that the operations are about to be sent, and the intent with each link: before the
    /// call, so that a crash cannot hide it (L17). Fenced.
    ///
    /// Returns those that may go: not what was planned anew meanwhile, nor what must be because its
    /// facts changed since, as by an opt-out (L8, L15). The latter is set aside for the next plan.
    pub async fn operations_submitted(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
    ) -> Result<Vec<Uuid>> {
        let now = self.clock.now();
        let mut submitted = Vec::with_capacity(ids.len());
        for ids in ids.chunks(self.db.chunk() / 3) {
            let rows = id_rows(ids.iter().copied())?;
            submitted.extend(again!(self, {
                let mut tx = self.begin_under(lease).await?;
                let going: Vec<(Uuid,)> =
                    tx.rows(OPERATIONS_SUBMITTED, args![rows.clone(), clinic, now]).await?;
                tx.execute(OPERATIONS_KEPT_BACK, args![rows.clone(), clinic, now]).await?;
                let going: Vec<Uuid> = going.into_iter().map(|(id,)| id).collect();
                let rows = id_rows(going.iter().copied())?;
                tx.execute(LINKS_INTENT, args![rows, clinic, now]).await?;
                tx.commit().await?;
                Ok(going)
            })?);
        }
        Ok(submitted)
    }

    /// Supersedes what was planned for these links before and not sent: by earlier runs, and by
    /// `run` itself, held back or not. The newer plan counts, also where it is to do nothing. Fenced.
    pub async fn operations_outdate(
        &self,
        lease: &Lease,
        run: RunId,
        clinic: ClinicId,
        links: &[LinkId],
    ) -> Result<()> {
        let now = self.clock.now();
        for links in links.chunks(self.db.chunk()) {
            let rows = id_rows(links.iter().map(|link| link.0))?;
            self.execute_under(lease, OPERATIONS_OUTDATE, args![rows, clinic, run, now]).await?;
        }
        Ok(())
    }

    /// Sets aside operations that were not sent yet; their links are planned again at `until`.
    /// Fenced.
    pub async fn operations_put_off(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
        until: DateTime<Utc>,
    ) -> Result<()> {
        let now = self.clock.now();
        for ids in ids.chunks(self.db.chunk() / 2) {
            again!(self, {
                let rows = id_rows(ids.iter().copied())?;
                let mut tx = self.begin_under(lease).await?;
                let links: Vec<(Uuid,)> =
                    tx.rows(OPERATIONS_PUT_OFF, args![rows, clinic, now]).await?;
                let links = id_rows(links.into_iter().map(|(link,)| link))?;
                tx.execute(LINKS_PUT_OFF, args![links, clinic, until]).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    /// Records the provider's job that the operations were sent in. Fenced.
    pub async fn operations_job(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
        job: &str,
    ) -> Result<()> {
        for ids in ids.chunks(self.db.chunk()) {
            let rows = id_rows(ids.iter().copied())?;
            self.execute_under(lease, OPERATIONS_JOB, args![rows, clinic, job]).await?;
        }
        Ok(())
    }

    /// Sets aside operations that were certainly not sent; their links are planned again. Fenced.
    pub async fn operations_unsent(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        ids: &[Uuid],
    ) -> Result<()> {
        let now = self.clock.now();
        for ids in ids.chunks(self.db.chunk() / 2) {
            let rows = id_rows(ids.iter().copied())?;
            again!(self, {
                let mut tx = self.begin_under(lease).await?;
                tx.execute(LINKS_UNSENT, args![rows.clone(), clinic]).await?;
                tx.execute(OPERATIONS_UNSENT, args![rows.clone(), clinic, now]).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }
}
