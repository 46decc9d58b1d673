//! What staff and contacts do at the provider (L16, L18, L19).

use chrono::TimeDelta;
use listwarden::domain::{Class, Reason};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World, address};

on_both_engines! {
    async fn l16_whom_staff_took_off_is_not_put_back(world: World) {
        world.listed(&["ann", "ben"]).await;
        world.staff().archive(&address("ann")).unwrap();
        world.staff().delete_permanently(&address("ben")).unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(40));
        world.runs().await;
        assert_eq!((world.there("ann"), world.there("ben")), (Some(Status::Archived), None));
        assert_eq!(world.told("ann").await, ["confirmed"], "the clinic's consent is left alone");
        assert_eq!(world.reasons("ann").await, [Reason::RemovedThere]);
        world.consents_now("ann").await;
        world.pass(TimeDelta::minutes(1));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "a newer yes asks again");
        world.end().await;
    }
}

on_both_engines! {
    async fn l16_whom_we_erased_and_asks_again_is_parked_where_the_provider_refuses(world: World) {
        world.listed(&["ann"]).await;
        world.staff().delete_permanently(&address("ann")).unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.consents_now("ann").await;
        world.pass(TimeDelta::minutes(1));
        world.runs().await;
        assert_eq!(world.there("ann"), None);
        assert_eq!(world.reasons("ann").await, [Reason::ForgottenThere]);
        assert_eq!(world.classes().await.get(&Class::Parked), Some(&1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l16_found_archived_without_a_history_counts_as_a_no(world: World) {
        world.has("ann", Status::Archived);
        world.consenting("ann").await;
        world.adopts().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.reasons("ann").await, [Reason::Withdrawn]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l18_what_staff_subscribed_again_is_reverted(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.pass(TimeDelta::days(31));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "lapsed");
        world.pass(TimeDelta::days(1));
        world.staff_import("ann");
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.told("ann").await, [""; 0]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l18_a_confirmed_sign_up_there_is_a_newer_yes(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.contact("ann").sign_up().unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "anybody can fill in a form");
        assert_eq!(world.told("ann").await, ["confirmed", "withdrawn"]);
        world.pass(TimeDelta::hours(1));
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        assert_eq!(world.told("ann").await, ["confirmed", "withdrawn", "confirmed"]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l4_a_confirmed_sign_up_there_needs_no_word_of_the_clinic(world: World) {
        world.enters(world.somebody("ann")).await;
        world.adopts().await;
        world.contact("ann").sign_up().unwrap();
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed), "not asked is not no");
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "dropping still wins");
        world.end().await;
    }
}

on_both_engines! {
    async fn l19_an_address_changed_there_waits_for_the_clinic_to_adopt_it(world: World) {
        world.listed(&["ann", "ben"]).await;
        for name in ["ann", "ben"] {
            world.contact(name).change_address(&address(&format!("{name}.new"))).unwrap();
        }
        world.runs().await;
        assert_eq!(world.there("ann"), None, "nothing is added under the old address");
        assert_eq!(world.there("ann.new"), Some(Status::Subscribed));
        assert_eq!(world.reasons("ann").await, [Reason::AddressChangedThere]);
        world.pass(TimeDelta::days(1));
        world.moves("ben", "ben.new").await;
        world.runs().await;
        world.pass(TimeDelta::days(30));
        world.runs().await;
        assert_eq!(world.there("ann.new"), Some(Status::Archived), "never adopted");
        assert_ne!(world.there("ben.new"), None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l19_the_clinic_is_told_once_of_an_address_changed_there(world: World) {
        world.listed(&["ann"]).await;
        world.contact("ann").change_address(&address("ann.new")).unwrap();
        world.runs().await;
        assert_eq!(world.told("ann").await, ["confirmed", "address_changed"]);
        world.runs().await;
        let told = world.clinic.feedback().await.unwrap();
        let changed: Vec<_> = told.iter().filter(|f| f.kind == "address_changed").collect();
        assert_eq!(changed.len(), 1, "a second run tells nothing more");
        assert_eq!(changed[0].list.as_deref(), Some("newsletter"));
        let lines = world.store_says("SELECT payload FROM ledger_detail").await;
        assert!(!lines.iter().any(|line| line.contains("ann.new")), "not to which one");
        world.pass(TimeDelta::hours(1));
        world.contact("ann.new").change_address(&address("ann.newer")).unwrap();
        world.runs().await;
        assert_eq!(
            world.told("ann").await,
            ["confirmed", "address_changed", "address_changed"],
            "another change is another event"
        );
        world.end().await;
    }
}

on_both_engines! {
    async fn l8_an_objectors_address_changed_there_is_taken_off(world: World) {
        world.listed(&["ann", "ben"]).await;
        world.unsubscribes("ben");
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.contact("ann").change_address(&address("ann.new")).unwrap();
        world.clinic.object("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann.new"), Some(Status::Unsubscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l25_only_mapped_fields_go_and_only_when_they_differ(world: World) {
        world.listed(&["ann"]).await;
        world.clinic.rename("ann", "Anna", "Smith", world.now()).await.unwrap();
        world.runs().await;
        let fields = world.simulator.member_json(&world.audience, &address("ann")).unwrap();
        assert_eq!(fields["merge_fields"]["FNAME"], "Anna");
        let told = |what: &str| world.simulator.writes().iter().any(|w| w.body.contains(what));
        assert!(!told("1980") && !told("source_id"), "birth dates and ids never leave");
        world.staff().edit(&address("ann"), "FNAME", "Annie").unwrap();
        world.runs().await;
        let fields = world.simulator.member_json(&world.audience, &address("ann")).unwrap();
        assert_eq!(fields["merge_fields"]["FNAME"], "Anna");
        world.end().await;
    }
}
