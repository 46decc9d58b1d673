//! What patients may ask for, by the API.

use std::io::{Cursor, Read};
use std::time::Duration;

use listwarden::clock::{Clock, SystemClock};
use listwarden::domain::Role;
use listwarden::simulator::mailchimp::{SeedMember, Status};
use serde_json::{Value, json};

use crate::acts::{ended, on_record, outcomes};
use crate::world::{ADDRESS, Engine, World, on_both_engines};

impl World {
    fn of_patient(&self, what: &str) -> String {
        format!("/api/v1/clinics/riverside/patients/{}/{what}", self.riverside.patient)
    }

    /// Has the clinic's lists read again, and waits for it.
    pub async fn resyncs(&self, token: &str) {
        let path = "/api/v1/clinics/riverside/resyncs";
        let asked = self.post(path, token, json!({ "full": true })).await;
        ended(self, token, &asked.body["resync"]).await;
    }

    async fn reasons(&self, token: &str, who: &str) -> String {
        let path = "/api/v1/clinics/riverside/explain";
        self.post(path, token, json!({ "who": who })).await.body["lists"][0]["reasons"].to_string()
    }
}

on_both_engines! {
    async fn everything_held_of_a_patient_is_put_into_a_file_for_auditors_and_owners(world: &World) {
        let auditor = world.token(Role::Auditor, &[&world.riverside]).await;
        let path = "/api/v1/clinics/riverside/explain";
        let known = world.post(path, &auditor, json!({ "who": "1" })).await.body;
        assert_eq!(known["patients"], json!([world.riverside.patient]));
        let by_address = world.post(path, &auditor, json!({ "who": ADDRESS })).await.body;
        assert_eq!(by_address["patients"], known["patients"]);
        let answer = world.watches(&world.of_patient("export"), &auditor).await;
        assert_eq!(answer.headers()["content-type"], "application/zip");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let named = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(named.contains(&world.riverside.patient.to_string()), "{named}");
        let mut zip = zip::ZipArchive::new(Cursor::new(answer.bytes().await.unwrap())).unwrap();
        let mut text = String::new();
        zip.by_name("everything.json").unwrap().read_to_string(&mut text).unwrap();
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(all["addresses"][0]["address"], ADDRESS);
        let log = world.get("/api/v1/clinics/riverside/audit?limit=9", &auditor).await.body;
        let lines = log["items"].as_array().unwrap();
        let export = lines.iter().find(|line| line["what"].as_str().unwrap().ends_with("/export"));
        assert_eq!(export.unwrap()["subject"], json!(world.riverside.patient));
    }

    async fn an_erasure_asks_for_the_clinics_name_and_is_asked_for_again_until_it_is_done(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        world.simulator.seed_member(&world.audience, SeedMember::subscribed(ADDRESS.to_owned())).unwrap();
        world.resyncs(&owner).await;
        let path = world.of_patient("erase");
        let order = |confirm: &str| json!({ "reason": "letter of 3 March", "confirm": confirm });
        let mistyped = world.post(&path, &owner, order("Riverside Practice")).await;
        assert_eq!(mistyped.status, 400);
        assert_eq!(outcomes(&on_record(world, &mistyped).await), ["begun", "failed"]);
        assert_eq!(world.get(&world.of_patient("erasure"), &owner).await.status, 404);
        let said = world.post(&path, &owner, order("riverside")).await;
        assert_eq!(said.status, 202, "{said:?}");
        assert_eq!(said.body["lists"][0]["state"], "waits_for_approval", "{said:?}");
        let lines = on_record(world, &said).await;
        assert_eq!(outcomes(&lines), ["begun", "done"]);
        assert_eq!(lines[1]["reason"], "letter of 3 March");
        assert_eq!(lines[1]["subject"], json!(world.riverside.patient));
        let plans = world.get("/api/v1/clinics/riverside/plans", &owner).await.body;
        let run = plans[0]["run"].as_str().unwrap().to_owned();
        let approve = format!("/api/v1/clinics/riverside/plans/{run}/approve");
        assert_eq!(world.post(&approve, &owner, json!({})).await.status, 200);
        let said = world.post(&path, &owner, order("riverside")).await;
        assert_eq!((said.status, &said.body["done"]), (200, &json!(true)), "{said:?}");
        assert_eq!(said.body["lists"][0]["state"], "erased");
        assert!(world.simulator.member(&world.audience, ADDRESS).is_none());
        let auditor = world.token(Role::Auditor, &[]).await;
        let receipt = world.get(&world.of_patient("erasure"), &auditor).await;
        assert_eq!((receipt.status, &receipt.body), (200, &said.body));
        assert!(!receipt.body.to_string().contains(ADDRESS));
        let viewer = world.token(Role::Viewer, &[]).await;
        let asked = json!({ "list": "news", "addresses": [ADDRESS] });
        for (token, told) in [(&auditor, "erased"), (&viewer, "suppression list")] {
            let said = world.post("/api/v1/clinics/riverside/check", token, asked.clone()).await;
            let answer = &said.body["answers"][0];
            assert!(answer["reason"].as_str().unwrap().contains(told), "{said:?}");
            let path = "/api/v1/clinics/riverside/explain";
            let known = world.post(path, token, json!({ "who": ADDRESS })).await;
            assert_eq!(known.status, 200, "{known:?}");
            let kind = (told == "erased").then_some(told);
            assert_eq!(known.body["kept_off"][0]["kind"], json!(kind), "{known:?}");
            let known = world.post(path, token, json!({ "who": "1" })).await;
            let erased = known.body["erased"].as_array().map_or(0, Vec::len);
            assert_eq!(erased, kind.iter().count(), "{known:?}");
        }
        let again = json!({ "reason": "another letter", "confirm": "riverside" });
        let said = world.post(&path, &owner, again).await;
        assert_eq!(said.body["reason"], "letter of 3 March");
        assert!(said.body["note"].as_str().unwrap().contains("asked for before"), "{said:?}");
        let refused = world.post(&world.of_patient("erase/refuse"), &owner, json!({ "reason": "an open claim" })).await;
        assert_eq!(refused.status, 409);
    }

    async fn a_refused_erasure_objects_and_restricts_and_says_why(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let path = world.of_patient("erase/refuse");
        let said = world.post(&path, &owner, json!({ "reason": "an invoice must be kept" })).await;
        assert_eq!((said.status, said.body["events"].as_array().unwrap().len()), (200, 2), "{said:?}");
        let reasons = world.reasons(&owner, ADDRESS).await;
        assert!(reasons.contains("objected") && reasons.contains("restricted"), "{reasons}");
        let path = format!("/api/v1/clinics/riverside/contacts/{}/ledger", world.riverside.contact);
        let ledger = world.get(&path, &owner).await.body.to_string();
        assert!(ledger.contains("erasure refused: an invoice must be kept"), "{ledger}");
        assert_eq!(outcomes(&on_record(world, &said).await), ["begun", "done"]);
    }

    async fn what_a_patient_told_is_taken_down_and_the_list_follows_at_once(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let who = "ann2@post.test";
        let explained = world.post("/api/v1/clinics/riverside/explain", &owner, json!({ "who": "2" })).await.body;
        let patient = explained["patients"][0].as_str().unwrap().to_owned();
        let path = |what: &str| format!("/api/v1/clinics/riverside/patients/{patient}/{what}");
        let run = world.riverside.run;
        let approve = format!("/api/v1/clinics/riverside/plans/{run}/approve");
        assert_eq!(world.post(&approve, &owner, json!({})).await.status, 200);
        world.resyncs(&owner).await;
        assert_eq!(world.simulator.member(&world.audience, who).unwrap().status, Status::Pending);
        let told = json!({ "evidence": "call of 3 March" });
        let said = world.post(&path("restrict"), &owner, told.clone()).await;
        assert_eq!((said.status, &said.body["left"]), (200, &json!(false)), "{said:?}");
        assert_eq!(world.simulator.member(&world.audience, who).unwrap().status, Status::Archived);
        assert_eq!(on_record(world, &said).await[1]["reason"], "call of 3 March");
        assert_eq!(said.body["effect"], "follows");
        let said = world.post(&path("unrestrict"), &owner, told.clone()).await;
        assert_eq!(said.status, 200);
        let said = world.post(&path("unrestrict"), &owner, told.clone()).await;
        assert_eq!((said.status, said.body["effect"].as_str()), (200, Some("none")));
        assert!(said.body["why"].as_str().unwrap().contains("no restriction"), "{said:?}");
        let rather_not = json!({ "channel": "email", "not": true, "evidence": "call of 3 March" });
        assert_eq!(world.post(&path("prefer"), &owner, rather_not).await.status, 200);
        assert!(world.reasons(&owner, who).await.contains("withdrawn"));
        assert_eq!(world.post(&path("object"), &owner, told).await.status, 200);
        assert!(world.reasons(&owner, who).await.contains("objected"));
    }

    async fn evidence_that_holds_an_address_or_lies_in_the_future_is_not_taken(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let path = world.of_patient("object");
        for evidence in ["wrote from ann1@post.test", "called from +44 20 7946 0958", "Lee, Ann, asked", " "] {
            let said = world.post(&path, &owner, json!({ "evidence": evidence })).await;
            assert_eq!(said.status, 400, "{evidence}");
            assert!(!said.body.to_string().contains("ann1"));
        }
        let later = SystemClock.now() + Duration::from_hours(1);
        let said = world.post(&path, &owner, json!({ "evidence": "a letter", "at": later })).await;
        assert_eq!(said.status, 400);
        assert!(!world.reasons(&owner, ADDRESS).await.contains("objected"));
    }

    async fn who_was_exposed_is_told_to_auditors(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let stranger = SeedMember::subscribed("stranger@post.test".to_owned());
        world.simulator.seed_member(&world.audience, stranger).unwrap();
        world.resyncs(&owner).await;
        let auditor = world.token(Role::Auditor, &[&world.riverside]).await;
        let path = "/api/v1/clinics/riverside/exposure";
        let said = world.get(path, &auditor).await;
        assert_eq!((said.status, &said.body[0]["list"], &said.body[0]["exposed"]), (200, &json!("news"), &json!(1)), "{said:?}");
        assert_eq!(said.body[0]["people"], Value::Null, "nobody is named unless that is asked for");
        let named = world.get(&format!("{path}?people=true&list=news"), &auditor).await.body;
        assert_eq!(named[0]["people"].as_array().unwrap().len(), 1);
        let before = world.get(&format!("{path}?to=2001-01-01T00:00:00Z"), &auditor).await.body;
        assert_eq!(before[0]["exposed"], json!(0), "{before}");
        assert_eq!(world.get(&format!("{path}?from=yesterday"), &auditor).await.status, 400);
        assert_eq!(world.get(&format!("{path}?list=tips"), &auditor).await.status, 404);
    }
}
