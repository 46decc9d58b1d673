//! Bad weather at the provider: a run ends or goes on, and nothing is done twice.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use listwarden::patients::{Note, PatientSource, SourceCursor, SourceError, SourcePage};
use listwarden::reconcile::{ListState, ReconcileError, Scope};
use listwarden::simulator::mailchimp::{Fault, Risk, Rule, Status};

use crate::on_both_engines;
use crate::world::{Engine, World, state};

impl World {
    /// A day's changes, in whatever weather; then one run in the sun.
    async fn goes_through(&self, faults: &[Fault], times: u32) {
        self.listed(&["ann", "ben"]).await;
        for (number, fault) in faults.iter().enumerate() {
            let (new, old) = (format!("new{number}"), format!("old{number}"));
            self.consenting(&old).await;
            self.runs().await;
            self.clinic.archive(&old, self.now()).await.unwrap();
            self.consenting(&new).await;
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                self.simulator.script(Rule::next(fault.clone()).on(method, "/3.0/").times(times));
            }
            let outcome = self.try_run(true).await;
            assert!(
                matches!(state(&outcome), ListState::InStep | ListState::Failed),
                "{fault:?}: {outcome:#?}"
            );
            self.simulator.clear_faults();
            self.pass(TimeDelta::hours(30));
            self.runs().await;
            assert_eq!(self.there(&old), Some(Status::Archived), "{fault:?}");
            assert_eq!((self.there(&new), self.invitations(&new)), (Some(Status::Pending), 1));
            assert_eq!(self.told(&old).await, [""; 0], "{fault:?}");
        }
    }
}

fn weather() -> [Fault; 7] {
    [
        Fault::TooManyRequests { retry_after: Some(2) },
        Fault::TooManyRequests { retry_after: None },
        Fault::BadGateway,
        Fault::InternalError,
        Fault::Forbidden,
        Fault::Reset,
        Fault::LostReply,
    ]
}

on_both_engines! {
    async fn a_shower_is_waited_out(world: World) {
        world.goes_through(&weather(), 1).await;
        world.end().await;
    }
}

on_both_engines! {
    async fn a_storm_ends_the_run_and_the_next_one_makes_it_good(world: World) {
        world.goes_through(&weather(), 50).await;
        world.end().await;
    }
}

on_both_engines! {
    async fn a_provider_that_fails_says_what_to_do_and_nothing_of_the_key(world: World) {
        world.listed(&["ann"]).await;
        world.simulator.disable_key(crate::world::API_KEY).unwrap();
        let outcome = world.try_run(true).await;
        assert_eq!(state(&outcome), ListState::Failed);
        let problem = outcome.lists[0].problem.as_ref().unwrap();
        assert!(problem.contains("key") && !problem.contains(crate::world::API_KEY), "{problem}");
        world.end().await;
    }
}

on_both_engines! {
    async fn faults_by_chance_double_nothing(world: World) {
        world.many_listed("p", 20).await;
        for seed in 1..=4_u64 {
            let archived = format!("p{seed}");
            world.clinic.archive(&archived, world.now()).await.unwrap();
            world.many_consenting(&format!("n{seed}x"), 3).await;
            let risk = |fault| Risk { fault, probability: 0.06 };
            world.simulator.risk(weather().into_iter().map(risk).collect(), seed);
            for _ in 0..3 {
                world.try_run(true).await;
                world.pass(TimeDelta::minutes(20));
            }
            world.simulator.risk(Vec::new(), 0);
            world.pass(TimeDelta::hours(30));
            world.runs().await;
            assert_eq!(world.there(&archived), Some(Status::Archived));
            for number in 0..3 {
                assert_eq!(world.invitations(&format!("n{seed}x{number}")), 1);
            }
        }
        world.end().await;
    }
}

/// A clinic's database that went away.
#[derive(Debug)]
struct Away;

#[async_trait]
impl PatientSource for Away {
    async fn rows(
        &self,
        _: Option<DateTime<Utc>>,
        _: Option<&SourceCursor>,
    ) -> Result<SourcePage, SourceError> {
        Err(SourceError::Cursor)
    }

    async fn count(&self) -> Result<u64, SourceError> {
        Err(SourceError::Cursor)
    }

    async fn write_back(&self, _: &[Note]) -> Result<(), SourceError> {
        Err(SourceError::Cursor)
    }

    async fn now(&self) -> Result<Option<DateTime<Utc>>, SourceError> {
        Ok(None)
    }
}

on_both_engines! {
    async fn nobody_is_judged_by_records_that_could_not_be_read(world: World) {
        world.listed(&["ann", "ben"]).await;
        world.unsubscribes("ann");
        let config = world.deployment.clinics().next().unwrap();
        let mut practice = world.deployment.practice(config).await.unwrap();
        practice.source = Arc::new(Away);
        let scope = Scope { list: None, full: true };
        let failed = world.deployment.reconciler().reconcile(&mut practice, &scope).await;
        assert!(matches!(failed, Err(ReconcileError::Source(_))), "{failed:?}");
        let run = &world.deployment.store.runs(practice.id, 1).await.unwrap()[0];
        assert_eq!(run.outcome.as_deref(), Some(ListState::Failed.word()));
        assert!(!world.told("ann").await.contains(&"withdrawn".to_owned()));
        world.runs().await;
        assert!(world.told("ann").await.contains(&"withdrawn".to_owned()));
        world.end().await;
    }
}
