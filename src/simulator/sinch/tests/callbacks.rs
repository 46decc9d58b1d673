use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{ANN, Clinic, SENDER, clinic};
use crate::clock::SystemClock;
use crate::simulator::sinch::{
    Answer, Attempt, Callback, Credentials, HttpSender, Signing, Simulator, WebhookSender,
    signature,
};

/// A receiver that answers the same to everything and keeps what it got.
struct Receiver {
    answer: Mutex<Answer>,
    got: Mutex<Vec<Attempt>>,
}

#[async_trait]
impl WebhookSender for Receiver {
    async fn post(&self, attempt: &Attempt) -> Answer {
        self.got.lock().unwrap().push(attempt.clone());
        *self.answer.lock().unwrap()
    }
}

fn receiver(clinic: &Clinic, answer: Answer) -> Arc<Receiver> {
    let signing = Signing::Signed { secret: "s3cret".to_owned() };
    let callback = Callback { url: "https://clinic.test/hooks".to_owned(), signing };
    clinic.sim.set_callback(0, Some(callback)).unwrap();
    let receiver = Receiver { answer: Mutex::new(answer), got: Mutex::default() };
    let receiver = Arc::new(receiver);
    clinic.sim.connect_webhooks(receiver.clone());
    receiver
}

fn header(attempt: &Attempt, name: &str) -> String {
    attempt.headers.iter().find(|(known, _)| *known == name).map(|(_, v)| v.clone()).unwrap()
}

#[tokio::test]
async fn a_text_is_told_signed_over_body_nonce_and_time() {
    let clinic = clinic();
    let receiver = receiver(&clinic, Answer::Status(200));
    clinic.sim.text(0, ANN, SENDER, "STOP").unwrap();
    assert_eq!(clinic.sim.deliver_webhooks().await, 1);
    let got = receiver.got.lock().unwrap();
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!((&body["type"], &body["body"]), (&json!("mo_text"), &json!("STOP")));
    let nonce = header(&got[0], "x-sinch-webhook-signature-nonce");
    let seconds = header(&got[0], "x-sinch-webhook-signature-timestamp").parse().unwrap();
    assert_eq!(
        header(&got[0], "x-sinch-webhook-signature"),
        signature("s3cret", &got[0].body, &nonce, seconds)
    );
    assert_eq!(clinic.sim.waiting_webhooks().len(), 0);
}

#[tokio::test]
async fn five_hundreds_are_told_again_and_four_hundreds_never() {
    for (answer, again) in [
        (Answer::Status(503), true),
        (Answer::Status(429), true),
        (Answer::Silence, true),
        (Answer::Status(400), false),
        (Answer::Status(401), false),
        (Answer::Status(413), false),
    ] {
        let clinic = clinic();
        receiver(&clinic, answer);
        clinic.sim.text(0, ANN, SENDER, "Hi").unwrap();
        assert_eq!(clinic.sim.deliver_webhooks().await, 1);
        clinic.wait(4);
        assert_eq!(clinic.sim.deliver_webhooks().await, 0);
        clinic.wait(1);
        assert_eq!(clinic.sim.deliver_webhooks().await, usize::from(again), "{answer:?}");
        clinic.wait(9);
        assert_eq!(clinic.sim.deliver_webhooks().await, 0);
        clinic.wait(1);
        assert_eq!(clinic.sim.deliver_webhooks().await, usize::from(again), "{answer:?}");
    }
}

#[tokio::test]
async fn after_the_longest_pause_it_is_given_up() {
    let clinic = clinic();
    receiver(&clinic, Answer::Status(500));
    clinic.sim.text(0, ANN, SENDER, "Hi").unwrap();
    let mut attempts = 0;
    while !clinic.sim.waiting_webhooks().is_empty() {
        attempts += clinic.sim.deliver_webhooks().await;
        clinic.wait(81_920);
    }
    assert_eq!(attempts, 16);
}

#[tokio::test]
async fn a_duplicate_has_the_same_nonce_and_a_late_one_an_old_time() {
    let clinic = clinic();
    let receiver = receiver(&clinic, Answer::Status(200));
    clinic.sim.configure(|settings| {
        settings.delivery.duplicate = true;
        settings.delivery.late_by_seconds = 86_400;
    });
    clinic.sim.text(0, ANN, SENDER, "Hi").unwrap();
    assert_eq!(clinic.sim.deliver_webhooks().await, 2);
    let got = receiver.got.lock().unwrap();
    assert_eq!(got[0], got[1]);
    let seconds: i64 = header(&got[0], "x-sinch-webhook-signature-timestamp").parse().unwrap();
    assert_eq!(super::monday().timestamp() - seconds, 86_400);
}

#[tokio::test]
async fn what_became_of_a_text_is_told_where_it_was_asked_for() {
    let clinic = clinic();
    receiver(&clinic, Answer::Status(200));
    let send = async |reports: &str| {
        let body = json!({"from": SENDER, "to": [ANN], "body": "x", "delivery_report": reports});
        let batch = clinic.send("POST", "/batches", body).await;
        batch.body["id"].as_str().unwrap().to_owned()
    };
    send("none").await;
    assert!(clinic.sim.waiting_webhooks().is_empty());
    let batch = send("per_recipient").await;
    assert!(clinic.sim.waiting_webhooks()[0].body.contains("Delivered"));
    clinic.sim.report(0, (&batch, ANN), 402, "aborted").unwrap();
    let told = clinic.sim.waiting_webhooks();
    let report: Value = serde_json::from_str(&told[1].body).unwrap();
    assert_eq!((&report["code"], &report["status"]), (&json!(402), &json!("Aborted")));
    assert!(clinic.sim.report(0, ("none", ANN), 0, "Failed").is_err());
}

#[tokio::test]
async fn a_callback_with_basic_says_its_password_and_no_signature() {
    let clinic = clinic();
    let receiver = receiver(&clinic, Answer::Status(200));
    let signing = Signing::Basic { user: "u".to_owned(), password: "p".to_owned() };
    let callback = Callback { url: "https://clinic.test/hooks".to_owned(), signing };
    clinic.sim.set_callback(0, Some(callback)).unwrap();
    clinic.sim.text(0, ANN, SENDER, "Hi").unwrap();
    clinic.sim.deliver_webhooks().await;
    let got = receiver.got.lock().unwrap();
    assert_eq!(header(&got[0], "authorization"), "Basic dTpw");
    assert_eq!(got[0].headers.len(), 2);
}

#[tokio::test]
async fn callbacks_go_over_http_as_they_fall_due() {
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let receive = async move |headers: axum::http::HeaderMap, body: String| {
        tell.send((headers.contains_key("x-sinch-webhook-signature"), body)).unwrap();
    };
    let router = axum::Router::new().route("/hooks", axum::routing::post(receive));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let receiver = tokio::spawn(async move { axum::serve(listener, router).await });
    let sim = Simulator::new(Arc::new(SystemClock));
    sim.open_account(Credentials::default());
    let signing = Signing::Signed { secret: "s3cret".to_owned() };
    sim.set_callback(0, Some(Callback { url, signing })).unwrap();
    let deliveries = sim.deliver_over_http(HttpSender::new().unwrap());
    for text in ["hello", "again"] {
        sim.text(0, ANN, SENDER, text).unwrap();
        let (signed, body) = heard.recv().await.unwrap();
        assert!(signed && body.contains(text));
    }
    drop(deliveries);
    receiver.abort();
}
