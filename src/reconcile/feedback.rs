//! Telling the clinic: opt-outs, confirmations and bounces into its own record.

use super::tenure::Tenure;
use super::{ReconcileError, Reconciler};
use crate::domain::ClinicId;
use crate::patients::{Note, PatientSource};
use crate::store::Feedback;

/// Notes written at a time.
const PAGE: u32 = 500;

impl Reconciler {
    /// Writes back what the clinic does not know yet. Done again after a failure: the clinic's
    /// table takes each event once.
    pub(super) async fn write_back(
        &self,
        tenure: &Tenure<'_>,
        clinic: ClinicId,
        source: &dyn PatientSource,
    ) -> Result<(), ReconcileError> {
        loop {
            let page = self.store.feedback_page(clinic, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let notes: Vec<Note> = page.iter().map(note).collect();
            source.write_back(&notes).await?;
            let ids: Vec<_> = page.iter().map(|feedback| feedback.id).collect();
            self.store.feedback_done(&tenure.lease, clinic, &ids).await?;
        }
    }
}

fn note(feedback: &Feedback) -> Note {
    Note {
        event: feedback.event,
        source_id: feedback.source_id.clone(),
        channel: feedback.channel,
        kind: feedback.kind,
        at: feedback.at,
        list: feedback.list.clone(),
        by: feedback.actor,
    }
}
