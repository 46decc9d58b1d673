//! The overview: is every list clean, and if not, what keeps it from being so.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Attestation, KnownList, ReconcileError, Reconciler};
use crate::domain::{Channel, ClinicId, RunId};
use crate::store::{ListReport, RunRow};

/// Where one list stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Overview {
    /// What is attested of it.
    #[serde(flatten)]
    pub attestation: Attestation,
    /// Its channel.
    pub channel: Channel,
    /// The plan that waits for an admin.
    pub plan: Option<RunId>,
    /// Since when the oldest opt-out waits that has not reached the provider.
    pub opt_out_waits_since: Option<DateTime<Utc>>,
    /// When an admin first approved the list (L20).
    pub approved_at: Option<DateTime<Utc>>,
    /// Its last run.
    #[serde(skip)]
    pub last_run: Option<RunRow>,
}

impl Reconciler {
    /// Tells where the lists of a clinic stand, by what was counted of it.
    pub async fn overview(
        &self,
        clinic: ClinicId,
        lists: &[KnownList],
        reports: &[ListReport],
    ) -> Result<Vec<Overview>, ReconcileError> {
        let mut overview = Vec::new();
        for attestation in self.attest_by(clinic, lists, reports).await? {
            let list = lists.iter().find(|list| list.row.slug == attestation.list);
            let Some(list) = list.map(|list| &list.row) else { continue };
            let newest = RunId(uuid::Uuid::max());
            let runs = self.store.runs_page(clinic, Some(list.id), newest, 1).await?;
            overview.push(Overview {
                channel: list.channel,
                plan: self.store.plan_open(list).await?,
                opt_out_waits_since: self.store.opt_out_waiting_since(list).await?,
                approved_at: list.approved_at,
                last_run: runs.into_iter().next(),
                attestation,
            });
        }
        Ok(overview)
    }

    /// Tells whether a list may be answered by: both sides were read whole lately enough (L26).
    pub async fn is_fresh(&self, list: &KnownList) -> Result<bool, ReconcileError> {
        let patients_read_at = self.store.clinic(list.row.clinic).await?.source_swept_at;
        Ok(list.is_fresh(patients_read_at, self.clock.now()))
    }
}
