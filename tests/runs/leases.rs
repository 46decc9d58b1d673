//! Who may act: the holder of the lease, and nobody who lost it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use listwarden::clock::Clock;
use listwarden::commands::Exit;
use listwarden::reconcile::{ListState, SourceState};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::transport::{Side, Stopping};
use crate::world::{Engine, World, run_on, state};

on_both_engines! {
    async fn a_worker_whose_lease_was_taken_over_moves_nothing(world: World) {
        world.listed(&["ann", "ben"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.consenting("eve").await;
        for nth in 1..=4 {
            let transport = Arc::new(Stopping::at(nth, Side::Before));
            let slow = world.process_over(transport.clone()).await;
            let sweep = world.patient_sweeps().await;
            let paused = tokio::spawn(async move { run_on(&slow, true).await });
            transport.reached().await;
            world.patients_are_read_after(sweep).await;
            world.pass(TimeDelta::minutes(5));
            world.runs().await;
            let (writes, classes) = (world.writes(), world.classes().await);
            transport.let_go();
            let outcome = paused.await.unwrap();
            assert_eq!(state(&outcome), ListState::Failed, "{nth}: {outcome:#?}");
            let problem = outcome.lists[0].problem.as_ref().unwrap();
            assert!(problem.contains("lease"), "{nth}: {problem}");
            assert_eq!((world.writes(), world.classes().await), (writes, classes), "{nth}");
            world.pass(TimeDelta::minutes(5));
        }
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn of_two_workers_at_once_one_finds_the_other_busy(world: World) {
        world.listed(&["ann"]).await;
        let transport = Arc::new(Stopping::at(1, Side::Before));
        let slow = world.process_over(transport.clone()).await;
        let sweep = world.patient_sweeps().await;
        let first = tokio::spawn(async move { run_on(&slow, true).await });
        transport.reached().await;
        world.patients_are_read_after(sweep).await;
        // The first one may have them in hand once more, to tell them what it learned.
        let mut second = world.try_run(true).await;
        for _ in 0..100 {
            if second.source.state == SourceState::Swept {
                break;
            }
            second = world.try_run(true).await;
        }
        assert_eq!(state(&second), ListState::Busy);
        assert_eq!(Exit::after(&second), Exit::Busy, "exit code 5: it is not in step");
        assert_eq!(second.source.state, SourceState::Swept, "the patients are free again");
        transport.let_go();
        assert_eq!(state(&first.await.unwrap()), ListState::InStep);
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn a_worker_that_is_soon_through_is_waited_for(world: World) {
        world.listed(&["ann"]).await;
        let config = world.deployment.clinics().next().unwrap();
        let practice = world.deployment.practice(config).await.unwrap();
        let name = format!("account:{}", practice.lists[0].account);
        for (seconds, ended) in [(5, ListState::InStep), (60, ListState::Busy)] {
            let lease = Duration::from_secs(seconds);
            let holder = world.clock.id();
            let store = &world.deployment.store;
            assert!(store.lease_acquire(&name, holder, lease).await.unwrap().is_some());
            assert_eq!(state(&world.try_run(true).await), ended, "{seconds} s");
        }
        world.end().await;
    }
}

on_both_engines! {
    async fn a_run_that_is_asked_to_stop_leaves_the_rest_to_the_next(mut world: World) {
        world.many_listed("p", 20).await;
        for number in 0..4 {
            world.clinic.archive(&format!("p{number}"), world.now()).await.unwrap();
        }
        world.asks_one_thing_at_a_time().await;
        let held = Arc::new(Stopping::at(6, Side::Before));
        let asked = world.process_over(held.clone()).await;
        let stop = asked.reconciler().stop.clone();
        let running = tokio::spawn(async move { run_on(&asked, true).await });
        held.reached().await;
        stop.ask();
        held.let_go();
        let outcome = running.await.unwrap();
        assert_eq!(state(&outcome), ListState::Interrupted, "{outcome:#?}");
        let archived = world.simulator.statuses(&world.audience).unwrap();
        assert!(archived.get(&Status::Archived).copied().unwrap_or_default() < 4);
        world.runs().await;
        let archived = world.simulator.statuses(&world.audience).unwrap();
        assert_eq!(archived[&Status::Archived], 4);
        world.end().await;
    }
}
