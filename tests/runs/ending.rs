//! Lists that end or move (L20), and other ways off a list than the archive (L14).

use chrono::TimeDelta;
use listwarden::commands::{Ended, Ending};
use listwarden::domain::{Class, Reason};
use listwarden::reconcile::ListState;
use listwarden::simulator::mailchimp::{Fault, Rule, SeedMember, Status};

use crate::on_both_engines;
use crate::world::{Engine, World, address, state};

impl World {
    async fn ends(&self, ending: Ending) -> Ended {
        let clinic = self.deployment.clinics().next().unwrap();
        self.deployment.list_end(clinic, "newsletter", ending).await.unwrap()
    }

    /// A member whom the clinic never knew.
    fn has_a_stranger(&self) {
        let stranger = SeedMember::subscribed(address("stranger"));
        self.simulator.seed_member(&self.audience, stranger).unwrap();
    }

    /// The configuration names another audience, which is returned.
    async fn names_another_audience(&mut self) -> String {
        let audience = self.simulator.open_audience(self.account, "Letters").unwrap();
        self.simulator.set_double_optin(&audience, true).unwrap();
        let (from, to) = (format!("\"{}\"", self.audience), format!("\"{audience}\""));
        self.reconfigures(&from, &to).await;
        audience
    }
}

on_both_engines! {
    async fn l20_a_retired_list_is_emptied_of_all_whom_the_clinic_knows(world: World) {
        world.has_a_stranger();
        world.listed(&["ann", "ben"]).await;
        world.unsubscribes("ben");
        world.runs().await;
        let mails = world.simulator.outbox().len();
        let ended = world.ends(Ending::Retire).await;
        assert!(ended.emptied, "{ended:#?}");
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.there("ben"), Some(Status::Unsubscribed), "a no stays a no");
        assert_eq!(world.there("stranger"), Some(Status::Subscribed), "none of the clinic's");
        assert_eq!(world.told("ann").await, ["confirmed"], "our own way out is nobody's no");
        let writes = world.writes();
        world.consenting("eve").await;
        let after = world.try_run(true).await;
        assert!(after.lists.is_empty(), "it has no turn any more: {after:#?}");
        assert_eq!((world.writes(), world.simulator.outbox().len()), (writes, mails));
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_a_list_that_cannot_be_emptied_has_not_ended(world: World) {
        world.listed(&["ann", "ben"]).await;
        let refused = Fault::Named { error: "InvalidAction".into() };
        world.simulator.script(Rule::next(refused).on("DELETE", "/3.0/lists").times(9));
        assert!(!world.ends(Ending::Retire).await.emptied);
        assert_eq!(state(&world.try_run(true).await), ListState::ParkedRemovals, "and it is red");
        assert_eq!(world.reasons("ann").await, [Reason::ListRetired]);
        world.simulator.clear_faults();
        world.pass(TimeDelta::hours(7));
        assert!(world.ends(Ending::Retire).await.emptied, "done again, it goes on");
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_a_list_that_moves_begins_anew_and_asks_those_who_had_confirmed(mut world: World) {
        world.listed(&["ann", "ben"]).await;
        world.unsubscribes("ben");
        world.runs().await;
        let mails = world.simulator.outbox().len();
        let letters = world.names_another_audience().await;
        let refused = world.try_run(true).await;
        assert_eq!(state(&refused), ListState::Failed);
        let problem = refused.lists[0].problem.clone().unwrap();
        assert!(problem.contains("listwarden list move"), "{problem}");
        assert!(world.ends(Ending::Move).await.emptied);
        assert_eq!(world.there("ann"), Some(Status::Archived), "the old audience is empty");
        let first = world.try_run(true).await;
        assert_eq!(state(&first), ListState::Waiting, "a first run waits for an admin");
        assert_eq!(world.simulator.outbox().len(), mails);
        world.approves(first.lists[0].run.unwrap()).await;
        world.runs().await;
        let on_letters = |name: &str| {
            world.simulator.member(&letters, &address(name)).map(|member| member.status)
        };
        assert_eq!((on_letters("ann"), on_letters("ben")), (Some(Status::Pending), None));
        assert_eq!(world.invitations("ann"), 2);
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_on_drop_unsubscribe_leaves_them_readable_and_says_so(
        world: World, with "on_drop = \"unsubscribe\"\n"
    ) {
        world.listed(&["ann"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.classes().await.get(&Class::CannotLeave), Some(&1));
        assert_eq!(world.told("ann").await, ["confirmed"], "our own way out is nobody's no");
        world.pass(TimeDelta::days(1));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "who comes back is asked (L13)");
        assert_eq!(world.invitations("ann"), 2);
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_on_drop_erase_leaves_nothing(world: World, with "on_drop = \"erase\"\n") {
        world.listed(&["ann"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), None);
        assert!(world.simulator.is_forgotten(&world.audience, &address("ann")));
        assert_eq!(world.classes().await.get(&Class::InStep), Some(&1));
        assert_eq!(world.told("ann").await, ["confirmed"]);
        world.pass(TimeDelta::days(1));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), None, "the provider takes back nobody whom it erased");
        assert_eq!(world.reasons("ann").await, [Reason::ForgottenThere]);
        assert_eq!(world.classes().await.get(&Class::Parked), Some(&1));
        world.end().await;
    }
}
