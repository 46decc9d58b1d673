//! A clinic that leaves: exported, erased by the ordinary loop, ended.

use std::fs;
use std::io::Read;

use chrono::TimeDelta;
use listwarden::rights::offboard::{export, order};
use listwarden::simulator::mailchimp::{SeedMember, Status};

use crate::on_both_engines;
use crate::world::{Engine, World, address};

on_both_engines! {
    async fn a_clinic_that_leaves_takes_everything_and_leaves_only_hashes(world: World) {
        let stranger = SeedMember::subscribed(address("stranger"));
        world.simulator.seed_member(&world.audience, stranger).unwrap();
        let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        world.listed(&names).await;
        world.unsubscribes("p0");
        world.clinic.archive("p1", world.now()).await.unwrap();
        world.runs().await;
        let folder = world.folder.path().join("goodbye");
        let left = world.deployment.offboard("riverside", &folder, "owner").await.unwrap();
        assert!(left.is_done(), "{left:#?}");
        assert_eq!((left.exported.patients, left.exported.lists, left.lists_ended), (8, 1, 1));
        for name in &names {
            assert_eq!(world.there(name), None, "{name}");
        }
        assert_eq!(world.there("stranger"), Some(Status::Subscribed), "none of the clinic's");
        let kept = world.kept().await;
        for text in ["post.test", "Given"] {
            assert!(!kept.contains(text), "{text} is still kept");
        }
        assert_eq!(fs::read_dir(folder.join("patients")).unwrap().count(), 8);
        let table = fs::read_to_string(folder.join("lists/newsletter.csv")).unwrap();
        assert!(table.contains("p0@post.test") && table.contains("unsubscribed"), "{table}");
        let receipt = fs::read_to_string(folder.join("receipt.json")).unwrap();
        assert!(receipt.contains("\"addresses_left\": 0"), "{receipt}");
        world.pass(TimeDelta::days(1));
        let writes = world.writes();
        let again = world.deployment.offboard("riverside", &folder, "owner").await.unwrap();
        assert!(again.is_done() && world.writes() == writes, "{again:#?}");
        let store = &world.deployment.store;
        let clinic = store.clinics().await.unwrap()[0].id;
        assert_eq!(store.ledger_verify(clinic).await.unwrap().first_bad, None);
        world.end().await;
    }
}

on_both_engines! {
    async fn l20_a_clinic_cannot_leave_while_a_list_of_its_people_waits_for_approval(world: World) {
        world.listed(&["ann", "ben"]).await;
        world.is_said_to_be_put_back().await;
        let folder = world.folder.path().join("goodbye");
        let left = world.deployment.offboard("riverside", &folder, "owner").await.unwrap();
        assert!(!left.is_done(), "{left:#?}");
        assert_eq!((left.lists_left, left.addresses_left), (1, 2));
        assert_eq!(world.there("ann"), Some(Status::Subscribed), "nothing was approved");
        let store = &world.deployment.store;
        let clinic = store.clinics().await.unwrap()[0].id;
        let list = &store.lists(clinic).await.unwrap()[0];
        let waits = store.plan_open(list).await.unwrap().unwrap();
        world.approves(waits).await;
        world.pass(TimeDelta::minutes(1));
        let left = world.deployment.offboard("riverside", &folder, "owner").await.unwrap();
        assert!(left.is_done(), "{left:#?}");
        assert_eq!((world.there("ann"), world.there("ben")), (None, None));
        world.end().await;
    }
}

on_both_engines! {
    async fn whoever_was_not_exported_is_not_erased(world: World) {
        world.listed(&["ann"]).await;
        let folder = world.folder.path().join("goodbye");
        let deployment = &world.deployment;
        let clinic = deployment.clinics().next().unwrap();
        export(&deployment.store, clinic, &folder, world.now()).await.unwrap();
        world.consenting("late").await;
        world.runs().await;
        let reconciler = deployment.reconciler().attending(deployment.roster().await);
        assert_eq!(order(&reconciler, clinic, &folder, "owner").await.unwrap(), 1, "ann alone");
        let left = deployment.offboard("riverside", &folder, "owner").await.unwrap();
        assert!(left.is_done(), "{left:#?}");
        assert_eq!(fs::read_dir(folder.join("patients")).unwrap().count(), 2);
        let late = fs::read_dir(folder.join("patients")).unwrap().map(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
            let mut text = String::new();
            zip.by_name("everything.json").unwrap().read_to_string(&mut text).unwrap();
            text
        });
        assert!(late.into_iter().any(|text| text.contains("late@post.test")), "whole, not what was left");
        world.end().await;
    }
}
