//! Mailchimp on stage.

use std::sync::Arc;

use listwarden::clock::ManualClock;
use listwarden::simulator::mailchimp::{Fault, ImportRow, Rule, Running, Simulator, Status};
use listwarden::simulator::{WebhookSender, Write};

use crate::stage::{Requests, Setup, Stage, Weather};

const KEY: &str = "0123456789abcdef0123456789abcdef-us6";

pub struct Mailchimp {
    simulator: Simulator,
    audience: String,
    server: Running,
}

impl Stage for Mailchimp {
    const NAME: &'static str = "mailchimp";
    const API: &'static str = "/3.0";
    const INVITES: (&'static str, &'static str) = ("POST", "/3.0/lists");

    async fn opens(clock: Arc<ManualClock>) -> Self {
        let simulator = Simulator::new(clock);
        let account = simulator.open_account("Riverside", KEY);
        let audience = simulator.open_audience(account, "Newsletter").unwrap();
        simulator.set_double_optin(&audience, true).unwrap();
        let server = simulator.serve_locally().await.unwrap();
        Self { simulator, audience, server }
    }

    fn setup(&self) -> Setup {
        Setup {
            account: format!("base_url = \"{}/3.0\"", self.server.url()),
            audience: self.audience.clone(),
            list: "fields = { FNAME = \"given_name\" }",
            secrets: vec![("key", KEY.to_owned())],
        }
    }

    /// Once a member is gone, its link leads nowhere.
    fn agrees(&self, address: &str) {
        self.simulator.contact(&self.audience, address).confirm().ok();
    }

    fn refuses(&self, address: &str) {
        self.simulator.contact(&self.audience, address).unsubscribe().unwrap();
    }

    fn staff_add(&self, addresses: &[String]) {
        let row = |email: &String| ImportRow { email: email.clone(), ..ImportRow::default() };
        let rows: Vec<_> = addresses.iter().map(row).collect();
        self.simulator.staff(&self.audience).import(&rows).unwrap();
    }

    fn staff_remove(&self, address: &str) {
        self.simulator.staff(&self.audience).archive(address).unwrap();
    }

    fn turns_away(&self, address: &str) {
        self.simulator.overexpose(&self.audience, address).unwrap();
    }

    fn asked(&self, address: &str) -> usize {
        self.simulator.outbox().iter().filter(|mail| mail.email == address).count()
    }

    fn lists(&self, address: &str) -> bool {
        let member = self.simulator.member(&self.audience, address);
        member.is_some_and(|member| member.status == Status::Subscribed)
    }

    fn holds(&self, address: &str) -> bool {
        self.simulator.member(&self.audience, address).is_some()
    }

    simulated!();
}
