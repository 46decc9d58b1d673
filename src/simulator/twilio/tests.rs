//! Each documented fact about Twilio, as a sentence; what the client sees is tested with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::{Value, json};
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

use super::{HttpSender, Simulator};
use crate::clock::{ManualClock, SystemClock};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OURS: &str = "+447700900001";
const ANN: &str = "+447700900123";

struct Clinic {
    sim: Simulator,
    clock: Arc<ManualClock>,
    account: String,
}

struct Seen {
    status: u16,
    location: Option<String>,
    text: String,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

fn clinic() -> Clinic {
    let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH + Duration::from_hours(9), 7));
    let sim = Simulator::new(clock.clone());
    let account = sim.open_account("Practice", TOKEN);
    sim.add_number(&account, OURS).unwrap();
    Clinic { sim, clock, account }
}

impl Clinic {
    async fn call(&self, method: &str, uri: &str, form: &[(&str, &str)]) -> Seen {
        let user = STANDARD.encode(format!("{}:{TOKEN}", self.account));
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Basic {user}"))
            .body(Body::from(body))
            .unwrap();
        let answer = self.sim.router().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").map(|l| l.to_str().unwrap().to_owned());
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Seen { status, location, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn send(&self, to: &str) -> Seen {
        let uri = format!("/2010-04-01/Accounts/{}/Messages.json", self.account);
        self.call("POST", &uri, &[("To", to), ("From", OURS), ("Body", "Hello")]).await
    }

    async fn consent(&self, items: &[Value]) -> Seen {
        let texts: Vec<String> = items.iter().map(Value::to_string).collect();
        let form: Vec<_> = texts.iter().map(|text| ("Items", text.as_str())).collect();
        self.call("POST", "/v1/Consents/Bulk", &form).await
    }
}

fn item(status: &str) -> Value {
    json!({
        "contact_id": ANN, "correlation_id": "ad388b5a46b33b874b0d41f7226db2ef",
        "sender_id": OURS, "status": status, "source": "website",
        "date_of_consent": "2025-02-28T10:05:27Z",
    })
}

#[tokio::test]
async fn whoever_said_stop_gets_no_text_until_start() {
    let clinic = clinic();
    let ann = clinic.sim.person(ANN);
    assert_eq!(clinic.send(ANN).await.status, 201);
    for (word, status) in [
        ("stop", 400),
        ("START please", 400),
        ("Start", 201),
        ("STOP PLEASE", 201),
        ("Cancel", 400),
        ("YES", 201),
        ("optout", 400),
        ("unstop", 201),
        ("HELP", 201),
    ] {
        ann.texts(OURS, word).unwrap();
        assert_eq!(clinic.send(ANN).await.status, status, "{word}");
    }
    ann.texts(OURS, "STOP").unwrap();
    let refused = clinic.send(ANN).await.json();
    assert_eq!((refused["code"].as_u64(), refused["status"].as_u64()), (Some(21_610), Some(400)));
}

#[tokio::test]
async fn a_consent_has_a_verdict_of_its_own_under_one_201() {
    let clinic = clinic();
    let mut wrong = item("opt-in");
    wrong["contact_id"] = json!("+19");
    wrong["date_of_consent"] = json!("2025-03-25");
    let seen = clinic.consent(&[item("opt-out"), wrong]).await;
    assert_eq!(seen.status, 201);
    let items = &seen.json()["items"];
    assert_eq!(items[0]["error_code"], 0);
    assert_eq!(items[1]["error_code"], 30_646);
    let named = json!(["INVALID_CONTACT_ID", "INVALID_DATE_OF_CONSENT"]);
    assert_eq!(items[1]["error_messages"], named);
    assert!(clinic.sim.blocks(&clinic.account, OURS, ANN));
    clinic.consent(&[item("opt-in")]).await;
    assert!(!clinic.sim.blocks(&clinic.account, OURS, ANN));
    assert_eq!(clinic.sim.consents(&clinic.account).len(), 2);
}

#[tokio::test]
async fn consents_cannot_be_read_back() {
    let clinic = clinic();
    for uri in ["/v1/Consents/Bulk", "/v1/Consents", "/v3/OptOuts"] {
        assert_eq!(clinic.call("GET", uri, &[]).await.status, 404, "{uri}");
    }
}

#[tokio::test]
async fn the_hundred_and_first_consent_call_of_a_minute_is_throttled() {
    let clinic = clinic();
    for _ in 0..100 {
        assert_eq!(clinic.consent(&[item("opt-in")]).await.status, 201);
    }
    assert_eq!(clinic.consent(&[item("opt-in")]).await.status, 429);
    clinic.clock.advance(Duration::from_mins(1));
    assert_eq!(clinic.consent(&[item("opt-in")]).await.status, 201);
    assert_eq!(clinic.consent(&vec![item("opt-in"); 26]).await.status, 400);
}

#[tokio::test]
async fn numbers_out_of_use_are_a_file_open_for_two_minutes() {
    let clinic = clinic();
    clinic.sim.deactivate("2026-11-20".parse().unwrap(), &["+15005550006", "+15005550007"]);
    let early = clinic.call("GET", "/v1/Deactivations?Date=2026-11-21", &[]).await;
    assert_eq!(early.json()["code"], 30_114);
    let seen = clinic.call("GET", "/v1/Deactivations?Date=2026-11-20", &[]).await;
    assert_eq!(seen.status, 307);
    let file = seen.location.unwrap();
    assert_eq!(clinic.call("GET", &file, &[]).await.text, "+15005550006\n+15005550007");
    clinic.clock.advance(Duration::from_secs(121));
    assert_eq!(clinic.call("GET", &file, &[]).await.status, 403);
}

#[tokio::test]
async fn a_landline_is_refused_abroad_and_fails_at_home() {
    let clinic = clinic();
    clinic.sim.person("+3312345678").has_a_landline();
    assert_eq!(clinic.send("+3312345678").await.json()["code"], 21_635);
    clinic.sim.person("+441215550100").has_a_landline();
    assert_eq!(clinic.send("+441215550100").await.status, 201);
    assert_eq!(clinic.sim.outbox()[0].status, "undelivered");
}

#[tokio::test]
async fn the_log_is_newest_first_and_its_pages_do_not_shift() {
    let clinic = clinic();
    for _ in 0..5 {
        clinic.send(ANN).await;
        clinic.clock.advance(Duration::from_hours(24));
    }
    let log = format!("/2010-04-01/Accounts/{}/Messages.json", clinic.account);
    let first = clinic.call("GET", &format!("{log}?PageSize=2"), &[]).await.json();
    let newest = first["messages"][0]["date_sent"].as_str().unwrap().to_owned();
    assert_eq!(newest, "Mon, 5 Jan 1970 09:00:00 +0000");
    clinic.send(ANN).await;
    let next = first["next_page_uri"].as_str().unwrap();
    let second = clinic.call("GET", next, &[]).await.json();
    assert_eq!(second["messages"][0]["date_sent"], "Sat, 3 Jan 1970 09:00:00 +0000");
    let third = clinic.call("GET", second["next_page_uri"].as_str().unwrap(), &[]).await.json();
    assert_eq!(third["messages"].as_array().unwrap().len(), 1);
    assert_eq!(third["next_page_uri"], Value::Null);
    let late = clinic.call("GET", &format!("{log}?DateSent%3E=1970-01-04"), &[]).await.json();
    assert_eq!(late["messages"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn deliveries_arrive_over_http_and_only_silence_is_tried_again() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let receive = move |headers: HeaderMap, body: String| async move {
        told.send((headers.contains_key("x-twilio-signature"), body)).unwrap();
        StatusCode::SERVICE_UNAVAILABLE
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", post(receive));
    let receiver = tokio::spawn(async move { axum::serve(listener, router).await });

    let sim = Simulator::new(Arc::new(SystemClock));
    let account = sim.open_account("Practice", TOKEN);
    let number = sim.add_number(&account, OURS).unwrap();
    let clinic =
        Clinic { sim, clock: Arc::new(ManualClock::new(DateTime::UNIX_EPOCH, 1)), account };
    let uri = format!("/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{number}.json", clinic.account);
    assert_eq!(clinic.call("POST", &uri, &[("SmsUrl", &url)]).await.status, 200);
    let deliveries = clinic.sim.deliver_over_http(HttpSender::new().unwrap());
    clinic.sim.person(ANN).texts(OURS, "hello").unwrap();
    let (signed, body) = heard.recv().await.unwrap();
    assert!(signed && body.contains("Body=hello"));
    // The 503 loses the first one: the next to come is the second text.
    clinic.sim.person(ANN).texts(OURS, "again").unwrap();
    assert!(heard.recv().await.unwrap().1.contains("Body=again"));
    drop(deliveries);
    receiver.abort();
}
