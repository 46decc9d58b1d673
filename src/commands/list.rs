//! `list retire` and `list move`: the only ways a list ends (L20).

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use serde_json::json;

use super::console::say;
use super::{Common, Deployment, Exit, deployment, reconcile};
use crate::config::ClinicConfig;
use crate::reconcile::{ListState, Practice, Scope};

/// Ends a list, or moves it to another audience.
#[derive(Debug, Subcommand)]
pub enum List {
    /// Takes everybody whom the clinic knows off the list, then ends it.
    Retire(Which),
    /// Empties the audience the list was pinned to; the one configured now begins as a first run.
    Move(Which),
}

/// Which list.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The list's short name.
    list: String,
    /// Really do it: everybody whom the clinic knows leaves the audience.
    #[arg(long)]
    yes: bool,
}

/// Runs the subcommand.
pub async fn run(common: &Common, list: List) -> anyhow::Result<Exit> {
    let (which, moves) = match list {
        List::Retire(which) => (which, false),
        List::Move(which) => (which, true),
    };
    let deployment = Deployment::open(common).await?;
    deployment.expect_list(Some(&which.list))?;
    let has_list = |clinic: &&ClinicConfig| clinic.lists.iter().any(|l| l.slug == which.list);
    let clinics: Vec<&ClinicConfig> = deployment.clinics().filter(has_list).collect();
    let [clinic] = clinics[..] else {
        bail!("{} clinics have a list `{}`: say which with --clinic", clinics.len(), which.list);
    };
    if !which.yes {
        bail!(
            "this takes everybody whom the clinic knows off the audience of `{}`: add --yes to do it",
            which.list
        );
    }
    if !empty(&deployment, clinic, &which.list, common.json).await? {
        let not_yet = "The list is not empty yet; run the command again to go on.";
        say(common.json, &json!({ "list": which.list, "emptied": false }), not_yet)?;
        return Ok(Exit::ParkedRemovals);
    }
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let lists = deployment.store.lists(id).await?;
    let row = lists.iter().find(|row| row.slug == which.list).context("the list is not stored")?;
    let done = if moves {
        deployment.store.list_reset(row).await?;
        "Emptied. The next run is the first one of the new audience and waits for you."
    } else {
        deployment.store.list_retire(row, deployment.clock().now()).await?;
        "Retired. Take the list out of the configuration when you like."
    };
    say(common.json, &json!({ "list": which.list, "emptied": true, "retired": !moves }), done)?;
    Ok(Exit::InStep)
}

/// Runs the list with everybody barred until nobody the clinic knows is listed.
async fn empty(
    deployment: &Deployment,
    clinic: &ClinicConfig,
    slug: &str,
    json: bool,
) -> anyhow::Result<bool> {
    let accounts = deployment.accounts(clinic)?;
    let mut practice: Practice = deployment.practice(clinic).await?;
    practice.lists.retain(|list| list.row.slug == slug);
    let list = practice.lists.first_mut().context("the list is not configured")?;
    if list.row.approved_at.is_none() {
        return Ok(true);
    }
    deployment.store.list_retiring(&list.row, deployment.clock().now()).await?;
    list.policy.retiring = true;
    list.policy_digest = crate::config::policy_digest(&list.policy);
    if let Some(pin) = list.row.audience_pin.clone() {
        let config = clinic.lists.iter().find(|config| config.slug == slug);
        let config = config.context("the list is not configured")?;
        let account = accounts.get(&config.account).context("its account is not configured")?;
        list.port = deployment::port(account.as_ref(), config, &pin);
        list.audience = pin;
    }
    let scope = Scope { list: Some(slug.to_owned()), full: true };
    let outcome = deployment.reconciler().reconcile(&mut practice, &scope).await?;
    deployment.console.finish();
    if !json {
        reconcile::print(&outcome);
    }
    Ok(outcome.lists.iter().all(|list| list.state == ListState::InStep))
}
