//! Twilio on stage. It keeps no list: who is on it we know, and nobody else.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use listwarden::clock::ManualClock;
use listwarden::simulator::twilio::{Fault, Rule, Running, Simulator};
use listwarden::simulator::{WebhookSender, Write};
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

use crate::stage::{Requests, Setup, Stage, Weather};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OURS: &str = "+447700900001";

pub struct Twilio {
    simulator: Simulator,
    account: String,
    number: String,
    server: Running,
}

impl Stage for Twilio {
    const NAME: &'static str = "twilio";
    const API: &'static str = "/2010-04-01";
    const INVITES: (&'static str, &'static str) = ("POST", "/2010-04-01");

    async fn opens(clock: Arc<ManualClock>) -> Self {
        let simulator = Simulator::new(clock);
        let account = simulator.open_account("Riverside", TOKEN);
        let number = simulator.add_number(&account, OURS).unwrap();
        let server = simulator.serve_locally().await.unwrap();
        Self { simulator, account, number, server }
    }

    fn setup(&self) -> Setup {
        let (sid, url) = (&self.account, self.server.url());
        let account = format!(
            "account_sid = \"{sid}\"\nsender = \"{OURS}\"\nbase_url = \"{url}\"\n\
             messaging_url = \"{url}\"\nwebhook_secrets = [\"key\"]"
        );
        let secrets = vec![("key", TOKEN.to_owned())];
        Setup { account, audience: OURS.to_owned(), list: "", secrets }
    }

    fn agrees(&self, address: &str) {
        self.simulator.person(address).texts(OURS, "YES").unwrap();
    }

    fn refuses(&self, address: &str) {
        self.simulator.person(address).texts(OURS, "STOP").unwrap();
    }

    fn staff_add(&self, _addresses: &[String]) {}

    fn staff_remove(&self, _address: &str) {}

    fn turns_away(&self, address: &str) {
        self.simulator.person(address).has_a_landline();
    }

    fn asked(&self, address: &str) -> usize {
        self.simulator.outbox().iter().filter(|text| text.to == address).count()
    }

    fn lists(&self, _address: &str) -> bool {
        false
    }

    fn holds(&self, _address: &str) -> bool {
        false
    }

    async fn is_told_where(&self, url: &str) {
        let path = format!(
            "/2010-04-01/Accounts/{}/IncomingPhoneNumbers/{}.json",
            self.account, self.number
        );
        let credential = STANDARD.encode(format!("{}:{TOKEN}", self.account));
        let form = Serializer::new(String::new()).append_pair("SmsUrl", url).finish();
        let request = Request::post(path)
            .header("authorization", format!("Basic {credential}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form));
        let answer = self.simulator.router().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    simulated!();
}
