//! What is done on the command line is on record, as what is done by the API is (docs/api.md).

use std::collections::BTreeSet;

use clap::Args;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::Deployment;
use crate::domain::{Because, ClinicId, names_somebody};
use crate::store::{AuditOutcome, NewAudit, StoreError};

/// Who acts.
#[derive(Debug, Clone, Args)]
pub struct By {
    /// Who does it; the audit log names them.
    #[arg(long, env = "USER", default_value = "admin", value_parser = whoever)]
    pub by: String,
}

/// Reads who acts: it stays on record after an erasure.
pub fn whoever(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || names_somebody(text) {
        return Err("a name or a role, and no address or number: it stays on record".to_owned());
    }
    Ok(text.to_owned())
}

/// What somebody is about to do.
#[derive(Debug)]
pub struct Deed<'a> {
    /// The command.
    pub what: &'static str,
    /// Who typed it, or for whom it was typed.
    pub by: &'a str,
    /// The clinics whose logs have it; none means the deployment's alone.
    pub clinics: BTreeSet<ClinicId>,
    /// What it is about: a short name, a word, or an id of ours.
    pub subject: Option<String>,
    /// Why.
    pub reason: Option<Because>,
}

impl<'a> Deed<'a> {
    /// Begins to say what is done.
    pub fn new(what: &'static str, by: &'a str) -> Self {
        Self { what, by, clinics: BTreeSet::new(), subject: None, reason: None }
    }

    /// It is about this, of that clinic.
    pub fn of(self, clinic: ClinicId, subject: impl Into<Option<String>>) -> Self {
        Self { clinics: [clinic].into(), subject: subject.into(), ..self }
    }
}

impl Deployment {
    /// Does what a command is to do. It is on record before it is begun, and what came of it after.
    pub fn on_record<'a, T: Send + 'a>(
        &'a self,
        deed: Deed<'a>,
        doing: impl Future<Output = anyhow::Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, anyhow::Result<T>> {
        Box::pin(async move {
            let request = self.reconciler().clock.id();
            self.put_on_record(&deed, request, AuditOutcome::Begun).await?;
            let done = doing.await;
            let outcome = if done.is_ok() { AuditOutcome::Done } else { AuditOutcome::Failed };
            self.put_on_record(&deed, request, outcome).await?;
            done
        })
    }

    /// Puts one line on record for each clinic of a deed.
    pub async fn put_on_record(
        &self,
        deed: &Deed<'_>,
        request: Uuid,
        outcome: AuditOutcome,
    ) -> Result<(), StoreError> {
        let mut clinics: Vec<_> = deed.clinics.iter().copied().map(Some).collect();
        if clinics.is_empty() {
            clinics.push(None);
        }
        for clinic in clinics {
            let line = NewAudit {
                request,
                token: None,
                who: format!("command line: {}", deed.by),
                what: deed.what.to_owned(),
                clinic,
                subject: deed.subject.clone(),
                outcome,
                reason: deed.reason.clone(),
            };
            self.store.audit(&line).await?;
        }
        Ok(())
    }

    /// Returns the ids of the clinics that this command is about, where not all of them are meant.
    pub async fn clinics_meant(&self) -> Result<BTreeSet<ClinicId>, StoreError> {
        let mut meant = BTreeSet::new();
        let one = self.clinics().count() == 1;
        for clinic in self.clinics().filter(|_| one) {
            meant.insert(self.store.clinic_ensure(&clinic.slug).await?);
        }
        Ok(meant)
    }
}
