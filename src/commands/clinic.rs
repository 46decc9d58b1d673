//! `clinic offboard`: a clinic that leaves.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::acting::{Deed, whoever};
use super::console::print_json;
use super::{Common, Deployment, Ending, Exit};
use crate::config::ClinicConfig;
use crate::reconcile::{Reconciler, Scope};
use crate::rights::confirmed;
use crate::rights::offboard::{self, Left};

/// What concerns a whole clinic.
#[derive(Debug, Subcommand)]
pub enum Clinic {
    /// Exports everything, erases everybody at the providers and here, and ends every list. Run again,
    /// it goes on where it was.
    Offboard(Offboard),
}

/// Which clinic, and where its data goes.
#[derive(Debug, Clone, Args)]
pub struct Offboard {
    /// The clinic's short name.
    #[arg(value_name = "CLINIC")]
    of: String,
    /// The folder to export to.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The clinic's short name again: there is no way back.
    #[arg(long, value_name = "CLINIC")]
    confirm: String,
    /// Who orders it.
    #[arg(long, value_parser = whoever)]
    by: String,
}

/// Runs the subcommand.
pub async fn run(common: &Common, clinic: Clinic) -> anyhow::Result<Exit> {
    let Clinic::Offboard(options) = clinic;
    let deployment = Deployment::open(common).await?;
    let clinic = deployment.expect_clinic(&options.of)?;
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let deed = Deed::new("clinic offboard", &options.by).of(id, None);
    let offboarding = async {
        confirmed(clinic, &options.confirm).context("--confirm")?;
        deployment.offboard(&options.of, &options.out, &options.by).await
    };
    let left = deployment.on_record(deed, offboarding).await?;
    deployment.console.finish();
    if common.json {
        print_json(&left)?;
    } else {
        print(&left);
    }
    Ok(if left.is_done() { Exit::InStep } else { Exit::ParkedRemovals })
}

impl Deployment {
    /// Takes a clinic off: exports all, erases everybody by the ordinary loop, ends its lists. Done
    /// again, it goes on where it was.
    pub async fn offboard(
        &self,
        slug: &str,
        folder: &std::path::Path,
        by: &str,
    ) -> anyhow::Result<Left> {
        let clinic = self.expect_clinic(slug)?;
        let reconciler = self.reconciler().attending(self.roster().await);
        let mut ran = false;
        // Whoever the clinic's records brought meanwhile is exported before they are erased too.
        let exported = loop {
            let now = self.clock().now();
            let exported = offboard::export(&self.store, clinic, folder, now).await?;
            let new = offboard::order(&reconciler, clinic, folder, by).await?;
            if ran && new == 0 {
                break exported;
            }
            self.run_once(&reconciler, clinic).await?;
            ran = true;
        };
        self.end_lists(clinic).await?;
        Box::pin(reconciler.close(&self.practice(clinic).await?)).await?;
        let left = offboard::left(&self.store, clinic, exported, self.clock().now()).await?;
        let receipt = serde_json::to_vec_pretty(&left)?;
        offboard::written_whole(&folder.join("receipt.json"), &receipt)?;
        Ok(left)
    }

    async fn run_once(&self, reconciler: &Reconciler, clinic: &ClinicConfig) -> anyhow::Result<()> {
        let mut practice = self.practice(clinic).await?;
        let scope = Scope { list: None, full: true };
        Box::pin(reconciler.reconcile(&mut practice, &scope)).await?;
        Ok(())
    }

    async fn end_lists(&self, clinic: &ClinicConfig) -> anyhow::Result<()> {
        let id = self.store.clinic_ensure(&clinic.slug).await?;
        for row in self.store.lists(id).await? {
            if row.retired_at.is_none() && clinic.list(&row.slug).is_some() {
                Box::pin(self.list_end(clinic, &row.slug, Ending::Retire)).await?;
            }
        }
        Ok(())
    }
}

fn print(left: &Left) {
    println!("clinic `{}`", left.clinic);
    println!("  exported: {} patients, {} lists", left.exported.patients, left.exported.lists);
    println!("  lists ended: {} of {}", left.lists_ended, left.lists_ended + left.lists_left);
    println!(
        "  still here: the data of {} patients, {} addresses",
        left.patients_left, left.addresses_left
    );
    if left.is_done() {
        println!(
            "Done. Now take the clinic's file and secrets away, and delete its API keys at the providers. Its own database was not touched."
        );
    } else {
        println!(
            "Not done yet: approve the plans that wait, if any do (`listwarden plan`), and run it again."
        );
    }
}
