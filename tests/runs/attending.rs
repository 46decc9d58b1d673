//! Attending within the turns of whoever holds an account: in the midst of a sweep, of a long lot,
//! beside an account that fails.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use listwarden::clock::Clock;
use listwarden::commands::{Ending, Exit, reconcile};
use listwarden::domain::{PatientRecord, PatientStatus};
use listwarden::reconcile::{ListState, Scope};
use listwarden::simulator::mailchimp::{Fault, Rule, Status};
use listwarden::store::OpState;
use tokio::task::JoinHandle;

use crate::on_both_engines;
use crate::transport::{Counting, Side, Stopping};
use crate::webhooks::Serving;
use crate::world::{Engine, World, address, assert_in_step, email, run_on, state};

impl World {
    /// Ann is on the newsletter and on `recalls`, whose audience is returned.
    async fn ann_on_both(&mut self) -> (String, Serving) {
        let recalls = self.adds_list("recalls").await;
        let serving = self.ann_and_webhooks().await;
        self.simulator.contact(&recalls, &address("ann")).confirm().unwrap();
        self.simulator.deliver_webhooks().await;
        self.runs().await;
        serving.attends().await;
        self.pass(TimeDelta::hours(1));
        (recalls, serving)
    }

    /// `p0` … on the list, and webhooks.
    async fn many_and_webhooks(&mut self, count: usize) -> Serving {
        self.many_listed("p", count).await;
        self.registers().await
    }

    /// The clinic once knew `name0` …, who are on no list.
    async fn knew(&self, name: &str, count: usize) {
        let former = |number: usize| {
            let record = self.somebody(&format!("{name}{number}"));
            PatientRecord { status: PatientStatus::Archived, ..record }
        };
        let records: Vec<_> = (0..count).map(former).collect();
        self.enter_all(&records).await;
        self.runs().await;
    }

    /// Sixty members changed their profiles, of which webhooks tell; somebody attends by a real clock, with
    /// a lease of two seconds, and jobs take so many milliseconds. It tells
    /// whether nothing is left; returns the account too.
    async fn sixty_changed(&mut self, batch_ms: u64) -> (JoinHandle<bool>, String) {
        let jobs = "single_call_limit = 55\njob_poll_seconds = 1\napi_key =";
        self.reconfigures("api_key =", jobs).await;
        let serving = self.many_and_webhooks(60).await;
        for number in 0..60 {
            let contact = address(&format!("p{number}"));
            let contact = self.simulator.contact(&self.audience, &contact);
            contact.edit_profile("PHONE", "020 7946 0018").unwrap();
        }
        assert_eq!(self.simulator.deliver_webhooks().await, 60);
        self.simulator.configure(|settings| settings.batch_ms = batch_ms);
        self.simulator.reset_counters();
        self.clock.run();
        let mut attending = serving.reconciler.clone();
        attending.settings.lease = Duration::from_secs(2);
        let account = attending.roster.accounts[0].account.clone();
        (tokio::spawn(async move { attending.attend().await.unwrap().is_nothing() }), account)
    }

    fn staff_imports(&self, name: &str, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.staff_import(&format!("{name}{number}"));
        }
    }

    fn there_on(&self, audience: &str, name: &str) -> Status {
        self.simulator.member(audience, &address(name)).unwrap().status
    }
}

on_both_engines! {
    async fn the_command_attends_to_what_another_process_took_in_mid_sweep(mut world: World) {
        let (recalls, _serving) = world.ann_on_both().await;
        let transport = Arc::new(Stopping::at(3, Side::Before));
        let cron = world.process_over(transport.clone()).await;
        let scope = Scope { list: Some("newsletter".to_owned()), full: true };
        let running =
            tokio::spawn(async move { reconcile::reconcile(&cron, &scope, true).await.unwrap() });
        transport.reached().await;
        world.unsubscribes("ann");
        assert_eq!(world.simulator.deliver_webhooks().await, 1);
        world.pass(TimeDelta::seconds(1));
        transport.let_go();
        assert_eq!(running.await.unwrap(), Exit::InStep);
        assert_eq!(world.there_on(&recalls, "ann"), Status::Unsubscribed, "no turn of its own");
        assert_eq!(world.told("ann").await.last().unwrap(), "withdrawn");
        world.end().await;
    }
}

on_both_engines! {
    async fn a_dry_run_attends_to_nobody(mut world: World) {
        let _serving = world.ann_on_both().await;
        world.unsubscribes("ann");
        world.simulator.deliver_webhooks().await;
        let writes = world.writes();
        let transport = Arc::new(Stopping::at(1, Side::Before));
        let process = world.process_over(transport.clone()).await;
        let looking = tokio::spawn(async move {
            let reconciler = process.reconciler().attending(process.roster().await);
            let config = process.clinics().next().unwrap();
            let mut practice = process.practice_to_read(config).await.unwrap();
            let mut list = practice.lists.remove(0);
            reconciler.preview(&practice, &mut list, &mut |_| {}).await.unwrap()
        });
        transport.reached().await;
        world.pass(TimeDelta::seconds(1));
        transport.let_go();
        assert!(looking.await.unwrap().is_some());
        assert_eq!((world.writes(), world.deliveries_waiting().await), (writes, 1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_what_staff_bring_back_in_bulk_waits_for_an_admin(mut world: World) {
        let serving = world.many_and_webhooks(20).await;
        world.knew("x", 8).await;
        world.staff_imports("x", 0..8);
        world.simulator.deliver_webhooks().await;
        serving.attends().await;
        assert_eq!(world.count_there(Status::Archived), 0, "eight of twenty at once");
        let braked = world.try_run(true).await;
        assert_eq!(state(&braked), ListState::Braked);
        world.approves(braked.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.count_there(Status::Archived), 8);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_what_joins_a_braked_set_is_held_with_it(mut world: World) {
        let serving = world.many_and_webhooks(20).await;
        world.knew("x", 3).await;
        world.archives("p", 0..6).await;
        assert_eq!(state(&world.try_run(true).await), ListState::Braked);
        for number in 0..3 {
            world.staff_imports("x", number..number + 1);
            world.simulator.deliver_webhooks().await;
            serving.attends().await;
        }
        assert_eq!(world.count_there(Status::Archived), 0, "not one by one either");
        world.unsubscribes("p7");
        world.simulator.deliver_webhooks().await;
        serving.attends().await;
        assert_eq!(world.withdrawals_on_record().await, 1, "a person's no never waits");
        let braked = world.try_run(true).await;
        assert_eq!(state(&braked), ListState::Braked);
        world.approves(braked.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.count_there(Status::Archived), 9, "all of them together");
        world.end().await;
    }
}

on_both_engines! {
    async fn between_two_changes_of_a_run_whoever_waits_is_attended_to(mut world: World) {
        world.asks_one_thing_at_a_time().await;
        let (recalls, _serving) = world.ann_on_both().await;
        for name in ["ben", "eve", "kim"] {
            world.consenting(name).await;
        }
        let transport = Arc::new(Stopping::at(1, Side::After));
        let cron = world.process_over(transport.clone()).await;
        let scope = Scope { list: Some("newsletter".to_owned()), full: true };
        let running =
            tokio::spawn(async move { reconcile::reconcile(&cron, &scope, true).await.unwrap() });
        transport.reached().await;
        world.unsubscribes("ann");
        world.simulator.deliver_webhooks().await;
        world.pass(TimeDelta::seconds(1));
        transport.let_go();
        assert_eq!(running.await.unwrap(), Exit::InStep);
        assert_eq!(world.there_on(&recalls, "ann"), Status::Unsubscribed);
        assert_eq!(world.deliveries_waiting().await, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn what_changed_in_a_run_under_way_is_planned_again_by_the_same_run(mut world: World) {
        world.asks_one_thing_at_a_time().await;
        world.consenting("bob").await;
        world.enters(world.somebody("ann")).await;
        world.adopts().await;
        let now = world.now();
        world.clinic.set_status("bob", PatientStatus::Archived, now).await.unwrap();
        world.consents_now("ann").await;
        let transport = Arc::new(Stopping::at(1, Side::After));
        let cron = world.process_over(transport.clone()).await;
        let running = tokio::spawn(async move { run_on(&cron, true).await });
        transport.reached().await;
        let (store, riverside) = (&world.deployment.store, world.deployment.expect_clinic("riverside"));
        let (clinic, _) = world.deployment.known_lists(riverside.unwrap()).await.unwrap();
        let ann = store.contact_find(clinic, &email("ann")).await.unwrap().unwrap();
        store.links_stale(clinic, &[ann.id], None).await.unwrap();
        transport.let_go();
        let outcome = running.await.unwrap();
        assert_in_step(&outcome);
        assert_eq!(outcome.lists[0].operations[&OpState::Superseded], 1);
        assert_eq!(world.invitations("ann"), 1);
        world.rests().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn of_two_accounts_one_that_fails_keeps_the_other_from_nothing(mut world: World) {
        let recalls = world.adds_list_of_another_account("recalls").await;
        let serving = world.ann_and_webhooks().await;
        world.simulator.contact(&recalls, &address("ann")).confirm().unwrap();
        world.runs().await;
        world.simulator.deliver_webhooks().await;
        serving.attends().await;
        world.pass(TimeDelta::hours(1));
        let refused = Fault::TooManyRequests { retry_after: Some(600) };
        let path = format!("/3.0/lists/{}", world.audience);
        world.simulator.script(Rule::next(refused).on("GET", &path).times(99));
        world.unsubscribes("ann");
        world.simulator.deliver_webhooks().await;
        assert!(!serving.reconciler.attend().await.unwrap().is_nothing(), "the first account's is left");
        assert_eq!(world.there_on(&recalls, "ann"), Status::Unsubscribed);
        assert_eq!(world.told("ann").await.last().unwrap(), "withdrawn");
        world.simulator.clear_faults();
        serving.attends().await;
        assert_eq!(world.deliveries_waiting().await, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_burst_over_a_new_roster_is_attended_to_whole(mut world: World) {
        let serving = world.many_and_webhooks(10).await;
        for number in 0..5 {
            world.unsubscribes(&format!("p{number}"));
        }
        assert_eq!(world.simulator.deliver_webhooks().await, 5);
        let anew = serving.reconciler.attending(world.deployment.roster().await);
        for number in 5..10 {
            world.unsubscribes(&format!("p{number}"));
        }
        assert_eq!(world.simulator.deliver_webhooks().await, 5);
        assert!(anew.attend().await.unwrap().is_nothing());
        assert_eq!(world.deliveries_waiting().await, 0);
        assert_eq!(world.withdrawals_on_record().await, 10);
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn of_a_burst_the_members_are_read_again_as_one_job_and_the_account_is_kept_meanwhile(mut world: World) {
        let (attending, account) = world.sixty_changed(4_000).await;
        let asked = |route: &str| world.simulator.counters().by_route.get(route).copied();
        while !attending.is_finished() && asked("POST /batches").is_none() {
            world.clock.sleep(Duration::from_millis(50)).await;
        }
        for _ in 0..14 {
            world.clock.sleep(Duration::from_millis(250)).await;
            let name = format!("account:{account}");
            let other = world.deployment.store.lease_acquire(&name, world.clock.id(), Duration::ZERO);
            assert!(other.await.unwrap().is_none(), "a lease that lasts two seconds is renewed");
        }
        assert!(attending.await.unwrap());
        assert_eq!(asked("POST /batches"), Some(1));
        assert_eq!(asked("GET /lists/{list_id}/members/{subscriber_hash}"), None);
        assert_eq!(world.deliveries_waiting().await, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn where_a_job_of_reads_takes_long_everybody_is_read_singly(mut world: World) {
        let (attending, _) = world.sixty_changed(60_000).await;
        assert!(attending.await.unwrap());
        let routes = world.simulator.counters().by_route;
        assert_eq!(routes.get("GET /lists/{list_id}/members/{subscriber_hash}"), Some(&60));
        assert_eq!(world.deliveries_waiting().await, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_list_that_has_ended_is_left_alone(mut world: World) {
        let (recalls, serving) = world.ann_on_both().await;
        let config = world.deployment.clinics().next().unwrap();
        world.deployment.list_end(config, "recalls", Ending::Retire).await.unwrap();
        world.simulator.deliver_webhooks().await;
        let before = world.simulator.member(&recalls, &address("ann"));
        world.unsubscribes("ann");
        world.simulator.deliver_webhooks().await;
        // It still has the list that has ended meanwhile.
        serving.attends().await;
        assert_eq!(world.simulator.member(&recalls, &address("ann")), before);
        assert_eq!(world.deliveries_waiting().await, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn whoever_asks_shares_the_connections_of_the_account(world: World) {
        let transport = Arc::new(Counting::new());
        let process = world.process_over(transport.clone()).await;
        let roster = process.roster().await;
        let practice = process.practice(process.clinics().next().unwrap()).await.unwrap();
        let (sweep, urgent) = (&practice.lists[0].port, &roster.practices[0].lists[0].port);
        let ann = email("ann");
        let reads = (0..60).map(|n| if n % 2 == 0 { sweep } else { urgent });
        futures::future::join_all(reads.map(|port| port.member_by_address(&ann))).await;
        assert_eq!(transport.peak(), sweep.capabilities().in_flight);
        world.end().await;
    }
}
