//! The command line: one file a command, and what they share.

mod accounts;
mod acting;
mod approve;
mod audit;
#[cfg(feature = "simulator")]
mod bench;
mod clinic;
pub mod consent;
mod console;
#[cfg(feature = "simulator")]
mod demo;
mod deployment;
mod doctor;
mod explain;
mod init;
mod keys;
mod ledger;
mod list;
mod metered;
mod migrate;
mod patient;
mod patients;
mod plan;
mod push;
pub mod reconcile;
mod references;
#[cfg(feature = "simulator")]
mod rehearse;
mod report;
mod restored;
mod resyncs;
mod review;
mod scrub;
pub mod serve;
#[cfg(feature = "simulator")]
mod simulator;
mod token;
pub mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use console::Console;
pub use deployment::{Deployment, NotConfigured, keyring};
pub use list::{Ended, Ending};

use crate::reconcile::{ClinicOutcome, ListState, SourceState};
use crate::telemetry::LogOptions;

/// Keeps a clinic's marketing lists in step with its patients: nobody whom the clinic dropped,
/// nobody who did not ask.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
    /// What every command takes.
    #[command(flatten)]
    common: Common,
    /// Logging.
    #[command(flatten)]
    pub log: LogOptions,
}

const EXIT_CODES: &str = "Exit codes:
  0  done; after reconcile and report: every list is in step
  1  an error, told on standard error
  2  the command line or the configuration cannot be read, or names what is not configured
  3  changes wait for an admin: a first plan, the brake, or a snapshot too short to be believed;
     after report also: changes are due at the next run
  4  somebody could not be taken off a list yet; it is tried again
  5  another worker had patients or a list in hand, which were left to it";

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The deployment's configuration.
    #[arg(
        long,
        short,
        global = true,
        env = "LISTWARDEN_CONFIG",
        default_value = "listwarden.toml"
    )]
    pub config: PathBuf,
    /// Only this clinic, by its short name.
    #[arg(long, global = true)]
    pub clinic: Option<String>,
    /// Print JSON, for machines.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the whole job on a simulated clinic and a simulated Mailchimp, and ends by itself.
    #[cfg(feature = "simulator")]
    Demo(demo::Options),
    /// Writes a commented configuration to begin with.
    Init(init::Options),
    /// Checks everything a run needs and says how to mend what is wrong.
    Doctor,
    /// Creates or updates the tables of the store.
    Migrate,
    /// Brings lists and patients in step: one attempt, then ends.
    Reconcile(reconcile::Options),
    /// Shows what a run would do, and does nothing of it.
    Plan(plan::Options),
    /// Approves a plan that waits: the first one of a list, or one the brake holds; or accepts what
    /// is too much at once to be believed.
    Approve(approve::Approve),
    /// Refuses a plan that waits.
    Refuse(approve::Refuse),
    /// Says why a person is, or is not, on each list.
    Explain(explain::Options),
    /// Takes webhooks and attends to them; optionally reconciles on a schedule.
    Serve(serve::Options),
    /// Attests where every list stands.
    Report(report::Options),
    /// After the store was put back from a backup: every list begins with a first run again.
    Restored(acting::By),
    /// Examines the ledger.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Sees to a change of the master key.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Ends a list, or moves it to another audience.
    #[command(subcommand)]
    List(list::List),
    /// Brings patients in, or shows one.
    #[command(subcommand)]
    Patients(patients::Patients),
    /// Answers what a patient asks about their own data.
    #[command(subcommand)]
    Patient(patient::Patient),
    /// What concerns a whole clinic.
    #[command(subcommand)]
    Clinic(clinic::Clinic),
    /// Records consent given in person.
    #[command(subcommand)]
    Consent(consent::Consent),
    /// Shows what an admin should look at, and takes down what came of it.
    #[command(subcommand)]
    Review(review::Review),
    /// Makes, shows and mends the webhooks by which providers tell us at once.
    #[command(subcommand)]
    Webhook(webhook::Webhook),
    /// Gives access to the API, shows who has it, and takes it back.
    #[command(subcommand)]
    Token(token::Token),
    /// Examines the audit log.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Rehearses: made-up worlds live under faults, with the law checked at every step.
    #[cfg(feature = "simulator")]
    Rehearse(rehearse::Options),
    /// Measures what runs cost, against a simulated provider on this machine.
    #[cfg(feature = "simulator")]
    Bench(bench::Options),
    /// Serves a simulated Mailchimp on loopback.
    #[cfg(feature = "simulator")]
    Simulator(simulator::Options),
}

impl Cli {
    /// Runs the command.
    pub async fn run(self) -> anyhow::Result<Exit> {
        let common = self.common;
        match self.command {
            #[cfg(feature = "simulator")]
            Command::Demo(options) => demo::run(&common, options).await,
            Command::Init(options) => init::run(&common, &options),
            Command::Doctor => doctor::run(&common).await,
            Command::Migrate => migrate::run(&common).await,
            Command::Reconcile(options) => Box::pin(reconcile::run(&common, options)).await,
            Command::Plan(options) => plan::run(&common, options).await,
            Command::Approve(options) => approve::approve(&common, options).await,
            Command::Refuse(options) => approve::refuse(&common, options).await,
            Command::Explain(options) => explain::run(&common, options).await,
            Command::Serve(options) => serve::run(&common, options).await,
            Command::Report(options) => report::run(&common, options).await,
            Command::Restored(by) => restored::run(&common, by).await,
            Command::Ledger(ledger) => ledger::run(&common, ledger).await,
            Command::Keys(keys) => keys::run(&common, keys).await,
            Command::List(list) => Box::pin(list::run(&common, list)).await,
            Command::Patients(patients) => patients::run(&common, patients).await,
            Command::Patient(patient) => patient::run(&common, patient).await,
            Command::Clinic(clinic) => clinic::run(&common, clinic).await,
            Command::Consent(consent) => consent::run(&common, consent).await,
            Command::Review(review) => review::run(&common, review).await,
            Command::Webhook(webhook) => webhook::run(&common, webhook).await,
            Command::Token(token) => token::run(&common, token).await,
            Command::Audit(audit) => audit::run(&common, audit).await,
            #[cfg(feature = "simulator")]
            Command::Rehearse(options) => rehearse::run(options).await,
            #[cfg(feature = "simulator")]
            Command::Bench(options) => bench::run(&common, options).await,
            #[cfg(feature = "simulator")]
            Command::Simulator(options) => simulator::run(options).await,
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, in step.
    InStep,
    /// Another worker had something in hand, which was left to it.
    Busy,
    /// Changes wait for an admin.
    Waiting,
    /// Somebody could not be taken off yet.
    ParkedRemovals,
    /// The command line or the configuration cannot be read.
    Usage,
    /// An error.
    Error,
}

impl Exit {
    /// Tells usage from other errors.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let unreadable = error.is::<crate::config::ConfigErrors>() || error.is::<NotConfigured>();
        if unreadable { Self::Usage } else { Self::Error }
    }

    /// Adds up what a practice's run came to.
    #[must_use]
    pub fn after(outcome: &ClinicOutcome) -> Self {
        let source = match outcome.source.state {
            SourceState::Short { .. } => Self::Waiting,
            _ if outcome.source.withdrawals_held > 0 => Self::Waiting,
            SourceState::Busy => Self::Busy,
            SourceState::Read | SourceState::Swept => Self::InStep,
        };
        let lists = outcome.lists.iter().map(|list| match list.state {
            ListState::InStep => Self::InStep,
            ListState::Busy => Self::Busy,
            ListState::Waiting | ListState::Braked => Self::Waiting,
            ListState::ParkedRemovals => Self::ParkedRemovals,
            ListState::Interrupted | ListState::Failed => Self::Error,
        });
        lists.max().unwrap_or(Self::InStep).max(source)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::InStep => 0,
            Exit::Error => 1,
            Exit::Usage => 2,
            Exit::Waiting => 3,
            Exit::ParkedRemovals => 4,
            Exit::Busy => 5,
        })
    }
}
