//! `list retire` and `list move`: the only ways a list ends (L20).

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use serde_json::json;

use super::acting::{By, Deed};
use super::console::say;
use super::{Common, Deployment, Exit, deployment, reconcile, scrub};
use crate::config::ClinicConfig;
use crate::reconcile::{ClinicOutcome, ListState, Practice, Scope};

/// Ends a list, or moves it to another audience.
#[derive(Debug, Subcommand)]
pub enum List {
    /// Takes everybody whom the clinic knows off the list, then ends it.
    Retire(Which),
    /// Empties the audience the list was pinned to; the one configured now begins as a first run.
    Move(Which),
    /// Says of every address in a file whether it may be sent to on the list now, and why not.
    Scrub(scrub::Scrub),
}

/// Which list.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The list's short name.
    list: String,
    /// Really do it: everybody whom the clinic knows leaves the audience.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    by: By,
}

/// How a list ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// For good.
    Retire,
    /// To begin anew on the audience that is configured now.
    Move,
}

/// What ending a list came to.
#[derive(Debug)]
pub struct Ended {
    /// Whether nobody whom the clinic knows is on it any more, so that it ended.
    pub emptied: bool,
    /// The run that emptied it, or whose plan waits for approval; none for a list that was never opened
    /// and has nobody whom the clinic knows.
    pub outcome: Option<ClinicOutcome>,
}

/// Runs the subcommand.
pub async fn run(common: &Common, list: List) -> anyhow::Result<Exit> {
    let (which, moves) = match list {
        List::Scrub(scrub) => return scrub::run(common, scrub).await,
        List::Retire(which) => (which, false),
        List::Move(which) => (which, true),
    };
    let deployment = Deployment::open(common).await?;
    let clinic = deployment.clinic_of_list(&which.list)?;
    if !which.yes {
        bail!(
            "this takes everybody whom the clinic knows off the audience of `{}`: add --yes to do it",
            which.list
        );
    }
    let ending = if moves { Ending::Move } else { Ending::Retire };
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let what = if moves { "list move" } else { "list retire" };
    let deed = Deed::new(what, &which.by.by).of(id, which.list.clone());
    let ending_it = deployment.list_end(clinic, &which.list, ending);
    let ended = deployment.on_record(deed, ending_it).await?;
    deployment.console.finish();
    if let Some(outcome) = ended.outcome.as_ref().filter(|_| !common.json) {
        reconcile::print(outcome);
    }
    if !ended.emptied {
        let waits = ended.outcome.as_ref().is_some_and(waits);
        let (not_yet, exit) = if waits {
            (
                "The list is not empty yet: approve its plan, then run the command again.",
                Exit::Waiting,
            )
        } else {
            ("The list is not empty yet; run the command again to go on.", Exit::ParkedRemovals)
        };
        say(common.json, &json!({ "list": which.list, "emptied": false }), not_yet)?;
        return Ok(exit);
    }
    let done = match ending {
        Ending::Move => {
            "Emptied. The next run is the first one of the new audience and waits for you."
        }
        Ending::Retire => "Retired. Take the list out of the configuration when you like.",
    };
    say(common.json, &json!({ "list": which.list, "emptied": true, "retired": !moves }), done)?;
    Ok(Exit::InStep)
}

fn waits(outcome: &ClinicOutcome) -> bool {
    outcome.lists.iter().any(|list| list.state == ListState::Waiting)
}

impl Deployment {
    /// Finds the one clinic, among those this command is about, that has the list.
    pub(super) fn clinic_of_list(&self, slug: &str) -> anyhow::Result<&ClinicConfig> {
        self.expect_list(Some(slug))?;
        let mut clinics = self.clinics().filter(|clinic| clinic.list(slug).is_some());
        match (clinics.next(), clinics.count()) {
            (Some(clinic), 0) => Ok(clinic),
            (_, others) => {
                bail!("{} clinics have a list `{slug}`: say which with --clinic", others + 1)
            }
        }
    }

    /// Empties a list and, once nobody whom the clinic knows is on it, ends it. Done again, it goes
    /// on where it was.
    pub async fn list_end(
        &self,
        clinic: &ClinicConfig,
        slug: &str,
        ending: Ending,
    ) -> anyhow::Result<Ended> {
        let ended = self.list_empty(clinic, slug).await?;
        if ended.emptied {
            let id = self.store.clinic_ensure(&clinic.slug).await?;
            let lists = self.store.lists(id).await?;
            let row = lists.iter().find(|row| row.slug == slug);
            let row = row.context("the list is not stored")?;
            match ending {
                Ending::Move => self.store.list_reset(row).await?,
                Ending::Retire => self.store.list_retire(row, self.clock().now()).await?,
            }
        }
        Ok(ended)
    }

    /// Runs the list with everybody barred until nobody the clinic knows is listed.
    async fn list_empty(&self, clinic: &ClinicConfig, slug: &str) -> anyhow::Result<Ended> {
        let accounts = self.accounts(clinic)?;
        let mut practice: Practice = self.practice(clinic).await?;
        practice.lists.retain(|list| list.row.slug == slug);
        let list = practice.lists.first_mut().context("the list is not configured")?;
        // What is there of ours may be from before the store was put back, or a plan refused.
        if list.row.approved_at.is_none() && !self.store.list_holds_anybody(&list.row).await? {
            return Ok(Ended { emptied: true, outcome: None });
        }
        self.store.list_retiring(&list.row, self.clock().now()).await?;
        list.policy.retiring = true;
        if let Some(pin) = list.row.audience_pin.clone() {
            let config = clinic.lists.iter().find(|config| config.slug == slug);
            let config = config.context("the list is not configured")?;
            let account = accounts.get(&config.account).context("its account is not configured")?;
            list.port = deployment::port(account.as_ref(), config, &pin);
            list.audience = pin;
        }
        let scope = Scope { list: Some(slug.to_owned()), full: true };
        let reconciler = self.reconciler().attending(self.roster().await);
        let outcome = reconciler.reconcile(&mut practice, &scope).await?;
        let emptied = outcome.lists.iter().all(|list| list.state == ListState::InStep);
        Ok(Ended { emptied, outcome: Some(outcome) })
    }
}
