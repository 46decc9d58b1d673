//! `ledger verify`: whether any line was changed, removed or put in.

use clap::Subcommand;

use serde_json::json;

use super::console::print_json;
use super::{Common, Deployment, Exit};
use crate::reconcile::Chain;

/// Examines the ledger.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Follows every clinic's chain from its first line to its last.
    Verify,
}

/// Runs the subcommand.
pub async fn run(common: &Common, ledger: Ledger) -> anyhow::Result<Exit> {
    let Ledger::Verify = ledger;
    let deployment = Deployment::open(common).await?;
    let mut broken = false;
    let mut all = Vec::new();
    for clinic in deployment.clinics() {
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        let verified = deployment.reconciler().verify(Chain::Ledger(id, &clinic.slug)).await?;
        broken |= verified.first_bad.is_some();
        if common.json {
            all.push(json!({
                "clinic": clinic.slug,
                "lines": verified.lines,
                "erased": verified.erased,
                "broken_at": verified.first_bad,
            }));
            continue;
        }
        match verified.first_bad {
            None => println!(
                "clinic `{}`: {} lines, unbroken; the text of {} was erased",
                clinic.slug, verified.lines, verified.erased
            ),
            Some(line) => println!(
                "clinic `{}`: BROKEN at line {line} of {}: somebody changed the database past Listwarden. Keep a copy, restore the last good backup and compare. If it is an older store that was put back, say `listwarden restored` first",
                clinic.slug, verified.lines
            ),
        }
    }
    if common.json {
        print_json(&all)?;
    }
    Ok(if broken { Exit::Error } else { Exit::InStep })
}
