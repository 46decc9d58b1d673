use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Clinic, Seen, clinic};
use crate::simulator::mailchimp::{Answer, Attempt, WebhookSender, signature};

const BODY: &str = "type=unsubscribe&fired_at=2026-03-26+21%3A40%3A57&data%5Baction%5D=unsub\
    &data%5Breason%5D=manual&data%5Bid%5D=8a25ff1d98&data%5Blist_id%5D=a6b5da1054\
    &data%5Bemail%5D=api%2Bunsub%40mailchimp.com";

struct Receiver {
    got: Mutex<Vec<Attempt>>,
    answer: Mutex<u16>,
}

#[async_trait]
impl WebhookSender for Receiver {
    async fn post(&self, attempt: &Attempt) -> Answer {
        self.got.lock().unwrap().push(attempt.clone());
        Answer::Status(*self.answer.lock().unwrap())
    }

    async fn check(&self, _url: &str, user_agent: &str) -> Answer {
        assert_eq!(user_agent, "MailChimp.com WebHook Validator");
        Answer::Status(*self.answer.lock().unwrap())
    }
}

fn receiver(clinic: &Clinic, answer: u16) -> Arc<Receiver> {
    let receiver = Arc::new(Receiver { got: Mutex::default(), answer: Mutex::new(answer) });
    clinic.sim.connect_webhooks(receiver.clone());
    receiver
}

async fn hook(clinic: &Clinic, sources: Value) -> Seen {
    let all = json!({"subscribe": true, "unsubscribe": true, "profile": true, "cleaned": true, "upemail": true});
    let body = json!({"url": "https://clinic.test/hook", "events": all, "sources": sources});
    clinic.post(&format!("/lists/{}/webhooks", clinic.list), body).await
}

fn everyone() -> Value {
    json!({"user": true, "admin": true, "api": true})
}

#[test]
fn a_signature_is_the_known_one() {
    assert_eq!(
        signature("whsec_test_0123456789abcdef", 1_718_000_000, BODY),
        "t=1718000000,v1=2cae027280081a41f07753018e95aac742d4c8df84aca1b82669533c87ba0b78"
    );
}

#[tokio::test]
async fn the_secret_is_shown_once() {
    let clinic = clinic();
    let made = hook(&clinic, everyone()).await.body;
    assert!(made["signing_secret"].as_str().unwrap().starts_with("whsec_"));
    let path = format!("/lists/{}/webhooks/{}", clinic.list, made["id"].as_str().unwrap());
    let read = clinic.get(&path).await.body;
    assert!(read.get("signing_secret").is_none());
    assert_eq!(read["signing_enabled"], true);
    let twin = json!({"url": "https://clinic.test/hook?again", "events": {}, "sources": {}});
    assert_eq!(clinic.post(&format!("/lists/{}/webhooks", clinic.list), twin).await.status, 400);
    assert_eq!(clinic.delete(&path).await.status, 204);
}

#[tokio::test]
async fn a_webhook_hears_only_the_sources_it_asked_for() {
    let clinic = clinic().with(&["ann@mail.test"]);
    hook(&clinic, json!({"user": true, "admin": true, "api": false})).await;
    clinic.subscribe("bob@mail.test").await;
    clinic.sim.contact(&clinic.list, "ann@mail.test").unsubscribe_from("c1").unwrap();
    let waiting = clinic.sim.waiting_webhooks();
    assert_eq!(waiting.len(), 1);
    let body = &waiting[0].body;
    assert!(
        body.starts_with(
            "type=unsubscribe&fired_at=2026-03-02+09%3A00%3A00&data%5Baction%5D=unsub"
        )
    );
    assert!(body.contains("data%5Bmerges%5D%5BEMAIL%5D=ann%40mail.test"), "{body}");
    assert!(body.contains("data%5Bcampaign_id%5D=c1"));
}

#[tokio::test]
async fn confirming_and_moving_are_told() {
    let clinic = clinic();
    clinic
        .post(&clinic.members(), json!({"email_address": "ann@mail.test", "status": "pending"}))
        .await;
    hook(&clinic, everyone()).await;
    let ann = clinic.sim.contact(&clinic.list, "ann@mail.test");
    ann.confirm().unwrap();
    ann.change_address("ann@new.test").unwrap();
    clinic.sim.contact(&clinic.list, "ann@new.test").hard_bounce().unwrap();
    let events: Vec<_> = clinic.sim.waiting_webhooks().iter().map(|event| event.event).collect();
    assert_eq!(events, ["subscribe", "upemail", "profile", "cleaned"]);
}

#[tokio::test]
async fn a_delivery_is_signed_and_retried_and_a_410_ends_all() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    let secret =
        hook(&clinic, everyone()).await.body["signing_secret"].as_str().unwrap().to_owned();
    let receiver = receiver(&clinic, 503);
    clinic.sim.contact(&clinic.list, "ann@mail.test").unsubscribe().unwrap();
    assert_eq!(clinic.sim.deliver_webhooks().await, 1);
    assert_eq!(clinic.sim.deliver_webhooks().await, 0);
    clinic.wait(60);
    *receiver.answer.lock().unwrap() = 410;
    assert_eq!(clinic.sim.deliver_webhooks().await, 1);
    let got = receiver.got.lock().unwrap().clone();
    let stamp = |attempt: &Attempt| {
        let head = attempt.header("X-Mailchimp-Signature").unwrap().to_owned();
        head[2..].split(',').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(stamp(&got[1]), stamp(&got[0]) + 60);
    assert_eq!(
        got[0].header("X-Mailchimp-Signature").unwrap(),
        signature(&secret, stamp(&got[0]), &got[0].body)
    );
    clinic.sim.contact(&clinic.list, "bob@mail.test").unsubscribe().unwrap();
    assert_eq!(clinic.sim.deliver_webhooks().await, 0);
}

#[tokio::test]
async fn deliveries_come_twice_in_disorder_and_with_old_stamps_on_request() {
    let clinic = clinic().with(&["ann@mail.test", "bob@mail.test"]);
    clinic.sim.configure(|settings| {
        settings.delivery.duplicate = true;
        settings.delivery.reverse = true;
        settings.delivery.restamp = false;
    });
    hook(&clinic, everyone()).await;
    let receiver = receiver(&clinic, 200);
    clinic.sim.contact(&clinic.list, "ann@mail.test").unsubscribe().unwrap();
    clinic.sim.contact(&clinic.list, "bob@mail.test").unsubscribe().unwrap();
    clinic.wait(600);
    assert_eq!(clinic.sim.deliver_webhooks().await, 4);
    let got = receiver.got.lock().unwrap().clone();
    assert!(got[0].body.contains("bob") && got[3].body.contains("ann"));
    assert!(got[0].header("X-Mailchimp-Signature").unwrap().starts_with("t=1772442000,"));
}

#[tokio::test]
async fn a_url_that_does_not_answer_is_refused_when_urls_are_checked() {
    let clinic = clinic();
    receiver(&clinic, 404);
    clinic.sim.configure(|settings| settings.validate_webhooks = true);
    assert_eq!(
        hook(&clinic, everyone()).await.detail(),
        "We couldn't verify the URL is working. Please double check and try again. HTTP Code: 404"
    );
}
