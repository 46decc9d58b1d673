//! What a patient told an admin: restriction, objection, preferences (L1, L6, L15).

use chrono::TimeDelta;
use listwarden::domain::{Because, Channel, Class, Reason};
use listwarden::rights::{Desk, TakenDown, Wish};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World};

/// The list is for a purpose.
const NEWS: &str = "purpose = \"news\"\n";

impl World {
    pub async fn wishes(&self, name: &str, wish: Wish) {
        let deployment = &self.deployment;
        let reconciler = deployment.reconciler().attending(deployment.roster().await);
        let clinic = deployment.clinics().next().unwrap();
        let evidence = Because::parse("call of today").unwrap();
        let taken = TakenDown { by: "desk", evidence: &evidence, at: None };
        let desk = Desk { reconciler, clinic, patience: None };
        let written = desk.take_down(name, &wish, &taken).await.unwrap().unwrap();
        assert!(!written.left, "done at once");
        let attested = self.attests().await.classes.unwrap_or_default();
        for class in [Class::HeldButDropped, Class::HeldWithoutBasis, Class::Due] {
            assert_eq!(attested.get(&class), None, "{class:?} after it was done");
        }
    }
}

fn not_for(purpose: &str) -> Wish {
    Wish::NotBy { channel: Channel::Email, purpose: Some(purpose.to_owned()) }
}

on_both_engines! {
    async fn l6_a_restriction_told_to_an_admin_takes_off_until_it_is_lifted(world: World) {
        world.listed(&["ann"]).await;
        world.wishes("ann", Wish::Restrict).await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.reasons("ann").await[0], Reason::Restricted);
        world.pass(TimeDelta::days(1));
        world.clinic.restrict("ann", true, world.now()).await.unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.clinic.restrict("ann", false, world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "the clinic's flag does not lift it");
        world.wishes("ann", Wish::Unrestrict).await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "asked anew (L13)");
        world.end().await;
    }
}

on_both_engines! {
    async fn l15_an_objection_told_to_an_admin_reaches_list_and_record_at_once(world: World) {
        world.listed(&["ann"]).await;
        world.wishes("ann", Wish::Object).await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await, ["confirmed", "objected"]);
        world.pass(TimeDelta::hours(1));
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed), "an admin must accept evidence");
        world.end().await;
    }
}

on_both_engines! {
    async fn l23_objections_taken_down_one_by_one_are_held_up_by_no_brake(world: World) {
        let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.listed(&names).await;
        for name in &names {
            world.wishes(name, Wish::Object).await;
            assert_eq!(world.there(name), Some(Status::Unsubscribed), "{name}");
        }
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l6_a_preference_against_a_purpose_bars_that_purpose_alone(world: World, with NEWS) {
        world.listed(&["ann", "ben"]).await;
        world.wishes("ann", not_for("news")).await;
        world.wishes("ben", not_for("recalls")).await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.reasons("ann").await[0], Reason::PurposeRefused);
        assert_eq!(world.there("ben"), Some(Status::Subscribed));
        world.pass(TimeDelta::hours(1));
        let gladly = Wish::Gladly { channel: Channel::Email, purpose: Some("news".to_owned()) };
        world.wishes("ann", gladly).await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "asked anew (L13)");
        world.end().await;
    }
}

on_both_engines! {
    async fn l1_a_preference_lists_nobody_and_one_against_a_channel_is_a_no(world: World) {
        world.enters(world.somebody("zoe")).await;
        world.listed(&["ann"]).await;
        world.wishes("zoe", Wish::Gladly { channel: Channel::Email, purpose: None }).await;
        world.runs().await;
        assert_eq!(world.there("zoe"), None);
        assert_eq!(world.reasons("zoe").await, [Reason::NoBasis]);
        world.wishes("ann", Wish::NotBy { channel: Channel::Email, purpose: None }).await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await, ["confirmed", "withdrawn"]);
        world.end().await;
    }
}
