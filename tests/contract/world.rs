//! A clinic with one list at the provider on stage: real program, real database, real HTTP.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use listwarden::clock::{Clock, ManualClock};
use listwarden::commands::Deployment;
use listwarden::config::{Config, Environment};
use listwarden::domain::{
    Address, Answer, Channel, Class, Consent, MemberStatus, PatientRecord, PatientStatus, Personal,
    Reason,
};
use listwarden::patients::Reference;
use listwarden::providers::Transport;
use listwarden::providers::port::Capabilities;
use listwarden::providers::transport::HttpTransport;
use listwarden::reconcile::{ListOutcome, ListState, ListWord, Scope, Who};
use sqlx::SqlitePool;
use tempfile::TempDir;

use crate::stage::Stage;

const BEGIN: &str = "2026-03-02T09:00:00Z";
/// What is on record of everybody and concerns no provider.
pub const PRIVATE: [&str; 4] = ["Familyname", "1980-05-01", "diabetes", "record-"];

pub struct World<S> {
    pub stage: Arc<S>,
    pub clock: Arc<ManualClock>,
    pub clinic: Reference,
    pub deployment: Deployment,
    /// What the provider declares it can do: the scenarios ask this, and never who it is.
    pub can: Capabilities,
    folder: TempDir,
}

impl<S: Stage> World<S> {
    pub async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(BEGIN.parse().unwrap(), 7));
        let stage = Arc::new(S::opens(clock.clone()).await);
        let folder = TempDir::new().unwrap();
        write_files(folder.path(), stage.as_ref());
        let deployment = open(folder.path(), clock.clone()).await;
        deployment.store.migrate().await.unwrap();
        let config = deployment.clinics().next().unwrap();
        let list = deployment.accounts(config).unwrap()["main"].list(
            &stage.setup().audience,
            BTreeSet::new(),
            false,
        );
        let can = list.capabilities().clone();
        let clinic = deployment.reference(config).unwrap().unwrap();
        clinic.migrate().await.unwrap();
        Self { stage, clock, clinic, deployment, can, folder }
    }

    // --- The clinic ---------------------------------------------------------------------------

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn pass(&self, time: TimeDelta) {
        self.clock.advance(time.to_std().unwrap());
    }

    /// The address of patient `n` on the list's channel.
    pub fn address(&self, n: usize) -> String {
        match self.can.channel {
            Channel::Email => format!("p{n}@post.test"),
            Channel::Sms => format!("+4479111{n:05}"),
        }
    }

    /// A patient who consented to the channel at `at`; private matters are on record.
    pub fn patient(&self, n: usize, at: DateTime<Utc>) -> PatientRecord {
        let given = Consent {
            answer: Answer::Granted,
            at: Some(at),
            method: Some("website form".to_owned()),
            wording: Some("v3".to_owned()),
            actor: Some("portal".to_owned()),
            ..Consent::default()
        };
        let by_email = self.can.channel == Channel::Email;
        let consent = |asked: bool| if asked { given.clone() } else { Consent::default() };
        let address = self.parsed(n);
        PatientRecord {
            source_id: id(n),
            given_name: Personal::new(&format!("Given{n}")),
            family_name: Personal::new(&format!("Familyname{n}")),
            email: by_email.then(|| address.clone()),
            mobile: (!by_email).then_some(address),
            birth_date: "1980-05-01".parse().ok(),
            status: PatientStatus::Active,
            restricted: false,
            tags: ["diabetes".to_owned()].into(),
            privacy_policy: None,
            email_consent: consent(by_email),
            sms_consent: consent(!by_email),
            updated_at: self.now(),
        }
    }

    fn parsed(&self, n: usize) -> Address {
        let address = self.address(n);
        match self.can.channel {
            Channel::Email => Address::email(&address).unwrap(),
            Channel::Sms => Address::mobile(&address, None).unwrap(),
        }
    }

    /// Patients who consented a month ago.
    pub async fn consenting(&self, numbers: Range<usize>) {
        let a_month_ago = self.now() - TimeDelta::days(30);
        let records: Vec<_> = numbers.map(|n| self.patient(n, a_month_ago)).collect();
        self.clinic.upsert(&records).await.unwrap();
    }

    /// A patient consents once more, now.
    pub async fn consents_anew(&self, n: usize) {
        self.clinic.upsert(&[self.patient(n, self.now())]).await.unwrap();
    }

    /// A patient says something to the clinic on the telephone.
    pub async fn says(&self, n: usize, answer: Answer) {
        let at = Some(self.now());
        let said = Consent { answer, at, method: Some("telephone".into()), ..Consent::default() };
        self.clinic.set_consent(&id(n), self.can.channel, said, self.now()).await.unwrap();
    }

    pub async fn becomes(&self, n: usize, status: PatientStatus) {
        self.clinic.set_status(&id(n), status, self.now()).await.unwrap();
    }

    /// What the clinic was told of a patient: kinds, in order.
    pub async fn told(&self, n: usize) -> Vec<String> {
        let feedback = self.clinic.feedback().await.unwrap();
        feedback.into_iter().filter(|told| told.patient_id == id(n)).map(|told| told.kind).collect()
    }

    // --- People and staff at the provider -----------------------------------------------------

    /// Answers reach the log of a provider a little later.
    pub fn agrees(&self, n: usize) {
        self.stage.agrees(&self.address(n));
        self.pass(TimeDelta::minutes(2));
    }

    pub fn refuses(&self, n: usize) {
        self.stage.refuses(&self.address(n));
        self.pass(TimeDelta::minutes(2));
    }

    pub fn staff_add(&self, numbers: Range<usize>) {
        let addresses: Vec<String> = numbers.map(|n| self.address(n)).collect();
        self.stage.staff_add(&addresses);
    }

    pub fn asked(&self, n: usize) -> usize {
        self.stage.asked(&self.address(n))
    }

    /// Whether the provider itself keeps who is on the list.
    pub fn keeps_a_list(&self) -> bool {
        self.can.shows.contains(&MemberStatus::Subscribed)
    }

    /// Tells whether somebody is on the list: at the provider, where it keeps one; else by our own
    /// word, from which alone the clinic sends then.
    pub async fn receives(&self, n: usize) -> bool {
        if self.keeps_a_list() {
            return self.stage.lists(&self.address(n));
        }
        let word = self.word(n).await;
        word.is_some_and(|word| {
            let reason = word.reasons.first().map(|because| because.reason);
            (word.class, reason) == (Class::InStep, Some(Reason::Wanted))
        })
    }

    // --- The program --------------------------------------------------------------------------

    pub async fn run(&self) -> ListOutcome {
        self.run_of(&self.deployment).await
    }

    pub async fn run_of(&self, deployment: &Deployment) -> ListOutcome {
        let config = deployment.clinics().next().unwrap();
        let mut practice = deployment.practice(config).await.unwrap();
        let reconciler = deployment.reconciler().attending(deployment.roster().await);
        let scope = Scope { list: None, full: true };
        reconciler.reconcile(&mut practice, &scope).await.unwrap().lists.remove(0)
    }

    /// A run that ends in step; one more writes nothing (L24).
    pub async fn runs(&self) -> ListOutcome {
        let outcome = self.run().await;
        assert_eq!(outcome.state, ListState::InStep, "{outcome:#?}");
        let before = self.stage.writes().len();
        let again = self.run().await;
        assert_eq!(again.state, ListState::InStep, "{again:#?}");
        assert_eq!(self.stage.writes()[before..], [], "a run without changes writes nothing");
        outcome
    }

    /// The first run, which writes nothing, and its approval (L20).
    pub async fn adopts(&self) {
        let first = self.run().await;
        assert!(matches!(first.state, ListState::Waiting | ListState::InStep), "{first:#?}");
        assert_eq!(self.stage.writes(), [], "the first run writes nothing");
        let until = self.now() + TimeDelta::hours(24);
        self.deployment.store.approve(first.run.unwrap(), until, "test").await.unwrap();
        self.runs().await;
    }

    /// Patients who were asked, agreed and are on the list; an hour later.
    pub async fn listed(&self, numbers: Range<usize>) {
        self.consenting(numbers.clone()).await;
        self.adopts().await;
        numbers.clone().for_each(|n| self.agrees(n));
        self.runs().await;
        for n in numbers {
            assert!(self.receives(n).await, "{n} agreed");
        }
        self.pass(TimeDelta::hours(1));
    }

    /// Replaces a piece of the clinic's configuration; the program starts anew.
    pub async fn reconfigures(&mut self, from: &str, to: &str) {
        let path = self.folder.path().join("clinics/riverside.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        self.deployment = self.another_process().await;
    }

    pub async fn another_process(&self) -> Deployment {
        open(self.folder.path(), self.clock.clone()).await
    }

    /// Another process, whose requests go through `transport`.
    pub async fn process_over(&self, transport: Arc<dyn Transport>) -> Deployment {
        open_over(self.folder.path(), self.clock.clone(), transport).await
    }

    /// The list's word on a patient.
    pub async fn word(&self, n: usize) -> Option<ListWord> {
        let config = self.deployment.clinics().next().unwrap();
        let (id, lists) = self.deployment.known_lists(config).await.unwrap();
        let who = Who::Address(self.parsed(n));
        let found = self.deployment.reconciler().explain(id, &lists, &who).await.unwrap();
        found?.lists.pop()
    }

    /// How many lines of the ledger are opt-outs from the channel.
    pub async fn opt_outs(&self) -> usize {
        self.store_says("SELECT kind FROM ledger WHERE kind = 'withdrawn'").await.len()
    }

    /// The first column of what the store's own database answers.
    pub async fn store_says(&self, sql: &str) -> Vec<String> {
        let file = format!("sqlite://{}", self.folder.path().join("listwarden.db").display());
        let pool = SqlitePool::connect(&file).await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(&pool).await.unwrap()
    }
}

/// Patient `n` in the clinic.
pub fn id(n: usize) -> String {
    format!("record-{n}")
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

fn write_files<S: Stage>(folder: &Path, stage: &S) {
    let setup = stage.setup();
    fs::create_dir_all(folder.join("clinics")).unwrap();
    fs::create_dir_all(folder.join("secrets/riverside")).unwrap();
    let deployment = "[store]\nurl = \"sqlite://listwarden.db\"\n\
        [serve]\npublic_url = \"http://hooks.test\"\n";
    fs::write(folder.join("listwarden.toml"), deployment).unwrap();
    fs::write(folder.join("secrets/master_key"), "5a".repeat(32)).unwrap();
    for (name, secret) in setup.secrets {
        fs::write(folder.join("secrets/riverside").join(name), secret).unwrap();
    }
    let clinic = format!(
        r#"
name = "riverside"
title = "Riverside"
country = "GB"
time_zone = "Europe/London"
[source]
kind = "reference"
url = "sqlite://clinic.db"
[accounts.main]
provider = "{}"
api_key = "key"
{}
[lists.news]
account = "main"
audience = "{}"
unknown = "report"
unproven = "archive_and_invite"
invitation_expires = "2d"
{}
[lists.news.brake]
at_least = 500
"#,
        S::NAME,
        setup.account,
        setup.audience,
        setup.list
    );
    fs::write(folder.join("clinics/riverside.toml"), clinic).unwrap();
}
