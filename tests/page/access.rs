//! Who may, over real HTTP: each route of the page in one table, with its least role.

use listwarden::domain::Role;
use listwarden::http::admin::page::routes;
use listwarden::store::AuditOutcome;
use reqwest::header::SET_COOKIE;

use crate::table::{ALL, AUDIT, OPERATE, Table, assert_for_the_row, assert_whole};
use crate::visitor::Visitor;
use crate::world::{ADDRESS, Engine, World, on_both_engines};

use Role::{Auditor, Operator, Owner, Viewer};

/// Every route, and the roles that may.
const TABLE: &Table = &[
    ("GET", "/", ALL),
    ("GET", "/clinics/{clinic}", ALL),
    ("GET", "/clinics/{clinic}/lists/{list}", ALL),
    ("GET", "/clinics/{clinic}/lists/{list}/held", ALL),
    ("GET", "/clinics/{clinic}/exposure", AUDIT),
    ("GET", "/clinics/{clinic}/runs", ALL),
    ("GET", "/clinics/{clinic}/runs/{run}", ALL),
    ("GET", "/clinics/{clinic}/runs/{run}/events", ALL),
    ("GET", "/clinics/{clinic}/resyncs/{resync}", ALL),
    ("GET", "/clinics/{clinic}/person", ALL),
    ("POST", "/clinics/{clinic}/person", ALL),
    ("GET", "/clinics/{clinic}/contacts/{contact}", ALL),
    ("POST", "/clinics/{clinic}/contacts/{contact}/show", &[Operator, Auditor, Owner]),
    ("GET", "/clinics/{clinic}/contacts/{contact}/ledger", AUDIT),
    ("GET", "/clinics/{clinic}/parked", ALL),
    ("GET", "/clinics/{clinic}/webhooks", ALL),
    ("GET", "/clinics/{clinic}/audit", AUDIT),
    ("GET", "/audit", AUDIT),
    ("GET", "/clinics/{clinic}/settings", ALL),
    ("POST", "/clinics/{clinic}/plans/{run}/approve", OPERATE),
    ("POST", "/clinics/{clinic}/plans/{run}/refuse", OPERATE),
    ("POST", "/clinics/{clinic}/acceptances", OPERATE),
    ("POST", "/clinics/{clinic}/parked/{link}/retry", OPERATE),
    ("POST", "/clinics/{clinic}/parked/{link}/dismiss", OPERATE),
    ("POST", "/clinics/{clinic}/reviews/{review}/close", OPERATE),
    ("POST", "/clinics/{clinic}/webhooks/rotate", OPERATE),
    ("GET", "/clinics/{clinic}/patients/{patient}", AUDIT),
    ("POST", "/clinics/{clinic}/patients/{patient}/export", AUDIT),
    ("GET", "/clinics/{clinic}/patients/{patient}/erasure", AUDIT),
    ("POST", "/clinics/{clinic}/contacts/{contact}/suppress", &[Owner]),
    ("POST", "/clinics/{clinic}/contacts/{contact}/lift", &[Owner]),
    ("POST", "/clinics/{clinic}/patients/{patient}/restrict", &[Owner]),
    ("POST", "/clinics/{clinic}/patients/{patient}/unrestrict", &[Owner]),
    ("POST", "/clinics/{clinic}/patients/{patient}/object", &[Owner]),
    ("POST", "/clinics/{clinic}/patients/{patient}/prefer", &[Owner]),
    ("POST", "/clinics/{clinic}/patients/{patient}/erase/refuse", &[Owner]),
    ("POST", "/clinics/{clinic}/patients/{patient}/erase", &[Owner]),
    // Last, because what they set off changes what others name.
    ("POST", "/resyncs", OPERATE),
    ("POST", "/clinics/{clinic}/resyncs", OPERATE),
    ("POST", "/clinics/{clinic}/lists/{list}/resyncs", OPERATE),
    ("POST", "/sign-out", ALL),
];

/// The page at its first load may be as large as this, with all that belongs to it.
const FIRST_LOAD: usize = 60_000;

#[test]
fn the_table_has_every_route_of_the_page_and_no_other() {
    assert_whole(TABLE, &routes());
}

/// What each form sends beside the code of its visit.
fn fields(path: &str) -> Vec<(&'static str, &'static str)> {
    match path.rsplit('/').next().unwrap() {
        "approve" => vec![("hours", "24"), ("reason", "")],
        "refuse" | "dismiss" | "close" => vec![("reason", "not what we want")],
        "acceptances" => vec![("what", "withdrawals")],
        "person" => vec![("who", ADDRESS)],
        "erase" => vec![("reason", "letter of 3 March"), ("confirm", "riverside")],
        "restrict" | "unrestrict" | "object" => vec![("evidence", "call of today"), ("at", "")],
        "prefer" => vec![("way", "not email"), ("purpose", ""), ("evidence", "call of today")],
        "suppress" => vec![("kind", "objected"), ("reason", "asked by letter")],
        "lift" => vec![
            ("patient", "1"),
            ("method", "on paper"),
            ("wording", "v3"),
            ("at", "2026-01-02T09:00"),
            ("reason", "asked anew in person"),
            ("confirm", "riverside"),
        ],
        _ => vec![],
    }
}

on_both_engines! {
    async fn whoever_is_not_signed_in_is_led_to_where_one_does_that_and_may_do_nothing(world: &World) {
        for (row, (method, path, _)) in (1..).zip(TABLE) {
            let url = world.riverside.fill(path, "riverside");
            let said = Visitor::new(world, row).asks(method, &url, &fields(path)).await;
            if *method == "GET" {
                let said = Visitor::new(world, row).asks("HEAD", &url, &[]).await;
                assert_eq!(said.status, 303, "nobody is locked out for looking whether we are there");
                assert_eq!((said.status, said.leads_to()), (303, "/sign-in"), "{path}");
            } else {
                assert_eq!(said.status, 401, "{path}: {said:?}");
            }
        }
    }

    async fn every_route_of_the_page_is_for_the_roles_of_its_row_alone(world: &World) {
        for (role, host) in Role::ALL.iter().zip(1..) {
            let token = world.token(*role, &[]).await;
            let visitor = Visitor::signed_in(world, host, &token).await;
            for (method, path, may) in TABLE {
                let url = world.riverside.fill(path, "riverside");
                let said = visitor.asks(method, &url, &fields(path)).await;
                let what = format!("{role}: {method} {path}: {} {}", said.status, said.text);
                assert_for_the_row(*role, may, path, said.status, &what);
            }
        }
    }

    async fn every_route_of_the_page_is_shut_to_a_token_for_another_clinic(world: &World) {
        let theirs = world.token(Owner, &[&world.oak]).await;
        let visitor = Visitor::signed_in(world, 1, &theirs).await;
        assert!(!visitor.gets("/").await.text.contains("riverside"));
        for (method, path, _) in TABLE.iter().filter(|(_, path, _)| path.contains("{clinic}")) {
            let url = world.riverside.fill(path, "riverside");
            let said = visitor.asks(method, &url, &fields(path)).await;
            assert_eq!(said.status, 404, "{method} {path}");
            assert!(!said.text.contains("riverside"), "{method} {path}");
        }
        assert_eq!(visitor.gets("/audit").await.status, 403);
    }

    async fn every_route_of_the_page_finds_nothing_of_another_clinic_by_its_id(world: &World) {
        let token = world.token(Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        for (method, path, _) in TABLE.iter().filter(|(_, path, _)| path.matches('{').count() > 1) {
            let url = world.oak.fill(path, "riverside");
            let said = visitor.asks(method, &url, &fields(path)).await;
            assert_eq!(said.status, 404, "{method} {path}: {said:?}");
        }
    }

    async fn a_form_that_is_not_of_the_visit_does_nothing_and_is_on_record(world: &World) {
        let token = world.token(Owner, &[]).await;
        let mut visitor = Visitor::signed_in(world, 1, &token).await;
        visitor.form_code = "0".repeat(64);
        for (_, path, _) in TABLE.iter().filter(|(method, ..)| *method == "POST") {
            let url = world.riverside.fill(path, "riverside");
            assert_eq!(visitor.posts(&url, &fields(path)).await.status, 403, "{path}");
            let log = world.store.audit_page(None, i64::MAX, 1).await.unwrap();
            assert_eq!(log[0].outcome, AuditOutcome::Refused);
            assert_eq!(log[0].reason.as_deref(), Some("a form of another page"), "{path}");
        }
        assert_eq!(Visitor::new(world, 2).posts("/sign-in", &[("token", &token)]).await.status, 403);
    }

    async fn a_session_ends_with_its_token_and_is_nobody_elses_to_make(world: &World) {
        let (id, token) = world.token_until(Viewer, &[], None).await;
        let mut visitor = Visitor::new(world, 1);
        let said = visitor.brings(&token).await;
        let cookie = said.cookie().unwrap();
        for needed in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(needed), "{cookie}");
        }
        assert!(said.cookie_lasts(28_800), "{cookie}");
        assert!(!cookie.contains("Secure"), "not over plain HTTP, where it would not be sent back");
        let secret = token.rsplit('_').next().unwrap();
        assert!(!cookie.contains(secret), "the cookie does not hold the token");
        visitor.takes(&said);
        assert_eq!(visitor.gets("/").await.status, 200);
        assert_eq!(visitor.gets("/sign-in").await.leads_to(), "/", "signed in is signed in");
        let good = visitor.cookie.clone().unwrap();
        let other = uuid::Uuid::nil().simple().to_string();
        let mut parts: Vec<&str> = good.split('.').collect();
        parts[3] = "9999999999999";
        let longer = parts.join(".");
        for forged in [longer, good.replace(&id.simple().to_string(), &other), format!("{good}0"), good.replace('.', "")] {
            visitor.cookie = Some(forged);
            assert_eq!(visitor.gets("/").await.leads_to(), "/sign-in");
        }
        visitor.cookie = Some(good);
        world.store.token_revoke(id).await.unwrap();
        let said = visitor.gets("/").await;
        assert_eq!(said.leads_to(), "/sign-in?ended");
        assert!(said.cookie().unwrap().contains("Max-Age=0"));
    }

    async fn behind_tls_the_cookie_is_sent_over_nothing_else(world: &World) {
        let client = reqwest::Client::builder().build().unwrap();
        let answer = client.get(world.url("/sign-in")).header("x-forwarded-proto", "https, http").send().await.unwrap();
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("__Host-listwarden=") && cookie.ends_with("; Secure"), "{cookie}");
    }

    async fn who_brings_bad_tokens_to_sign_in_is_locked_out(world: &World) {
        let good = world.token(Viewer, &[]).await;
        let mut visitor = Visitor::new(world, 1);
        for _ in 0..10 {
            assert_eq!(visitor.brings("lw_guessed").await.status, 401);
        }
        assert_eq!(visitor.brings("lw_guessed").await.status, 429);
        let log = world.store.audit_page(None, i64::MAX, 1).await.unwrap();
        assert_eq!((log[0].what.as_str(), log[0].outcome), ("POST /sign-in", AuditOutcome::Refused));
        assert_eq!(visitor.brings(&good).await.status, 303, "others come from there too");
    }

    async fn signing_in_is_on_record_and_signing_out_ends_it(world: &World) {
        let token = world.token(Viewer, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let log = world.store.audit_page(None, i64::MAX, 1).await.unwrap();
        assert_eq!((log[0].what.as_str(), log[0].who.as_str()), ("POST /sign-in", "viewer of the test"));
        let said = visitor.posts("/sign-out", &[]).await;
        assert_eq!(said.leads_to(), "/sign-in");
        assert!(said.cookie().unwrap().starts_with("listwarden=;"));
    }

    async fn a_page_runs_nothing_that_is_not_its_own_and_its_first_load_is_small(world: &World) {
        let token = world.token(Owner, &[]).await;
        let visitor = Visitor::signed_in(world, 1, &token).await;
        let page = visitor.gets("/").await;
        assert_eq!(page.headers["cache-control"], "no-store", "others may sit down there");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.text.contains("<style") && !page.text.contains(" style="));
        let mut size = page.text.len();
        for part in page.text.split("/assets/").skip(1) {
            let name = part.split('"').next().unwrap();
            let asset = visitor.gets(&format!("/assets/{name}")).await;
            assert_eq!(asset.status, 200);
            assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
            size += asset.text.len();
        }
        assert!(size <= FIRST_LOAD, "{size} bytes");
        let lost = visitor.gets("/assets/0.css").await;
        assert_eq!(lost.status, 404);
    }
}
