//! One address and several people (L7), one person and several addresses (L8).

use chrono::TimeDelta;
use listwarden::domain::{PatientRecord, Reason};
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World, email};

impl World {
    /// Somebody who consented, at an address that others have too.
    async fn consenting_at(&self, name: &str, shared: &str) {
        let record = PatientRecord {
            email: Some(email(shared)),
            email_consent: self.explicit(),
            ..self.somebody(name)
        };
        self.enters(record).await;
    }

    /// Ann and Ben, who share Ann's address, on the list.
    async fn family_is_listed(&self) {
        self.consenting("ann").await;
        self.consenting_at("ben", "ann").await;
        self.adopts().await;
        self.confirms("ann");
        self.runs().await;
        assert_eq!(self.invitations("ann"), 1, "one address, one invitation");
        self.pass(TimeDelta::hours(1));
    }
}

on_both_engines! {
    async fn l7_deleting_one_of_two_holders_keeps_the_other_listed(world: World) {
        world.family_is_listed().await;
        world.clinic.delete("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed), "ben stays");
        world.pass(TimeDelta::days(1));
        world.clinic.archive("ben", world.now()).await.unwrap();
        world.runs().await;
        assert!(
            matches!(world.there("ann"), None | Some(Status::Archived)),
            "the last one went: {:?}", world.there("ann")
        );
        world.end().await;
    }
}

on_both_engines! {
    async fn l7_the_last_archived_holder_takes_the_address_along(world: World) {
        world.family_is_listed().await;
        world.clinic.archive("ben", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        world.end().await;
    }
}

on_both_engines! {
    async fn l7_one_holders_objection_speaks_for_the_address(world: World) {
        world.family_is_listed().await;
        world.objects("ben").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await, ["confirmed", "objected"]);
        let lines = world.clinic.feedback().await.unwrap();
        let line = lines.iter().find(|line| line.kind == "objected").unwrap();
        assert_eq!((line.patient_id.as_str(), line.by.as_str()), ("ann", "person"));
        world.pass(TimeDelta::hours(1));
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed), "an admin must accept evidence");
        world.end().await;
    }
}

on_both_engines! {
    async fn l7_after_one_holders_no_the_other_needs_a_newer_yes(world: World) {
        world.family_is_listed().await;
        world.withdraws("ben").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        world.pass(TimeDelta::hours(1));
        world.consents_now("ann").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Pending));
        assert_eq!(world.invitations("ann"), 2);
        world.end().await;
    }
}

on_both_engines! {
    async fn l7_an_unsubscribe_from_the_address_is_told_of_every_holder(world: World) {
        world.family_is_listed().await;
        world.unsubscribes("ann");
        world.runs().await;
        assert_eq!(world.told("ann").await, ["confirmed", "withdrawn"]);
        assert_eq!(world.told("ben").await, ["confirmed", "withdrawn"]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l8_a_new_address_is_invited_anew(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.confirms("ann");
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.moves("ann", "ann.new").await;
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.there("ann.new"), Some(Status::Pending), "nobody confirmed this one");
        world.confirms("ann.new");
        world.runs().await;
        assert_eq!(world.there("ann.new"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l8_an_objectors_new_address_is_not_written(world: World) {
        world.consenting("ann").await;
        world.consenting("ben").await;
        world.consenting("eve").await;
        world.adopts().await;
        for name in ["ann", "ben", "eve"] {
            world.confirms(name);
        }
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.complains("ann");
        world.unsubscribes("ben");
        world.objects("eve").await;
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        for name in ["ann", "ben", "eve"] {
            world.moves(name, &format!("{name}.new")).await;
        }
        world.runs().await;
        for name in ["ann", "ben", "eve"] {
            assert_eq!(world.there(&format!("{name}.new")), None);
        }
        let written = |name: &str| world.simulator.writes().iter().any(|w| w.body.contains(name));
        assert!(!["ann.new", "ben.new", "eve.new"].into_iter().any(written));
        assert_eq!(world.reasons("ann.new").await, [Reason::Complained]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l8_a_bounce_belongs_to_the_mailbox_and_the_clinic_hears_of_it(world: World) {
        world.consenting("ann").await;
        world.adopts().await;
        world.confirms("ann");
        world.runs().await;
        world.contact("ann").hard_bounce().unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Cleaned), "left to the provider");
        assert_eq!(world.told("ann").await, ["confirmed", "bounced"]);
        world.moves("ann", "ann.new").await;
        world.runs().await;
        assert_eq!(world.there("ann.new"), Some(Status::Pending), "another mailbox");
        world.end().await;
    }
}
