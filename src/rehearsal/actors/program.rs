//! The program's own processes: workers that run, and the one that serves.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::commands::Deployment;
use crate::http;
use crate::reconcile::{ClinicOutcome, ListState, Scope, SourceState};
use crate::rehearsal::books::Run;
use crate::rehearsal::faults::Kind;
use crate::rehearsal::processes::Server;
use crate::rehearsal::world::{PUBLIC, World};

/// What one run over all clinics came to.
#[derive(Debug, Default)]
pub struct Ran {
    /// Clinic by clinic; none where it failed.
    pub outcomes: Vec<Option<ClinicOutcome>>,
}

impl Ran {
    /// Tells whether everything is in step.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.outcomes.iter().all(|outcome| {
            outcome.as_ref().is_some_and(|outcome| {
                let source = matches!(outcome.source.state, SourceState::Swept);
                let held = outcome.source.withdrawals_held > 0;
                let lists = outcome.lists.iter();
                source && !held && lists.clone().all(|list| list.state == ListState::InStep)
            })
        })
    }

    /// Says it in a line that names nobody.
    #[must_use]
    pub fn told(&self) -> String {
        let told = self.outcomes.iter().map(|outcome| match outcome {
            None => "failed".to_owned(),
            Some(outcome) => {
                let lists = outcome.lists.iter().map(|list| {
                    let done: Vec<String> =
                        list.operations.iter().map(|(state, n)| format!("{n} {state}")).collect();
                    format!("{} {} [{}]", list.list, list.state.word(), done.join(", "))
                });
                let lists: Vec<String> = lists.collect();
                format!("{:?} {}", outcome.source.state, lists.join("; "))
            }
        });
        told.collect::<Vec<_>>().join(" | ")
    }
}

/// How long a worker that attends waits before it looks again.
const AGAIN: Duration = Duration::from_millis(200);
/// How often it looks before it leaves the rest to the next delivery.
const LOOKS: usize = 20;

impl World {
    /// A worker makes a run over all clinics.
    pub(super) async fn runs(
        self: &Arc<Self>,
        worker: usize,
        full: bool,
    ) -> anyhow::Result<String> {
        let others = self.others_work(worker);
        let Some(deployment) = self.hires(worker).await? else {
            return Ok("nothing".to_owned());
        };
        if others {
            self.weather.count(Kind::TwoWorkers);
        }
        let at_work = AtWork { world: self.clone(), worker, done: false };
        let ran = self.run_on(&deployment, full).await;
        at_work.ends();
        Ok(format!("worker {worker}: {}", ran.told()))
    }

    /// Makes one run with a process over all clinics.
    pub async fn run_on(self: &Arc<Self>, deployment: &Deployment, full: bool) -> Ran {
        let number = self.run_begins();
        let roster = self.roster(deployment).await;
        let reconciler = deployment.reconciler().attending(roster);
        let mut ran = Ran::default();
        for (place, clinic) in deployment.clinics().enumerate() {
            let done = async {
                let mut practice = self.disturbed(deployment.practice(clinic).await?);
                let scope = Scope { list: None, full };
                anyhow::Ok(reconciler.reconcile(&mut practice, &scope).await?)
            };
            let outcome = done.await;
            self.said.hear(&format!("{outcome:?}"));
            if let Err(error) = &outcome {
                let error = format!("{error:#}");
                self.counts_take_over(&error);
                self.note(format!("c{place}: {error}"));
            }
            let outcome = outcome.ok();
            self.takes_down(number, place, outcome.as_ref(), full);
            ran.outcomes.push(outcome);
        }
        let now = self.now();
        self.books().runs[number].ended = Some(now);
        ran
    }

    fn run_begins(&self) -> usize {
        let (actor, began) = (self.turnstile.turn(), self.now());
        let mut books = self.books();
        let (read, observed) = Default::default();
        books.runs.push(Run { actor, began, ended: None, read, observed });
        books.runs.len() - 1
    }

    /// What was read whole is known to the program from then on.
    fn takes_down(&self, number: usize, place: usize, outcome: Option<&ClinicOutcome>, full: bool) {
        let Some(outcome) = outcome else { return };
        for problem in outcome.lists.iter().filter_map(|list| list.problem.as_ref()) {
            self.note(format!("c{place}: {problem}"));
            self.counts_take_over(problem);
        }
        let mut books = self.books();
        let run = &mut books.runs[number];
        if outcome.source.state == SourceState::Swept && outcome.source.withdrawals_held == 0 {
            run.read.insert(place);
        }
        let lists = &self.history.clinics[place].lists;
        for list in outcome.lists.iter().filter(|list| full && list.state == ListState::InStep) {
            let place_of = lists.iter().position(|setting| setting.slug == list.list);
            run.observed.extend(place_of.map(|list| (place, list)));
        }
    }

    fn counts_take_over(&self, problem: &str) {
        if problem.contains("another process took over") {
            self.weather.count(Kind::LeaseExpired);
        }
    }

    pub(super) fn server(&self) -> Option<Arc<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts the process that takes webhooks.
    pub async fn starts_serving(self: &Arc<Self>) -> anyhow::Result<()> {
        let deployment = Arc::new(self.process().await?);
        let (announce, roster) = watch::channel(self.roster(&deployment).await);
        let (store, clock) = (deployment.store.clone(), deployment.reconciler().clock.clone());
        let receiver = http::Receiver::start(store, clock, PUBLIC, roster, Arc::new(Notify::new()));
        let server = Arc::new(Server { deployment, announce });
        self.serves(Some(http::router(Arc::new(receiver))), Some(server));
        Ok(())
    }

    pub(super) async fn restarts(self: &Arc<Self>) -> anyhow::Result<String> {
        if self.server().is_none() {
            return Ok("nothing".to_owned());
        }
        self.starts_serving().await?;
        Ok("the serving process starts anew".to_owned())
    }

    /// Providers deliver what they have to tell; the serving process attends.
    pub async fn delivers(self: &Arc<Self>) -> anyhow::Result<String> {
        let Some(server) = self.server() else { return Ok("nobody serves".to_owned()) };
        let roster = self.roster(&server.deployment).await;
        server.announce.send(roster.clone()).ok();
        let mut attempts = 0;
        for stage in &self.stages {
            let reversed = self.weather.strikes(&[Kind::HooksReversed]).is_some();
            attempts += stage.delivers(reversed).await;
        }
        let number = self.run_begins();
        let reconciler = server.deployment.reconciler().attending(roster);
        let mut left = true;
        for _ in 0..LOOKS {
            left = match reconciler.attend().await {
                Ok(left) => !left.is_nothing(),
                Err(error) => {
                    self.said.hear(&error.chain());
                    true
                }
            };
            if !left {
                break;
            }
            reconciler.clock.sleep(AGAIN).await;
        }
        let now = self.now();
        self.books().runs[number].ended = Some(now);
        let state = if left { "not all was attended to" } else { "attended" };
        Ok(format!("{attempts} deliveries; {state}"))
    }
}

/// A worker at work; dropped before its end it was killed.
struct AtWork {
    world: Arc<World>,
    worker: usize,
    done: bool,
}

impl AtWork {
    fn ends(mut self) {
        self.done = true;
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.world.lets_go(self.worker, !self.done);
        if !self.done {
            self.world.weather.count(Kind::Killed);
            self.world.note(format!("worker {} is killed", self.worker));
        }
    }
}
