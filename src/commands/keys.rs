//! `keys`: what is to be done after a change of the master key.

use clap::Subcommand;

use super::acting::{By, Deed};
use super::console::say;
use super::{Common, Deployment, Exit};
use crate::config::Config;
use crate::keys::Keyring;

/// The master keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// After a change of the master key: seals anew what is sealed under an earlier one, and keeps in the store
    /// what is needed of that one. Then says which secrets may be taken away.
    Rotate(By),
}

/// Runs the subcommand.
pub async fn run(common: &Common, keys: Keys) -> anyhow::Result<Exit> {
    let Keys::Rotate(rotate) = keys;
    let deployment = Deployment::open(common).await?;
    let deed = Deed::new("keys rotate", &rotate.by);
    deployment.on_record(deed, self::rotate(&deployment, common.json)).await
}

async fn rotate(deployment: &Deployment, json: bool) -> anyhow::Result<Exit> {
    let store = &deployment.store;
    let kept = store.keys_keep().await?;
    let progress = deployment.reconciler().progress.clone();
    let told = |so_far: crate::store::Resealed| {
        progress.at("keys", "values sealed anew", so_far.values, None);
    };
    let first = store.reseal(told).await?;
    // What somebody sealed behind us was sealed under the earlier key: nobody may have it any more.
    let behind = store.reseal(told).await?;
    deployment.console.finish();
    let free = free(&deployment.config, &kept)?;
    let done = serde_json::json!({
        "resealed": first.values + behind.values,
        "resealed_behind_us": behind.values,
        "damaged": behind.damaged,
        "kept": kept.len(),
        "free": if behind.values == 0 { free.as_slice() } else { &[] },
    });
    say(json, &done, text(first.values + behind.values, behind.damaged, kept.len()))?;
    if behind.values > 0 {
        eprintln!(
            "{} values were sealed under an earlier key meanwhile: a process still runs with it as its current one. Restart it and run this again.",
            behind.values
        );
        return Ok(Exit::Waiting);
    }
    if !free.is_empty() && !json {
        println!(
            "You may take out of [keys] retired, and out of the Secret: {}. Keep them beside every backup and register made before now, which need them.",
            free.join(", ")
        );
    }
    Ok(if behind.damaged > 0 { Exit::Error } else { Exit::InStep })
}

/// Returns the retired secrets of which the store keeps what it needs: one that it was not written with
/// may be about to become the current one.
fn free<'a>(config: &'a Config, kept: &[String]) -> anyhow::Result<Vec<&'a str>> {
    let mut free = Vec::new();
    for name in &config.keys.retired {
        let ring = Keyring::parse(&config.secrets.of_deployment(name)?)?;
        let mut ids = std::iter::once(ring.current_id()).chain(ring.other_ids());
        if ids.all(|id| kept.iter().any(|kept| kept == id)) {
            free.push(name.as_str());
        }
    }
    Ok(free)
}

fn text(resealed: u64, damaged: u64, kept: usize) -> String {
    let damaged = match damaged {
        0 => String::new(),
        n => format!(" {n} open under no key and were left: they were changed in the database."),
    };
    format!(
        "{resealed} values were sealed anew; of {kept} earlier keys the store keeps what it needs.{damaged}"
    )
}
