use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use serde_json::json;

use super::{KEY, clinic};
use crate::simulator::mailchimp::{Fault, NO_ANSWER, Risk, Rule, TransportFailure};

fn ping(authorization: &str) -> Request<Body> {
    let request = Request::builder().uri("/3.0/ping").header("authorization", authorization);
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn any_user_name_does_and_any_other_key_does_not() {
    let clinic = clinic();
    let basic = |key: &str| {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("anystring:{key}"));
        ping(&format!("Basic {text}"))
    };
    let seen = clinic.call(basic(KEY)).await;
    assert_eq!(seen.body, json!({"health_status": "Everything's Chimpy!"}));
    let refused = clinic.call(basic("wrong-us6")).await;
    assert_eq!((refused.status, refused.title()), (401, "API Key Invalid"));
    assert_eq!(
        refused.detail(),
        "Your API key may be invalid, or you've attempted to access the wrong datacenter."
    );
    assert!(refused.headers["link"].to_str().unwrap().contains("ProblemDetailDocument.json"));
    clinic.sim.disable_key(KEY).unwrap();
    assert_eq!(clinic.call(basic(KEY)).await.detail(), "API key has been disabled");
}

#[tokio::test]
async fn a_deactivated_account_is_told_so() {
    let clinic = clinic();
    clinic.sim.deactivate(0, true).unwrap();
    let refused = clinic.get("/ping").await;
    assert_eq!((refused.status, refused.title()), (403, "User Disabled"));
    assert_eq!(refused.detail(), "This account has been deactivated.");
}

#[tokio::test]
async fn a_caller_can_ask_for_an_error() {
    let clinic = clinic();
    let mut request = ping(&format!("Bearer {KEY}"));
    request.headers_mut().insert("x-trigger-error", "APIKeyMissing".parse().unwrap());
    assert_eq!(clinic.call(request).await.status, 401);
}

#[tokio::test]
async fn only_post_overrides_a_method() {
    let clinic = clinic().with(&["ann@mail.test"]);
    for (method, status) in [("POST", 204), ("GET", 422)] {
        let request = Request::builder()
            .method(method)
            .uri(format!("/3.0{}", clinic.member("ann@mail.test")))
            .header("authorization", format!("Bearer {KEY}"))
            .header("x-http-method-override", "DELETE");
        assert_eq!(clinic.call(request.body(Body::empty()).unwrap()).await.status, status);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let clinic = clinic();
    assert_eq!(clinic.get("/nonsense").await.title(), "Resource Not Found");
    let refused = clinic.delete("/ping").await;
    assert_eq!((refused.status, refused.headers["allow"].to_str().unwrap()), (405, "GET"));
    let broken = Request::builder().method("POST").uri(format!("/3.0{}", clinic.members()));
    let broken = broken.header("authorization", format!("Bearer {KEY}")).body("{".into()).unwrap();
    assert_eq!(clinic.call(broken).await.title(), "JSON Parse Exception");
}

#[tokio::test]
async fn scripted_faults_strike_where_and_as_often_as_told() {
    let clinic = clinic();
    clinic.sim.script(
        Rule::next(Fault::TooManyRequests { retry_after: Some(3) }).on("GET", "/3.0/ping").after(1),
    );
    clinic.sim.script(Rule::next(Fault::Forbidden).on("GET", "/3.0/lists").times(2));
    assert_eq!(clinic.get("/ping").await.status, 200);
    let limited = clinic.get("/ping").await;
    assert_eq!((limited.status, limited.headers["retry-after"].to_str().unwrap()), (429, "3"));
    assert_eq!(clinic.get("/ping").await.status, 200);
    for expected in [403, 403, 200] {
        assert_eq!(clinic.get("/lists").await.status, expected);
    }
}

#[tokio::test]
async fn a_lost_reply_is_a_write_that_happened() {
    let clinic = clinic();
    clinic.sim.script(Rule::next(Fault::LostReply));
    let lost = clinic.subscribe("ann@mail.test").await;
    assert_eq!((lost.status, lost.failure), (NO_ANSWER, Some(TransportFailure::TimedOut)));
    assert_eq!(clinic.status("ann@mail.test"), "subscribed");
    clinic.sim.script(Rule::next(Fault::Reset));
    let reset = clinic.subscribe("bob@mail.test").await;
    assert_eq!(reset.failure, Some(TransportFailure::Reset));
    assert!(clinic.sim.member(&clinic.list, "bob@mail.test").is_none());
}

#[tokio::test]
async fn pages_can_drift_and_fall_short() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test", "cat@mail.test"]);
    clinic.sim.script(Rule::next(Fault::PageDrift));
    let page = |offset: u8| format!("{}?count=1&offset={offset}", clinic.members());
    assert_eq!(clinic.get(&page(0)).await.emails(), ["ann@mail.test"]);
    assert_eq!(clinic.get(&page(1)).await.emails(), ["cat@mail.test"]);
    clinic.sim.script(Rule::next(Fault::ShortPage { drop: 1 }));
    let short = clinic.get(&clinic.members()).await;
    assert_eq!((short.emails().len(), short.total()), (1, 2));
}

#[tokio::test]
async fn a_key_can_open_the_wrong_account() {
    let clinic = clinic();
    clinic.sim.script(Rule::next(Fault::WrongAccount).times(2));
    assert_eq!(clinic.get("/lists").await.total(), 0);
    assert_eq!(clinic.get(&clinic.members()).await.status, 404);
    assert_eq!(clinic.get(&clinic.members()).await.status, 200);
}

#[tokio::test]
async fn faults_by_chance_follow_their_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let clinic = clinic();
        clinic.sim.risk(vec![Risk { fault: Fault::BadGateway, probability: 0.5 }], 42);
        let mut run = Vec::new();
        for _ in 0..20 {
            run.push(clinic.get("/ping").await.status);
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&200) && runs[0].contains(&502));
}

#[tokio::test]
async fn requests_are_counted_and_writes_remembered() {
    let clinic = clinic();
    clinic.get(&clinic.members()).await;
    clinic.subscribe("ann@mail.test").await;
    let counters = clinic.sim.counters();
    assert_eq!((counters.total, counters.writes), (2, 1));
    assert_eq!(counters.by_route["GET /lists/{list_id}/members"], 1);
    let writes = clinic.sim.writes();
    assert_eq!((writes[0].method.as_str(), writes[0].status), ("POST", 200));
    assert!(writes[0].body.contains("ann@mail.test"));
    clinic.sim.reset_counters();
    assert_eq!(clinic.sim.counters().total, 0);
}

#[tokio::test]
async fn control_is_served_over_http_too() {
    let clinic = clinic().with(&["ann@mail.test"]);
    let act = |who: &str, body: serde_json::Value| {
        Request::builder()
            .method("POST")
            .uri(format!("/_control/lists/{}/{who}", clinic.list))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    let seen =
        clinic.call(act("contact", json!({"email": "ann@mail.test", "act": "complain"}))).await;
    assert_eq!(seen.status, 200);
    assert_eq!(clinic.status("ann@mail.test"), "unsubscribed");
    let seen = clinic.call(act("staff", json!({"email": "ann@mail.test", "act": "archive"}))).await;
    assert_eq!(seen.status, 200);
    let seen = clinic.call(act("staff", json!({"email": "bob@mail.test", "act": "archive"}))).await;
    assert_eq!(seen.status, 404);
    let dump = Request::builder().uri(format!("/_control/lists/{}/statuses", clinic.list));
    assert_eq!(clinic.call(dump.body(Body::empty()).unwrap()).await.body["archived"], 1);
}

#[tokio::test]
async fn a_key_of_another_data_center_is_refused_when_that_is_checked() {
    let clinic = clinic();
    clinic.sim.configure(|settings| settings.check_data_center = true);
    for (host, status) in
        [("us6.api.mailchimp.com", 200), ("us7.api.mailchimp.com", 401), ("api.mailchimp.com", 200)]
    {
        let mut request = ping(&format!("Bearer {KEY}"));
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(clinic.call(request).await.status, status, "{host}");
    }
}

#[tokio::test]
async fn the_request_log_forgets_the_oldest_writes() {
    let clinic = clinic();
    clinic.sim.configure(|settings| settings.remembered_writes = 1);
    clinic.subscribe("ann@mail.test").await;
    clinic.subscribe("bob@mail.test").await;
    let writes = clinic.sim.writes();
    assert_eq!(writes.len(), 1);
    assert!(writes[0].body.contains("bob"));
    assert_eq!(clinic.sim.counters().writes, 2);
}
