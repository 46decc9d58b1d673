//! Counts of a clinic's links, kept for as long as no turn has changed them: whoever looks again and
//! again does not have all of them counted each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::Admin;
use super::problem::Problem;
use crate::domain::{ClinicId, ListId};
use crate::store::ListReport;

/// How long counts are kept at most: a run that broke off ends no turn.
const LASTS: TimeDelta = TimeDelta::minutes(1);
/// Clinics whose counts are kept.
const CLINICS: usize = 4_096;

/// When the lists of a clinic last turned.
type Turned = Vec<(ListId, Option<DateTime<Utc>>)>;

#[derive(Debug)]
struct Kept {
    turned: Turned,
    at: DateTime<Utc>,
    reports: Arc<Vec<ListReport>>,
}

/// What was counted lately, by clinic.
#[derive(Debug, Default)]
pub(super) struct Counted(Mutex<HashMap<ClinicId, Kept>>);

impl Counted {
    fn find(
        &self,
        clinic: ClinicId,
        turned: &Turned,
        now: DateTime<Utc>,
    ) -> Option<Arc<Vec<ListReport>>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.get(&clinic)?;
        (kept.turned == *turned && now - kept.at < LASTS).then(|| kept.reports.clone())
    }

    /// Forgets what was counted of a clinic: an act may have changed it.
    pub(super) fn forget(&self, clinic: ClinicId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&clinic);
    }

    fn keep(&self, clinic: ClinicId, kept: Kept) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CLINICS {
            all.clear();
        }
        all.insert(clinic, kept);
    }
}

impl Admin {
    /// Counts the links of a clinic, unless that was done since its lists last turned.
    pub(super) async fn counted(&self, clinic: ClinicId) -> Result<Arc<Vec<ListReport>>, Problem> {
        let turned = self.store.lists_turned(clinic).await?;
        let now = self.clock.now();
        if let Some(reports) = self.counted.find(clinic, &turned, now) {
            return Ok(reports);
        }
        let reports = Arc::new(self.store.report(clinic).await?);
        // What a first turn is changing right now is counted each time.
        if turned.iter().all(|(_, at)| at.is_some()) {
            self.counted.keep(clinic, Kept { turned, at: now, reports: reports.clone() });
        }
        Ok(reports)
    }
}
