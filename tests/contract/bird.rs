//! Bird on stage.

use std::sync::Arc;

use listwarden::clock::ManualClock;
use listwarden::simulator::bird::{Fault, Rule, Running, Simulator};
use listwarden::simulator::{WebhookSender, Write};

use crate::stage::{Requests, Setup, Stage, Weather};

const KEY: &str = "bk_eu1_0123456789abcdef";
const OURS: &str = "+447700900001";

pub struct Bird {
    simulator: Simulator,
    workspace: usize,
    audience: String,
    server: Running,
}

impl Stage for Bird {
    const NAME: &'static str = "bird";
    const API: &'static str = "/v1";
    const INVITES: (&'static str, &'static str) = ("POST", "/v1/sms/messages");

    async fn opens(clock: Arc<ManualClock>) -> Self {
        let simulator = Simulator::new(clock);
        let workspace = simulator.open_workspace(KEY, OURS);
        let audience = simulator.open_audience(workspace, "News").unwrap();
        let server = simulator.serve_locally().await.unwrap();
        Self { simulator, workspace, audience, server }
    }

    fn setup(&self) -> Setup {
        Setup {
            account: format!("sender = \"{OURS}\"\nbase_url = \"{}\"", self.server.url()),
            audience: self.audience.clone(),
            list: "",
            secrets: vec![("key", KEY.to_owned())],
        }
    }

    fn agrees(&self, address: &str) {
        self.simulator.text(self.workspace, address, OURS, "YES").unwrap();
    }

    fn refuses(&self, address: &str) {
        self.simulator.text(self.workspace, address, OURS, "STOP").unwrap();
    }

    fn staff_add(&self, addresses: &[String]) {
        self.simulator.add_members(&self.audience, addresses).unwrap();
    }

    fn staff_remove(&self, address: &str) {
        self.simulator.delete_contact(address);
    }

    fn turns_away(&self, address: &str) {
        let fate = ("rejected", "invalid_destination");
        self.simulator.fate(self.workspace, address, fate).unwrap();
    }

    fn asked(&self, address: &str) -> usize {
        self.simulator.outbox().iter().filter(|text| text.to == address).count()
    }

    fn lists(&self, address: &str) -> bool {
        self.simulator.has(&self.audience, address)
    }

    /// The contact, and the consents that we stated; what the person said is Bird's to keep.
    fn holds(&self, address: &str) -> bool {
        let contacts = self.simulator.contacts();
        let mut known = contacts.iter().filter_map(|contact| contact.phone_number.as_deref());
        let stated = self.simulator.preferences();
        known.any(|number| number == address)
            || stated.iter().any(|one| one.handle == address && one.origin == "api_key")
    }

    simulated!();
}
