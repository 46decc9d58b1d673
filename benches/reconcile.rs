//! What a run costs: wall time, requests, writes and peak memory, against the simulated provider
//! over real HTTP.
//!
//! `cargo bench --bench reconcile -- --members 10000,100000 --latency-ms 0,200`
//!
//! This process holds the provider and the clinic's staff. Each run is a process of its own, so
//! that its peak memory is that of the program alone. With `LISTWARDEN_TEST_POSTGRES` set, store
//! and clinic lie in PostgreSQL too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use http::{Request, Response};
use listwarden::clock::{Clock, SystemClock};
use listwarden::commands::Deployment;
use listwarden::config::{Config, Environment};
use listwarden::domain::{Address, Answer, Consent, PatientRecord, PatientStatus, Personal};
use listwarden::patients::Reference;
use listwarden::providers::transport::{HttpTransport, Transport, TransportError};
use listwarden::reconcile::{ListState, Scope};
use listwarden::simulator::mailchimp::{Counters, Running, SeedMember, Simulator, Source, Status};
use listwarden::telemetry::{self, LogFormat, LogOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

#[derive(Debug, Parser)]
struct Options {
    /// Members of the list; as many patients have it.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000")]
    members: Vec<usize>,
    /// What each request takes.
    #[arg(long, value_delimiter = ',', default_value = "0,200")]
    latency_ms: Vec<u64>,
    /// `sqlite`, `postgres`, or both; by default what there is.
    #[arg(long, value_delimiter = ',')]
    engine: Vec<Engine>,
    /// Keep the folders, and say where they are.
    #[arg(long)]
    keep: bool,
    /// This process is the program under measure, in this folder.
    #[arg(long, hide = true)]
    run_in: Option<PathBuf>,
    /// That run reads both sides whole.
    #[arg(long, hide = true)]
    full: bool,
    /// Cargo says so to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match &options.run_in {
        Some(folder) => runtime.block_on(run(folder, options.full)),
        None => runtime.block_on(compare(&options)),
    }
}

// --- The program under measure ----------------------------------------------------------------

/// What one run came to, as its process tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    state: String,
    wall: Duration,
    /// Until the provider was first asked: the clinic's side.
    clinic: Duration,
    /// From the first page asked for to the last one answered.
    pages: Duration,
    peak_kib: u64,
}

async fn run(folder: &Path, full: bool) -> anyhow::Result<()> {
    // `LISTWARDEN_LOG=sqlx=warn` names every statement that takes more than a second.
    let filter = std::env::var("LISTWARDEN_LOG").unwrap_or_else(|_| "error".to_owned());
    telemetry::init(&LogOptions { filter, format: LogFormat::Text });
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default())?;
    let watch = Arc::new(Watch { http: HttpTransport::new()?, seen: Mutex::default() });
    let deployment = Deployment::of(config, Arc::new(SystemClock), watch.clone()).await?;
    let clinic = deployment.clinics().next().context("no clinic")?;
    let mut practice = deployment.practice(clinic).await?;
    let began = instant();
    let scope = Scope { list: None, full };
    let outcome = deployment.reconciler().reconcile(&mut practice, &scope).await?;
    let wall = began.elapsed();
    let list = outcome.lists.first().context("no list")?;
    ensure!(list.state != ListState::Failed, "the run failed: {:?}", list.problem);
    let seen = watch.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let since = |at: Option<Instant>, from: Instant| at.map(|at| at - from).unwrap_or_default();
    let figures = Figures {
        state: list.state.word().to_owned(),
        wall,
        clinic: since(seen.first_request, began),
        pages: since(seen.last_page, seen.first_page.unwrap_or(began)),
        peak_kib: peak_kib()?,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// The production transport, watched for when it was used.
#[derive(Debug)]
struct Watch {
    http: HttpTransport,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    first_request: Option<Instant>,
    first_page: Option<Instant>,
    last_page: Option<Instant>,
}

#[async_trait]
impl Transport for Watch {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_page = request.uri().path().ends_with("/members");
        let asked = instant();
        seen().first_request.get_or_insert(asked);
        if is_page {
            seen().first_page.get_or_insert(asked);
        }
        let answer = self.http.send(request).await;
        if is_page {
            seen().last_page = Some(instant());
        }
        answer
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn instant() -> Instant {
    Instant::now()
}

fn peak_kib() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.context("no VmHWM")?.trim().trim_end_matches(" kB").parse()?)
}

// --- The comparison ---------------------------------------------------------------------------

async fn compare(options: &Options) -> anyhow::Result<()> {
    let postgres = std::env::var("LISTWARDEN_TEST_POSTGRES").ok();
    let mut engines = options.engine.clone();
    if engines.is_empty() {
        engines.push(Engine::Sqlite);
        engines.extend(postgres.as_ref().map(|_| Engine::Postgres));
    }
    println!(
        "| engine | members | latency | run | wall | clinic | pages | page requests | other | writes | peak |"
    );
    println!("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for engine in engines {
        for members in &options.members {
            for latency in &options.latency_ms {
                let world = World::new(engine, postgres.as_deref(), *members, *latency).await?;
                world.measure().await?;
                world.end(options.keep).await?;
            }
        }
    }
    Ok(())
}

const API_KEY: &str = "0123456789abcdef0123456789abcdef-us6";

/// A clinic and its list, in step but for what happens between runs.
struct World {
    engine: Engine,
    members: usize,
    latency: u64,
    simulator: Simulator,
    server: Running,
    clinic: Reference,
    deployment: Deployment,
    databases: Vec<String>,
    folder: TempDir,
}

impl World {
    async fn new(
        engine: Engine,
        postgres: Option<&str>,
        members: usize,
        latency: u64,
    ) -> anyhow::Result<Self> {
        let simulator = Simulator::new(Arc::new(SystemClock));
        simulator.configure(|settings| settings.latency_ms = latency);
        let account = simulator.open_account("Riverside", API_KEY);
        let audience = simulator.open_audience(account, "Newsletter")?;
        simulator.set_double_optin(&audience, true)?;
        let server = simulator.serve_locally().await?;
        let folder = TempDir::new()?;
        let mut databases = Vec::new();
        let (store, source) = match engine {
            Engine::Sqlite => {
                ("sqlite://listwarden.db".to_owned(), "sqlite://clinic.db".to_owned())
            }
            Engine::Postgres => {
                let server = postgres.context("LISTWARDEN_TEST_POSTGRES is not set")?;
                (fresh(server, &mut databases).await?, fresh(server, &mut databases).await?)
            }
        };
        write_files(folder.path(), &server.url(), &audience, &store, &source)?;
        let config = Config::load(&folder.path().join("listwarden.toml"), &Environment::default())?;
        let transport = Arc::new(HttpTransport::new()?);
        let deployment = Deployment::of(config, Arc::new(SystemClock), transport).await?;
        deployment.store.migrate().await?;
        let clinic = deployment.clinics().next().context("no clinic")?;
        let clinic = deployment.reference(clinic)?.context("no reference clinic")?;
        clinic.migrate().await?;

        let now = SystemClock.now();
        let archived = archived(members);
        let patients: Vec<_> = (0..members + archived)
            .map(|n| PatientRecord {
                status: if n < members { PatientStatus::Active } else { PatientStatus::Archived },
                ..patient(n, now - TimeDelta::days(40))
            })
            .collect();
        clinic.upsert(&patients).await?;
        let seeds = patients.iter().enumerate().map(|(n, patient)| {
            let status = if n < members { Status::Subscribed } else { Status::Archived };
            member(n, patient, status, now)
        });
        simulator.seed_members(&audience, seeds)?;
        Ok(Self {
            engine,
            members,
            latency,
            simulator,
            server,
            clinic,
            deployment,
            databases,
            folder,
        })
    }

    async fn measure(&self) -> anyhow::Result<()> {
        self.run("fill", false).await?;
        self.adopt().await?;
        self.run("full sweep again", true).await?;
        self.drift().await?;
        self.run("1 % drift", false).await?;
        self.run("nothing new", false).await
    }

    /// Runs the program in a process of its own and prints what it cost.
    async fn run(&self, what: &str, full: bool) -> anyhow::Result<()> {
        self.simulator.reset_counters();
        let figures = self.child(full).await?;
        let Counters { total, writes, by_route, .. } = self.simulator.counters();
        let pages = by_route.get("GET /lists/{list_id}/members").copied().unwrap_or_default();
        println!(
            "| {:?} | {} | {} ms | {what} ({}) | {:.2} s | {:.2} s | {:.2} s | {pages} | {} | {writes} | {:.1} MiB |",
            self.engine,
            self.members,
            self.latency,
            figures.state,
            figures.wall.as_secs_f64(),
            figures.clinic.as_secs_f64(),
            figures.pages.as_secs_f64(),
            total - pages,
            f64::from(u32::try_from(figures.peak_kib)?) / 1024.0,
        );
        Ok(())
    }

    async fn child(&self, full: bool) -> anyhow::Result<Figures> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--run-in").arg(self.folder.path());
        if full {
            command.arg("--full");
        }
        // The provider answers on the other threads meanwhile.
        command.stderr(Stdio::inherit());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        serde_json::from_slice(&output.stdout).context("the run failed")
    }

    /// Approves the first plan, which has nothing in it, and settles what it leaves.
    async fn adopt(&self) -> anyhow::Result<()> {
        let config = self.deployment.clinics().next().context("no clinic")?;
        let (_, lists) = self.deployment.known_lists(config).await?;
        let list = lists.first().context("no list")?;
        let plan = self.deployment.store.plan_open(&list.row).await?;
        let plan = match plan {
            Some(plan) => plan,
            None => self.deployment.store.runs(list.row.clinic, 1).await?[0].id,
        };
        let until = SystemClock.now() + TimeDelta::hours(24);
        self.deployment.store.approve(plan, until, "bench").await?;
        self.child(false).await?;
        Ok(())
    }

    /// A third of one per cent joins, as many are archived in the clinic, as many are renamed.
    async fn drift(&self) -> anyhow::Result<()> {
        let third = self.members / 300;
        let known = self.members + archived(self.members);
        let now = SystemClock.now();
        let joins = (known..known + third).map(|n| patient(n, now));
        let leaves = (0..third)
            .map(|n| PatientRecord { status: PatientStatus::Archived, ..patient(n, now) });
        let renamed = (third..2 * third)
            .map(|n| PatientRecord { family_name: Personal::new("Newname"), ..patient(n, now) });
        let records: Vec<_> = joins.chain(leaves).chain(renamed).collect();
        Ok(self.clinic.upsert(&records).await?)
    }

    async fn end(self, keep: bool) -> anyhow::Result<()> {
        self.server.stop().await?;
        drop((self.deployment, self.clinic));
        if keep {
            eprintln!("kept in {}", self.folder.keep().display());
            return Ok(());
        }
        for database in self.databases {
            let (server, name) = database.rsplit_once('/').context("no database name")?;
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            execute(&format!("{server}/postgres"), &drop).await?;
        }
        Ok(())
    }
}

fn archived(members: usize) -> usize {
    (members / 100).min(1_000)
}

/// Somebody who consented when the record was made.
fn patient(n: usize, at: DateTime<Utc>) -> PatientRecord {
    PatientRecord {
        source_id: format!("P{n:07}"),
        given_name: Personal::new("Annemarie"),
        family_name: Personal::new(&format!("Lee-Carter{n}")),
        email: Address::email(&address(n)).ok(),
        mobile: None,
        birth_date: "1980-05-01".parse().ok(),
        status: PatientStatus::Active,
        restricted: false,
        tags: BTreeSet::from(["physio".to_owned()]),
        privacy_policy: Some(true),
        email_consent: Consent {
            answer: Answer::Granted,
            at: Some(at - TimeDelta::hours(1)),
            method: Some("website form".to_owned()),
            wording: Some("v3".to_owned()),
            actor: Some("portal".to_owned()),
            ..Consent::default()
        },
        sms_consent: Consent::default(),
        updated_at: at,
    }
}

fn address(n: usize) -> String {
    format!("annemarie.leecarter{n}@post.test")
}

/// The same person on the list, signed up there by its own hand.
fn member(n: usize, patient: &PatientRecord, status: Status, now: DateTime<Utc>) -> SeedMember {
    let joined = now - TimeDelta::days(30) - TimeDelta::seconds(i64::try_from(n).unwrap_or(0));
    SeedMember {
        merge_fields: vec![
            ("FNAME".to_owned(), json!(patient.given_name.expose())),
            ("LNAME".to_owned(), json!(patient.family_name.expose())),
        ],
        source: Source::HostedForm,
        timestamp_opt: Some(joined),
        last_changed: Some(joined),
        ..SeedMember::new(address(n), status)
    }
}

fn write_files(
    folder: &Path,
    url: &str,
    audience: &str,
    store: &str,
    source: &str,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("clinics"))?;
    fs::create_dir_all(folder.join("secrets/riverside"))?;
    fs::write(folder.join("listwarden.toml"), format!("[store]\nurl = \"{store}\"\n"))?;
    fs::write(folder.join("secrets/master_key"), "5a".repeat(32))?;
    fs::write(folder.join("secrets/riverside/mailchimp"), API_KEY)?;
    let clinic = format!(
        r#"
name = "riverside"
title = "Riverside"
country = "GB"
time_zone = "Europe/London"
[source]
kind = "reference"
url = "{source}"
[accounts.main]
provider = "mailchimp"
api_key = "mailchimp"
base_url = "{url}/3.0"
[lists.newsletter]
account = "main"
audience = "{audience}"
unknown = "keep"
unproven = "hold"
double_opt_in = false
fields = {{ FNAME = "given_name", LNAME = "family_name" }}
"#
    );
    Ok(fs::write(folder.join("clinics/riverside.toml"), clinic)?)
}

async fn fresh(server: &str, databases: &mut Vec<String>) -> anyhow::Result<String> {
    let name = format!("bench_{}", SystemClock.id().simple());
    execute(server, &format!("CREATE DATABASE {name}")).await?;
    let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
    let database = format!("{base}/{name}");
    databases.push(database.clone());
    Ok(database)
}

async fn execute(server: &str, sql: &str) -> anyhow::Result<()> {
    use sqlx::Connection;
    let mut connection = sqlx::PgConnection::connect(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    Ok(())
}
