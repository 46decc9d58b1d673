//! `reconcile`: one attempt at everything that is due.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;
use clap::Args;
use tracing::{Instrument, info_span};

use super::console::{print_json, table};
use super::push::push;
use super::{Common, Deployment, Exit};
use crate::domain::Class;
use crate::reconcile::{
    Chain, ClinicOutcome, ListOutcome, ListState, Practice, Reconciler, Scope, SourceState,
};
use crate::store::ParkedBecause;

/// What to reconcile.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Only this list, by its short name.
    #[arg(long)]
    pub list: Option<String>,
    /// Read both sides whole, whenever that was done last.
    #[arg(long)]
    pub full: bool,
    /// Only every N-th clinic, beginning with the K-th, as K/N: for N workers that share them.
    #[arg(long, default_value = "1/1")]
    pub part: Part,
    /// Push the figures to this Prometheus Pushgateway at the end, such as `http://HOST:9091`.
    #[arg(long, env = "LISTWARDEN_PUSHGATEWAY")]
    pub pushgateway: Option<String>,
}

/// How often a run verifies the ledger: with each nightly sweep, also one that comes a little early.
const VERIFIED_EVERY: TimeDelta = TimeDelta::hours(20);

/// Which of the clinics are one worker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    skipped: usize,
    every: usize,
}

impl Part {
    fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.skipped).step_by(self.every)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-of-{}", self.skipped + 1, self.every)
    }
}

impl FromStr for Part {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((k, every)) if (1..=every).contains(&k) => Ok(Self { skipped: k - 1, every }),
            _ => Err("write K/N, such as 2/4 for the second of four workers"),
        }
    }
}

/// Reconciles every clinic, or the one asked for. A clinic that fails keeps no other back.
pub async fn run(common: &Common, options: Options) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    deployment.expect_list(options.list.as_deref())?;
    deployment.stop_on_ctrl_c();
    let scope = Scope { list: options.list, full: options.full };
    let exit = reconcile_part(&deployment, &scope, options.part, common.json).await?;
    let clinic = common.clinic.iter().map(|clinic| format!("{clinic}-"));
    let instance: String = clinic.chain([options.part.to_string()]).collect();
    let watched = || Deployment::watched(options.part.of(deployment.clinics()));
    let stopped = deployment.reconciler().stop.is_asked();
    if let Some(gateway) = options.pushgateway.as_ref().filter(|_| !stopped) {
        push(&deployment, gateway, &instance, watched()).await;
    }
    #[cfg(feature = "otlp")]
    super::push::export(&deployment, &instance, watched()).await;
    Ok(exit)
}

/// Reconciles and prints what came of it.
pub async fn reconcile(deployment: &Deployment, scope: &Scope, json: bool) -> anyhow::Result<Exit> {
    reconcile_part(deployment, scope, Part { skipped: 0, every: 1 }, json).await
}

async fn reconcile_part(
    deployment: &Deployment,
    scope: &Scope,
    part: Part,
    json: bool,
) -> anyhow::Result<Exit> {
    let mut outcomes = Vec::new();
    let mut exit = Exit::InStep;
    let reconciler = deployment.reconciler().attending(deployment.roster().await);
    for clinic in part.of(deployment.clinics()) {
        match one(deployment, &reconciler, clinic, scope).await {
            Ok(outcome) => {
                exit = exit.max(Exit::after(&outcome));
                outcomes.push(outcome);
            }
            Err(error) => {
                deployment.console.finish();
                eprintln!("error: clinic `{}`: {error:#}", clinic.slug);
                exit = Exit::Error;
            }
        }
        deployment.leave_figures().await;
        if reconciler.stop.is_asked() {
            break;
        }
    }
    if let Err(error) = deployment.forget_old().await {
        tracing::warn!(error = format!("{error:#}"), "old deliveries could not be emptied");
    }
    // Who was asked to stop may not have the time, and leaves it to the next run.
    if !reconciler.stop.is_asked() {
        deployment.notify().await;
    }
    deployment.console.finish();
    if json {
        print_json(&outcomes)?;
    } else {
        outcomes.iter().for_each(print);
    }
    Ok(exit)
}

/// Makes one attempt at one clinic.
pub(super) async fn one(
    deployment: &Deployment,
    reconciler: &Reconciler,
    clinic: &crate::config::ClinicConfig,
    scope: &Scope,
) -> anyhow::Result<ClinicOutcome> {
    let run = async {
        let mut practice = deployment.practice(clinic).await?;
        let outcome = reconciler.reconcile(&mut practice, scope).await?;
        let first =
            deployment.config.clinics.first().is_some_and(|first| first.slug == clinic.slug);
        let chains = [Chain::Ledger(practice.id, &clinic.slug), Chain::Audit];
        let chains = if first { &chains[..] } else { &chains[..1] };
        let due =
            outcome.source.state == SourceState::Swept && is_due(deployment, &practice).await?;
        for chain in chains {
            verify(reconciler, *chain, due).await?;
        }
        Ok(outcome)
    };
    run.instrument(info_span!("run", clinic = clinic.slug, full = scope.full)).await
}

/// Tells whether the chains are to be verified: once a day, when everything else was read whole.
async fn is_due(deployment: &Deployment, practice: &Practice) -> anyhow::Result<bool> {
    let last = deployment.store.ledger_verified_at(practice.id).await?;
    let now = deployment.clock().now();
    Ok(last.is_none_or(|at| !(at..at + VERIFIED_EVERY).contains(&now)))
}

/// Verifies a chain, or looks at its end alone. A line that does not fit changes nothing about the run: it
/// is told, and of a ledger the store keeps it for whoever watches.
async fn verify(reconciler: &Reconciler, chain: Chain<'_>, whole: bool) -> anyhow::Result<()> {
    let first_bad = if whole {
        reconciler.verify(chain).await?.first_bad
    } else {
        reconciler.remember_end(chain).await?
    };
    let (what, command) = match chain {
        Chain::Audit => ("the audit log", "listwarden audit verify"),
        Chain::Ledger(..) => ("the ledger", "listwarden ledger verify"),
    };
    if let Some(line) = first_bad {
        let clinic = if let Chain::Ledger(_, slug) = chain { slug } else { "" };
        tracing::error!(clinic, line, "{what} is broken: look with `{command}`");
    }
    Ok(())
}

/// Prints what a run came to.
pub fn print(outcome: &ClinicOutcome) {
    let source = &outcome.source;
    let read = match source.state {
        SourceState::Swept => "all patients read:".to_owned(),
        SourceState::Read => "changed patients read:".to_owned(),
        SourceState::Short { missing, total } => {
            format!("SHORT: {missing} of {total} patients missing, nobody is dropped for it;")
        }
        SourceState::Busy => "another worker reads the patients;".to_owned(),
    };
    println!(
        "clinic `{}`: {read} {} rows, {} changed, {} with problems, {} vanished",
        outcome.clinic, source.rows, source.changed, source.problems, source.vanished
    );
    if source.withdrawals_held > 0 {
        println!(
            "  {} patients' records now say no, by a bare flag: too many at once to be believed. If it is right: listwarden approve withdrawals:{}",
            source.withdrawals_held, outcome.clinic
        );
    }
    let mut rows = table(["list", "state", "operations", "links"]);
    for list in &outcome.lists {
        let operations: Vec<String> =
            list.operations.iter().map(|(state, n)| format!("{n} {state}")).collect();
        let classes: Vec<String> =
            list.classes.iter().map(|(class, n)| format!("{n} {}", spoken(*class))).collect();
        rows.add_row([
            list.list.clone(),
            list.state.word().replace('_', " "),
            operations.join("\n"),
            classes.join("\n"),
        ]);
    }
    println!("{rows}");
    outcome.lists.iter().flat_map(remarks).for_each(|remark| println!("  {remark}"));
}

/// What there is to say of a list beside its counts: what went wrong, why something is parked, and
/// what waits for an admin.
fn remarks(list: &ListOutcome) -> Vec<String> {
    let slug = &list.list;
    let mut remarks: Vec<String> =
        list.problem.iter().map(|problem| format!("list `{slug}`: {problem}")).collect();
    remarks.extend(list.parked.iter().map(|parked| format!("list `{slug}`: {}", why(parked))));
    if !list.parked.is_empty() {
        remarks.push(format!(
            "list `{slug}`: all counts: listwarden report --list {slug}. One of them: listwarden explain ADDRESS_OR_PATIENT_ID"
        ));
    }
    let waits = matches!(list.state, ListState::Waiting | ListState::Braked);
    let Some(run) = list.run.filter(|_| waits && list.problem.is_none()) else { return remarks };
    remarks.push(if list.held() > 0 {
        format!(
            "list `{slug}`: its changes wait for you. Look: listwarden plan. Then: listwarden approve {run}, or: listwarden refuse {run} --reason …"
        )
    } else {
        format!(
            "list `{slug}`: nothing is to be changed; later runs may, once you say: listwarden approve {run}"
        )
    });
    remarks
}

fn why(parked: &ParkedBecause) -> String {
    let ParkedBecause { verb, why, links, next_try } = parked;
    match (verb, next_try) {
        (Some(verb), Some(next_try)) => format!(
            "{links} parked, {verb}: {why}; tried again from {}",
            next_try.format("%Y-%m-%d %H:%M UTC")
        ),
        _ => format!("{links} parked: {why}"),
    }
}

/// Returns a class as people say it.
#[must_use]
pub fn spoken(class: Class) -> String {
    class.word().replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_whole_leave_nobody_out_and_take_nobody_twice() {
        let parts = ["1/3", "2/3", "3/3"].map(|text| text.parse::<Part>().unwrap());
        let of = |part: &Part| part.of(0..10);
        let mut taken: Vec<usize> = parts.iter().flat_map(of).collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..10).collect::<Vec<_>>());
        for none in ["0/3", "4/3", "1", "1/0", "a/b"] {
            assert!(none.parse::<Part>().is_err());
        }
    }
}
