//! Who leaves, by which verb (L14), and that they stay away (L15).

use chrono::TimeDelta;
use listwarden::domain::{Class, PatientRecord, PatientStatus, Reason};
use listwarden::simulator::mailchimp::{SeedMember, Status};

use crate::on_both_engines;
use crate::world::{Engine, World, address};

/// A brake that does not mind a handful of removals.
pub const LOOSE: &str = "[lists.newsletter.brake]\nat_least = 500\n";

impl World {
    /// Patients on the list, confirmed; an hour later.
    pub async fn listed(&self, names: &[&str]) {
        for name in names {
            self.consenting(name).await;
        }
        self.adopts().await;
        for name in names {
            self.confirms(name);
        }
        self.runs().await;
        self.pass(TimeDelta::hours(1));
    }
}

on_both_engines! {
    async fn l14_every_reason_has_its_way_out(world: World, with LOOSE) {
        world.listed(&[
            "archived", "merged", "deceased", "deleted", "restricted", "rejected", "withdrawn",
            "objected", "unflagged", "stays",
        ]).await;
        let (clinic, now) = (&world.clinic, world.now());
        clinic.archive("archived", now).await.unwrap();
        clinic.merge("merged", now).await.unwrap();
        clinic.die("deceased", now).await.unwrap();
        clinic.delete("deleted", now).await.unwrap();
        clinic.restrict("restricted", true, now).await.unwrap();
        clinic.answer_policy("rejected", Some(false), now).await.unwrap();
        world.withdraws("withdrawn").await;
        clinic.object("objected", now).await.unwrap();
        clinic.flip_flag("unflagged", listwarden::domain::Channel::Email, false, now).await.unwrap();
        world.runs().await;
        for name in ["archived", "merged", "deceased", "restricted", "rejected"] {
            assert_eq!(world.there(name), Some(Status::Archived), "{name}");
        }
        for name in ["withdrawn", "objected", "unflagged"] {
            assert_eq!(world.there(name), Some(Status::Unsubscribed), "{name}");
        }
        assert_eq!(world.there("deleted"), None);
        assert!(world.simulator.is_forgotten(&world.audience, &address("deleted")));
        assert_eq!(world.there("stays"), Some(Status::Subscribed));
        let bodies: String = world.simulator.writes().iter()
            .filter(|write| write.method == "DELETE" || write.path.contains("delete-permanent"))
            .map(|write| write.body.clone()).collect();
        assert_eq!(bodies, "", "no removal carries a field (L25)");
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_a_dropped_member_that_bounced_is_erased(world: World) {
        world.listed(&["ann"]).await;
        world.contact("ann").hard_bounce().unwrap();
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_a_dropped_member_that_bounced_can_be_reported_instead(
        world: World, with "cleaned = \"report\"\n"
    ) {
        world.listed(&["ann"]).await;
        world.contact("ann").hard_bounce().unwrap();
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Cleaned));
        assert_eq!(world.classes().await.get(&Class::CannotLeave), Some(&1));
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_a_pending_member_leaves_too(world: World) {
        world.consenting("ann").await;
        world.consenting("ben").await;
        world.adopts().await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.clinic.delete("ben", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!((world.there("ann"), world.there("ben")), (Some(Status::Archived), None));
        assert_eq!(world.told("ann").await, [""; 0], "our own way out is nobody's no");
        world.end().await;
    }
}

on_both_engines! {
    async fn l15_an_erased_address_in_the_clinic_again_writes_nothing(world: World) {
        world.listed(&["ann"]).await;
        let before = PatientRecord { email_consent: world.explicit(), ..world.somebody("ann") };
        world.clinic.delete("ann", world.now()).await.unwrap();
        world.runs().await;
        let writes = world.writes();
        world.pass(TimeDelta::days(1));
        let again = PatientRecord { source_id: "ann2".into(), updated_at: world.now(), ..before };
        world.enters(again).await;
        world.runs().await;
        assert_eq!(world.writes(), writes);
        assert_eq!(world.reasons("ann").await, [Reason::Erased]);
        world.end().await;
    }
}

on_both_engines! {
    async fn l15_an_erased_address_that_appears_there_again_is_erased_again(world: World) {
        world.listed(&["ann"]).await;
        world.clinic.delete("ann", world.now()).await.unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.simulator.seed_member(&world.audience, SeedMember::subscribed(address("ann"))).unwrap();
        world.runs().await;
        assert_eq!(world.there("ann"), None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l15_staff_who_import_dropped_people_again_are_undone(world: World) {
        world.listed(&["ann", "ben"]).await;
        world.clinic.archive("ann", world.now()).await.unwrap();
        world.withdraws("ben").await;
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.staff_import("ann");
        world.staff().archive(&address("ben")).unwrap();
        world.staff_import("ben");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_ne!(world.there("ben"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l9_who_is_missing_from_two_whole_sweeps_has_vanished(world: World) {
        world.listed(&["ann", "ben", "eve"]).await;
        world.clinic.vanish("ann").await.unwrap();
        let first = world.try_run(true).await;
        assert_eq!(first.source.vanished, 0);
        assert_eq!(world.there("ann"), Some(Status::Subscribed), "once is not enough");
        let second = world.try_run(true).await;
        assert_eq!(second.source.vanished, 1);
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert_eq!(world.reasons("ann").await, [Reason::PatientVanished]);
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn l6_who_is_under_age_is_not_asked(world: World) {
        let child = PatientRecord {
            birth_date: "2015-01-01".parse().ok(),
            email_consent: world.explicit(),
            ..world.somebody("kid")
        };
        world.enters(child).await;
        world.listed(&["ann"]).await;
        assert_eq!(world.there("kid"), None);
        assert_eq!(world.reasons("kid").await[0], Reason::UnderAge);
        world.clinic.set_status("ann", PatientStatus::Active, world.now()).await.unwrap();
        world.runs().await;
        world.end().await;
    }
}
