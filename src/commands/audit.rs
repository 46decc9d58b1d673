//! `audit verify`: whether any line of the audit log was changed, removed or put in.

use clap::Subcommand;
use serde_json::json;

use super::console::say;
use super::{Common, Deployment, Exit};
use crate::reconcile::Chain;

/// Examines the audit log.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Follows the chain from its first line to its last.
    Verify,
}

/// Runs the subcommand.
pub async fn run(common: &Common, audit: Audit) -> anyhow::Result<Exit> {
    let Audit::Verify = audit;
    let deployment = Deployment::open(common).await?;
    let verified = deployment.reconciler().verify(Chain::Audit).await?;
    let sentence = match verified.first_bad {
        None => format!("{} lines, unbroken", verified.lines),
        Some(line) => format!(
            "BROKEN at line {line}: somebody changed the database past Listwarden. Keep a copy, restore the last good backup and compare. If it is an older store that was put back, say `listwarden restored` first"
        ),
    };
    let value = json!({ "lines": verified.lines, "broken_at": verified.first_bad });
    say(common.json, &value, sentence)?;
    Ok(if verified.first_bad.is_some() { Exit::Error } else { Exit::InStep })
}
