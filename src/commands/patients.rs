//! `patients import` and `patients show`.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use async_trait::async_trait;
use clap::{Args, Subcommand};
use serde_json::json;

use super::acting::{By, Deed};
use super::console::print_json;
use super::{Common, Deployment, Exit};
use crate::config::ClinicConfig;
use crate::domain::{Address, ClinicId, PatientRecord};
use crate::patients::csv::{self, FormerId, OnProgress, Outcome, Sink, Subject};
use crate::patients::{Cause, Reference, SourceError};
use crate::reconcile::{Progress, Reconciler};

/// Brings patients in, or shows one.
#[derive(Debug, Subcommand)]
pub enum Patients {
    /// Brings a CSV file in: the patients of a clinic without a database of its own, or former
    /// patients of any clinic.
    Import(Import),
    /// Shows what is known of one patient: standing and consents, no name, no address.
    Show(Show),
}

/// What to import.
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// The file; docs/csv-import.md describes its header.
    file: PathBuf,
    /// These are former patients: whoever of them is on a list is taken off (L22).
    #[arg(long)]
    former: bool,
    /// Use the sound rows although others are rejected.
    #[arg(long)]
    accept_partial: bool,
    #[command(flatten)]
    by: By,
}

/// Whom to show.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// The patient, by the clinic's id.
    patient: String,
}

/// Runs the subcommand.
pub async fn run(common: &Common, patients: Patients) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    match patients {
        Patients::Import(options) => {
            let by = options.by.by.clone();
            let subject = options.former.then(|| "former patients".to_owned());
            let clinics = deployment.clinics_meant().await?;
            let deed = Deed { clinics, subject, ..Deed::new("patients import", &by) };
            let importing = import(&deployment, options, common.json);
            deployment.on_record(deed, importing).await
        }
        Patients::Show(options) => show(&deployment, &options.patient).await,
    }
}

async fn import(deployment: &Deployment, options: Import, json: bool) -> anyhow::Result<Exit> {
    let clinic = deployment.only_clinic()?;
    let file = File::open(&options.file)
        .with_context(|| format!("`{}` cannot be opened", options.file.display()))?;
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let subject =
        if options.former { Subject::Former(former_id(deployment, id)) } else { Subject::Patients };
    let mut how = csv::Options::new(subject, deployment.clock().now());
    how.country.clone_from(&clinic.country);
    how.accept_partial = options.accept_partial;
    let watch = watched(deployment, clinic);
    let outcome = if options.former {
        let mut sink = Former { reconciler: deployment.reconciler(), clinic: id };
        csv::import(file, how, &mut sink, watch).await
    } else {
        let reference = own_records(deployment, clinic).await?;
        csv::import(file, how, &mut &reference, watch).await
    };
    deployment.console.finish();
    let outcome = outcome.with_context(|| format!("`{}`", options.file.display()))?;
    if json {
        print_json(&as_json(&outcome))?;
    } else {
        tell(&outcome);
    }
    Ok(if outcome.applied { Exit::InStep } else { Exit::Error })
}

/// Only a clinic that keeps its patients with us takes them from a file.
async fn own_records(deployment: &Deployment, clinic: &ClinicConfig) -> anyhow::Result<Reference> {
    let reference = deployment.reference(clinic)?.with_context(|| {
        format!(
            "clinic `{}` keeps its patients in its own database: change them there. To name former patients, add --former",
            clinic.slug
        )
    })?;
    reference.migrate().await?;
    Ok(reference)
}

fn former_id(deployment: &Deployment, clinic: ClinicId) -> FormerId {
    let store = deployment.store.clone();
    Arc::new(move |address: &Address| {
        let hashes = store.address_hashes(clinic, address);
        let hash = hashes.first().map(|hash| hash.hash.as_str()).unwrap_or_default();
        format!("former:{}", hash.get(..32).unwrap_or(hash))
    })
}

fn watched(deployment: &Deployment, clinic: &ClinicConfig) -> OnProgress {
    let (console, slug) = (deployment.console.clone(), clinic.slug.clone());
    Arc::new(move |progress: csv::Progress| {
        let doing = if progress.applying { "bytes imported" } else { "bytes checked" };
        console.at(&slug, doing, progress.read, Some(progress.total));
    })
}

fn as_json(outcome: &Outcome) -> serde_json::Value {
    let rejects = outcome
        .rejected
        .iter()
        .map(|reject| json!({ "line": reject.line, "column": reject.column, "why": reject.why }));
    json!({
        "imported": outcome.applied,
        "accepted": outcome.accepted,
        "rejected": outcome.rejected_rows,
        "rejects": rejects.collect::<Vec<_>>(),
    })
}

fn tell(outcome: &Outcome) {
    for reject in &outcome.rejected {
        let column = reject.column.as_deref().map(|column| format!(", column {column}"));
        println!("line {}{}: {}", reject.line, column.unwrap_or_default(), reject.why);
    }
    if outcome.more_rejects > 0 {
        println!("… and {} more", outcome.more_rejects);
    }
    if outcome.applied {
        println!(
            "Imported {} rows, rejected {}. Now run: listwarden reconcile",
            outcome.accepted, outcome.rejected_rows
        );
        return;
    }
    println!(
        "Nothing was imported: {} of {} rows are not sound. Correct them, or add --accept-partial",
        outcome.rejected_rows,
        outcome.accepted + outcome.rejected_rows
    );
}

/// Takes former patients into the store: they are known, and dropped.
struct Former<'a> {
    reconciler: &'a Reconciler,
    clinic: ClinicId,
}

#[async_trait]
impl Sink for Former<'_> {
    async fn page(&mut self, records: Vec<PatientRecord>) -> Result<(), SourceError> {
        self.reconciler.import_former(self.clinic, &records).await.map_err(|error| {
            let cause = Cause { text: error.chain(), transient: error.is_transient() };
            SourceError::Query { doing: "storing former patients", cause }
        })
    }
}

async fn show(deployment: &Deployment, typed: &str) -> anyhow::Result<Exit> {
    let clinic = deployment.only_clinic()?;
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let Some(patient) = deployment.store.patient_find(id, typed).await? else {
        bail!("clinic `{}` has no such patient; ask by the clinic's own id", clinic.slug);
    };
    let record = &patient.record;
    print_json(&json!({
        "clinic": clinic.slug,
        "id": patient.id,
        "source_id": record.source_id,
        "status": record.status,
        "restricted": record.restricted,
        "has_email": record.email.is_some(),
        "has_mobile": record.mobile.is_some(),
        "tags": record.tags,
        "privacy_policy": record.privacy_policy,
        "email_consent": record.email_consent,
        "sms_consent": record.sms_consent,
        "updated_at": record.updated_at,
    }))?;
    Ok(Exit::InStep)
}
