//! Day one: what is found there, and whose it is (L20 to L22).

use std::sync::Arc;

use chrono::TimeDelta;
use listwarden::domain::{Class, PatientRecord, PatientStatus};
use listwarden::reconcile::ListState;
use listwarden::simulator::mailchimp::{Fault, Rule, SeedMember, Source, Status};

use crate::on_both_engines;
use crate::transport::{Side, Stopping};
use crate::world::{API_KEY, Engine, World, address, run_on, state};

const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210-us6";

impl World {
    /// What stands in the way, as the run says it.
    async fn problem(&self) -> String {
        let outcome = self.try_run(true).await;
        assert_eq!(state(&outcome), ListState::Failed, "{outcome:#?}");
        outcome.lists[0].problem.clone().unwrap()
    }
}

on_both_engines! {
    async fn l20_opt_outs_found_on_day_one_are_the_clinics_at_once(world: World) {
        for name in ["ann", "ben", "eve"] {
            world.consenting(name).await;
        }
        world.has("ann", Status::Unsubscribed);
        world.has("ben", Status::Cleaned);
        world.has("eve", Status::Subscribed);
        let first = world.try_run(true).await;
        assert_eq!(state(&first), ListState::Waiting);
        assert_eq!(world.writes(), 0);
        assert_eq!(world.told("ann").await, ["withdrawn"]);
        assert_eq!(world.told("ben").await, ["bounced"]);
        assert_eq!(world.told("eve").await, [""; 0]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_a_plan_that_is_not_there_yet_cannot_be_approved(world: World) {
        for name in ["ann", "ben"] {
            world.consenting(name).await;
        }
        let store = &world.deployment.store;
        let transport = Arc::new(Stopping::at(2, Side::Before));
        let early = world.process_over(transport.clone()).await;
        let running = tokio::spawn(async move { run_on(&early, true).await });
        transport.reached().await;
        let clinic = store.clinics().await.unwrap()[0].id;
        let reading = store.runs(clinic, 1).await.unwrap()[0].id;
        let tomorrow = world.now() + TimeDelta::days(1);
        let refused = store.approve(reading, tomorrow, "test").await.unwrap_err();
        assert!(refused.to_string().contains("not through"), "{refused}");
        transport.let_go();
        let first = running.await.unwrap();
        assert_eq!(state(&first), ListState::Waiting);
        assert_eq!(first.lists[0].run, Some(reading));
        world.simulator.script(Rule::next(Fault::InternalError).times(99));
        let failed = world.try_run(true).await;
        world.simulator.clear_faults();
        assert_eq!(state(&failed), ListState::Failed);
        let failed = store.approve(failed.lists[0].run.unwrap(), tomorrow, "test").await;
        assert!(failed.unwrap_err().to_string().contains("nothing that waits"));
        assert_eq!(state(&world.try_run(true).await), ListState::Waiting);
        assert_eq!(world.writes(), 0, "nothing was approved");
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_a_key_of_another_account_is_refused(world: World) {
        world.listed(&["ann"]).await;
        let other = world.simulator.open_account("Elsewhere", OTHER_KEY);
        assert_ne!(other, world.account);
        let key = world.folder.path().join("secrets/riverside/mailchimp");
        std::fs::write(&key, OTHER_KEY).unwrap();
        let (before, stranger) = (world.writes(), world.another_process().await);
        let refused = run_on(&stranger, true).await;
        assert_eq!(state(&refused), ListState::Failed);
        let problem = refused.lists[0].problem.clone().unwrap();
        assert!(problem.contains("another provider account"), "{problem}");
        assert!(!problem.contains(OTHER_KEY));
        assert_eq!(world.writes(), before);
        std::fs::write(&key, API_KEY).unwrap();
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_another_audience_is_refused(mut world: World) {
        world.listed(&["ann"]).await;
        let other = world.simulator.open_audience(world.account, "Other").unwrap();
        let (before, pinned) = (world.writes(), world.audience.clone());
        world.reconfigures(&pinned, &other).await;
        let problem = world.problem().await;
        assert!(problem.contains("first run on another audience"), "{problem}");
        assert_eq!(world.writes(), before);
        world.reconfigures(&other, &pinned).await;
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l21_unproven_members_are_held_where_the_list_says_so(
        world: World, with "unproven = \"hold\"\n"
    ) {
        world.consenting("ann").await;
        world.has("ann", Status::Subscribed);
        world.adopts().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        assert_eq!(world.classes().await.get(&Class::Unproven), Some(&1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l21_unproven_members_are_archived_and_asked(world: World) {
        world.consenting("ann").await;
        world.has("ann", Status::Subscribed);
        world.adopts().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        assert_eq!(world.invitations("ann"), 1);
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l21_old_members_count_as_proven_if_they_are_wanted(
        world: World, with "grandfather_before = 2026-01-01\n"
    ) {
        world.consenting("old").await;
        world.consenting("new").await;
        world.enters(world.somebody("never_asked")).await;
        let gone = PatientRecord { status: PatientStatus::Archived, ..world.somebody("gone") };
        world.enters(PatientRecord { email_consent: world.explicit(), ..gone }).await;
        for (name, days) in [("old", 300), ("never_asked", 300), ("gone", 300), ("new", 10)] {
            let joined = Some(world.now() - TimeDelta::days(days));
            let member = SeedMember {
                timestamp_opt: joined,
                last_changed: joined,
                source: Source::Import,
                ..SeedMember::subscribed(address(name))
            };
            world.simulator.seed_member(&world.audience, member).unwrap();
        }
        world.adopts().await;
        assert_eq!(world.there("old"), Some(Status::Subscribed));
        assert_eq!(world.there("new"), Some(Status::Pending));
        assert_eq!(world.there("never_asked"), Some(Status::Archived));
        assert_eq!(world.there("gone"), Some(Status::Archived));
        world.end().await;
    }
}

on_both_engines! {
    async fn l22_strangers_are_kept_where_the_list_says_so(
        world: World, with "unknown = \"keep\"\n"
    ) {
        world.has("stranger", Status::Subscribed);
        world.adopts().await;
        assert_eq!(world.there("stranger"), Some(Status::Subscribed));
        assert_eq!(world.classes().await.get(&Class::Unknown), Some(&1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l22_strangers_are_reported_as_held_without_basis(world: World) {
        world.has("stranger", Status::Subscribed);
        world.adopts().await;
        assert_eq!(world.there("stranger"), Some(Status::Subscribed));
        assert_eq!(world.classes().await.get(&Class::HeldWithoutBasis), Some(&1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l22_strangers_are_archived_once_an_admin_approved(
        world: World, with "unknown = \"archive\"\n"
    ) {
        world.has("stranger", Status::Subscribed);
        let first = world.try_run(true).await;
        assert_eq!(world.there("stranger"), Some(Status::Subscribed));
        world.approves(first.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.there("stranger"), Some(Status::Archived));
        world.end().await;
    }
}

on_both_engines! {
    async fn l22_former_patients_whom_an_admin_names_leave(world: World) {
        world.has("former", Status::Subscribed);
        world.listed(&["ann"]).await;
        assert_eq!(world.there("former"), Some(Status::Subscribed), "nobody knows them yet");
        let config = world.deployment.clinics().next().unwrap();
        let clinic = world.deployment.store.clinic_ensure(&config.slug).await.unwrap();
        let record = PatientRecord { status: PatientStatus::Archived, ..world.somebody("former") };
        world.deployment.reconciler().import_former(clinic, &[record]).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("former"), Some(Status::Archived));
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l26_the_classes_add_up_and_are_unknown_when_stale(world: World) {
        world.has("stranger", Status::Subscribed);
        world.enters(world.somebody("never_asked")).await;
        world.listed(&["ann"]).await;
        let attested = world.attests().await;
        let classes = attested.classes.unwrap();
        assert_eq!(classes.values().sum::<u64>(), attested.total);
        assert_eq!(attested.total, 3);
        world.pass(TimeDelta::hours(25));
        assert_eq!(world.attests().await.classes, None, "unknown, never nought");
        world.try_run(false).await;
        assert!(world.attests().await.classes.is_some());
        world.end().await;
    }
}
