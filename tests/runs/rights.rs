//! What a person may ask about their own data: a copy of it, and of nobody else's.

use std::io::{Cursor, Read};

use chrono::TimeDelta;
use listwarden::commands::Deployment;
use listwarden::domain::PatientRecord;
use listwarden::rights::archive::write_new;
use listwarden::rights::{Dossier, Wish};
use listwarden::simulator::mailchimp::Status;
use sha2::{Digest, Sha256};

use crate::on_both_engines;
use crate::world::{Engine, World, email};

impl World {
    async fn dossier(&self, name: &str) -> Option<Dossier> {
        let Deployment { store, .. } = &self.deployment;
        let clinic = self.deployment.clinics().next().unwrap();
        Dossier::gather(store, clinic, name, self.now()).await.unwrap()
    }

    /// The parts of the zip file with everything of somebody, by name.
    async fn export(&self, name: &str) -> Vec<(String, String)> {
        let zipped = self.dossier(name).await.unwrap().zip().unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(zipped)).unwrap();
        (0..zip.len())
            .map(|part| {
                let mut part = zip.by_index(part).unwrap();
                let mut text = String::new();
                part.read_to_string(&mut text).unwrap();
                (part.name().to_owned(), text)
            })
            .collect()
    }
}

fn part<'a>(parts: &'a [(String, String)], name: &str) -> &'a str {
    &parts.iter().find(|(found, _)| found == name).unwrap().1
}

on_both_engines! {
    async fn an_export_holds_what_was_said_done_and_disclosed(world: World) {
        world.listed(&["ann"]).await;
        world.unsubscribes("ann");
        world.runs().await;
        let parts = world.export("ann").await;
        let names: Vec<_> = parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["index.html", "everything.json", "lists.csv", "ledger.csv", "changes.csv"]);
        let all: serde_json::Value = serde_json::from_str(part(&parts, "everything.json")).unwrap();
        assert_eq!(all["patient"]["record"]["given_name"], "Givenann");
        assert_eq!(all["addresses"][0]["address"], "ann@post.test");
        assert_eq!(all["lists"][0]["there"], "unsubscribed");
        assert_eq!(all["lists"][0]["invitation"]["confirmed"], true);
        assert_eq!(all["opt_outs"][0]["kind"], "withdrawn");
        let kinds: Vec<_> = all["ledger"].as_array().unwrap().iter()
            .map(|line| line["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["granted", "confirmed", "withdrawn"]);
        assert_eq!(all["ledger"][0]["wording"], "v3");
        assert_eq!(all["ledger"][0]["evidence"], "taken down by portal");
        let change = &all["changes"][0];
        assert_eq!(change["what"], "invite");
        assert_eq!(change["state"], "acknowledged");
        assert_eq!(change["disclosed"].as_array().unwrap(),
            &["the address", "given name", "family name"]);
        assert!(change["sent_at"].is_string());
        assert_eq!(all["told_clinic"][1]["kind"], "withdrawn");
        assert!(part(&parts, "ledger.csv").contains("taken down by portal"));
        assert!(part(&parts, "index.html").contains("taken down by portal"));
        assert!(part(&parts, "changes.csv").contains("the address; given name; family name"));
        world.end().await;
    }
}

on_both_engines! {
    async fn each_line_of_an_export_can_be_checked_by_anybody(world: World) {
        world.listed(&["ann"]).await;
        let dossier = world.dossier("ann").await.unwrap();
        assert!(!dossier.ledger.is_empty());
        for line in &dossier.ledger {
            let proof = line.proof.as_ref().unwrap();
            let said = Sha256::new().chain_update(&proof.salt).chain_update(&proof.text);
            assert_eq!(hex::encode(said.finalize()), line.commitment);
        }
        let codes = world.store_says("SELECT mac FROM ledger ORDER BY seq").await;
        let told: Vec<_> = dossier.ledger.iter().map(|line| line.code.clone()).collect();
        assert_eq!(told, codes);
        world.end().await;
    }
}

on_both_engines! {
    async fn of_whoever_shares_the_address_an_export_says_nothing_but_that_there_is_somebody(world: World) {
        let ben = PatientRecord {
            source_id: "benjamin".into(),
            email: Some(email("ann")),
            email_consent: world.explicit(),
            ..world.somebody("ben")
        };
        world.enters(ben).await;
        world.listed(&["ann"]).await;
        world.objects("benjamin").await;
        world.runs().await;
        let parts = world.export("ann").await;
        for (name, text) in &parts {
            for theirs in ["Givenben", "Familyben", "benjamin", "telephone"] {
                assert!(!text.contains(theirs), "{name} tells {theirs}");
            }
        }
        let all: serde_json::Value = serde_json::from_str(part(&parts, "everything.json")).unwrap();
        assert_eq!(all["addresses"][0]["shared_with_another_person"], true);
        let whose: Vec<_> = all["ledger"].as_array().unwrap().iter()
            .map(|line| (line["kind"].as_str().unwrap(), line["whose"].as_str().unwrap())).collect();
        assert_eq!(whose, [
            ("granted", "yours"),
            ("confirmed", "shared_address"),
            ("objected", "another_person"),
        ]);
        assert!(part(&parts, "index.html").contains("another person"));
        let me = world.dossier("ann").await.unwrap().patient.id.to_string();
        let other = world.dossier("benjamin").await.unwrap().patient.id.to_string();
        assert!(parts.iter().all(|(_, text)| !text.contains(&other)) && me != other);
        world.end().await;
    }
}

on_both_engines! {
    async fn an_address_that_somebody_else_has_now_is_not_told(world: World) {
        world.listed(&["ann"]).await;
        world.moves("ann", "new").await;
        let heir = PatientRecord { email: Some(email("ann")), ..world.somebody("eve") };
        world.enters(heir).await;
        world.runs().await;
        let dossier = world.dossier("ann").await.unwrap();
        let told: Vec<_> =
            dossier.addresses.iter().map(|a| (a.address.as_deref(), a.held_now)).collect();
        assert_eq!(told, [(None, false), (Some("new@post.test"), true)]);
        world.end().await;
    }
}

on_both_engines! {
    async fn what_a_person_wrote_is_no_markup_in_the_page(world: World) {
        let mut ann = world.somebody("ann");
        ann.given_name = listwarden::domain::Personal::new("<script>alert(1)</script>");
        ann.email_consent = world.explicit();
        ann.email_consent.wording = Some("=1+1".to_owned());
        world.enters(ann).await;
        world.adopts().await;
        world.pass(TimeDelta::hours(1));
        let parts = world.export("ann").await;
        let page = part(&parts, "index.html");
        assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script"));
        assert!(part(&parts, "ledger.csv").contains(",'=1+1,"));
        world.end().await;
    }
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("ann.zip");
    write_new(&path, b"one").unwrap();
    let error = write_new(&path, b"two").unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"one");
}

on_both_engines! {
    async fn of_whoever_had_the_address_before_an_export_tells_neither_what_was_done_nor_why(world: World) {
        let son = PatientRecord {
            birth_date: "2015-05-01".parse().ok(),
            email: Some(email("family")),
            ..world.somebody("son")
        };
        world.enters(son).await;
        world.listed(&["ann"]).await;
        world.has("family", Status::Subscribed);
        world.runs().await;
        world.pass(TimeDelta::days(1));
        world.clinic.archive("son", world.now()).await.unwrap();
        world.runs().await;
        world.pass(TimeDelta::days(1));
        let mother = PatientRecord {
            email: Some(email("family")),
            email_consent: world.explicit(),
            ..world.somebody("mother")
        };
        world.enters(mother).await;
        world.runs().await;
        let sons = part(&world.export("son").await, "changes.csv").lines().count();
        assert!(sons > 1, "he was taken off, and his own copy says so");
        let parts = world.export("mother").await;
        for (name, text) in &parts {
            for told in ["under the age", "archived the patient", "under_age", "Familyson"] {
                assert!(!text.contains(told), "{name} tells {told}");
            }
        }
        let all: serde_json::Value = serde_json::from_str(part(&parts, "everything.json")).unwrap();
        let hers = world.dossier("mother").await.unwrap();
        let since = hers.ledger[0].at.unwrap();
        assert!(hers.changes.iter().all(|change| change.planned_at >= since), "{all:#}");
        assert!(hers.lists.iter().all(|list| list.because.is_none()));
        world.end().await;
    }
}

on_both_engines! {
    async fn a_copy_says_that_processing_is_restricted_by_what_was_taken_down_here(world: World) {
        world.listed(&["ann"]).await;
        world.wishes("ann", Wish::Restrict).await;
        let parts = world.export("ann").await;
        assert!(part(&parts, "index.html").contains("processing is restricted"));
        assert!(part(&parts, "everything.json").contains("\"restricted_since\": \"2026"));
        world.pass(TimeDelta::hours(1));
        world.wishes("ann", Wish::Unrestrict).await;
        let parts = world.export("ann").await;
        assert!(!part(&parts, "index.html").contains("processing is restricted"));
        world.end().await;
    }
}
