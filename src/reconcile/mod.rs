//! The shell around the law: lease -> collect -> learn -> plan -> brake -> execute -> record.
//!
//! Cron, webhook and button only wake [`Reconciler::reconcile`]; it takes no input but what the
//! store holds, so a missed wake-up is made good by the next one.

mod asking;
mod attend;
mod attest;
mod collect;
mod ends;
mod erasure;
mod error;
mod execute;
mod explain;
mod feedback;
mod former;
mod held;
mod hurry;
mod known;
mod learn;
mod notices;
mod observe;
mod on_record;
mod outcome;
mod overview;
mod plan_run;
mod practice;
mod preview;
mod progress;
mod record;
mod records;
mod replies;
mod reread;
mod restored;
mod roster;
mod scrub;
mod seen;
mod settings;
mod sharing;
mod suppressing;
mod tenure;
mod told;
mod under_way;
mod worker;

use std::sync::Arc;

use futures::future::join;
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, info_span};

pub use attest::{Attestation, drift};
pub use ends::Chain;
pub use error::{ReconcileError, Refused};
pub use explain::{Because, Erasing, Explanation, KeptOff, ListWord, Who};
pub use known::KnownList;
pub use outcome::{ClinicOutcome, ListOutcome, ListState, SourceOutcome, SourceState};
pub use overview::Overview;
pub use practice::{ManagedList, Practice};
pub use preview::{Preview, PreviewRow};
pub use progress::{Progress, Silent};
pub use roster::{ManagedAccount, Roster};
pub use scrub::MayNot;
pub use suppressing::{Evidence, NotLifted};
pub use tenure::Stop;
pub use told::opt_out;

use crate::clock::SharedClock;
use crate::register::Register;
use crate::store::{Store, Which};
use records::Records;
use tenure::Tenure;

/// How the loop runs; from `[run]` in `listwarden.toml`.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// How long a lease lasts without being renewed.
    pub lease: std::time::Duration,
    /// How old the last full sweep may be before the next run makes one.
    pub full_sweep_every: chrono::TimeDelta,
    /// How old a list's settings may be before they are read again.
    pub settings_every: chrono::TimeDelta,
    /// How long links are planned only where something changed or is due, before all are again.
    pub judge_every: chrono::TimeDelta,
    /// What is kept outside the store, to recognise one that was put back to an older state.
    pub register: Option<Register>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            lease: std::time::Duration::from_mins(1),
            full_sweep_every: chrono::TimeDelta::hours(24),
            settings_every: chrono::TimeDelta::hours(24),
            judge_every: chrono::TimeDelta::days(7),
            register: None,
        }
    }
}

/// What a run is asked to do beyond what the store says is due.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only this list, by its short name.
    pub list: Option<String>,
    /// Full sweeps of both sides, whenever the last ones were.
    pub full: bool,
}

/// Keeps lists and patients in step.
#[derive(Debug, Clone)]
pub struct Reconciler {
    /// What is known.
    pub store: Store,
    /// Time, ids, chance.
    pub clock: SharedClock,
    /// How to run.
    pub settings: RunSettings,
    /// Where to say how far it is.
    pub progress: Arc<dyn Progress>,
    /// Asked between pages and operations whether to stop.
    pub stop: Stop,
    /// The lists and accounts this process keeps: whoever holds an account attends to all of them.
    pub roster: Arc<Roster>,
}

impl Reconciler {
    /// Returns the loop of a process that attends to what `roster` is told.
    #[must_use]
    pub fn attending(&self, roster: Arc<Roster>) -> Self {
        Self { roster, ..self.clone() }
    }

    /// Brings one practice in step: makes one attempt at everything that is due.
    ///
    /// A list that fails does not keep the others from their turn.
    pub async fn reconcile(
        &self,
        practice: &mut Practice,
        scope: &Scope,
    ) -> Result<ClinicOutcome, ReconcileError> {
        self.recognise(practice).await?;
        let mut managed = std::mem::take(&mut practice.lists);
        let records = Records::under_way();
        let collect = async {
            let source = self.collect(practice, scope.full).await;
            records.end(source.is_ok());
            source
        };
        let turns = Box::pin(self.turns(&mut managed, scope, &records));
        let (source, mut lists) = join(Box::pin(collect), turns).await;
        practice.lists = managed;
        let source = source?;
        self.spread(practice, scope, &mut lists).await?;
        self.close(practice).await?;
        Ok(ClinicOutcome { clinic: practice.slug.clone(), source, lists })
    }

    async fn turns(
        &self,
        lists: &mut [ManagedList],
        scope: &Scope,
        records: &Records,
    ) -> Vec<ListOutcome> {
        let mut outcomes = Vec::new();
        for list in lists.iter_mut().filter(|list| asked_for(scope, list)) {
            let span = turn_span(list);
            let outcome = self.turn(list, scope.full, records).instrument(span).await;
            outcomes.push(outcome.unwrap_or_else(|error| ListOutcome::failed(&list.row, &error)));
            if self.stop.is_asked() || records.have_failed() {
                break;
            }
        }
        outcomes
    }

    /// What a later list taught of somebody reaches the earlier ones within the same run (L15).
    async fn spread(
        &self,
        practice: &mut Practice,
        scope: &Scope,
        outcomes: &mut [ListOutcome],
    ) -> Result<(), ReconcileError> {
        let lists = practice.lists.iter_mut().filter(|list| asked_for(scope, list));
        for (list, outcome) in lists.zip(outcomes) {
            if self.stop.is_asked() {
                return Ok(());
            }
            if outcome.state == ListState::InStep && self.has_more_to_plan(list).await? {
                let span = turn_span(list);
                let further = self.turn(list, false, &Records::read()).instrument(span).await;
                let further =
                    further.unwrap_or_else(|error| ListOutcome::failed(&list.row, &error));
                outcome.followed_by(further);
            }
        }
        Ok(())
    }

    async fn has_more_to_plan(&self, list: &ManagedList) -> Result<bool, ReconcileError> {
        let stale = Which::Stale { now: self.clock.now() };
        Ok(!self.store.links_page(&list.row, -1, 1, stale).await?.is_empty())
    }

    /// What follows for the clinic's side: erasures that are through everywhere, and its own record.
    pub async fn close(&self, practice: &Practice) -> Result<(), ReconcileError> {
        if self.store.clinic_owes(practice.id).await? {
            let name = format!("source:{}", practice.id);
            let Some(tenure) = Tenure::take_in_turn(self, &name).await? else { return Ok(()) };
            self.write_back(&tenure, practice).await?;
            self.erase_settled(&tenure, practice).await?;
            tenure.release().await?;
        }
        Ok(self.store.spreading_over(practice.id).await?)
    }

    /// One list's turn: observe while the records are read, then learn, plan, brake, execute, until nothing is left to do.
    async fn turn(
        &self,
        list: &mut ManagedList,
        full: bool,
        records: &Records,
    ) -> Result<ListOutcome, ReconcileError> {
        let name = format!("account:{}", list.account);
        let Some(tenure) = Tenure::take_in_turn(self, &name).await? else {
            return Ok(ListOutcome::busy(&list.row));
        };
        let run = self.run_begins(list, "reconcile").await?;
        Span::current().record("run", display(run.0));
        let outcome = self.turn_under(&tenure, run, list, full, records).await;
        let outcome = outcome.unwrap_or_else(|error| ListOutcome::failed(&list.row, &error));
        let outcome = ListOutcome { run: Some(run), ..outcome };
        Span::current().record("outcome", outcome.state.word());
        self.store.run_end(run, outcome.state.word(), &outcome.summary()).await?;
        self.heed_credential(list, &outcome).await?;
        tenure.release().await?;
        Ok(outcome)
    }

    /// Remembers whether the provider takes the credential, where that has changed.
    async fn heed_credential(
        &self,
        list: &ManagedList,
        outcome: &ListOutcome,
    ) -> Result<(), ReconcileError> {
        let known = list.row.credential_refused_at.is_some();
        let refused = match outcome.state {
            ListState::Failed if !outcome.credential_refused => known,
            _ => outcome.credential_refused,
        };
        if refused != known {
            self.store.list_credential(&list.row, refused.then(|| self.clock.now())).await?;
        }
        Ok(())
    }

    /// Tells whether every link is to be judged anew: with each sweep where others share the audience
    /// or the sender, whose changes call no link of ours stale; else now and then, in case one was
    /// not called stale that should have been.
    fn is_time_to_judge(&self, list: &ManagedList, swept: bool) -> bool {
        self.was_judged_long_ago(list) || (swept && !list.sharers.is_empty())
    }

    fn was_judged_long_ago<L: ?Sized>(&self, list: &ManagedList<L>) -> bool {
        let now = self.clock.now();
        list.row.judged_at.is_none_or(|at| now - at >= self.settings.judge_every)
    }

    async fn turn_under(
        &self,
        tenure: &Tenure<'_>,
        run: crate::domain::RunId,
        list: &mut ManagedList,
        full: bool,
        records: &Records,
    ) -> Result<ListOutcome, ReconcileError> {
        // Whom both sides have is matched with less work where the clinic's are there first.
        if list.row.swept_at.is_none() {
            self.wait_for(records, tenure, list).await?;
        }
        self.check_settings(tenure, list, full).await?;
        self.settle_open_operations(tenure, run, list).await?;
        let swept_before = list.row.swept_at;
        let observed = self.observe(tenure, list, full).await;
        self.wait_for(records, tenure, list).await?;
        // What was told counts by what the records say: a yes to a clinic that has let go is late.
        self.read_notices_for(tenure, list).await?;
        tenure.attend_at_once().await?;
        if let Some(short) = observed? {
            return Ok(ListOutcome::incomplete(list, short));
        }
        self.read_anew(tenure, list).await?;
        if list.row.restored_at.is_some() {
            return self.conclude(run, list).await;
        }
        self.policy_followed(tenure, list).await?;
        let swept = list.row.swept_at != swept_before;
        let mut everything = self.is_time_to_judge(list, swept);
        for round in 0..ROUNDS {
            self.read_doubtful(tenure, list).await?;
            let which =
                if everything { Which::All } else { Which::Stale { now: self.clock.now() } };
            self.learn(tenure, list, which).await?;
            let planned = self.plan_run(tenure, run, list, which).await?;
            if everything {
                self.store.list_judged(&tenure.lease, &list.row).await?;
                everything = false;
            }
            if planned.to_execute == 0 {
                break;
            }
            self.execute(tenure, run, list, swept).await?;
            if self.stop.is_asked() || round + 1 == ROUNDS {
                break;
            }
        }
        self.conclude(run, list).await
    }
}

/// Turns of plan and execute within one run: a change may make one further change due (an archive
/// before an invitation), and that one a last look. More means that somebody works against us, and
/// the next run sees to it.
const ROUNDS: usize = 4;

fn turn_span(list: &ManagedList) -> Span {
    info_span!("list", list = list.row.slug, run = Empty, outcome = Empty)
}

fn asked_for(scope: &Scope, list: &ManagedList) -> bool {
    scope.list.as_ref().is_none_or(|slug| *slug == list.row.slug)
}
