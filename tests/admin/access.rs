//! Who may ask: each route in one table, with its least role.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use listwarden::domain::Role;
use listwarden::http::admin::routes;
use serde_json::Value;
use uuid::Uuid;

use crate::table::{ALL, AUDIT, OPERATE, Table, assert_for_the_row, assert_whole};
use crate::world::{Engine, Names, World, body, on_both_engines};

use Role::{Auditor, Operator, Owner, Viewer};

/// Every route, and the roles that may.
const TABLE: &Table = &[
    ("GET", "/me", ALL),
    ("GET", "/clinics", ALL),
    ("GET", "/clinics/{clinic}/lists", ALL),
    ("GET", "/clinics/{clinic}/lists/{list}", ALL),
    ("GET", "/clinics/{clinic}/lists/{list}/held", ALL),
    ("GET", "/clinics/{clinic}/report", AUDIT),
    ("GET", "/clinics/{clinic}/runs", ALL),
    ("GET", "/clinics/{clinic}/runs/{run}", ALL),
    ("GET", "/clinics/{clinic}/runs/{run}/journal", ALL),
    ("GET", "/clinics/{clinic}/runs/{run}/events", ALL),
    ("GET", "/clinics/{clinic}/plans", ALL),
    ("POST", "/clinics/{clinic}/plans/{run}/approve", OPERATE),
    ("POST", "/clinics/{clinic}/plans/{run}/refuse", OPERATE),
    ("POST", "/clinics/{clinic}/acceptances", OPERATE),
    ("GET", "/clinics/{clinic}/resyncs/{resync}", ALL),
    ("POST", "/clinics/{clinic}/explain", ALL),
    ("POST", "/clinics/{clinic}/check", ALL),
    ("GET", "/clinics/{clinic}/contacts/{contact}", &[Operator, Auditor, Owner]),
    ("GET", "/clinics/{clinic}/contacts/{contact}/ledger", AUDIT),
    ("GET", "/clinics/{clinic}/suppressions", ALL),
    ("POST", "/clinics/{clinic}/suppressions", &[Owner]),
    ("POST", "/clinics/{clinic}/suppressions/lift", &[Owner]),
    ("GET", "/clinics/{clinic}/parked", ALL),
    ("POST", "/clinics/{clinic}/parked/{link}/retry", OPERATE),
    ("POST", "/clinics/{clinic}/parked/{link}/dismiss", OPERATE),
    ("GET", "/clinics/{clinic}/reviews", ALL),
    ("POST", "/clinics/{clinic}/reviews/{review}/close", OPERATE),
    ("GET", "/clinics/{clinic}/webhooks", ALL),
    ("POST", "/clinics/{clinic}/webhooks/rotate", OPERATE),
    ("GET", "/audit", AUDIT),
    ("GET", "/clinics/{clinic}/audit", AUDIT),
    ("GET", "/clinics/{clinic}/exposure", AUDIT),
    ("GET", "/clinics/{clinic}/patients/{patient}/export", AUDIT),
    ("GET", "/clinics/{clinic}/patients/{patient}/erasure", AUDIT),
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
];

#[test]
fn the_table_has_every_route_and_no_other() {
    assert_whole(TABLE, &routes());
}

fn filled(path: &str, clinic: &str, of: &Names) -> String {
    format!("/api/v1{}", of.fill(path, clinic))
}

/// An address for each route: nobody is locked out for what another route was asked.
fn from(row: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, u8::try_from(row).unwrap() + 1)
}

on_both_engines! {
    async fn every_route_refuses_whoever_has_no_token_that_holds(world: &World) {
        let (_, expired) = world.token_until(Owner, &[], Some(-1)).await;
        let (id, revoked) = world.token_until(Owner, &[], None).await;
        world.store.token_revoke(id).await.unwrap();
        let mut forged = world.token(Owner, &[]).await;
        let last = if forged.ends_with('0') { '1' } else { '0' };
        forged.pop();
        forged.push(last);
        let unknown = format!("lw_{}_{}", Uuid::nil().simple(), "0".repeat(64));
        let bad = [None, Some(&expired), Some(&revoked), Some(&forged), Some(&unknown)];
        for (row, (method, path, _)) in TABLE.iter().enumerate() {
            let url = filled(path, "riverside", &world.riverside);
            let body = body(path, &world.riverside);
            for token in bad {
                let token = token.map(String::as_str);
                let said = world.asks(from(row), method, &url, token, body.as_ref()).await;
                assert_eq!(said.status, 401, "{method} {path}: {said:?}");
                assert_eq!(said.headers["content-type"], "application/problem+json");
                assert_eq!(said.headers["www-authenticate"], "Bearer");
            }
        }
    }

    async fn every_route_refuses_a_token_for_another_clinic_as_if_there_were_none(world: &World) {
        let theirs = world.token(Owner, &[&world.oak]).await;
        let nowhere = world.get("/api/v1/clinics/nowhere/lists", &theirs).await;
        assert_eq!(nowhere.status, 404);
        for (row, (method, path, _)) in TABLE.iter().enumerate() {
            if !path.contains("{clinic}") {
                continue;
            }
            let url = filled(path, "riverside", &world.riverside);
            let body = body(path, &world.riverside);
            let said = world.asks(from(row), method, &url, Some(&theirs), body.as_ref()).await;
            assert_eq!((said.status, &said.body), (404, &nowhere.body), "{method} {path}");
        }
        assert_eq!(world.get("/api/v1/audit", &theirs).await.status, 403);
        let clinics = world.get("/api/v1/clinics", &theirs).await.body;
        assert_eq!(clinics["items"].as_array().unwrap().len(), 1);
        assert_eq!(clinics["items"][0]["clinic"], "oak");
    }

    async fn every_route_finds_nothing_of_another_clinic_by_its_id(world: &World) {
        let token = world.token(Owner, &[]).await;
        for (row, (method, path, _)) in TABLE.iter().enumerate() {
            if path.matches('{').count() < 2 {
                continue;
            }
            let url = filled(path, "riverside", &world.oak);
            let body = body(path, &world.riverside);
            let said = world.asks(from(row), method, &url, Some(&token), body.as_ref()).await;
            assert_eq!(said.status, 404, "{method} {path}: {said:?}");
        }
        let named = serde_json::json!({ "list": "tips", "addresses": [] });
        let said = world.post("/api/v1/clinics/riverside/check", &token, named).await;
        assert_eq!(said.status, 404);
        let said = world.get("/api/v1/clinics/riverside/runs?list=tips", &token).await;
        assert_eq!(said.status, 404);
        let named = serde_json::json!({ "what": { "members": "tips" } });
        let said = world.post("/api/v1/clinics/riverside/acceptances", &token, named).await;
        assert_eq!(said.status, 404);
        let named = serde_json::json!({ "list": "tips" });
        let said = world.post("/api/v1/clinics/riverside/webhooks/rotate", &token, named).await;
        assert_eq!(said.status, 404);
    }

    async fn every_route_is_for_the_roles_of_its_row_alone(world: &World) {
        for role in Role::ALL {
            let token = world.token(*role, &[]).await;
            for (row, (method, path, may)) in TABLE.iter().enumerate() {
                let url = filled(path, "riverside", &world.riverside);
                let body = body(path, &world.riverside);
                let said = world.asks(from(row), method, &url, Some(&token), body.as_ref()).await;
                let what = format!("{role}: {method} {path}: {said:?}");
                assert_for_the_row(*role, may, path, said.status, &what);
            }
        }
    }

    async fn who_brings_bad_tokens_is_locked_out_and_nobody_beside_them(world: &World) {
        let good = world.token(Viewer, &[]).await;
        let one = Ipv4Addr::new(127, 0, 2, 1);
        for _ in 0..20 {
            assert_eq!(world.asks(one, "GET", "/api/v1/me", None, None).await.status, 401);
        }
        let log = world.store.audit_page(None, i64::MAX, 9).await.unwrap();
        assert!(log.is_empty(), "whoever brings nothing has not knocked: {log:?}");
        for _ in 0..10 {
            assert_eq!(world.asks(one, "GET", "/api/v1/me", Some("lw_x"), None).await.status, 401);
        }
        let locked = world.asks(one, "GET", "/api/v1/me", Some("lw_x"), None).await;
        assert_eq!(locked.status, 429);
        assert!(locked.headers.contains_key("retry-after"));
        assert_eq!(world.store.audit_page(None, i64::MAX, 99).await.unwrap().len(), 10);
        // Behind a proxy many come from one address.
        assert_eq!(world.asks(one, "GET", "/api/v1/me", Some(&good), None).await.status, 200);
    }

    async fn a_token_that_is_refused_and_refused_is_put_off_and_no_more_on_record(world: &World) {
        let token = world.token(Viewer, &[]).await;
        for _ in 0..10_000 {
            let said = world.get("/api/v1/audit", &token).await;
            // Each second has a limit of its own, which says 1.
            if said.headers.get("retry-after").is_some_and(|seconds| seconds == "60") {
                let log = world.store.audit_page(None, i64::MAX, 200).await.unwrap();
                return assert_eq!(log.len(), 100);
            }
            assert!([403, 429].contains(&said.status), "{said:?}");
        }
        panic!("refused 10,000 times, and each is on record");
    }

    async fn a_token_that_asks_too_much_at_once_is_put_off(world: &World) {
        let token = world.token(Viewer, &[]).await;
        assert_eq!(world.get("/api/v1/me", &token).await.status, 200);
        // However slow the machine is, some second sees more than its share.
        for _ in 0..50 {
            let asked = (0..80).map(|_| world.get("/api/v1/me", &token));
            let answers = futures::future::join_all(asked).await;
            if answers.iter().any(|said| said.status == 429) {
                return;
            }
        }
        panic!("4,000 requests at once, and none was put off");
    }

    async fn every_answer_has_an_id_and_what_browsers_heed(world: &World) {
        let token = world.token(Viewer, &[]).await;
        for path in ["/api/v1/me", "/api/v1/nothing", "/"] {
            let said = world.get(path, &token).await;
            for name in ["x-request-id", "content-security-policy", "x-content-type-options"] {
                assert!(said.headers.contains_key(name), "{path}: {name}");
            }
        }
        let said = world.post("/api/v1/me", &token, Value::Null).await;
        assert_eq!(said.status, 405);
        assert_eq!(said.headers["content-type"], "application/problem+json");
    }

    async fn the_description_is_served_to_anybody_who_reaches_the_listener(world: &World) {
        let said = world.asks(Ipv4Addr::LOCALHOST, "GET", "/api/openapi.json", None, None).await;
        assert_eq!((said.status, said.body["openapi"].as_str()), (200, Some("3.1.0")));
        let described = said.body["paths"].as_object().unwrap();
        let listed: BTreeSet<&str> = TABLE.iter().map(|(_, path, _)| *path).collect();
        assert_eq!(described.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    }

    async fn what_has_not_changed_is_not_sent_again(world: &World) {
        let token = world.token(Viewer, &[]).await;
        let first = world.get("/api/v1/me", &token).await;
        let again = world.again("/api/v1/me", &token, &first.headers["etag"]).await;
        assert_eq!((again.status, again.body), (304, Value::String(String::new())));
    }
}
