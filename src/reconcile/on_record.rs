//! What is on record of an address: what came from it, and what those told who hold it.

use std::collections::BTreeSet;

use super::{ReconcileError, Reconciler, Who};
use crate::domain::{ClinicId, ContactFacts, Draft, Event, EventId, PatientId};

impl Reconciler {
    /// Returns the lines of the ledger about whoever is asked about, in the order recorded.
    pub async fn on_record_of(
        &self,
        clinic: ClinicId,
        who: &Who,
    ) -> Result<Vec<Event>, ReconcileError> {
        let mut lines = Vec::new();
        let (patient, contacts) = self.contacts(clinic, who).await?;
        for contact in &contacts {
            if patient.is_some() {
                lines.extend(self.store.ledger_of_contact(clinic, contact.id).await?);
            } else if let Some(facts) = self.store.contact(clinic, contact.id).await? {
                lines.extend(self.on_record(clinic, &facts).await?);
            }
        }
        if let Some(patient) = patient {
            lines.extend(self.store.ledger_of_patient(clinic, patient).await?);
        }
        lines.sort_by_key(|line| (line.recorded_at, line.id));
        lines.dedup_by_key(|line| line.id);
        Ok(lines)
    }

    /// Returns the lines of the ledger about an address, in the order recorded: its own; those of the
    /// patients who hold it, which name no address; and whatever else binds it. Of a word that is
    /// somebody else's nothing is told but that it binds.
    pub async fn on_record(
        &self,
        clinic: ClinicId,
        facts: &ContactFacts,
    ) -> Result<Vec<Event>, ReconcileError> {
        let Some(contact) = &facts.contact else { return Ok(Vec::new()) };
        let mut lines = self.store.ledger_of_contact(clinic, contact.id).await?;
        let known: BTreeSet<EventId> = lines.iter().map(|line| line.id).collect();
        let counts = |id| contact.standing.opt_outs.iter().any(|opt_out| opt_out.event == id);
        let holders = facts.holders.iter().filter(|holder| holder.holds_now);
        let holders: BTreeSet<PatientId> = holders.map(|holder| holder.patient.id).collect();
        let ever: BTreeSet<PatientId> = facts.holders.iter().map(|h| h.patient.id).collect();
        for (patient, line) in self.store.ledger_of_patients(clinic, &ever).await? {
            // What somebody said who has left the address since counts where it still binds it.
            let theirs = holders.contains(&patient) || counts(line.id);
            let here = line.draft.channel.is_none_or(|of| of == contact.channel);
            if theirs && here && !known.contains(&line.id) {
                let own = line.draft.patient.is_some_and(|id| holders.contains(&id));
                lines.push(if own { line } else { barely(line, &holders) });
            }
        }
        lines.sort_by_key(|line| (line.recorded_at, line.id));
        lines.dedup_by_key(|line| line.id);
        Ok(lines)
    }
}

/// Leaves of somebody else's line what binds: what it was, when, on which channel.
fn barely(mut line: Event, holders: &BTreeSet<PatientId>) -> Event {
    let Draft { kind, channel, actor, occurred_at, clock, .. } = line.draft;
    let told = Draft::new(kind, actor, clock, "another person or address");
    line.draft = Draft { channel, occurred_at, ..told };
    line.binds.retain(|id| holders.contains(id));
    line
}
