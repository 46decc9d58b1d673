//! Coming back, and what does not come back (L3, L11 to L13).

use chrono::TimeDelta;
use listwarden::domain::{Channel, Class, PatientRecord, Reason};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World};

on_both_engines! {
    async fn l13_who_unsubscribed_before_being_archived_stays_out(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.pass(TimeDelta::days(90));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.reasons("ann").await, [Reason::Withdrawn]);
        assert_eq!(world.invitations("ann"), 1);
        world.end().await;
    }
}

on_both_engines! {
    async fn l13_who_returns_with_proof_is_asked_once_more(world: World) {
        world.listed(&["ann"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(90));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        world.pass(TimeDelta::days(31));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "lapsed");
        assert_eq!(world.invitations("ann"), 2);
        world.end().await;
    }
}

on_both_engines! {
    async fn l13_who_returns_with_proof_is_restored_where_the_list_says_so(
        world: World, with "on_return = \"restore\"\n"
    ) {
        world.listed(&["ann"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(90));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        assert_eq!(world.invitations("ann"), 1);
        world.end().await;
    }
}

on_both_engines! {
    async fn l13_who_never_confirmed_is_not_restored(world: World, with "on_return = \"restore\"\n") {
        world.consenting("ann").await;
        world.adopts().await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.reasons("ann").await, [Reason::InvitationUsed]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l12_an_invitation_lapses_and_is_not_repeated(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.pass(TimeDelta::days(29));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        world.pass(TimeDelta::days(2));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.pass(TimeDelta::days(60));
        world.runs().await;
        assert_eq!(world.invitations("ann"), 1);
        assert_eq!(world.told("ann").await, [""; 0], "silence is no opt-out");
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "a newer yes is asked again");
        world.end().await;
    }
}

on_both_engines! {
    async fn l12_a_click_after_the_clinic_archived_restores_nothing(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.pass(TimeDelta::days(1));
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.told("ann").await, [""; 0]);
        world.pass(TimeDelta::days(1));
        world.clinic.reactivate("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_ne!(world.there("ann"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l12_a_sign_up_there_by_somebody_archived_is_removed_again(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.contact("ann").sign_up().unwrap();
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.end().await;
    }
}

on_both_engines! {
    async fn l3_who_consents_by_a_clock_ahead_is_asked_once(world: World) {
        let ahead = world.now() + TimeDelta::hours(2);
        let email_consent = world.explicit_at(ahead);
        let ann = PatientRecord { email_consent, updated_at: ahead, ..world.somebody("ann") };
        world.enters(ann).await;
        world.adopts().await;
        assert_eq!((world.there("ann"), world.invitations("ann")), (Some(Status::Pending), 1));
        // Read again, when that time has come.
        world.pass(TimeDelta::days(40));
        world.runs().await;
        assert_eq!((world.there("ann"), world.invitations("ann")), (Some(Status::Archived), 1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l3_a_bare_flag_after_an_opt_out_is_parked_for_an_admin(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        world.pass(TimeDelta::days(1));
        for yes in [false, true] {
            world.clinic.flip_flag("ann", Channel::Email, yes, world.now()).await.unwrap();
            world.runs().await;
            world.pass(TimeDelta::days(1));
        }
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.reasons("ann").await[0], Reason::FlagAfterOptOut);
        assert_eq!(world.classes().await.get(&Class::Parked), Some(&1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l11_nothing_but_accepted_evidence_lifts_a_complaint(world: World) {
        world.listed(&["ann"]).await;
        world.complains("ann");
        world.runs().await;
        assert_eq!(world.told("ann").await, ["confirmed", "complained"]);
        world.pass(TimeDelta::days(1));
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        world.end().await;
    }
}
