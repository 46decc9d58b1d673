//! Snapshots too short to be believed: nobody is dropped for them (L23).

use chrono::TimeDelta;
use listwarden::commands::Exit;
use listwarden::domain::{ListId, Reason};
use listwarden::reconcile::{ClinicOutcome, ListState, SourceState};
use listwarden::simulator::mailchimp::{Fault, Rule, SeedMember, Status};
use listwarden::store::Acceptable;

use crate::brake::accept;
use crate::on_both_engines;
use crate::world::{Engine, World, address, assert_in_step, state};

impl World {
    async fn vanish(&self, name: &str, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.clinic.vanish(&format!("{name}{number}")).await.unwrap();
        }
    }

    /// Rows are missing from every page of members.
    fn loses_rows(&self, drop: usize, times: u32) {
        let path = format!("/3.0/lists/{}/members", self.audience);
        let fault = Fault::ShortPage { drop };
        self.simulator.script(Rule::next(fault).on("GET", &path).times(times));
    }

    /// The next reading of changes shows none, listed or archived, and counts none.
    fn hides_changes(&self) {
        let path = format!("/3.0/lists/{}/members", self.audience);
        let fault = Fault::ShrunkPage { drop: 99 };
        self.simulator.script(Rule::next(fault).on("GET", &path).times(2));
    }

    /// Staff delete `name0` … permanently, so that no page shows them.
    fn staff_deletes(&self, name: &str, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.staff().delete_permanently(&address(&format!("{name}{number}"))).unwrap();
        }
    }

    async fn list_id(&self) -> ListId {
        let clinic = self.deployment.store.clinic_ensure("riverside").await.unwrap();
        self.deployment.store.lists(clinic).await.unwrap()[0].id
    }

    fn subscribed(&self) -> usize {
        let statuses = self.simulator.statuses(&self.audience).unwrap();
        statuses.get(&Status::Subscribed).copied().unwrap_or_default()
    }
}

fn assert_short(outcome: &ClinicOutcome, gone: u64, of: u64) {
    assert_eq!(outcome.source.state, SourceState::Short { missing: gone, total: of });
    assert_eq!(outcome.source.vanished, 0);
    assert_eq!(Exit::after(outcome), Exit::Waiting, "exit code 3");
}

on_both_engines! {
    async fn l23_a_source_that_lost_two_fifths_drops_nobody(world: World) {
        world.many_listed("p", 20).await;
        world.vanish("p", 0..8).await;
        let writes = world.writes();
        for _ in 0..4 {
            assert_short(&world.try_run(true).await, 8, 20);
        }
        assert_eq!((world.writes(), world.subscribed()), (writes, 20));
        accept(&world, Acceptable::Source).await;
        world.try_run(true).await;
        let dropped = world.try_run(true).await;
        assert_eq!(dropped.source.vanished, 8, "an admin said that it is right");
        assert_eq!(state(&dropped), ListState::Braked, "and the list has its own brake");
        world.approves(dropped.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.subscribed(), 12);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_an_empty_source_drops_nobody(world: World) {
        world.many_listed("p", 4).await;
        world.vanish("p", 0..4).await;
        let writes = world.writes();
        for _ in 0..3 {
            assert_short(&world.try_run(true).await, 4, 4);
        }
        assert_eq!((world.writes(), world.subscribed()), (writes, 4));
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_a_whole_source_is_swept_and_says_so(world: World) {
        world.many_listed("p", 20).await;
        let whole = world.try_run(true).await;
        assert_eq!(whole.source.state, SourceState::Swept);
        assert_eq!(Exit::after(&whole), Exit::InStep);
        world.vanish("p", 0..1).await;
        assert_eq!(world.try_run(true).await.source.vanished, 0);
        assert_eq!(world.subscribed(), 20);
        assert_eq!(world.try_run(true).await.source.vanished, 1);
        assert_eq!(world.subscribed(), 19);
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l9_a_row_that_came_back_between_two_sweeps_is_not_dropped(world: World) {
        world.many_listed("p", 20).await;
        let record = world.clinic.record("p0").await.unwrap().unwrap();
        world.vanish("p", 0..1).await;
        world.try_run(true).await;
        world.enters(record).await;
        world.runs().await;
        world.vanish("p", 0..1).await;
        assert_eq!(world.try_run(true).await.source.vanished, 0, "counted from one again");
        assert_eq!(world.subscribed(), 20);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_a_page_with_rows_missing_removes_nobody(world: World) {
        world.many_listed("p", 20).await;
        let writes = world.writes();
        for drop in [1, 8, 20] {
            world.loses_rows(drop, 99);
            let short = world.try_run(true).await;
            assert_eq!(state(&short), ListState::Braked, "{drop} missing: {short:#?}");
            let problem = short.lists[0].problem.clone().unwrap();
            let says = format!("counts 20 members and did not show {drop}");
            assert!(problem.contains(&says), "{problem}");
            assert!(!problem.contains("approve"), "nobody can answer for that: {problem}");
            assert_eq!(Exit::after(&short), Exit::Waiting);
            world.simulator.clear_faults();
        }
        assert_eq!((world.writes(), world.subscribed()), (writes, 20));
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_a_page_that_was_short_once_is_read_again(world: World) {
        world.many_listed("p", 20).await;
        world.loses_rows(8, 1);
        world.runs().await;
        assert_eq!(world.subscribed(), 20);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_a_list_that_shifts_while_it_is_read_loses_nobody(
        world: World, with "unknown = \"keep\"\n"
    ) {
        let strangers = (0..1_100).map(|n| SeedMember::subscribed(address(&format!("s{n}"))));
        world.simulator.seed_members(&world.audience, strangers).unwrap();
        world.many_listed("p", 3).await;
        let path = format!("/3.0/lists/{}/members", world.audience);
        let writes = world.writes();
        world.simulator.script(Rule::next(Fault::PageDrift).on("GET", &path));
        world.try_run(true).await;
        world.simulator.clear_faults();
        world.runs().await;
        assert_eq!(world.writes(), writes);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_a_provider_that_lost_most_of_the_list_is_not_believed(world: World) {
        world.many_listed("p", 20).await;
        world.staff_deletes("p", 0..8);
        let writes = world.writes();
        let short = world.try_run(true).await;
        assert_eq!(state(&short), ListState::Braked);
        let problem = short.lists[0].problem.clone().unwrap();
        assert!(problem.contains("8 of 20 known members less"), "{problem}");
        assert!(problem.contains("`listwarden approve members:riverside/newsletter`"), "{problem}");
        assert_eq!(world.writes(), writes);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_an_admin_can_accept_that_members_are_gone(world: World) {
        world.many_listed("p", 20).await;
        world.staff_deletes("p", 0..8);
        let (writes, mails) = (world.writes(), world.simulator.outbox().len());
        assert_eq!(state(&world.try_run(true).await), ListState::Braked);
        let members = Acceptable::Members(world.list_id().await);
        accept(&world, members).await;
        world.runs().await;
        assert_eq!(world.reasons("p0").await, [Reason::RemovedThere], "as L16 says");
        world.pass(TimeDelta::days(2));
        world.runs().await;
        assert_eq!((world.writes(), world.subscribed()), (writes, 12), "nobody is added again");
        assert_eq!(world.simulator.outbox().len(), mails, "nor invited");
        assert_eq!(world.told("p0").await, ["confirmed"], "the clinic's consent is left alone");
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_an_acceptance_of_gone_members_is_used_up_by_one_sweep(world: World) {
        world.many_listed("p", 40).await;
        let members = Acceptable::Members(world.list_id().await);
        accept(&world, members).await;
        world.staff_deletes("p", 0..8);
        world.runs().await;
        world.staff_deletes("p", 8..16);
        let short = world.try_run(true).await;
        assert_eq!(state(&short), ListState::Braked);
        assert!(short.lists[0].problem.as_ref().unwrap().contains("8 of 32"), "{short:#?}");
        accept(&world, members).await;
        world.pass(TimeDelta::hours(25));
        assert_eq!(state(&world.try_run(true).await), ListState::Braked, "it lapses");
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_whom_a_page_did_not_show_is_read_singly_before_they_count_as_gone(world: World) {
        world.many_listed("p", 20).await;
        let path = format!("/3.0/lists/{}/members", world.audience);
        let hides = Fault::ShrunkPage { drop: 3 };
        world.simulator.script(Rule::next(hides).on("GET", &path).times(2));
        world.try_run(true).await;
        // At once: a later sweep shows them all again.
        for number in 0..20 {
            assert_eq!(world.reasons(&format!("p{number}")).await, [Reason::Wanted], "p{number}");
        }
        world.runs().await;
        assert_eq!(world.subscribed(), 20);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_members_that_were_only_not_shown_are_kept_whatever_was_accepted(world: World) {
        world.many_listed("p", 20).await;
        let members = Acceptable::Members(world.list_id().await);
        accept(&world, members).await;
        let path = format!("/3.0/lists/{}/members", world.audience);
        let hides = Fault::ShrunkPage { drop: 8 };
        world.simulator.script(Rule::next(hides).on("GET", &path).times(1));
        world.runs().await;
        assert_eq!(world.subscribed(), 20, "each is read singly before it counts as gone");
        assert_eq!(world.reasons("p0").await, [Reason::Wanted]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_a_no_that_a_page_of_changes_left_out_is_seen_before_they_leave(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.hides_changes();
        assert_in_step(&world.try_run(false).await);
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.pass(TimeDelta::days(90));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.reasons("ann").await, [Reason::Withdrawn], "who unsubscribed stays out");
        assert_eq!((world.there("ann"), world.invitations("ann")), (Some(Status::Archived), 1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l12_whose_answer_a_page_of_changes_left_out_is_not_taken_for_silent(world: World) {
        world.consenting("ann").await;
        world.consenting("ben").await;
        world.adopts().await;
        world.pass(TimeDelta::days(29) + TimeDelta::hours(12));
        world.runs().await;
        world.pass(TimeDelta::hours(6));
        world.unsubscribes("ann");
        world.confirms("ben");
        world.pass(TimeDelta::hours(7));
        world.hides_changes();
        assert_in_step(&world.try_run(false).await);
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await, ["withdrawn"]);
        assert_eq!(world.there("ben"), Some(Status::Subscribed));
        assert_eq!(world.told("ben").await, ["confirmed"]);
        world.runs().await;
        world.end().await;
    }
}
