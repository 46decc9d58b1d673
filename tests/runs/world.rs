//! A small clinic and its audience: real program, real database, real HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use listwarden::clock::{Clock, ManualClock};
use listwarden::commands::Deployment;
use listwarden::config::{Config, Environment};
use listwarden::domain::{
    Address, Answer, Channel, Class, Consent, PatientRecord, PatientStatus, Personal, Reason, RunId,
};
use listwarden::patients::Reference;
use listwarden::providers::transport::HttpTransport;
use listwarden::reconcile::{ClinicOutcome, ListState, ListWord, Scope, Who};
use listwarden::simulator::mailchimp::{Contact, Running, SeedMember, Simulator, Staff, Status};
use tempfile::TempDir;

pub const API_KEY: &str = "0123456789abcdef0123456789abcdef-us6";
const BEGIN: &str = "2026-03-02T09:00:00Z";

/// On which engine a world keeps its store and its clinic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs one scenario on both engines.
#[macro_export]
macro_rules! on_both_engines {
    ($(#[$meta:meta])* async fn $name:ident($world:ident: World $(, with $policy:expr)?) $body:block) => {
        mod $name {
            use super::*;

            async fn scenario($world: World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                scenario(World::new(Engine::Sqlite, concat!("", $($policy)?)).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                scenario(World::new(Engine::Postgres, concat!("", $($policy)?)).await).await;
            }
        }
    };
}

pub struct World {
    pub clock: Arc<ManualClock>,
    pub simulator: Simulator,
    pub audience: String,
    pub account: usize,
    pub clinic: Reference,
    pub deployment: Deployment,
    pub folder: TempDir,
    server: Running,
    databases: Vec<(String, String)>,
}

impl World {
    /// Builds a world with one clinic and one double opt-in list; `policy` adds lines to the list's
    /// configuration.
    pub async fn new(engine: Engine, policy: &str) -> Self {
        let clock = Arc::new(ManualClock::new(BEGIN.parse().unwrap(), 7));
        let simulator = Simulator::new(clock.clone());
        let account = simulator.open_account("Riverside", API_KEY);
        let audience = simulator.open_audience(account, "Newsletter").unwrap();
        simulator.set_double_optin(&audience, true).unwrap();
        let server = simulator.serve_locally().await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut databases = Vec::new();
        let (store, clinic) = match engine {
            Engine::Sqlite => ("sqlite://listwarden.db".into(), "sqlite://clinic.db".into()),
            Engine::Postgres => {
                let store = fresh_database(&mut databases).await;
                (store, fresh_database(&mut databases).await)
            }
        };
        write_files(folder.path(), &server.url(), &audience, &store, &clinic, policy);
        let deployment = open(folder.path(), clock.clone()).await;
        deployment.store.migrate().await.unwrap();
        let config = deployment.clinics().next().unwrap();
        let clinic = deployment.reference(config).unwrap().unwrap();
        clinic.migrate().await.unwrap();
        Self { clock, simulator, audience, account, clinic, deployment, folder, server, databases }
    }

    // --- The clinic ---------------------------------------------------------------------------

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn pass(&self, time: TimeDelta) {
        self.clock.advance(time.to_std().unwrap());
    }

    /// An active adult who never was asked; `name@post.test`.
    pub fn somebody(&self, name: &str) -> PatientRecord {
        PatientRecord {
            source_id: name.to_owned(),
            given_name: Personal::new(&format!("Given{name}")),
            family_name: Personal::new(&format!("Family{name}")),
            email: Some(email(name)),
            mobile: None,
            birth_date: "1980-05-01".parse().ok(),
            status: PatientStatus::Active,
            restricted: false,
            tags: std::collections::BTreeSet::new(),
            privacy_policy: None,
            email_consent: Consent::default(),
            sms_consent: Consent::default(),
            updated_at: self.now() - TimeDelta::days(40),
        }
    }

    /// Explicit consent, given a month ago.
    pub fn explicit(&self) -> Consent {
        self.explicit_at(self.now() - TimeDelta::days(30))
    }

    pub fn explicit_at(&self, at: DateTime<Utc>) -> Consent {
        Consent {
            answer: Answer::Granted,
            at: Some(at),
            method: Some("website form".to_owned()),
            wording: Some("v3".to_owned()),
            actor: Some("portal".to_owned()),
            ..Consent::default()
        }
    }

    pub async fn enters(&self, record: PatientRecord) {
        self.clinic.upsert(&[record]).await.unwrap();
    }

    /// A patient who consented a month ago.
    pub async fn consenting(&self, name: &str) {
        let record = self.somebody(name);
        self.enters(PatientRecord { email_consent: self.explicit(), ..record }).await;
    }

    pub async fn consents_now(&self, name: &str) {
        let consent = self.explicit_at(self.now());
        self.clinic.set_consent(name, Channel::Email, consent, self.now()).await.unwrap();
    }

    // --- The provider -------------------------------------------------------------------------

    pub fn has(&self, name: &str, status: Status) {
        self.simulator.seed_member(&self.audience, SeedMember::new(address(name), status)).unwrap();
    }

    pub fn contact(&self, name: &str) -> Contact {
        self.simulator.contact(&self.audience, &address(name))
    }

    pub fn staff(&self) -> Staff {
        self.simulator.staff(&self.audience)
    }

    /// What the provider holds of somebody; none if it holds nothing.
    pub fn there(&self, name: &str) -> Option<Status> {
        self.simulator.member(&self.audience, &address(name)).map(|member| member.status)
    }

    pub fn confirms(&self, name: &str) {
        self.contact(name).confirm().unwrap();
    }

    pub fn writes(&self) -> usize {
        self.simulator.writes().len()
    }

    // --- The program --------------------------------------------------------------------------

    /// Another process on the same files and databases.
    pub async fn another_process(&self) -> Deployment {
        open(self.folder.path(), self.clock.clone()).await
    }

    pub async fn try_run(&self, full: bool) -> ClinicOutcome {
        run_on(&self.deployment, full).await
    }

    /// A run that must end in step; a second must then change nothing (L24).
    pub async fn runs(&self) -> ClinicOutcome {
        let outcome = self.try_run(true).await;
        assert_eq!(state(&outcome), ListState::InStep, "{outcome:#?}");
        let before = self.writes();
        let again = self.try_run(true).await;
        assert_eq!(state(&again), ListState::InStep, "{again:#?}");
        assert_eq!(self.writes(), before, "a second run wrote: {:#?}", self.simulator.writes());
        assert!(again.lists[0].operations.is_empty(), "a second run planned: {again:#?}");
        outcome
    }

    /// The first run and its approval, if anything waits.
    pub async fn adopts(&self) {
        let outcome = self.try_run(true).await;
        match state(&outcome) {
            ListState::Waiting => {
                self.approves(outcome.lists[0].run.unwrap()).await;
                self.runs().await;
            }
            ListState::InStep => self.approve_empty(outcome.lists[0].run.unwrap()).await,
            other => panic!("the first run ended {other:?}: {outcome:#?}"),
        }
    }

    async fn approve_empty(&self, run: RunId) {
        self.approves(run).await;
    }

    pub async fn approves(&self, run: RunId) {
        let until = self.now() + TimeDelta::hours(24);
        self.deployment.store.approve(run, until, "test").await.unwrap();
    }

    /// Each list's word on somebody.
    pub async fn explain(&self, name: &str) -> Vec<ListWord> {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let who = Who::Address(email(name));
        let found = self.deployment.reconciler().explain(id, &lists, &who).await.unwrap();
        found.map(|explanation| explanation.lists).unwrap_or_default()
    }

    pub async fn reasons(&self, name: &str) -> Vec<Reason> {
        let words = self.explain(name).await;
        words.iter().flat_map(|word| &word.reasons).map(|because| because.reason).collect()
    }

    pub async fn classes(&self) -> BTreeMap<Class, u64> {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let attested = self.deployment.reconciler().attest(id, &lists).await.unwrap();
        attested[0].classes.clone().unwrap_or_default()
    }

    /// The lines the clinic was told of somebody: kinds, in order.
    pub async fn told(&self, name: &str) -> Vec<String> {
        let feedback = self.clinic.feedback().await.unwrap();
        feedback.into_iter().filter(|f| f.patient_id == name).map(|f| f.kind).collect()
    }

    pub async fn end(self) {
        self.server.stop().await.unwrap();
        drop(self.deployment);
        drop(self.clinic);
        for (server, name) in self.databases {
            drop_database(&server, &name).await;
        }
    }
}

pub async fn run_on(deployment: &Deployment, full: bool) -> ClinicOutcome {
    let config = deployment.clinics().next().unwrap();
    let mut practice = deployment.practice(config).await.unwrap();
    let scope = Scope { list: None, full };
    deployment.reconciler().reconcile(&mut practice, &scope).await.unwrap()
}

pub fn state(outcome: &ClinicOutcome) -> ListState {
    outcome.lists[0].state
}

pub fn address(name: &str) -> String {
    format!("{name}@post.test")
}

pub fn email(name: &str) -> Address {
    Address::email(&address(name)).unwrap()
}

async fn open(folder: &Path, clock: Arc<ManualClock>) -> Deployment {
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default()).unwrap();
    Deployment::of(config, clock, Arc::new(HttpTransport::new().unwrap())).await.unwrap()
}

fn write_files(folder: &Path, url: &str, audience: &str, store: &str, clinic: &str, policy: &str) {
    fs::create_dir_all(folder.join("clinics")).unwrap();
    fs::create_dir_all(folder.join("secrets/riverside")).unwrap();
    fs::write(folder.join("listwarden.toml"), format!("[store]\nurl = \"{store}\"\n")).unwrap();
    fs::write(folder.join("secrets/master_key"), "5a".repeat(32)).unwrap();
    fs::write(folder.join("secrets/riverside/mailchimp"), API_KEY).unwrap();
    let mut list = String::new();
    for default in [
        "unknown = \"report\"",
        "unproven = \"archive_and_invite\"",
        "fields = { FNAME = \"given_name\", LNAME = \"family_name\" }",
    ] {
        let key = default.split(' ').next().unwrap();
        if !policy.lines().any(|line| line.trim_start().starts_with(key)) {
            list.push_str(default);
            list.push('\n');
        }
    }
    let text = format!(
        r#"
name = "riverside"
title = "Riverside"
country = "GB"
time_zone = "Europe/London"
[source]
kind = "reference"
url = "{clinic}"
[accounts.main]
provider = "mailchimp"
api_key = "mailchimp"
base_url = "{url}/3.0"
[lists.newsletter]
account = "main"
audience = "{audience}"
{list}{policy}
"#
    );
    fs::write(folder.join("clinics/riverside.toml"), text).unwrap();
}

async fn fresh_database(databases: &mut Vec<(String, String)>) -> String {
    let server = std::env::var("LISTWARDEN_TEST_POSTGRES")
        .expect("these tests need PostgreSQL: run them by `bash .ci/test`");
    let name = format!("runs_{}", uuid::Uuid::from_u128(rand::random()).simple());
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let (base, _) = server.rsplit_once('/').unwrap();
    databases.push((server.clone(), name.clone()));
    format!("{base}/{name}")
}

async fn drop_database(server: &str, name: &str) {
    execute(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
}

async fn execute(server: &str, sql: &str) {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
}

pub const DAY: Duration = Duration::from_secs(24 * 3600);
