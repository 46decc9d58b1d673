//! The law, seen from outside: what the provider holds after a run.

use chrono::TimeDelta;
use listwarden::domain::{Class, PatientRecord, PatientStatus, Reason};
use listwarden::reconcile::ListState;
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World, state};

on_both_engines! {
    async fn l10_a_consenting_patient_is_invited_once_and_enters_by_confirming(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        assert_eq!(world.simulator.outbox().len(), 1);
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        assert_eq!(world.told("ann").await, ["confirmed"]);
        assert_eq!(world.reasons("ann").await, [Reason::Wanted]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l11_nothing_resubscribes_anyone_by_itself(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.confirms("ann");
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.contact("ann").unsubscribe().unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await, ["confirmed", "withdrawn"]);
        world.pass(TimeDelta::days(40));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        world.consents_now("ann").await;
        world.pass(TimeDelta::minutes(1));
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending), "newer explicit consent invites once");
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_the_first_run_writes_nothing_and_waits(world: World) {
        world.consenting("ann").await;
        world.has("stranger", Status::Subscribed);
        let first = world.try_run(false).await;
        assert_eq!(state(&first), ListState::Waiting);
        assert_eq!(world.writes(), 0);
        let again = world.try_run(false).await;
        assert_eq!(state(&again), ListState::Waiting);
        assert_eq!(world.writes(), 0);
        world.approves(first.lists[0].run.unwrap()).await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        assert_eq!(world.there("stranger"), Some(Status::Subscribed), "unknown = report");
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_an_archived_patient_leaves_and_a_deleted_one_is_erased(world: World) {
        world.consenting("ann").await;
        world.consenting("ben").await;
        world.adopts().await;
        world.confirms("ann");
        world.confirms("ben");
        world.runs().await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.clinic.delete("ben", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.there("ben"), None);
        assert!(world.simulator.is_forgotten(&world.audience, "ben@post.test"));
        assert_eq!(world.classes().await.get(&Class::HeldButDropped), None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l7_a_holders_consent_lists_nobody_else_at_the_address(world: World) {
        let mut bob = world.somebody("bob");
        bob.email = world.somebody("ann").email;
        world.consenting("ann").await;
        world.enters(bob).await;
        world.adopts().await;
        world.confirms("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.pass(TimeDelta::hours(1));
        let ann = PatientRecord { email_consent: world.explicit(), ..world.somebody("ann") };
        world.enters(PatientRecord { status: PatientStatus::Archived, ..ann }).await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived), "nobody asked bob");
        world.end().await;
    }
}
