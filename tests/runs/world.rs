//! A small clinic and its audience: real program, real database, real HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use listwarden::clock::{Clock, ManualClock};
use listwarden::commands::Deployment;
use listwarden::config::{Config, Environment};
use listwarden::domain::{
    Address, Answer, Channel, Class, Consent, PatientRecord, PatientStatus, Personal, Reason, RunId,
};
use listwarden::patients::Reference;
use listwarden::providers::Transport;
use listwarden::providers::transport::HttpTransport;
use listwarden::reconcile::{Attestation, ClinicOutcome, ListState, ListWord, Scope, Who};
use listwarden::simulator::mailchimp::{
    Contact, ImportRow, Running, SeedMember, Simulator, Staff, Status,
};
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
    (async fn $name:ident(mut $world:ident: World $(, with $policy:expr)?) $body:block) => {
        $crate::on_both_engines! { @ $name, (mut $world), $crate::world::lines(&[$($policy)?]), $body }
    };
    (async fn $name:ident($world:ident: World $(, with $policy:expr)?) $body:block) => {
        $crate::on_both_engines! { @ $name, ($world), $crate::world::lines(&[$($policy)?]), $body }
    };
    (@ $name:ident, ($($world:tt)+), $policy:expr, $body:block) => {
        mod $name {
            use super::*;

            async fn scenario($($world)+: World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                scenario(World::new(Engine::Sqlite, $policy).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                scenario(World::new(Engine::Postgres, $policy).await).await;
            }
        }
    };
}

/// The lines of a policy, or none.
pub fn lines<'a>(lines: &[&'a str]) -> &'a str {
    lines.first().copied().unwrap_or_default()
}

pub struct World {
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    pub simulator: Simulator,
    pub audience: String,
    pub account: usize,
    pub clinic: Reference,
    pub deployment: Deployment,
    pub folder: TempDir,
    /// Every address that a patient ever had, and when contacts last said no: what the checker
    /// knows without asking the program.
    pub(crate) ever: Mutex<BTreeSet<String>>,
    pub(crate) noes: Mutex<BTreeMap<String, DateTime<Utc>>>,
    server: Running,
    databases: Vec<(String, String)>,
    /// Where the store is, on PostgreSQL.
    pub store_url: Option<String>,
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
        let (store, clinic): (String, String) = match engine {
            Engine::Sqlite => ("sqlite://listwarden.db".into(), "sqlite://clinic.db".into()),
            // The clinic may share a database with the store; making one takes a while.
            Engine::Postgres => {
                let shared = fresh_database(&mut databases).await;
                (shared.clone(), shared)
            }
        };
        write_files(folder.path(), &server.url(), &audience, &store, &clinic, policy);
        let deployment = open(folder.path(), clock.clone()).await;
        deployment.store.migrate().await.unwrap();
        let config = deployment.clinics().next().unwrap();
        let clinic = deployment.reference(config).unwrap().unwrap();
        clinic.migrate().await.unwrap();
        let (ever, noes) = (Mutex::default(), Mutex::default());
        Self {
            engine,
            clock,
            simulator,
            audience,
            account,
            clinic,
            deployment,
            folder,
            ever,
            noes,
            server,
            databases,
            store_url: (engine == Engine::Postgres).then_some(store),
        }
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

    #[expect(clippy::unused_self, reason = "a sentence about the world, like its neighbours")]
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
        self.enter_all(&[record]).await;
    }

    pub async fn enter_all(&self, records: &[PatientRecord]) {
        let addresses = records.iter().filter_map(|record| record.email.as_ref());
        self.ever.lock().unwrap().extend(addresses.map(|address| address.expose().to_owned()));
        self.clinic.upsert(records).await.unwrap();
    }

    /// Patients `name0`, `name1`, … who consented a month ago.
    pub async fn many_consenting(&self, name: &str, count: usize) {
        let consenting = |number: usize| {
            let record = self.somebody(&format!("{name}{number}"));
            PatientRecord { email_consent: self.explicit(), ..record }
        };
        let records: Vec<_> = (0..count).map(consenting).collect();
        self.enter_all(&records).await;
    }

    /// A patient takes another address, in the clinic.
    pub async fn moves(&self, name: &str, to: &str) {
        self.ever.lock().unwrap().insert(address(to));
        let to = Some(email(to));
        self.clinic.change_address(name, Channel::Email, to, self.now()).await.unwrap();
    }

    /// A patient tells the clinic, on the telephone, to end this channel.
    pub async fn withdraws(&self, name: &str) {
        self.refuses(name, Answer::Withdrawn).await;
    }

    /// A patient tells the clinic, on the telephone, to end all marketing.
    pub async fn objects(&self, name: &str) {
        self.refuses(name, Answer::Objected).await;
    }

    async fn refuses(&self, name: &str, answer: Answer) {
        let at = Some(self.now());
        let method = Some("telephone".to_owned());
        let said = Consent { answer, at, method, ..Consent::default() };
        self.clinic.set_consent(name, Channel::Email, said, self.now()).await.unwrap();
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

    pub fn unsubscribes(&self, name: &str) {
        self.contact(name).unsubscribe().unwrap();
        self.said_no(name);
    }

    pub fn complains(&self, name: &str) {
        self.contact(name).complain().unwrap();
        self.said_no(name);
    }

    pub fn said_no(&self, name: &str) {
        self.noes.lock().unwrap().insert(address(name), self.now());
    }

    /// Staff import a file with somebody in it.
    pub fn staff_import(&self, name: &str) {
        let row = ImportRow { email: address(name), ..ImportRow::default() };
        self.staff().import(&[row]).unwrap();
    }

    /// How many confirmation mails went to somebody.
    pub fn invitations(&self, name: &str) -> usize {
        self.simulator.outbox().iter().filter(|mail| mail.email == address(name)).count()
    }

    pub fn writes(&self) -> usize {
        self.simulator.writes().len()
    }

    // --- The program --------------------------------------------------------------------------

    /// Another process on the same files and databases.
    pub async fn another_process(&self) -> Deployment {
        open(self.folder.path(), self.clock.clone()).await
    }

    /// Another process, whose requests go through `transport`.
    pub async fn process_over(&self, transport: Arc<dyn Transport>) -> Deployment {
        open_over(self.folder.path(), self.clock.clone(), transport).await
    }

    /// Replaces a piece of the clinic's configuration; the program starts anew.
    pub async fn reconfigures(&mut self, from: &str, to: &str) {
        let path = self.folder.path().join("clinics/riverside.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        self.deployment = self.another_process().await;
    }

    /// One request at a time, so that each has its number.
    pub async fn asks_one_thing_at_a_time(&mut self) {
        self.reconfigures("api_key =", "in_flight = 1\napi_key =").await;
    }

    /// Gives the clinic a second list on an audience of its own, which is returned.
    pub async fn adds_list(&mut self, slug: &str) -> String {
        let audience = self.simulator.open_audience(self.account, slug).unwrap();
        self.simulator.set_double_optin(&audience, true).unwrap();
        let list = format!(
            "[lists.{slug}]\naccount = \"main\"\naudience = \"{audience}\"\n\
             unknown = \"report\"\nunproven = \"archive_and_invite\"\n[lists.newsletter]"
        );
        self.reconfigures("[lists.newsletter]", &list).await;
        audience
    }

    /// Gives the clinic a second list in another account at the provider; returns its audience.
    pub async fn adds_list_of_another_account(&mut self, slug: &str) -> String {
        let key = API_KEY.replace('0', "1");
        let account = self.simulator.open_account("Annexe", &key);
        fs::write(self.folder.path().join("secrets/riverside/annexe"), key).unwrap();
        let audience = self.simulator.open_audience(account, slug).unwrap();
        self.simulator.set_double_optin(&audience, true).unwrap();
        let url = self.server.url();
        let list = format!(
            "[accounts.annexe]\nprovider = \"mailchimp\"\napi_key = \"annexe\"\n\
             base_url = \"{url}/3.0\"\n[lists.{slug}]\naccount = \"annexe\"\n\
             audience = \"{audience}\"\nunknown = \"report\"\n\
             unproven = \"archive_and_invite\"\n[lists.newsletter]"
        );
        self.reconfigures("[lists.newsletter]", &list).await;
        audience
    }

    /// Returns the number of the last sweep of the patients.
    pub async fn patient_sweeps(&self) -> i64 {
        self.deployment.store.clinics().await.unwrap()[0].sweep_no
    }

    /// Waits until another process is through with the sweep after that one: it reads the patients
    /// while it asks the provider.
    pub async fn patients_are_read_after(&self, sweep: i64) {
        let store = &self.deployment.store;
        let name = format!("source:{}", store.clinics().await.unwrap()[0].id);
        loop {
            let minute = Duration::from_mins(1);
            let free = store.lease_acquire(&name, self.clock.id(), minute).await.unwrap();
            if let Some(lease) = free {
                store.lease_release(&lease).await.unwrap();
                if self.patient_sweeps().await > sweep {
                    return;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    pub async fn try_run(&self, full: bool) -> ClinicOutcome {
        run_on(&self.deployment, full).await
    }

    /// A run that must end in step; a second must then change nothing (L24), and nobody is listed
    /// who must not be.
    pub async fn runs(&self) -> ClinicOutcome {
        let outcome = self.try_run(true).await;
        assert_in_step(&outcome);
        self.rests().await;
        outcome
    }

    /// The first run and its approval, if anything waits.
    pub async fn adopts(&self) {
        let outcome = self.try_run(true).await;
        for list in &outcome.lists {
            assert!(
                matches!(list.state, ListState::Waiting | ListState::InStep),
                "the first run ended {outcome:#?}"
            );
            if list.state == ListState::Waiting {
                self.approves(list.run.unwrap()).await;
            }
        }
        self.runs().await;
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

    pub async fn attests(&self) -> Attestation {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let attested = self.deployment.reconciler().attest(id, &lists).await.unwrap();
        attested.into_iter().find(|list| list.list == "newsletter").unwrap()
    }

    pub async fn classes(&self) -> BTreeMap<Class, u64> {
        self.attests().await.classes.unwrap_or_default()
    }

    /// The lines the clinic was told of somebody: kinds, in order.
    pub async fn told(&self, name: &str) -> Vec<String> {
        let feedback = self.clinic.feedback().await.unwrap();
        feedback.into_iter().filter(|f| f.patient_id == name).map(|f| f.kind).collect()
    }

    /// The first column of what the store's own database answers.
    pub async fn store_says(&self, sql: &str) -> Vec<String> {
        let sql = || sqlx::AssertSqlSafe(sql.to_owned());
        if let Some(url) = &self.store_url {
            let pool = sqlx::PgPool::connect(url).await.unwrap();
            return sqlx::query_scalar(sql()).fetch_all(&pool).await.unwrap();
        }
        let file = format!("sqlite://{}", self.folder.path().join("listwarden.db").display());
        let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
        sqlx::query_scalar(sql()).fetch_all(&pool).await.unwrap()
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

pub fn assert_in_step(outcome: &ClinicOutcome) {
    for list in &outcome.lists {
        assert_eq!(list.state, ListState::InStep, "{outcome:#?}");
    }
}

async fn open(folder: &Path, clock: Arc<ManualClock>) -> Deployment {
    open_over(folder, clock, Arc::new(HttpTransport::new().unwrap())).await
}

async fn open_over(
    folder: &Path,
    clock: Arc<ManualClock>,
    transport: Arc<dyn Transport>,
) -> Deployment {
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default()).unwrap();
    Deployment::of(config, clock, transport).await.unwrap()
}

fn write_files(folder: &Path, url: &str, audience: &str, store: &str, clinic: &str, policy: &str) {
    fs::create_dir_all(folder.join("clinics")).unwrap();
    fs::create_dir_all(folder.join("secrets/riverside")).unwrap();
    let deployment =
        format!("[store]\nurl = \"{store}\"\n[serve]\npublic_url = \"http://hooks.test\"\n");
    fs::write(folder.join("listwarden.toml"), deployment).unwrap();
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

#[expect(clippy::disallowed_methods, reason = "runs at once on one server must not share a name")]
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
