//! The real binary, serving a clinic whose list the brake holds.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use listwarden::clock::{Clock, SystemClock};
use listwarden::domain::{PatientStatus, Role};
use listwarden::reconcile::{ListState, Scope};
use listwarden::simulator::mailchimp::{SeedMember, Source, Status};

use crate::browser::Browser;
use crate::world::{Engine, World, patient};

/// Patients of the clinic, and how many of them it has archived meanwhile.
const PATIENTS: usize = 40;
const ARCHIVED: usize = 9;

pub struct Served {
    pub world: World,
    pub url: String,
    process: Process,
}

/// A process of ours; it ends with the test, whatever comes.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Served {
    pub async fn new(engine: Engine) -> Self {
        Self::at(free_port(), engine, "").await
    }

    /// Serves admins at a port, with more in the deployment's file.
    pub async fn at(port: u16, engine: Engine, more: &str) -> Self {
        let world = World::with(engine, |_| more.to_owned()).await;
        fill(&world).await;
        let folder = world.deployment.config.path.parent().unwrap().to_owned();
        let mut process = Command::new(env!("CARGO_BIN_EXE_listwarden"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(["--admin-listen", &format!("127.0.0.1:{port}")])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let said = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("The admin page is on ")?;
            Some(rest.trim_end_matches('/').to_owned())
        });
        let url = said.expect("it serves admins");
        std::thread::spawn(move || lines.for_each(drop));
        Self { world, url, process: Process(process) }
    }

    /// Signs somebody in, as people do.
    pub async fn signs_in(&self, browser: &Browser, role: Role) {
        let token = self.world.token(role, &[]).await;
        browser.goes(&self.url).await;
        browser.sees("Sign in").await;
        browser.types("#token", &token).await;
        browser.presses("Sign in").await;
        browser.sees("Overview").await;
    }

    pub async fn end(self) {
        drop(self.process);
        self.world.end().await;
    }
}

/// Returns a port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Everybody is on the list and confirmed; then the clinic archives more than a tenth of them.
async fn fill(world: &World) {
    let config = world.deployment.expect_clinic("riverside").unwrap();
    let records = world.deployment.reference(config).unwrap().unwrap();
    records.upsert(&(1..=PATIENTS).map(patient).collect::<Vec<_>>()).await.unwrap();
    let joined = Some(SystemClock.now() - Duration::from_hours(240));
    let members = (1..=PATIENTS).map(|n| SeedMember {
        source: Source::HostedForm,
        timestamp_opt: joined,
        last_changed: joined,
        ..SeedMember::new(format!("ann{n}@post.test"), Status::Subscribed)
    });
    world.simulator.seed_members(&world.audience, members).unwrap();
    for _ in 0..2 {
        for run in runs(world).await {
            let until = SystemClock.now() + Duration::from_hours(24);
            world.store.approve(run, until, "test").await.unwrap();
        }
    }
    let archived: Vec<_> = (4..4 + ARCHIVED)
        .map(|n| {
            let mut patient = patient(n);
            (patient.status, patient.updated_at) = (PatientStatus::Archived, SystemClock.now());
            patient
        })
        .collect();
    records.upsert(&archived).await.unwrap();
    assert_eq!(runs(world).await.len(), 1, "the brake holds it");
}

/// Runs the clinic once, and returns the runs whose plans wait.
async fn runs(world: &World) -> Vec<listwarden::domain::RunId> {
    let config = world.deployment.expect_clinic("riverside").unwrap();
    let mut practice = world.deployment.practice(config).await.unwrap();
    let scope = Scope { list: None, full: true };
    let outcome = world.deployment.reconciler().reconcile(&mut practice, &scope).await.unwrap();
    let waits = |state| matches!(state, ListState::Waiting | ListState::Braked);
    outcome.lists.iter().filter(|list| waits(list.state)).filter_map(|list| list.run).collect()
}
