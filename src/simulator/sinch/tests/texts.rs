use serde_json::json;

use super::{ANN, Clinic, SENDER, clinic};

async fn invite(clinic: &Clinic, reference: &str) -> super::Seen {
    let body = json!({
        "from": SENDER, "to": [ANN], "body": "Reply YES", "client_reference": reference,
        "delivery_report": "per_recipient",
    });
    clinic.send("POST", "/batches", body).await
}

#[tokio::test]
async fn a_reference_names_a_batch_and_does_not_keep_it_from_going_twice() {
    let clinic = clinic();
    let first = invite(&clinic, "w1").await;
    assert_eq!((first.status, &first.body["from"]), (201, &json!("447700900001")));
    invite(&clinic, "w1").await;
    invite(&clinic, "w2").await;
    let sent = clinic.sim.outbox();
    assert_eq!((sent.len(), sent[0].to.as_str()), (3, "447700900123"));
    let listed = clinic.get("/batches?client_reference=w1").await.body;
    assert_eq!(
        (listed["count"].as_u64(), listed["batches"].as_array().map(Vec::len)),
        (Some(2), Some(2))
    );
}

#[tokio::test]
async fn a_text_needs_a_sender_a_body_and_somebody_to_go_to() {
    let clinic = clinic();
    for body in [
        json!({"from": SENDER, "to": [ANN]}),
        json!({"from": SENDER, "to": [], "body": "x"}),
        json!({"to": [ANN], "body": "x"}),
        json!({"from": SENDER, "to": [ANN], "body": "x".repeat(2_001)}),
        json!({"from": SENDER, "to": ["nobody"], "body": "x"}),
    ] {
        assert_eq!(clinic.send("POST", "/batches", body).await.status, 400);
    }
    assert!(clinic.sim.outbox().is_empty());
}

#[tokio::test]
async fn texts_of_the_last_day_are_listed_unless_more_is_asked_for() {
    let clinic = clinic();
    clinic.sim.text(0, ANN, SENDER, "first").unwrap();
    clinic.wait(30 * 3_600);
    for number in 0..35 {
        clinic.sim.text(0, ANN, SENDER, &format!("n{number}")).unwrap();
    }
    let day = clinic.get("/inbounds").await.body;
    assert_eq!((day["count"].as_u64(), &day["inbounds"][0]["body"]), (Some(35), &json!("n34")));
    assert_eq!(day["inbounds"][0]["from"], "447700900123");
    let all = clinic.get("/inbounds?start_date=2026-03-01T00:00:00.000Z&page=1").await.body;
    assert_eq!((all["count"].as_u64(), &all["inbounds"][5]["body"]), (Some(36), &json!("first")));
    let other = clinic.get("/inbounds?to=447700900002").await.body;
    assert_eq!(other["count"], 0);
    clinic.wait(15 * 86_400);
    let old = clinic.get("/inbounds?start_date=2026-01-01T00:00:00.000Z").await.body;
    assert_eq!(old["count"], 0, "kept for a fortnight");
}

#[tokio::test]
async fn stop_stops_nothing_unless_consent_management_is_on() {
    let clinic = clinic();
    clinic.sim.open_app(0, "app-1").unwrap();
    clinic.sim.text(0, ANN, SENDER, "STOP").unwrap();
    invite(&clinic, "w1").await;
    assert_eq!(clinic.sim.outbox().len(), 1);
    clinic.sim.configure(|settings| settings.consent_management = true);
    clinic.sim.text(0, ANN, SENDER, "Stop").unwrap();
    assert_eq!(invite(&clinic, "w2").await.status, 201, "the batch is taken all the same");
    assert_eq!(clinic.sim.outbox().len(), 1);
    clinic.sim.text(0, ANN, SENDER, "START").unwrap();
    invite(&clinic, "w3").await;
    assert_eq!(clinic.sim.outbox().len(), 2);
}
