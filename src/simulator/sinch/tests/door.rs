use serde_json::{Value, json};

use super::{ANN, Clinic, clinic};
use crate::simulator::sinch::{Fault, Rule};

/// `key-1:key-secret-1`
const KEY: &str = "Basic a2V5LTE6a2V5LXNlY3JldC0x";

async fn token(clinic: &Clinic) -> String {
    let body = "grant_type=client_credentials".to_owned();
    let answer = clinic.call("POST", "/oauth2/token", KEY, body).await;
    assert_eq!((answer.status, answer.body["expires_in"].as_u64()), (200, Some(3_600)));
    format!("Bearer {}", answer.body["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn an_access_key_gives_a_token_for_an_hour() {
    let clinic = clinic();
    let token = token(&clinic).await;
    let groups = |path: &'static str| clinic.call("GET", path, &token, String::new());
    assert_eq!(groups("/xms/v1/project-1/groups").await.status, 200);
    assert_eq!(groups("/xms/v1/plan-1/groups").await.status, 401, "a plan has its own token");
    clinic.wait(3_600);
    assert_eq!(groups("/xms/v1/project-1/groups").await.status, 401);
}

#[tokio::test]
async fn a_wrong_key_gets_no_token_and_a_closed_account_none_any_more() {
    let clinic = clinic();
    let body = "grant_type=client_credentials".to_owned();
    let wrong = clinic.call("POST", "/oauth2/token", "Basic eDp5", body.clone()).await;
    assert_eq!((wrong.status, &wrong.body["error"]), (401, &json!("invalid_client")));
    let nothing = clinic.call("POST", "/oauth2/token", KEY, String::new()).await;
    assert_eq!(nothing.status, 400);
    clinic.sim.close(0, true).unwrap();
    assert_eq!(clinic.call("POST", "/oauth2/token", KEY, body).await.status, 401);
    assert_eq!(clinic.get("/groups").await.status, 401);
}

#[tokio::test]
async fn consents_are_read_ten_a_page_and_fifty_at_most() {
    let clinic = clinic();
    clinic.sim.open_app(0, "app-1").unwrap();
    for number in 0..12 {
        let number = format!("+4477009002{number:02}");
        clinic.sim.opt_out(0, ("app-1", "OPT_OUT_ALL"), &number).unwrap();
    }
    let token = token(&clinic).await;
    let read = async |query: &str| {
        let path = format!("/v1/projects/project-1/apps/app-1/consents/OPT_OUT_ALL{query}");
        clinic.call("GET", &path, &token, String::new()).await
    };
    let first = read("").await.body;
    assert_eq!(first["identities"].as_array().map(Vec::len), Some(10));
    let next = first["next_page_token"].as_str().unwrap();
    let last = read(&format!("?page_token={next}")).await.body;
    assert_eq!(
        (last["identities"].as_array().map(Vec::len), &last["next_page_token"]),
        (Some(2), &json!(""))
    );
    assert_eq!(read("?page_size=50").await.body["identities"].as_array().map(Vec::len), Some(12));
    assert_eq!(read("?page_size=51").await.status, 400);
    let path = "/v1/projects/project-1/apps/other/consents/OPT_OUT_ALL";
    assert_eq!(clinic.call("GET", path, &token, String::new()).await.status, 404);
}

#[tokio::test]
async fn faults_strike_as_scripted() {
    let clinic = clinic();
    for (fault, status) in [
        (Fault::TooManyRequests { retry_after: Some(7) }, 429),
        (Fault::Refused { status: 403, code: "unknown_group".to_owned() }, 403),
        (Fault::InternalError, 500),
        (Fault::BadGateway, 502),
        (Fault::Unavailable, 503),
        (Fault::Unauthorized, 401),
        (Fault::Reset, 599),
    ] {
        clinic.sim.script(Rule::next(fault.clone()));
        let body = json!({"add": [ANN]});
        let seen = clinic.send("POST", &clinic.at(""), body).await;
        assert_eq!(seen.status, status, "{fault:?}");
        assert!(clinic.members().is_empty());
        let retry = seen.headers.get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(retry, (status == 429).then_some("7"));
    }
    clinic.sim.script(Rule::next(Fault::LostReply));
    assert_eq!(clinic.send("POST", &clinic.at(""), json!({"add": [ANN]})).await.status, 599);
    assert_eq!(clinic.members().len(), 1, "the write was made");
    clinic.sim.script(Rule::next(Fault::ShortMembers { drop: 1 }));
    assert_eq!(clinic.get(&clinic.at("/members")).await.body, json!([]));
    let counters = clinic.sim.counters();
    assert_eq!((counters.total, counters.writes), (9, 8));
    assert_eq!(counters.by_route["POST /groups/{group_id}"], 8);
}

#[tokio::test]
async fn everything_can_be_done_over_the_control_routes() {
    let clinic = clinic();
    let control = async |method: &str, path: &str, body: Value| {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("/_control{path}"))
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        tower::ServiceExt::oneshot(clinic.sim.router(), request).await.unwrap().status().as_u16()
    };
    let members = format!("/groups/{}/members", clinic.group);
    let callback = json!({"url": "http://x.test", "signing": {"kind": "signed", "secret": "s"}});
    for (method, path, body, status) in [
        ("POST", members.as_str(), json!([ANN]), 200),
        ("DELETE", &members, json!([ANN]), 200),
        ("POST", &members, json!(["nobody"]), 422),
        ("GET", "/groups/none/members", json!(null), 404),
        ("POST", "/accounts/0/apps", json!({"name": "a"}), 200),
        ("POST", "/accounts/0/groups", json!({"name": "More"}), 200),
        (
            "POST",
            "/accounts/0/consents",
            json!({"app": "a", "list": "OPT_OUT_ALL", "number": ANN}),
            200,
        ),
        ("PUT", "/accounts/0/callback", callback, 200),
        ("POST", "/accounts/0/texts", json!({"from": ANN, "to": super::SENDER, "body": "Hi"}), 200),
        (
            "POST",
            "/accounts/0/reports",
            json!({"batch_id": "b", "number": ANN, "code": 0, "status": "Failed"}),
            404,
        ),
        ("POST", "/faults", json!({"fault": {"kind": "stall"}}), 200),
        ("DELETE", "/faults", json!(null), 200),
        ("PUT", "/settings", json!({"latency_ms": 3}), 200),
        ("GET", "/webhooks", json!(null), 200),
        ("GET", "/requests", json!(null), 200),
    ] {
        assert_eq!(control(method, path, body).await, status, "{method} {path}");
    }
    assert_eq!((clinic.sim.settings().latency_ms, clinic.sim.waiting_webhooks().len()), (3, 1));
}
