//! What is measured in: a simulated provider on loopback, clinics with one list each, and the files
//! and databases of a real deployment.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, ensure};
use chrono::TimeDelta;
use secrecy::SecretString;

use super::crowd::{Crowd, GIVEN_NAME, address};
use super::download::Recorder;
use crate::clock::{Clock, SystemClock};
use crate::commands::Deployment;
use crate::config::{Config, Environment};
use crate::domain::PatientRecord;
use crate::patients::{Reference, SqlOptions};
use crate::reconcile::Scope;
use crate::rehearsal::ground::{Ground, MASTER_KEY, Plot};
use crate::simulator::mailchimp::{Counters, Running, Simulator, Status};

/// Patients are written so many at a time.
const AT_ONCE: usize = 1000;

/// The shape of a world.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Clinics, which share their patients' records but nothing in the store.
    pub clinics: usize,
    /// Members of each list; as many patients have it.
    pub members: usize,
    /// The lists are empty at the beginning.
    pub unsynced: bool,
    /// What each request takes.
    pub latency_ms: u64,
    /// Audiences beside the first clinic's own, alike, for those who are measured beside.
    pub others: usize,
}

/// Clinics and their lists, in step but for what happens between runs.
pub struct World {
    pub shape: Shape,
    pub crowd: Crowd,
    simulator: Simulator,
    server: Running,
    ground: Ground,
    plot: Plot,
    clinic: Reference,
    own: Vec<String>,
    others: Vec<String>,
}

impl World {
    /// Makes people, lists, databases and files.
    pub async fn new(shape: Shape, server: Option<String>) -> anyhow::Result<Self> {
        let simulator = Simulator::new(Arc::new(SystemClock));
        simulator.configure(|settings| settings.latency_ms = shape.latency_ms);
        let crowd = Crowd::new(shape.members, SystemClock.now());
        let keys = (0..shape.clinics + shape.others).map(api_key);
        let audiences = keys.map(|key| audience(&simulator, &crowd, shape, &key));
        let mut own: Vec<String> = audiences.collect::<Result<_, _>>()?;
        let others = own.split_off(shape.clinics);
        let running = simulator.serve_locally().await?;
        let ground = Ground::under(&std::env::temp_dir(), server)?;
        let plot = ground.lay(1).await?;
        write_files(&plot, &running.url(), &own)?;
        let url = SecretString::from(plot.clinics.concat());
        let options = SqlOptions { page_size: 1000, country: None };
        let clinic = Reference::open(&url, options, Arc::new(SystemClock))?;
        let world =
            Self { shape, crowd, simulator, server: running, ground, plot, clinic, own, others };
        world.register(world.crowd.numbers(), TimeDelta::days(40)).await?;
        Ok(world)
    }

    /// Writes people's records as they are now, changed so long ago.
    async fn register(
        &self,
        numbers: impl IntoIterator<Item = usize>,
        ago: TimeDelta,
    ) -> anyhow::Result<()> {
        let changed = SystemClock.now() - ago;
        let mut numbers = numbers.into_iter().peekable();
        while numbers.peek().is_some() {
            let page = numbers.by_ref().take(AT_ONCE);
            let page: Vec<PatientRecord> = page.map(|n| self.crowd.patient(n, changed)).collect();
            self.clinic.upsert(&page).await?;
        }
        Ok(())
    }

    /// Lets one per cent change in the clinic.
    pub async fn drift(&mut self) -> anyhow::Result<()> {
        let changed = self.crowd.drift();
        self.register(changed.into_iter().flatten(), TimeDelta::zero()).await
    }

    /// The program with this world's configuration, in an environment of its own.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear().arg("--config").arg(self.configuration());
        Ok(command)
    }

    /// The command of an ordinary user.
    pub fn program(&self, full: bool, part: Option<(usize, usize)>) -> anyhow::Result<Command> {
        let mut command = self.command()?;
        command.args(["--json", "reconcile"]);
        command.args(full.then_some("--full"));
        if let Some((part, of)) = part {
            command.arg(format!("--part={part}/{of}"));
        }
        // Kept where the run fails, since nothing is cleared away then.
        let outcome = format!("outcome-{}.json", part.map_or(1, |(part, _)| part));
        command.stdout(fs::File::create(self.plot.folder.join(outcome))?);
        Ok(command)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.plot.folder
    }

    fn configuration(&self) -> PathBuf {
        self.plot.folder.join("listwarden.toml")
    }

    /// Approves the first plans.
    pub async fn approve(&self) -> anyhow::Result<()> {
        let recorder = Arc::new(Recorder::new()?);
        let deployment = self.deployment(recorder).await?;
        let until = SystemClock.now() + TimeDelta::hours(24);
        for clinic in deployment.clinics() {
            let (id, lists) = deployment.known_lists(clinic).await?;
            for list in lists {
                let open = deployment.store.plan_open(&list.row).await?;
                let plan = match open {
                    Some(plan) => plan,
                    None => deployment.store.runs(id, 1).await?.first().context("no run")?.id,
                };
                deployment.store.approve(plan, until, "bench").await?;
            }
        }
        deployment.store.close().await;
        Ok(())
    }

    /// Sweeps the first clinic in this process and returns what was asked of its provider.
    pub async fn record(&self) -> anyhow::Result<Arc<Recorder>> {
        let recorder = Arc::new(Recorder::new()?);
        let deployment = self.deployment(recorder.clone()).await?;
        let clinic = deployment.clinics().next().context("no clinic")?;
        let mut practice = deployment.practice(clinic).await?;
        let scope = Scope { list: None, full: true };
        deployment.reconciler().reconcile(&mut practice, &scope).await?;
        drop(practice);
        deployment.store.close().await;
        Ok(recorder)
    }

    async fn deployment(&self, transport: Arc<Recorder>) -> anyhow::Result<Deployment> {
        let config = Config::load(&self.configuration(), &Environment::default())?;
        Deployment::of(config, Arc::new(SystemClock), transport).await
    }

    /// Says where everything is, for somebody who does the same work on an audience of its own.
    pub fn equip(&self, command: &mut Command, other: usize) -> anyhow::Result<()> {
        let state = self.plot.folder.join(format!("other-{other}"));
        fs::create_dir_all(&state)?;
        command
            .env("MAILCHIMP_URL", self.server.url())
            .env("MAILCHIMP_KEY", api_key(self.shape.clinics + other))
            .env("MAILCHIMP_AUDIENCE", &self.others[other])
            .env("PATIENTS_CSV", self.patients_csv())
            .env("STATE_DIR", state);
        Ok(())
    }

    fn patients_csv(&self) -> PathBuf {
        self.plot.folder.join("patients.csv")
    }

    /// Writes down whom the clinic wants listed, for those who read no database.
    pub fn export(&self) -> anyhow::Result<()> {
        let mut text = "email,given_name,family_name\n".to_owned();
        for n in self.crowd.numbers().filter(|n| self.crowd.is_active(*n)) {
            writeln!(text, "{},{GIVEN_NAME},{}", address(n), self.crowd.family_name(n))?;
        }
        Ok(fs::write(self.patients_csv(), text)?)
    }

    /// Forgets what was asked so far.
    pub fn forget_requests(&self) {
        self.simulator.reset_counters();
    }

    /// Counts what was asked.
    pub fn requests(&self) -> Counters {
        self.simulator.counters()
    }

    /// Fails unless every list of ours holds whom its clinic wants.
    pub fn check_own(&self) -> anyhow::Result<()> {
        self.own.iter().try_for_each(|audience| self.check(audience))
    }

    /// Fails unless the audience of another holds whom the clinic wants.
    pub fn check_other(&self, other: usize) -> anyhow::Result<()> {
        self.check(&self.others[other])
    }

    fn check(&self, audience: &str) -> anyhow::Result<()> {
        let (listed, wanted) = (self.simulator.statuses(audience)?, self.crowd.members());
        let listed = listed.get(&Status::Subscribed).copied().unwrap_or_default();
        ensure!(listed == wanted, "{listed} are subscribed, the clinic wants {wanted}");
        Ok(())
    }

    /// Gives everything back.
    pub async fn end(self) -> anyhow::Result<()> {
        self.server.stop().await?;
        self.clinic.close().await;
        self.plot.lift().await?;
        self.ground.clear().await
    }
}

/// Opens an account and makes an audience in it.
fn audience(
    simulator: &Simulator,
    crowd: &Crowd,
    shape: Shape,
    key: &str,
) -> anyhow::Result<String> {
    let account = simulator.open_account("Riverside", key);
    let audience = simulator.open_audience(account, "Newsletter")?;
    simulator.set_double_optin(&audience, true)?;
    if !shape.unsynced {
        simulator.seed_members(&audience, crowd.seeds())?;
    }
    Ok(audience)
}

fn api_key(n: usize) -> String {
    format!("{n:032x}-us6")
}

fn write_files(plot: &Plot, provider: &str, audiences: &[String]) -> anyhow::Result<()> {
    let (folder, secrets) = (&plot.folder, plot.folder.join("secrets"));
    fs::create_dir_all(&secrets)?;
    fs::write(folder.join("listwarden.toml"), format!("[store]\nurl = \"{}\"\n", plot.store()))?;
    fs::write(secrets.join("master_key"), MASTER_KEY)?;
    for (n, audience) in audiences.iter().enumerate() {
        let slug = format!("clinic-{n}");
        fs::create_dir_all(secrets.join(&slug))?;
        fs::write(secrets.join(&slug).join("mailchimp"), api_key(n))?;
        let clinic = clinic(provider, &plot.clinics.concat(), audience);
        fs::write(folder.join("clinics").join(format!("{slug}.toml")), clinic)?;
    }
    Ok(())
}

/// No brake: what happens to one per cent is known, however many that are.
fn clinic(provider: &str, source: &str, audience: &str) -> String {
    format!(
        r#"
country = "GB"
time_zone = "Europe/London"
[source]
kind = "sql"
url = "{source}"
[accounts.main]
provider = "mailchimp"
api_key = "mailchimp"
base_url = "{provider}/3.0"
[lists.newsletter]
account = "main"
audience = "{audience}"
unknown = "keep"
unproven = "hold"
double_opt_in = false
fields = {{ FNAME = "given_name", LNAME = "family_name" }}
brake = {{ at_most = 1_000_000, invitations = 1_000_000 }}
"#
    )
}
