//! `migrate`: the tables of the store.

use super::console::say;
use super::{Common, Deployment, Exit};

/// Creates or updates the tables.
pub async fn run(common: &Common) -> anyhow::Result<Exit> {
    let deployment = Deployment::unchecked(common).await?;
    deployment.store.migrate().await?;
    let done = serde_json::json!({ "migrated": true });
    say(common.json, &done, "The store is up to date.")?;
    Ok(Exit::InStep)
}
