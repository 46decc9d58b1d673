//! The serving process as a provider meets it: the real binary, real sockets, both databases.

#![cfg(feature = "simulator")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use listwarden::clock::{Clock, SystemClock};
use listwarden::commands::{Deployment, webhook};
use listwarden::config::{Config, Environment};
use listwarden::domain::{
    Address, Answer, Consent, Origin, PatientRecord, PatientStatus, Personal,
};
use listwarden::patients::Reference;
use listwarden::providers::transport::HttpTransport;
use listwarden::reconcile::{ListState, Scope};
use listwarden::simulator::mailchimp::{
    HttpSender, Running, SeedMember, Simulator, Source, Status, signature,
};
use listwarden::store::Endpoint;
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

macro_rules! on_both_engines {
    ($(async fn $name:ident($world:ident: World) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn scenario($world: World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                scenario(World::new(Engine::Sqlite, PATIENTS).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                scenario(World::new(Engine::Postgres, PATIENTS).await).await;
            }
        }
    )+};
}

mod metrics;
#[cfg(feature = "otlp")]
mod otlp;

const KEY: &str = "0123456789abcdef0123456789abcdef-us6";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Sqlite,
    Postgres,
}

/// A clinic with two lists, everybody on both, in step; nothing serves yet.
struct World {
    simulator: Simulator,
    lists: Vec<String>,
    server: Running,
    folder: TempDir,
    port: u16,
    deployment: Deployment,
    clinic: Reference,
    databases: Vec<(String, String)>,
}

impl World {
    async fn new(engine: Engine, patients: usize) -> Self {
        let simulator = Simulator::new(Arc::new(SystemClock));
        let account = simulator.open_account("Riverside", KEY);
        let open = |name| {
            let audience = simulator.open_audience(account, name).unwrap();
            simulator.set_double_optin(&audience, true).unwrap();
            audience
        };
        let lists = vec![open("Newsletter"), open("Recalls")];
        let server = simulator.serve_locally().await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut databases = Vec::new();
        let (store, source) = match engine {
            Engine::Sqlite => ("sqlite://listwarden.db".into(), "sqlite://clinic.db".into()),
            Engine::Postgres => {
                let shared = fresh_database(&mut databases).await;
                (shared.clone(), shared)
            }
        };
        let port = free_port();
        write_files(folder.path(), port, &server.url(), &lists, &store, &source);
        let deployment = open_deployment(folder.path()).await;
        deployment.store.migrate().await.unwrap();
        let config = deployment.clinics().next().unwrap();
        let clinic = deployment.reference(config).unwrap().unwrap();
        clinic.migrate().await.unwrap();
        let world = Self { simulator, lists, server, folder, port, deployment, clinic, databases };
        world.fill(patients).await;
        world
    }

    async fn fill(&self, patients: usize) {
        let records: Vec<_> = (0..patients).map(patient).collect();
        self.clinic.upsert(&records).await.unwrap();
        for list in &self.lists {
            let seeds = (0..patients).map(|n| {
                let joined = Some(SystemClock.now() - Duration::from_hours(240));
                SeedMember {
                    source: Source::HostedForm,
                    timestamp_opt: joined,
                    last_changed: joined,
                    ..SeedMember::new(address(n), Status::Subscribed)
                }
            });
            self.simulator.seed_members(list, seeds).unwrap();
        }
        for _ in 0..2 {
            let config = self.deployment.clinics().next().unwrap();
            let mut practice = self.deployment.practice(config).await.unwrap();
            let scope = Scope { list: None, full: true };
            let reconciler = self.deployment.reconciler();
            let outcome = reconciler.reconcile(&mut practice, &scope).await.unwrap();
            for list in outcome.lists.iter().filter(|list| list.state == ListState::Waiting) {
                let until = SystemClock.now() + Duration::from_hours(24);
                self.deployment.store.approve(list.run.unwrap(), until, "test").await.unwrap();
            }
        }
    }

    /// Starts a serving process and waits until it is ready.
    async fn serves(&self, port: u16) -> Serving {
        let mut command = Command::new(env!("CARGO_BIN_EXE_listwarden"));
        let metrics = free_port();
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--metrics-listen", &format!("127.0.0.1:{metrics}")])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let serving = Serving { child: command.spawn().unwrap(), port, metrics };
        eventually("the server is ready", async || serving.get("/readyz").await == 200).await;
        serving
    }

    /// Runs a command of the program to its end.
    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_listwarden"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        tokio::task::block_in_place(|| command.output().unwrap())
    }

    /// Changes the store past the program.
    async fn tampers(&self, sql: &str) {
        if let Some((server, name)) = self.databases.first() {
            let (base, _) = server.rsplit_once('/').unwrap();
            return execute(&format!("{base}/{name}"), sql).await;
        }
        let file = self.folder.path().join("listwarden.db");
        let url = format!("sqlite:{}", file.display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }

    async fn registers(&self) -> Vec<Endpoint> {
        let sender = HttpSender::new().unwrap();
        self.simulator.connect_webhooks(Arc::new(sender));
        webhook::register(&self.deployment, None).await.unwrap();
        self.endpoints().await
    }

    async fn endpoints(&self) -> Vec<Endpoint> {
        let id = self.deployment.store.clinic_ensure("riverside").await.unwrap();
        self.deployment.store.endpoints(id).await.unwrap()
    }

    fn status(&self, list: usize, n: usize) -> Status {
        self.simulator.member(&self.lists[list], &address(n)).unwrap().status
    }

    async fn told(&self, n: usize) -> Vec<String> {
        let feedback = self.clinic.feedback().await.unwrap();
        let own = feedback.into_iter().filter(|f| f.patient_id == n.to_string());
        own.map(|f| f.kind).collect()
    }

    async fn withdrawals(&self) -> usize {
        let id = self.deployment.store.clinic_ensure("riverside").await.unwrap();
        let mut withdrawn = 0;
        for n in 0..PATIENTS {
            let email = Address::email(&address(n)).unwrap();
            let contact = self.deployment.store.contact_find(id, &email).await.unwrap().unwrap();
            let ledger = self.deployment.store.ledger_of_contact(id, contact.id).await.unwrap();
            withdrawn += ledger
                .iter()
                .filter(|event| event.draft.kind == listwarden::domain::EventKind::Withdrawn)
                .count();
        }
        withdrawn
    }

    async fn end(self) {
        self.server.stop().await.unwrap();
        drop((self.deployment, self.clinic));
        for (server, name) in self.databases {
            execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

const PATIENTS: usize = 60;

/// A process of ours; it ends with the test, whatever comes.
struct Serving {
    child: Child,
    port: u16,
    metrics: u16,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Serving {
    async fn get(&self, path: &str) -> u16 {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        client().get(url).send().await.map_or(0, |answer| answer.status().as_u16())
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

fn client() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap()
}

/// Ann's unsubscribe as the provider sends and signs it.
#[derive(Clone)]
struct Delivery {
    path: String,
    body: String,
    signature: String,
}

impl Delivery {
    fn unsubscribe(endpoint: &Endpoint, n: usize) -> Self {
        let audience = endpoint.audience.as_ref().unwrap();
        let now = SystemClock.now();
        let at = now.format("%Y-%m-%d+%H%%3A%M%%3A%S");
        let body = format!(
            "type=unsubscribe&fired_at={at}&data%5Baction%5D=unsub&data%5Breason%5D=manual\
             &data%5Bemail%5D={}&data%5Blist_id%5D={audience}",
            address(n).replace('@', "%40")
        );
        let seconds = u32::try_from(now.timestamp()).unwrap();
        let secret = endpoint.secret.as_ref().unwrap().expose_secret();
        Self {
            path: format!("/webhooks/{}", endpoint.token.expose_secret()),
            signature: signature(secret, seconds, &body),
            body,
        }
    }

    async fn sent(&self, client: &reqwest::Client, port: u16) -> u16 {
        let answer = client
            .post(format!("http://127.0.0.1:{port}{}", self.path))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("X-Mailchimp-Signature", &self.signature)
            .body(self.body.clone())
            .send()
            .await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        SystemClock.sleep(Duration::from_millis(50)).await;
    }
    panic!("not in half a minute: {what}");
}

on_both_engines! {
    async fn an_opt_out_travels_from_the_provider_to_every_list_and_the_clinic(world: World) {
        let serving = world.serves(world.port).await;
        world.registers().await;
        let deliveries = world.simulator.deliver_over_http(HttpSender::new().unwrap());
        world.simulator.contact(&world.lists[0], &address(7)).unsubscribe().unwrap();
        eventually("it is off the other list, and the clinic knows", async || {
            world.status(1, 7) == Status::Unsubscribed
                && world.told(7).await.contains(&"withdrawn".to_owned())
        })
        .await;
        assert_eq!(world.status(1, 8), Status::Subscribed, "nobody else left");
        assert_eq!(serving.get("/livez").await, 200);
        assert_eq!(serving.get("/webhooks/guess").await, 404);
        drop((deliveries, serving));
        world.end().await;
    }

    async fn what_was_answered_is_there_after_kill_9_in_the_midst_of_it(world: World) {
        let first = world.serves(world.port).await;
        let endpoints = world.registers().await;
        let endpoint = endpoints.iter().find(|e| e.origin == Origin::Contact).unwrap();
        drop(first);
        let (client, port) = (client(), world.port);
        let mut answered = Vec::new();
        for kill in 0..20 {
            let mut serving = world.serves(port).await;
            let load = futures::future::join_all((0..3).map(|n| {
                let delivery = Delivery::unsubscribe(endpoint, kill * 3 + n);
                let client = client.clone();
                async move { (kill * 3 + n, delivery.sent(&client, port).await) }
            }));
            let killed = async {
                SystemClock.sleep(Duration::from_millis(kill as u64)).await;
                serving.signal("-9");
            };
            let (answers, ()) = futures::future::join(load, killed).await;
            serving.child.wait().unwrap();
            answered.extend(answers.into_iter().filter(|(_, status)| *status == 200));
        }
        let serving = world.serves(port).await;
        let there = world.withdrawals().await;
        for (n, _) in answered {
            assert_eq!(Delivery::unsubscribe(endpoint, n).sent(&client, port).await, 200);
        }
        assert_eq!(world.withdrawals().await, there, "one that was answered was not there");
        // The provider sends again what was not answered: each is on record once in the end.
        for n in 0..PATIENTS {
            assert_eq!(Delivery::unsubscribe(endpoint, n).sent(&client, port).await, 200);
        }
        assert_eq!(world.withdrawals().await, PATIENTS);
        drop(serving);
        world.end().await;
    }

    async fn asked_to_stop_it_answers_what_it_took_and_ends(world: World) {
        let mut serving = world.serves(world.port).await;
        let endpoints = world.registers().await;
        let endpoint = endpoints.iter().find(|e| e.origin == Origin::Contact).unwrap();
        let (client, port) = (client(), world.port);
        let load = futures::future::join_all((0..PATIENTS).map(|n| {
            let delivery = Delivery::unsubscribe(endpoint, n);
            let client = client.clone();
            async move { delivery.sent(&client, port).await }
        }));
        let stopped = async {
            SystemClock.sleep(Duration::from_millis(5)).await;
            serving.signal("-TERM");
        };
        let (answers, ()) = futures::future::join(load, stopped).await;
        let status = tokio::task::block_in_place(|| serving.child.wait().unwrap());
        assert_eq!(status.code(), Some(0));
        let answered = answers.iter().filter(|status| **status == 200).count();
        let refused = answers.iter().filter(|status| **status == 0).count();
        assert_eq!(answered + refused, PATIENTS, "{answers:?}");
        assert_eq!(world.withdrawals().await, answered);
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_take_the_same_deliveries_and_keep_each_once() {
    let world = World::new(Engine::Postgres, PATIENTS).await;
    let one = world.serves(world.port).await;
    let other = world.serves(free_port()).await;
    let endpoints = world.registers().await;
    let endpoint = endpoints.iter().find(|e| e.origin == Origin::Contact).unwrap();
    let client = client();
    let sent = (0..PATIENTS).flat_map(|n| {
        [one.port, other.port].map(|port| {
            let (delivery, client) = (Delivery::unsubscribe(endpoint, n), client.clone());
            async move { delivery.sent(&client, port).await }
        })
    });
    let answers = futures::future::join_all(sent).await;
    assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
    assert_eq!(world.withdrawals().await, PATIENTS);
    eventually("everybody is off the other list", async || {
        (0..PATIENTS).all(|n| world.status(1, n) == Status::Unsubscribed)
    })
    .await;
    drop((one, other));
    world.end().await;
}

fn patient(n: usize) -> PatientRecord {
    let at = SystemClock.now() - Duration::from_hours(2_400);
    let asked = Consent {
        answer: Answer::Granted,
        at: Some(at),
        method: Some("website form".to_owned()),
        wording: Some("v3".to_owned()),
        actor: Some("portal".to_owned()),
        ..Consent::default()
    };
    PatientRecord {
        source_id: n.to_string(),
        given_name: Personal::new("Ann"),
        family_name: Personal::new("Lee"),
        email: Address::email(&address(n)).ok(),
        mobile: None,
        birth_date: "1980-05-01".parse().ok(),
        status: PatientStatus::Active,
        restricted: false,
        tags: std::collections::BTreeSet::new(),
        privacy_policy: Some(true),
        email_consent: asked,
        sms_consent: Consent::default(),
        updated_at: at,
    }
}

fn address(n: usize) -> String {
    format!("ann{n}@post.test")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn write_files(
    folder: &Path,
    port: u16,
    provider: &str,
    lists: &[String],
    store: &str,
    source: &str,
) {
    fs::create_dir_all(folder.join("clinics")).unwrap();
    fs::create_dir_all(folder.join("secrets/riverside")).unwrap();
    fs::write(
        folder.join("listwarden.toml"),
        format!("[store]\nurl = \"{store}\"\n[serve]\npublic_url = \"http://127.0.0.1:{port}\"\n"),
    )
    .unwrap();
    fs::write(folder.join("secrets/master_key"), "5a".repeat(32)).unwrap();
    fs::write(folder.join("secrets/riverside/mailchimp"), KEY).unwrap();
    let list = |name: &str, audience: &str| {
        format!(
            "[lists.{name}]\naccount = \"main\"\naudience = \"{audience}\"\nunknown = \"report\"\n\
             unproven = \"hold\"\n"
        )
    };
    let text = format!(
        "time_zone = \"Europe/London\"\n[source]\nkind = \"reference\"\nurl = \"{source}\"\n\
         [accounts.main]\nprovider = \"mailchimp\"\napi_key = \"mailchimp\"\n\
         base_url = \"{provider}/3.0\"\n{}{}",
        list("news", &lists[0]),
        list("recalls", &lists[1])
    );
    fs::write(folder.join("clinics/riverside.toml"), text).unwrap();
}

async fn open_deployment(folder: &Path) -> Deployment {
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default()).unwrap();
    let transport = Arc::new(HttpTransport::new().unwrap());
    Deployment::of(config, Arc::new(SystemClock), transport).await.unwrap()
}

async fn fresh_database(databases: &mut Vec<(String, String)>) -> String {
    let server = std::env::var("LISTWARDEN_TEST_POSTGRES")
        .expect("these tests need PostgreSQL: run them by `bash .ci/test`");
    let name = format!("serve_{}", SystemClock.id().simple());
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').expect("a URL ends in a database");
    databases.push((server.clone(), name.clone()));
    format!("{base}/{name}")
}

async fn execute(server: &str, sql: &str) {
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}
