//! Changes whose outcome was lost: ours, and never taken for the person's (L17).

use chrono::TimeDelta;
use listwarden::reconcile::ListState;
use listwarden::simulator::mailchimp::{Fault, Rule, Status};

use crate::on_both_engines;
use crate::world::{Engine, World, state};

impl World {
    /// The answer to the next write is lost, after `done` others.
    fn loses_answer(&self, method: &str, after: u32) {
        self.simulator.script(Rule::next(Fault::LostReply).on(method, "/3.0/lists").after(after));
    }

    /// Runs until the list is in step, at most thrice.
    async fn comes_to_rest(&self) {
        for _ in 0..3 {
            if state(&self.try_run(true).await) == ListState::InStep {
                break;
            }
            self.pass(TimeDelta::minutes(5));
        }
        self.runs().await;
    }
}

on_both_engines! {
    async fn l17_our_own_unsubscribe_is_no_opt_out_of_the_persons(world: World) {
        world.listed(&["ann"]).await;
        world.withdraws("ann").await;
        world.loses_answer("PUT", 0);
        world.loses_answer("PATCH", 0);
        world.comes_to_rest().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await, ["confirmed"], "the clinic knows: it said so itself");
        world.end().await;
    }
}

on_both_engines! {
    async fn l17_half_an_archive_is_no_opt_out(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.simulator.script(Rule::next(Fault::Reset).on("DELETE", "/3.0/lists").times(9));
        world.try_run(true).await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed), "half way");
        world.simulator.clear_faults();
        world.pass(TimeDelta::hours(1));
        world.comes_to_rest().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.told("ann").await, [""; 0]);
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.pass(TimeDelta::hours(1));
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "she never said no");
        world.end().await;
    }
}

on_both_engines! {
    async fn l17_a_persons_no_during_doubt_is_still_theirs(world: World) {
        world.listed(&["ann"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.simulator.script(Rule::next(Fault::Reset).on("DELETE", "/3.0/lists").times(9));
        world.try_run(true).await;
        world.simulator.clear_faults();
        world.unsubscribes("ann");
        world.pass(TimeDelta::hours(1));
        world.comes_to_rest().await;
        assert_eq!(world.told("ann").await, ["confirmed", "withdrawn"]);
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_ne!(world.there("ann"), Some(Status::Pending));
        world.end().await;
    }
}

on_both_engines! {
    async fn l17_a_lost_answer_to_an_invitation_invites_nobody_twice(world: World) {
        world.consenting("eve").await;
        world.adopts().await;
        world.many_consenting("p", 3).await;
        world.loses_answer("POST", 0);
        world.comes_to_rest().await;
        for name in ["eve", "p0", "p1", "p2"] {
            assert_eq!((world.there(name), world.invitations(name)), (Some(Status::Pending), 1));
        }
        world.end().await;
    }
}
