//! Two lists of one clinic: an opt-out on one ends the other (L15).

use chrono::TimeDelta;
use listwarden::commands::Deployment;
use listwarden::config::Environment;
use listwarden::simulator::mailchimp::Status;

use crate::on_both_engines;
use crate::world::{Engine, World, address};

impl World {
    fn on(&self, audience: &str, name: &str) -> Option<Status> {
        self.simulator.member(audience, &address(name)).map(|member| member.status)
    }

    /// Ann on both lists, confirmed on both; returns the second audience.
    async fn ann_is_on_two_lists(&mut self) -> String {
        let recalls = self.adds_list("recalls").await;
        self.consenting("ann").await;
        self.adopts().await;
        self.confirms("ann");
        self.simulator.contact(&recalls, &address("ann")).confirm().unwrap();
        self.runs().await;
        self.pass(TimeDelta::hours(1));
        recalls
    }
}

on_both_engines! {
    async fn l15_an_opt_out_on_the_first_list_reaches_the_second(mut world: World) {
        let recalls = world.ann_is_on_two_lists().await;
        world.unsubscribes("ann");
        world.runs().await;
        assert_eq!(world.on(&recalls, "ann"), Some(Status::Unsubscribed));
        assert_eq!(world.told("ann").await.last().unwrap(), "withdrawn");
        world.end().await;
    }
}

on_both_engines! {
    async fn l15_an_opt_out_on_the_last_list_reaches_the_first(mut world: World) {
        let recalls = world.ann_is_on_two_lists().await;
        world.simulator.contact(&recalls, &address("ann")).unsubscribe().unwrap();
        world.said_no("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        let withdrawn = world.told("ann").await.iter().filter(|kind| *kind == "withdrawn").count();
        assert_eq!(withdrawn, 1, "told once");
        world.end().await;
    }
}

on_both_engines! {
    async fn l15_a_complaint_on_one_list_ends_the_other(mut world: World) {
        let recalls = world.ann_is_on_two_lists().await;
        world.simulator.contact(&recalls, &address("ann")).complain().unwrap();
        world.said_no("ann");
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l16_what_staff_removed_from_one_list_stays_on_the_other(mut world: World) {
        let recalls = world.ann_is_on_two_lists().await;
        world.simulator.staff(&recalls).archive(&address("ann")).unwrap();
        world.runs().await;
        assert_eq!(world.on(&recalls, "ann"), Some(Status::Archived));
        assert_eq!(world.there("ann"), Some(Status::Subscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn l14_a_deleted_patient_is_erased_on_every_list(mut world: World) {
        let recalls = world.ann_is_on_two_lists().await;
        world.clinic.delete("ann", world.now()).await.unwrap();
        world.runs().await;
        assert_eq!((world.there("ann"), world.on(&recalls, "ann")), (None, None));
        world.end().await;
    }
}

on_both_engines! {
    async fn a_configuration_that_is_read_again_replaces_the_one_before_unless_it_is_wrong(
        world: World
    ) {
        let path = world.folder.path().join("clinics/riverside.toml");
        let good = std::fs::read_to_string(&path).unwrap();
        let title = |deployment: &Deployment| deployment.clinics().next().unwrap().title.clone();
        std::fs::write(&path, good.replace("\"Riverside\"", "\"Riverbank\"")).unwrap();
        let reread = world.deployment.reread(&Environment::default()).unwrap();
        assert_eq!((title(&world.deployment), title(&reread)), ("Riverside".into(), "Riverbank".into()));
        std::fs::write(&path, good.replace("provider =", "provided =")).unwrap();
        assert!(reread.reread(&Environment::default()).is_err());
        world.end().await;
    }
}
