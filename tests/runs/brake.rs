//! The brake: too much at once waits for an admin (L23).

use chrono::TimeDelta;
use listwarden::commands::Exit;
use listwarden::domain::{Channel, Class, PatientRecord, PatientStatus};
use listwarden::reconcile::ListState;
use listwarden::simulator::mailchimp::{Fault, Rule, Status};
use listwarden::store::Acceptable;

use crate::on_both_engines;
use crate::world::{Engine, World, address, state};

impl World {
    /// `name0` … on the list, confirmed.
    pub async fn many_listed(&self, name: &str, count: usize) {
        self.many_consenting(name, count).await;
        self.adopts().await;
        for number in 0..count {
            self.confirms(&format!("{name}{number}"));
        }
        self.runs().await;
        self.pass(TimeDelta::hours(25));
    }

    pub async fn archives(&self, name: &str, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.clinic.archive(&format!("{name}{number}"), self.now()).await.unwrap();
        }
    }

    pub fn count_there(&self, status: Status) -> usize {
        self.simulator.statuses(&self.audience).unwrap().get(&status).copied().unwrap_or_default()
    }
}

on_both_engines! {
    async fn l14_an_address_that_the_clinic_wiped_with_its_row_goes_here_once_the_brake_lets_it(
        world: World
    ) {
        world.many_listed("p", 20).await;
        for number in 0..6 {
            let record = world.somebody(&format!("p{number}"));
            let (status, updated_at) = (PatientStatus::Deleted, world.now());
            let blank = PatientRecord { status, email: None, updated_at, ..record };
            world.enters(blank).await;
        }
        let braked = world.try_run(true).await;
        assert_eq!(state(&braked), ListState::Braked);
        world.approves(braked.lists[0].run.unwrap()).await;
        world.runs().await;
        world.runs().await;
        let kept = world.kept().await;
        for number in 0..6 {
            assert!(!kept.contains(&address(&format!("p{number}"))), "p{number} is still kept");
        }
        assert!(kept.contains(&address("p6")));
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_more_than_a_tenth_waits_for_an_admin(world: World) {
        world.many_listed("p", 20).await;
        world.archives("p", 0..6).await;
        let writes = world.writes();
        let braked = world.try_run(true).await;
        assert_eq!(state(&braked), ListState::Braked);
        assert_eq!(Exit::after(&braked), Exit::Waiting);
        assert_eq!(world.writes(), writes, "nothing goes out");
        assert_eq!(world.classes().await.get(&Class::Braked), Some(&6));
        assert_eq!(state(&world.try_run(true).await), ListState::Braked, "and nothing does later");
        let run = world.try_run(true).await.lists[0].run.unwrap();
        world.approves(run).await;
        world.runs().await;
        assert_eq!(world.count_there(Status::Archived), 6);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_an_approval_covers_its_set_and_nothing_else(world: World) {
        world.many_listed("p", 20).await;
        world.archives("p", 0..6).await;
        let braked = world.try_run(true).await;
        world.archives("p", 6..13).await;
        world.objects("p13").await;
        world.objects("p0").await;
        world.approves(braked.lists[0].run.unwrap()).await;
        let partly = world.try_run(true).await;
        assert_eq!(state(&partly), ListState::Braked, "seven more are too many again");
        assert_eq!(world.count_there(Status::Archived), 6);
        assert_eq!(world.there("p13"), Some(Status::Unsubscribed), "a person's no never waits");
        world.approves(partly.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.count_there(Status::Archived), 13);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_an_approval_lapses(world: World) {
        world.many_listed("p", 20).await;
        world.archives("p", 0..6).await;
        let braked = world.try_run(true).await;
        world.approves(braked.lists[0].run.unwrap()).await;
        world.pass(TimeDelta::hours(25));
        let again = world.try_run(true).await;
        assert_eq!(state(&again), ListState::Braked);
        assert_eq!(world.count_there(Status::Archived), 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_whoever_came_back_is_not_removed_by_an_old_approval(world: World) {
        world.many_listed("p", 20).await;
        world.archives("p", 0..6).await;
        let braked = world.try_run(true).await;
        world.approves(braked.lists[0].run.unwrap()).await;
        world.clinic.reactivate("p0", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("p0"), Some(Status::Subscribed));
        assert_eq!(world.count_there(Status::Archived), 5);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_a_mistake_cannot_go_out_in_slices(world: World) {
        world.many_listed("p", 20).await;
        world.archives("p", 0..3).await;
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.archives("p", 3..6).await;
        assert_eq!(state(&world.try_run(true).await), ListState::Braked);
        assert_eq!(world.count_there(Status::Archived), 3);
        world.pass(TimeDelta::hours(24));
        world.runs().await;
        assert_eq!(world.count_there(Status::Archived), 6);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_what_people_do_for_themselves_is_not_counted(world: World) {
        world.many_listed("p", 20).await;
        for number in 0..8 {
            world.unsubscribes(&format!("p{number}"));
        }
        for number in 8..12 {
            world.objects(&format!("p{number}")).await;
        }
        world.archives("p", 12..14).await;
        world.runs().await;
        assert_eq!(world.count_there(Status::Archived), 2);
        assert_eq!(world.count_there(Status::Unsubscribed), 12);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_bare_flags_flipped_in_bulk_wait_for_an_admin(world: World) {
        world.many_listed("p", 20).await;
        for number in 0..7 {
            let (name, now) = (format!("p{number}"), world.now());
            world.clinic.flip_flag(&name, Channel::Email, false, now).await.unwrap();
        }
        let writes = world.writes();
        let held = world.try_run(true).await;
        assert_eq!(held.source.withdrawals_held, 7);
        assert_eq!(Exit::after(&held), Exit::Waiting);
        assert_eq!(world.writes(), writes);
        assert_eq!(world.count_there(Status::Subscribed), 20);
        accept(&world, Acceptable::Withdrawals).await;
        let released = world.try_run(true).await;
        assert_eq!(released.source.withdrawals_held, 0);
        if state(&released) == ListState::Braked {
            world.approves(released.lists[0].run.unwrap()).await;
        }
        world.runs().await;
        assert_eq!(world.count_there(Status::Unsubscribed), 7);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_more_invitations_than_set_wait(
        world: World, with "[lists.newsletter.brake]\ninvitations = 5\n"
    ) {
        world.consenting("ann").await;
        world.adopts().await;
        world.many_consenting("p", 6).await;
        let braked = world.try_run(true).await;
        assert_eq!(state(&braked), ListState::Braked);
        assert_eq!(world.simulator.outbox().len(), 1);
        world.approves(braked.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.simulator.outbox().len(), 7);
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_an_objection_after_the_approval_still_counts(
        world: World, with "[lists.newsletter.brake]\ninvitations = 5\n"
    ) {
        world.consenting("ann").await;
        world.adopts().await;
        world.many_consenting("p", 6).await;
        let braked = world.try_run(true).await;
        world.approves(braked.lists[0].run.unwrap()).await;
        world.pass(TimeDelta::hours(1));
        world.objects("p0").await;
        world.runs().await;
        assert_eq!(world.there("p0"), None);
        assert_eq!(world.there("p1"), Some(Status::Pending));
        world.end().await;
    }
}

on_both_engines! {
    async fn l26_a_removal_that_is_refused_is_red_and_tried_again(world: World) {
        world.many_listed("p", 3).await;
        world.archives("p", 0..1).await;
        let refused = Fault::Named { error: "InvalidAction".into() };
        world.simulator.script(Rule::next(refused).on("DELETE", "/3.0/lists").times(9));
        let parked = world.try_run(true).await;
        assert_eq!(state(&parked), ListState::ParkedRemovals, "{parked:#?}");
        assert_eq!(Exit::after(&parked), Exit::ParkedRemovals, "exit code 4");
        assert_eq!(parked.lists[0].parked_removals, 1);
        let writes = world.writes();
        assert_eq!(state(&world.try_run(true).await), ListState::ParkedRemovals);
        assert_eq!(world.writes(), writes, "not hammered");
        world.simulator.clear_faults();
        world.pass(TimeDelta::hours(7));
        world.runs().await;
        assert_eq!(world.there("p0"), Some(Status::Archived));
        world.end().await;
    }
}

/// An admin accepts what is not believed otherwise, for a day.
pub async fn accept(world: &World, what: Acceptable) {
    let store = &world.deployment.store;
    let clinic = store.clinic_ensure("riverside").await.unwrap();
    let until = world.now() + TimeDelta::hours(24);
    store.acceptance_open(clinic, what, until, "test").await.unwrap();
}
