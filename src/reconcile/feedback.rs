//! Telling the clinic: opt-outs, confirmations, bounces and invitations into its own record.

use super::tenure::Tenure;
use super::{Practice, ReconcileError, Reconciler};
use crate::domain::{Actor, NoteKind};
use crate::patients::Note;
use crate::store::{Feedback, Invited};

/// Notes written at a time.
const PAGE: u32 = 500;

impl Reconciler {
    /// Writes back what the clinic does not know yet, opt-outs first. Done again after a failure: the
    /// clinic's table takes each event once.
    pub(super) async fn write_back(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice,
    ) -> Result<(), ReconcileError> {
        let clinic = practice.id;
        loop {
            let page = self.store.feedback_page(clinic, PAGE).await?;
            if page.is_empty() {
                return self.tell_invited(tenure, practice).await;
            }
            let notes = page.iter().filter_map(note);
            let wanted =
                |note: &Note| note.kind.is_opt_out() || practice.notes.contains(&note.kind);
            let notes: Vec<Note> = notes.filter(wanted).collect();
            practice.source.write_back(&notes).await?;
            let ids: Vec<_> = page.iter().map(|feedback| feedback.id).collect();
            self.store.feedback_done(&tenure.lease, clinic, &ids).await?;
        }
    }

    /// Tells of invitations, where the clinic's record takes that. One that cannot be told holds up
    /// nothing else, and is told by the next run.
    async fn tell_invited(
        &self,
        tenure: &Tenure<'_>,
        practice: &Practice,
    ) -> Result<(), ReconcileError> {
        let (store, clinic) = (&self.store, practice.id);
        loop {
            let page = store.invited_page(clinic, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            if !practice.notes.contains(&NoteKind::Invited) {
                return Ok(store.invited_forget(&tenure.lease, clinic).await?);
            }
            let notes: Vec<Note> = page.iter().map(invited).collect();
            if let Err(error) = practice.source.write_back(&notes).await {
                let clinic = &practice.slug;
                tracing::warn!(clinic, %error, "its record was not told of invitations; the next run does it");
                return Ok(());
            }
            store.invited_done(&tenure.lease, clinic, &page).await?;
        }
    }
}

fn note(feedback: &Feedback) -> Option<Note> {
    Some(Note {
        event: feedback.event,
        source_id: feedback.source_id.clone(),
        channel: feedback.channel,
        kind: NoteKind::of(feedback.kind)?,
        at: feedback.at,
        list: feedback.list.clone(),
        by: feedback.actor,
    })
}

fn invited(invited: &Invited) -> Note {
    Note {
        event: invited.event,
        source_id: invited.source_id.clone(),
        channel: Some(invited.channel),
        kind: NoteKind::Invited,
        at: invited.at,
        list: Some(invited.list.clone()),
        by: Actor::Listwarden,
    }
}
