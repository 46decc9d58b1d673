//! `patient …`: what a patient may ask of the clinic about their own data.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::console::say;
use super::{Common, Deployment, Exit};
use crate::rights::archive::write_new;
use crate::rights::{ArchiveError, Dossier};

/// Answers what a patient asks about their own data.
#[derive(Debug, Subcommand)]
pub enum Patient {
    /// Writes everything that is held of one patient into a zip file (GDPR Art. 15, 20).
    Export(Export),
}

/// Which patient.
#[derive(Debug, Clone, Args)]
pub struct Whom {
    /// The clinic's short name.
    #[arg(value_name = "CLINIC")]
    of: String,
    /// The patient, by the clinic's own id.
    patient: String,
}

/// What to export, and where to.
#[derive(Debug, Clone, Args)]
pub struct Export {
    #[command(flatten)]
    whom: Whom,
    /// The file to write; one that is there is not written over.
    #[arg(long, value_name = "FILE.zip")]
    out: PathBuf,
}

/// Runs the subcommand.
pub async fn run(common: &Common, patient: Patient) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    match patient {
        Patient::Export(export) => self::export(&deployment, &export, common.json).await,
    }
}

/// Nobody knows the patient.
const NOBODY: &str = "the clinic has no such patient; the id is the clinic's own";

async fn export(deployment: &Deployment, export: &Export, json: bool) -> anyhow::Result<Exit> {
    let path = export.out.display().to_string();
    if export.out.exists() {
        return Err(ArchiveError::Exists { path }.into());
    }
    let clinic = deployment.expect_clinic(&export.whom.of)?;
    let now = deployment.clock().now();
    let dossier = Dossier::gather(&deployment.store, clinic, &export.whom.patient, now).await?;
    let dossier = dossier.context(NOBODY)?;
    write_new(&export.out, &dossier.zip()?)?;
    say(
        json,
        &json!({
            "file": path,
            "ledger_lines": dossier.ledger.len(),
            "changes": dossier.changes.len(),
        }),
        format_args!("Written to `{path}`: only you can read the file. Hand it over safely."),
    )?;
    Ok(Exit::InStep)
}
