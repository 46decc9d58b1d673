//! Sinch on stage.

use std::sync::Arc;

use chrono::TimeDelta;
use listwarden::clock::ManualClock;
use listwarden::simulator::sinch::{
    Callback, Credentials, Fault, Rule, Running, Signing, Simulator,
};
use listwarden::simulator::{WebhookSender, Write};

use crate::stage::{Requests, Setup, Stage, Weather};
use crate::world::World;

const OURS: &str = "+447700900001";
const SECRET: &str = "signs-the-callbacks";

pub struct Sinch {
    simulator: Simulator,
    account: usize,
    group: String,
    server: Running,
}

impl Stage for Sinch {
    const NAME: &'static str = "sinch";
    const API: &'static str = "/xms";
    const INVITES: (&'static str, &'static str) = ("POST", "/xms/v1/project-1/batches");

    async fn opens(clock: Arc<ManualClock>) -> Self {
        let simulator = Simulator::new(clock);
        let account = simulator.open_account(Credentials::default());
        let group = simulator.open_group(account, "News").unwrap();
        let server = simulator.serve_locally().await.unwrap();
        Self { simulator, account, group, server }
    }

    fn setup(&self) -> Setup {
        let url = self.server.url();
        let account = format!(
            "project_id = \"project-1\"\nsender = \"{OURS}\"\nbase_url = \"{url}\"\n\
             auth_url = \"{url}\"\nconversation_url = \"{url}\"\nwebhook_secrets = [\"hook\"]"
        );
        let secrets =
            vec![("key", "key-1:key-secret-1".to_owned()), ("hook", SECRET.to_owned())];
        Setup { account, audience: self.group.clone(), list: "", secrets }
    }

    fn agrees(&self, address: &str) {
        self.simulator.text(self.account, address, OURS, "YES").unwrap();
    }

    fn refuses(&self, address: &str) {
        self.simulator.text(self.account, address, OURS, "STOP").unwrap();
    }

    fn staff_add(&self, addresses: &[String]) {
        self.simulator.add_members(&self.group, addresses).unwrap();
    }

    fn staff_remove(&self, address: &str) {
        self.simulator.remove_members(&self.group, [address]).unwrap();
    }

    /// Somebody is on a list of opt-outs that is not read, and gets no text.
    fn turns_away(&self, address: &str) {
        self.simulator.configure(|settings| settings.consent_management = true);
        self.simulator.opt_out(self.account, ("app-1", "OPT_OUT_ALL"), address).unwrap();
    }

    fn asked(&self, address: &str) -> usize {
        let to = address.trim_start_matches('+');
        self.simulator.outbox().iter().filter(|text| text.to == to).count()
    }

    fn lists(&self, address: &str) -> bool {
        self.simulator.has(&self.group, address)
    }

    /// A group holds its numbers, and nothing else of anybody.
    fn holds(&self, address: &str) -> bool {
        self.lists(address)
    }

    async fn is_told_where(&self, url: &str) {
        let signing = Signing::Signed { secret: SECRET.to_owned() };
        let callback = Callback { url: url.to_owned(), signing };
        self.simulator.set_callback(self.account, Some(callback)).unwrap();
    }

    simulated!();
}

/// A world whose app has consent lists, which STOP and START change.
async fn world_with_consents() -> World<Sinch> {
    let mut world = World::<Sinch>::new().await;
    let Sinch { simulator, account, .. } = world.stage.as_ref();
    simulator.open_app(*account, "app-1").unwrap();
    simulator.configure(|settings| settings.consent_management = true);
    world.reconfigures("project_id =", "app_id = \"app-1\"\nproject_id =").await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l15_a_stop_that_the_consent_list_shows_too_is_one_act() {
    let world = world_with_consents().await;
    world.listed(0..1).await;
    world.refuses(0);
    world.runs().await;
    assert!(!world.receives(0).await);
    assert_eq!(world.opt_outs().await, 1);
    assert_eq!(world.told(0).await, ["confirmed", "withdrawn"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l11_whoever_is_on_the_consent_list_again_opted_out_again() {
    let world = world_with_consents().await;
    world.listed(0..1).await;
    let stage = &world.stage;
    let number = world.address(0);
    for opt_outs in 1..=2 {
        stage.simulator.opt_out(stage.account, ("app-1", "OPT_OUT_MARKETING"), &number).unwrap();
        world.runs().await;
        assert!(!world.receives(0).await, "{opt_outs}");
        assert_eq!(world.opt_outs().await, opt_outs);
        world.pass(TimeDelta::hours(1));
        stage.simulator.opt_in(stage.account, ("app-1", "OPT_OUT_MARKETING"), &number).unwrap();
        world.runs().await;
        assert!(!world.receives(0).await, "START lists nobody");
        world.consents_anew(0).await;
        world.runs().await;
        world.agrees(0);
        world.runs().await;
        assert!(world.receives(0).await, "{opt_outs}");
        world.pass(TimeDelta::hours(1));
    }
}
