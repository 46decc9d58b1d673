//! What the page says to people, without a browser.

use listwarden::domain::Role;
use listwarden::simulator::mailchimp::SeedMember;
use listwarden::store::AskedBy;

use crate::visitor::Visitor;
use crate::world::{Engine, World, on_both_engines};

const CLINIC: &str = "/clinics/riverside";

/// Reads both sides whole, as a run does.
async fn runs(world: &World) {
    let config = world.deployment.expect_clinic("riverside").unwrap();
    let mut practice = world.deployment.practice(config).await.unwrap();
    let scope = listwarden::reconcile::Scope { list: None, full: true };
    world.deployment.reconciler().reconcile(&mut practice, &scope).await.unwrap();
}

on_both_engines! {
    async fn the_number_of_those_who_should_not_be_there_leads_to_who_and_why(world: &World) {
        let stranger = SeedMember::subscribed("stranger@post.test".to_owned());
        world.simulator.seed_member(&world.audience, stranger).unwrap();
        runs(world).await;
        let token = world.token(Role::Viewer, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let overview = visitor.gets("/").await.text;
        let held = format!("{CLINIC}/lists/news/held");
        assert!(overview.contains(&format!("<a href=\"{held}\">1 person should not be there")), "{overview}");
        assert!(overview.contains("<span class=\"number\">1</span>"), "one member: {overview}");
        let people = visitor.gets(&held).await.text;
        for said in ["a member whom the clinic never knew", "The clinic never knew this address.", "L22", "No run takes them off"] {
            assert!(people.contains(said), "{said}: {people}");
        }
        assert!(!people.contains("stranger@"));
        let auditor = world.token(Role::Auditor, &[]).await;
        let visitor = Visitor::signed_in(world, 2, &auditor).await;
        let exposed = visitor.gets(&format!("{CLINIC}/exposure?from=&to=")).await.text;
        assert!(exposed.contains("<b>1</b> listed without a basis, <b>1</b> still are"), "{exposed}");
        let asked = visitor.gets(&format!("{CLINIC}/exposure")).await.text;
        assert!(!asked.contains("listed without a basis, <b>"), "nothing is counted before it is asked for: {asked}");
        let before = visitor.gets(&format!("{CLINIC}/exposure?from=&to=2001-01-01T00:00")).await.text;
        assert!(before.contains("<b>0</b> listed without a basis"), "{before}");
    }

    async fn an_act_that_changes_nothing_says_why_and_an_objection_is_on_the_timeline(world: &World) {
        let token = world.token(Role::Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let patient = format!("{CLINIC}/patients/{}", world.riverside.patient);
        let told = [("evidence", "call of today"), ("at", "")];
        let said = visitor.posts(&format!("{patient}/unrestrict"), &told).await;
        assert_eq!(said.leads_to(), format!("{patient}?said=not_restricted"));
        let page = visitor.gets(said.leads_to()).await.text;
        assert!(page.contains("It changes nothing: no restriction was taken down here."), "{page}");
        let said = visitor.posts(&format!("{patient}/object"), &told).await;
        assert_eq!(said.leads_to(), format!("{patient}?said=taken"));
        let timeline = format!("{CLINIC}/contacts/{}/ledger", world.riverside.contact);
        let timeline = visitor.gets(&timeline).await.text;
        for said in ["Objected to direct marketing", "call of today; taken down by token owner of the test"] {
            assert!(timeline.contains(said), "{said}: {timeline}");
        }
    }

    async fn an_address_that_nobody_has_is_said_to_be_kept_off(world: &World) {
        let token = world.token(Role::Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let who = [("who", "zed@post.test")];
        let find = format!("{CLINIC}/person");
        assert!(visitor.posts(&find, &who).await.text.contains("know anybody by that"));
        let wanted = serde_json::json!({ "address": "zed@post.test", "kind": "objected", "reason": "by letter" });
        let path = "/api/v1/clinics/riverside/suppressions";
        assert_eq!(world.post(path, &token, wanted).await.status, 200);
        let page = visitor.posts(&find, &who).await.text;
        assert!(page.contains("objected to direct marketing since"), "{page}");
        assert!(!page.contains("zed@"));
    }

    async fn what_is_refused_leads_back_and_says_what_is_wrong(world: &World) {
        let token = world.token(Role::Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let patient = format!("{CLINIC}/patients/{}", world.riverside.patient);
        let mistyped = [("reason", "letter of 3 March"), ("confirm", "oak")];
        let said = visitor.posts(&format!("{patient}/erase"), &mistyped).await;
        assert_eq!(said.status, 400);
        assert!(said.text.contains(&format!("href=\"{patient}\"")), "{}", said.text);
        let said = visitor.posts(&format!("{patient}/erase"), &[("reason", "letter of 3 March")]).await;
        assert!(said.status == 400 && said.text.contains("`confirm` is missing"), "{}", said.text);
        let named = [("evidence", "Ann Lee called"), ("at", "")];
        let said = visitor.posts(&format!("{patient}/object"), &named).await;
        assert!(said.status == 400 && said.text.contains("names the patient"), "{}", said.text);
        let plan = format!("{CLINIC}/plans/{}", world.riverside.run);
        let said = visitor.posts(&format!("{plan}/approve"), &[("hours", "0")]).await;
        let back = format!("href=\"{CLINIC}/runs/{}\"", world.riverside.run);
        assert!(said.status == 400 && said.text.contains(&back), "{}", said.text);
        let long = "x".repeat(70_000);
        let said = visitor.posts(&format!("{patient}/erase"), &[("reason", &long)]).await;
        assert_eq!(said.status, 413);
    }

    async fn a_refused_plan_is_said_to_have_been_refused_by_whom_and_why(world: &World) {
        let token = world.token(Role::Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let list = format!("{CLINIC}/lists/news");
        assert!(!visitor.gets(&list).await.text.contains("was refused on"));
        let refuse = format!("{CLINIC}/plans/{}/refuse", world.riverside.run);
        let said = visitor.posts(&refuse, &[("reason", "not what we want")]).await;
        assert_eq!(said.status, 303, "{}", said.text);
        let page = visitor.gets(&list).await.text;
        for said in ["was refused on", "by token owner of the test", "not what we want", "proposes the same"] {
            assert!(page.contains(said), "{said}: {page}");
        }
    }

    async fn whoever_was_erased_is_said_to_be_and_nothing_more_is_offered(world: &World) {
        let of = &world.riverside;
        let until = listwarden::clock::Clock::now(&listwarden::clock::SystemClock) + chrono::TimeDelta::hours(1);
        world.store.approve(of.run, until, "test").await.unwrap();
        let token = world.token(Role::Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let patient = format!("{CLINIC}/patients/{}", of.patient);
        let order = AskedBy { by: "desk", reason: "letter of 3 March" };
        world.store.erasure_ask(of.id, of.patient, order).await.unwrap();
        let page = visitor.gets(&patient).await.text;
        assert!(page.contains("is under way") && !page.contains("restriction lifted"), "{page}");
        let order = [("reason", "another letter"), ("confirm", "riverside")];
        let said = visitor.posts(&format!("{patient}/erase"), &order).await;
        assert_eq!(said.leads_to(), format!("{patient}/erasure?said=asked_before"));
        // An answer waits for the providers for some seconds only; asked again, it goes on.
        while world.store.erasure_of(of.id, of.patient).await.unwrap().unwrap().erased_at.is_none() {
            visitor.posts(&format!("{patient}/erase"), &order).await;
        }
        let page = visitor.gets(&patient).await.text;
        assert!(page.contains("The patient was erased on") && !page.contains("Erase this patient"), "{page}");
        let found = visitor.posts(&format!("{CLINIC}/person"), &[("who", "1")]).await;
        let page = if found.status == 303 { visitor.gets(found.leads_to()).await } else { found };
        assert!(page.text.contains("The patient was erased on"), "{}", page.text);
        assert!(page.text.contains("The clinic knew this patient.") && !page.text.contains("never knew"), "{}", page.text);
    }

    async fn the_audit_log_says_each_act_once_in_words(world: &World) {
        let viewer = world.token(Role::Viewer, &[]).await;
        let of = &world.riverside;
        let approve = format!("/api/v1/clinics/riverside/plans/{}/approve", of.run);
        assert_eq!(world.post(&approve, &viewer, serde_json::json!({})).await.status, 403);
        let owner = world.token(Role::Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &owner).await;
        let show = format!("{CLINIC}/contacts/{}/show", of.contact);
        assert_eq!(visitor.posts(&show, &[]).await.status, 200);
        let mistyped = [("reason", "letter of 3 March"), ("confirm", "oak")];
        visitor.posts(&format!("{CLINIC}/patients/{}/erase", of.patient), &mistyped).await;
        let log = visitor.gets(&format!("{CLINIC}/audit")).await.text;
        assert_eq!(log.matches("Shows an address in full.").count(), 1, "{log}");
        assert!(!log.contains("{clinic}"), "{log}");
        assert!(log.contains("is asked for again, for there is no way back"), "why it failed: {log}");
        let refused = log.split("<tr>").find(|row| row.contains("the role is too low")).unwrap();
        assert!(refused.contains(&of.run.to_string()), "about what: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_route_takes_is_answered_as_everything_is() {
    let world = World::new(Engine::Sqlite).await;
    let token = world.token(Role::Viewer, &[]).await;
    for (method, path, status) in
        [("GET", "/api/v1/clinics/%FF/lists", 404), ("POST", "/api/openapi.json", 405)]
    {
        let from = std::net::Ipv4Addr::LOCALHOST;
        let said = world.asks(from, method, path, Some(&token), None).await;
        assert_eq!(said.status, status, "{path}: {said:?}");
        assert_eq!(said.headers["content-type"], "application/problem+json", "{path}");
    }
    let visitor = Visitor::signed_in(&world, 1, &token).await;
    let said = visitor.gets("/?clinic=a&clinic=b").await;
    assert!(said.status == 400 && said.text.contains("Listwarden"), "{said:?}");
    world.end().await;
}
