//! What is done, and that it is on record.

use std::time::Duration;

use listwarden::clock::{Clock, SystemClock};
use listwarden::domain::{Channel, PatientStatus, Role};
use listwarden::simulator::mailchimp::Status;
use listwarden::store::AuditOutcome;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::AsyncWriteExt;

use crate::world::{ADDRESS, Answered, Engine, World, on_both_engines, patient};

/// The lines of one request, as the audit log of its clinic has them, the oldest first.
pub async fn on_record(world: &World, of: &Answered) -> Vec<Value> {
    let auditor = world.token(Role::Auditor, &[]).await;
    let request = of.headers["x-request-id"].to_str().unwrap();
    let log = world.get("/api/v1/audit?limit=100", &auditor).await.body;
    let lines = log["items"].as_array().unwrap().iter().rev();
    lines.filter(|line| line["request"] == request).cloned().collect()
}

pub fn outcomes(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect()
}

pub async fn ended(world: &World, token: &str, resync: &Value) -> Value {
    let path = format!("/api/v1/clinics/riverside/resyncs/{}", resync.as_str().unwrap());
    for _ in 0..300 {
        let said = world.get(&path, token).await.body;
        if !said["ended_at"].is_null() {
            return said;
        }
        SystemClock.sleep(Duration::from_millis(100)).await;
    }
    panic!("no end in half a minute");
}

on_both_engines! {
    async fn what_is_done_and_what_is_refused_is_on_record_and_no_address_is(world: &World) {
        let viewer = world.token(Role::Viewer, &[]).await;
        let owner = world.token(Role::Owner, &[&world.riverside]).await;
        let path = "/api/v1/clinics/riverside/suppressions";
        let wanted = json!({ "address": ADDRESS, "kind": "objected", "reason": "asked by letter" });
        let refused = world.post(path, &viewer, wanted.clone()).await;
        assert_eq!(outcomes(&on_record(world, &refused).await), ["refused"]);
        let done = world.post(path, &owner, wanted).await;
        assert_eq!(done.status, 200, "{done:?}");
        let lines = on_record(world, &done).await;
        assert_eq!(outcomes(&lines), ["begun", "done"]);
        assert_eq!(lines[1]["reason"], "asked by letter");
        assert_eq!(lines[1]["who"], "owner of the test");
        let failed = world.post(path, &owner, json!({ "address": ADDRESS })).await;
        assert_eq!(failed.status, 400);
        assert_eq!(outcomes(&on_record(world, &failed).await), ["begun", "failed"]);
        let typed = world.get(&format!("/api/v1/clinics/riverside/contacts/{ADDRESS}"), &owner).await;
        assert_eq!(typed.status, 404);
        let auditor = world.token(Role::Auditor, &[]).await;
        let log = world.get("/api/v1/audit?limit=500", &auditor).await.body.to_string();
        assert!(!log.contains(ADDRESS), "{log}");
        assert_eq!(world.store.audit_verify().await.unwrap().first_bad, None);
    }

    async fn a_line_of_the_audit_log_says_what_was_done(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let path = |rest: &str| format!("/api/v1/clinics/riverside/{rest}");
        let stranger = json!({ "address": "stranger@post.test", "kind": "objected", "reason": "by letter" });
        let contact = world.riverside.contact.to_string();
        let known = json!({ "address": ADDRESS, "kind": "withdrawn", "reason": "by letter" });
        for (rest, body, subject) in [
            ("acceptances", json!({ "what": { "members": "news" }, "hours": 2 }), "members of news, until 20"),
            ("acceptances", json!({ "what": "source" }), "source, until 20"),
            ("suppressions", known, &format!("{contact}, withdrawn")),
            ("resyncs", json!({ "full": true }), "every list, read whole"),
            ("lists/news/resyncs", json!({}), "news"),
        ] {
            let said = world.post(&path(rest), &owner, body).await;
            let told = on_record(world, &said).await[1]["subject"].as_str().unwrap().to_owned();
            assert!(told.starts_with(subject), "{rest}: {told}");
        }
        let said = world.post(&path("suppressions"), &owner, stranger).await;
        let told = on_record(world, &said).await[1]["subject"].clone();
        let marks = world.get(&path("suppressions"), &owner).await.body;
        let marks = marks["items"].as_array().unwrap().iter();
        let marks: Vec<_> = marks.map(|row| format!("{}, objected", row["mark"].as_str().unwrap())).collect();
        assert!(marks.iter().any(|mark| told == json!(mark)), "{told} is none of {marks:?}");
    }

    async fn a_reason_that_names_somebody_is_refused(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let path = "/api/v1/clinics/riverside/suppressions";
        let wanted = json!({ "address": ADDRESS, "kind": "withdrawn", "reason": format!("{ADDRESS} asked") });
        let said = world.post(path, &owner, wanted).await;
        assert_eq!(said.status, 400);
        assert!(!said.body.to_string().contains(ADDRESS));
    }

    async fn a_plan_is_approved_and_a_resync_does_it(world: &World) {
        let operator = world.token(Role::Operator, &[&world.riverside]).await;
        let waiting = world.get("/api/v1/clinics/riverside/plans", &operator).await.body;
        let run = waiting[0]["run"].as_str().unwrap().to_owned();
        let approve = format!("/api/v1/clinics/riverside/plans/{run}/approve");
        let said = world.post(&approve, &operator, json!({})).await;
        assert_eq!(said.status, 200, "{said:?}");
        let lines = on_record(world, &said).await;
        assert_eq!((lines[0]["subject"].as_str(), lines[1]["outcome"].as_str()), (Some(&*run), Some("done")));
        let said = lines[1]["subject"].as_str().unwrap();
        assert!(said.starts_with(&format!("{run}, until 20")), "{said}");
        let asked = world.post("/api/v1/clinics/riverside/resyncs", &operator, json!({ "full": true })).await;
        assert_eq!(asked.status, 202);
        let resync = ended(world, &operator, &asked.body["resync"]).await;
        assert_eq!(world.simulator.member(&world.audience, "ann2@post.test").unwrap().status, Status::Pending);
        assert!(!resync["runs"].as_array().unwrap().is_empty(), "{resync}");
        let list = world.get("/api/v1/clinics/riverside/lists/news", &operator).await.body;
        assert_eq!(list["plan"], Value::Null, "{list}");
        assert_eq!(list["last_run"]["run"], resync["runs"].as_array().unwrap().last().unwrap()["run"]);
    }

    async fn a_resync_pressed_twice_is_one(world: &World) {
        let clinic = world.riverside.id;
        let lease = world.store.clinics().await.unwrap().len();
        assert_eq!(lease, 2);
        let one = world.store.resync_ask(clinic, Some("other"), false).await.unwrap();
        assert_eq!(world.store.resync_ask(clinic, Some("other"), true).await.unwrap(), one);
    }

    async fn a_patient_archived_in_the_clinic_leaves_by_a_resync(world: &World) {
        let operator = world.token(Role::Operator, &[]).await;
        let run = world.riverside.run;
        let path = format!("/api/v1/clinics/riverside/plans/{run}/approve");
        world.post(&path, &operator, json!({})).await;
        let path = "/api/v1/clinics/riverside/lists/news/resyncs";
        let asked = world.post(path, &operator, json!({ "full": true })).await;
        ended(world, &operator, &asked.body["resync"]).await;
        let config = world.deployment.expect_clinic("riverside").unwrap();
        let records = world.deployment.reference(config).unwrap().unwrap();
        let mut archived = patient(2);
        (archived.status, archived.updated_at) = (PatientStatus::Archived, SystemClock.now());
        records.upsert(&[archived]).await.unwrap();
        let asked = world.post(path, &operator, json!({ "full": true })).await;
        ended(world, &operator, &asked.body["resync"]).await;
        let left = world.simulator.member(&world.audience, "ann2@post.test").unwrap().status;
        assert_eq!(left, Status::Archived);
    }

    async fn an_opt_out_by_hand_is_followed_at_once(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let approve = format!("/api/v1/clinics/riverside/plans/{}/approve", world.riverside.run);
        assert_eq!(world.post(&approve, &owner, json!({})).await.status, 200);
        world.resyncs(&owner).await;
        let who = "ann2@post.test";
        let there = || world.simulator.member(&world.audience, who).unwrap().status;
        assert_eq!(there(), Status::Pending);
        let path = "/api/v1/clinics/riverside/suppressions";
        let wanted = json!({ "address": who, "kind": "objected", "reason": "asked in person" });
        let said = world.post(path, &owner, wanted).await;
        assert_eq!((said.status, &said.body["left"]), (200, &json!(false)), "{said:?}");
        assert_eq!(there(), Status::Unsubscribed);
    }

    async fn whoever_asks_after_an_objection_of_a_stranger_is_told_of_it(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let path = |rest: &str| format!("/api/v1/clinics/riverside/{rest}");
        let stranger = "stranger@post.test";
        assert_eq!(world.post(&path("explain"), &owner, json!({ "who": stranger })).await.status, 404);
        let wanted = json!({ "address": stranger, "kind": "objected", "reason": "by letter" });
        assert_eq!(world.post(&path("suppressions"), &owner, wanted).await.status, 200);
        let known = world.post(&path("explain"), &owner, json!({ "who": stranger })).await;
        assert_eq!((known.status, &known.body["contacts"]), (200, &json!([])));
        let marks = world.get(&path("suppressions"), &owner).await.body;
        let kept = &known.body["kept_off"][0];
        assert_eq!((&kept["kind"], &kept["mark"]), (&json!("objected"), &marks["items"][0]["mark"]));
        let approve = format!("plans/{}/approve", world.riverside.run);
        assert_eq!(world.post(&path(&approve), &owner, json!({})).await.status, 200);
        let asked = json!({ "list": "news", "addresses": [stranger, "nobody@post.test"] });
        let said = world.post(&path("check"), &owner, asked).await.body;
        assert_eq!((&said["answers"][0]["law"], &said["answers"][0]["since"]), (&json!("L11"), &kept["since"]));
        assert_eq!((&said["answers"][1]["law"], &said["answers"][1]["since"]), (&json!("L22"), &Value::Null));
    }

    async fn an_opt_out_by_hand_is_lifted_by_newer_evidence_alone(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let asked = SystemClock.now() - Duration::from_hours(1);
        let path = "/api/v1/clinics/riverside/suppressions";
        let wanted = json!({ "address": ADDRESS, "kind": "objected", "reason": "asked in person" });
        assert_eq!(world.post(path, &owner, wanted).await.status, 200);
        let lift = |at| json!({
            "address": ADDRESS, "patient": "1", "method": "on paper", "wording": "v3",
            "at": at, "reason": "asked anew in person",
        });
        let path = "/api/v1/clinics/riverside/suppressions/lift";
        assert_eq!(world.post(path, &owner, lift(asked)).await.status, 409);
        let later = SystemClock.now() + Duration::from_hours(1);
        assert_eq!(world.post(path, &owner, lift(later)).await.status, 409);
        SystemClock.sleep(Duration::from_millis(5)).await;
        let said = world.post(path, &owner, lift(SystemClock.now())).await;
        assert_eq!(said.status, 200, "{said:?}");
    }

    async fn an_address_is_masked_until_somebody_reveals_it_on_record(world: &World) {
        let operator = world.token(Role::Operator, &[]).await;
        let who = json!({ "who": ADDRESS });
        let said = world.post("/api/v1/clinics/riverside/explain", &operator, who).await;
        assert_eq!(said.status, 200, "{said:?}");
        assert!(!said.body.to_string().contains(ADDRESS));
        assert!(!said.body["lists"][0]["reasons"].as_array().unwrap().is_empty());
        let contact = said.body["contacts"][0].as_str().unwrap();
        let path = format!("/api/v1/clinics/riverside/contacts/{contact}");
        let said = world.get(&path, &operator).await;
        assert_eq!(said.body["address"], ADDRESS);
        assert_eq!(said.body["channel"], Channel::Email.word());
        let lines = on_record(world, &said).await;
        assert_eq!(outcomes(&lines), ["begun", "done"]);
        assert_eq!(lines[0]["subject"], contact);
    }

    async fn a_removal_is_not_dismissed(world: &World) {
        let names = &world.riverside;
        let minute = Duration::from_mins(1);
        let lease = world.store.lease_acquire("x", SystemClock.id(), minute).await.unwrap().unwrap();
        let park = listwarden::store::Park { reason: "refused".to_owned(), next_try: SystemClock.now() };
        let parks = [(names.link, listwarden::domain::Verb::Archive, park)];
        world.store.parked_put(&lease, names.id, &parks).await.unwrap();
        let operator = world.token(Role::Operator, &[]).await;
        let path = format!("/api/v1/clinics/riverside/parked/{}/dismiss", names.link);
        let said = world.post(&path, &operator, json!({ "reason": "never mind" })).await;
        assert_eq!(said.status, 404);
        let listed = world.get("/api/v1/clinics/riverside/parked", &operator).await.body;
        assert_eq!(listed["items"][0]["verb"], "archive");
    }

    async fn ten_thousand_addresses_are_checked_and_one_more_is_not(world: &World) {
        let viewer = world.token(Role::Viewer, &[]).await;
        let path = "/api/v1/clinics/riverside/check";
        let many: Vec<String> = (0..10_000).map(|n| format!("ann{n}@post.test")).collect();
        let said = world.post(path, &viewer, json!({ "list": "news", "addresses": many })).await;
        assert_eq!(said.status, 200, "{:?}", said.body["detail"]);
        assert_eq!(said.body["answers"].as_array().unwrap().len(), 10_000);
        assert!(!said.body.to_string().contains("post.test"));
        let more: Vec<&str> = vec![ADDRESS; 10_001];
        let said = world.post(path, &viewer, json!({ "list": "news", "addresses": more })).await;
        assert_eq!(said.status, 400);
    }

    async fn a_thousand_runs_are_paged_each_once(world: &World) {
        let clinic = world.riverside.id;
        let list = world.store.list_ensure(clinic, "news", Channel::Email).await.unwrap();
        for _ in 0..1_000 {
            world.store.run_begin(&list, "reconcile").await.unwrap();
        }
        let viewer = world.token(Role::Viewer, &[]).await;
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/clinics/riverside/runs?limit=300&list=news{cursor}");
            let page = world.get(&path, &viewer).await.body;
            let runs = page["items"].as_array().unwrap().iter();
            seen.extend(runs.map(|run| run["run"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert!(seen.len() > 1_000, "{}", seen.len());
        assert!(seen.windows(2).all(|two| two[0] > two[1]), "the newest first, each once");
        let bad = world.get("/api/v1/clinics/riverside/runs?cursor=bm9uZQ", &viewer).await;
        assert_eq!(bad.status, 400);
    }

    async fn a_run_under_way_is_watched_until_it_ends(world: &World) {
        let clinic = world.riverside.id;
        let list = world.store.list_ensure(clinic, "news", Channel::Email).await.unwrap();
        let run = world.store.run_begin(&list, "reconcile").await.unwrap();
        let viewer = world.token(Role::Viewer, &[]).await;
        let path = format!("/api/v1/clinics/riverside/runs/{run}/events");
        let mut watched = world.watches(&path, &viewer).await;
        let first = watched.chunk().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&first).contains("\"outcome\":null"), "{first:?}");
        world.store.run_end(run, "in_step", "{}").await.unwrap();
        let rest = watched.text().await.unwrap();
        assert!(rest.contains("\"outcome\":\"in_step\""), "{rest}");
    }

    async fn whoever_is_revoked_watches_no_longer(world: &World) {
        let list = world.store.list_ensure(world.riverside.id, "news", Channel::Email).await.unwrap();
        let run = world.store.run_begin(&list, "reconcile").await.unwrap();
        let (id, viewer) = world.token_until(Role::Viewer, &[], None).await;
        let path = format!("/api/v1/clinics/riverside/runs/{run}/events");
        let mut watched = world.watches(&path, &viewer).await;
        assert!(watched.chunk().await.unwrap().is_some());
        world.store.token_revoke(id).await.unwrap();
        let rest = watched.text().await.unwrap();
        assert!(rest.contains("event: problem") && rest.contains("401"), "{rest}");
    }

    async fn suppressions_are_paged_each_once_and_no_page_tells_a_hash(world: &World) {
        let owner = world.token(Role::Owner, &[]).await;
        let path = "/api/v1/clinics/riverside/suppressions";
        for n in 0..5 {
            for kind in ["withdrawn", "objected"] {
                let address = format!("stranger{n}@post.test");
                let wanted = json!({ "address": address, "kind": kind, "reason": "by letter" });
                assert_eq!(world.post(path, &owner, wanted).await.status, 200);
            }
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{path}?limit=3{cursor}"), &owner).await.body;
            seen.extend(page["items"].as_array().unwrap().iter().map(|row| format!("{} {}", row["mark"], row["kind"])));
            let Some(next) = page["next"].as_str() else { break };
            assert!(next.len() < 64, "no whole hash: {next}");
            cursor = format!("&cursor={next}");
        }
        let once: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!((seen.len(), once.len()), (10, 10), "{seen:?}");
    }

    async fn what_awaits_a_look_is_paged(world: &World) {
        let viewer = world.token(Role::Viewer, &[]).await;
        let page = world.get("/api/v1/clinics/riverside/reviews?limit=1", &viewer).await.body;
        assert_eq!(page["items"][0]["id"], json!(world.riverside.review));
        assert_eq!(page["next"], Value::Null);
    }

    async fn a_run_is_watched_to_its_end(world: &World) {
        let viewer = world.token(Role::Viewer, &[]).await;
        let path = format!("/api/v1/clinics/riverside/runs/{}/events", world.riverside.run);
        let said = world.get(&path, &viewer).await;
        assert_eq!(said.headers["content-type"], "text/event-stream");
        let text = said.body.as_str().unwrap();
        assert!(text.contains("event: progress") && text.contains("waiting"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_stops_nothing_half_way() {
    let world = World::new(Engine::Postgres).await;
    let token = world.token(Role::Operator, &[]).await;
    let config = &world.deployment.config;
    let url = config.store.resolve(&config.secrets, None).unwrap();
    let mut other = sqlx::PgConnection::connect(url.expose_secret()).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE resyncs").execute(&mut other).await.unwrap();
    let host = world.url("").replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let request = format!(
        "POST /api/v1/clinics/riverside/resyncs HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(outcome(&world, 1).await, AuditOutcome::Begun);
    drop(stream);
    // As long as it takes to be noticed.
    SystemClock.sleep(Duration::from_millis(500)).await;
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(outcome(&world, 2).await, AuditOutcome::Done);
    other.close().await.unwrap();
    world.end().await;
}

/// Waits for the audit log's line of that number.
async fn outcome(world: &World, line: i64) -> AuditOutcome {
    for _ in 0..200 {
        let newest = world.store.audit_page(None, line + 1, 1).await.unwrap();
        if let Some(found) = newest.first().filter(|found| found.seq == line) {
            return found.outcome;
        }
        SystemClock.sleep(Duration::from_millis(50)).await;
    }
    panic!("no line {line}");
}
