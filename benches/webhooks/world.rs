//! A clinic whose patients are all on its lists, in step; and the process that serves it.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::TimeDelta;
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

use crate::Engine;

const API_KEY: &str = "0123456789abcdef0123456789abcdef-us6";

pub struct World {
    pub simulator: Simulator,
    pub lists: Vec<String>,
    pub deployment: Deployment,
    pub clinic: Reference,
    pub folder: TempDir,
    pub store: String,
    pub port: u16,
    pub account: usize,
    server: Running,
    databases: Vec<String>,
}

impl World {
    /// Makes `lists` lists with all the patients on each, and reconciles them.
    pub async fn new(engine: Engine, members: usize, lists: usize) -> anyhow::Result<Self> {
        let simulator = Simulator::new(Arc::new(SystemClock));
        let account = simulator.open_account("Riverside", API_KEY);
        let lists: Vec<String> = (0..lists)
            .map(|n| simulator.open_audience(account, &format!("List {n}")))
            .collect::<Result<_, _>>()?;
        let server = simulator.serve_locally().await?;
        let folder = TempDir::new()?;
        let mut databases = Vec::new();
        let sqlite = |name| format!("sqlite://{}/{name}", folder.path().display());
        let (store, source) = match engine {
            Engine::Sqlite => (sqlite("listwarden.db"), sqlite("clinic.db")),
            Engine::Postgres => (fresh(&mut databases).await?, fresh(&mut databases).await?),
        };
        let port = free_port()?;
        write_files(folder.path(), port, &server.url(), &lists, [&store, &source])?;
        let deployment = open(folder.path()).await?;
        deployment.store.migrate().await?;
        let clinic = deployment.clinics().next().context("no clinic")?;
        let clinic = deployment.reference(clinic)?.context("no reference clinic")?;
        clinic.migrate().await?;
        let world = Self {
            simulator,
            lists,
            deployment,
            clinic,
            folder,
            store,
            port,
            account,
            server,
            databases,
        };
        let records: Vec<_> = (0..members).map(patient).collect();
        world.clinic.upsert(&records).await?;
        for list in &world.lists {
            world.simulator.set_double_optin(list, true)?;
            world.seed(list, 0..members)?;
        }
        for _ in 0..2 {
            world.reconcile().await?;
        }
        Ok(world)
    }

    /// Puts patients on a list, signed up there by their own hands.
    pub fn seed(&self, list: &str, members: std::ops::Range<usize>) -> anyhow::Result<()> {
        let joined = Some(SystemClock.now() - TimeDelta::days(10));
        let member = |n| SeedMember {
            source: Source::HostedForm,
            timestamp_opt: joined,
            last_changed: joined,
            ..SeedMember::new(address(n), Status::Subscribed)
        };
        Ok(self.simulator.seed_members(list, members.map(member))?)
    }

    async fn reconcile(&self) -> anyhow::Result<()> {
        let config = self.deployment.clinics().next().context("no clinic")?;
        let mut practice = self.deployment.practice(config).await?;
        let scope = Scope { list: None, full: true };
        let outcome = self.deployment.reconciler().reconcile(&mut practice, &scope).await?;
        for list in outcome.lists.iter().filter(|list| list.state == ListState::Waiting) {
            let until = SystemClock.now() + TimeDelta::hours(24);
            self.deployment.store.approve(list.run.context("no run")?, until, "bench").await?;
        }
        Ok(())
    }

    pub async fn serve(&self, binary: &Path) -> anyhow::Result<Serving> {
        let mut command = Command::new(binary);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)])
            .current_dir(self.folder.path());
        Serving::start(command, self.port).await
    }

    /// Makes the webhooks, and returns the one for the contacts' own acts on the first list.
    pub async fn register(&self) -> anyhow::Result<Endpoint> {
        self.simulator.connect_webhooks(Arc::new(HttpSender::new()?));
        webhook::register(&self.deployment, None).await?;
        let id = self.deployment.store.clinic_ensure("riverside").await?;
        let endpoints = self.deployment.store.endpoints(id).await?;
        let of_first =
            |e: &Endpoint| e.origin == Origin::Contact && e.audience.as_ref() == self.lists.first();
        endpoints.into_iter().find(of_first).context("no endpoint")
    }

    pub async fn end(self) -> anyhow::Result<()> {
        self.server.stop().await?;
        drop((self.deployment, self.clinic));
        for database in self.databases {
            let (server, name) = database.rsplit_once('/').context("no database name")?;
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            execute(&format!("{server}/postgres"), &drop).await?;
        }
        Ok(())
    }
}

/// A receiver in a process of its own; it ends with this.
pub struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Serving {
    /// Starts it and waits until it accepts connections.
    pub async fn start(mut command: Command, port: u16) -> anyhow::Result<Self> {
        let serving =
            Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        for _ in 0..400 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(serving);
            }
            SystemClock.sleep(Duration::from_millis(25)).await;
        }
        bail!("the receiver does not listen");
    }

    /// The most memory it ever held, in MiB.
    pub fn peak(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib: u32 = line.context("no VmHWM")?.trim().trim_end_matches(" kB").parse()?;
        Ok(f64::from(kib) / 1024.0)
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.0.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success());
        self.0.wait()?;
        Ok(())
    }
}

/// Somebody's unsubscribe, as the provider sends and signs it.
pub struct Delivery {
    pub path: String,
    pub signature: String,
    pub body: String,
}

impl Delivery {
    /// `earlier` tells how many seconds before now it was done.
    pub fn new(endpoint: &Endpoint, n: usize, earlier: i64) -> anyhow::Result<Self> {
        let audience = endpoint.audience.as_deref().context("no audience")?;
        let now = SystemClock.now();
        let at = (now - TimeDelta::seconds(earlier)).format("%Y-%m-%d+%H%%3A%M%%3A%S");
        let body = format!(
            "type=unsubscribe&fired_at={at}&data%5Baction%5D=unsub&data%5Breason%5D=manual\
             &data%5Bid%5D={n:010x}&data%5Bemail%5D={}&data%5Bemail_type%5D=html\
             &data%5Bip_opt%5D=203.0.113.7&data%5Bmerges%5D%5BFNAME%5D=Ann\
             &data%5Bmerges%5D%5BLNAME%5D=Lee&data%5Blist_id%5D={audience}",
            address(n).replace('@', "%40")
        );
        let secret = endpoint.secret.as_ref().context("no secret")?.expose_secret();
        Ok(Self {
            path: format!("/webhooks/{}", endpoint.token.expose_secret()),
            signature: signature(secret, u32::try_from(now.timestamp())?, &body),
            body,
        })
    }
}

pub async fn open(folder: &Path) -> anyhow::Result<Deployment> {
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default())?;
    Deployment::of(config, Arc::new(SystemClock), Arc::new(HttpTransport::new()?)).await
}

pub fn address(n: usize) -> String {
    format!("annemarie.leecarter{n}@post.test")
}

/// Somebody who consented long ago.
fn patient(n: usize) -> PatientRecord {
    let at = SystemClock.now() - TimeDelta::days(100);
    PatientRecord {
        source_id: n.to_string(),
        given_name: Personal::new("Annemarie"),
        family_name: Personal::new("Lee-Carter"),
        email: Address::email(&address(n)).ok(),
        mobile: None,
        birth_date: "1980-05-01".parse().ok(),
        status: PatientStatus::Active,
        restricted: false,
        tags: BTreeSet::new(),
        privacy_policy: Some(true),
        email_consent: Consent {
            answer: Answer::Granted,
            at: Some(at),
            method: Some("website form".to_owned()),
            wording: Some("v3".to_owned()),
            actor: Some("portal".to_owned()),
            ..Consent::default()
        },
        sms_consent: Consent::default(),
        updated_at: at,
    }
}

pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn write_files(
    folder: &Path,
    port: u16,
    provider: &str,
    lists: &[String],
    [store, source]: [&str; 2],
) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("clinics"))?;
    fs::create_dir_all(folder.join("secrets/riverside"))?;
    // A receiver that is stopped in the midst of its work keeps the next one waiting no longer.
    let deployment = format!(
        "[store]\nurl = \"{store}\"\n[run]\nlease_ttl = \"10s\"\n[serve]\n\
         public_url = \"http://127.0.0.1:{port}\"\n"
    );
    fs::write(folder.join("listwarden.toml"), deployment)?;
    fs::write(folder.join("secrets/master_key"), "5a".repeat(32))?;
    fs::write(folder.join("secrets/riverside/mailchimp"), API_KEY)?;
    let mut clinic = format!(
        "time_zone = \"Europe/London\"\n[source]\nkind = \"reference\"\nurl = \"{source}\"\n\
         [accounts.main]\nprovider = \"mailchimp\"\napi_key = \"mailchimp\"\n\
         base_url = \"{provider}/3.0\"\n"
    );
    for (n, audience) in lists.iter().enumerate() {
        clinic += &list(n, audience);
    }
    Ok(fs::write(folder.join("clinics/riverside.toml"), clinic)?)
}

/// A list as the clinic's file has it.
pub fn list(n: usize, audience: &str) -> String {
    format!(
        "[lists.list{n}]\naccount = \"main\"\naudience = \"{audience}\"\nunknown = \"report\"\n\
         unproven = \"hold\"\n"
    )
}

/// Makes a database of its own on the server of the tests.
pub async fn fresh(databases: &mut Vec<String>) -> anyhow::Result<String> {
    let server = std::env::var("LISTWARDEN_TEST_POSTGRES")
        .context("LISTWARDEN_TEST_POSTGRES names no server: run benches/peers/receiver.sh")?;
    let name = format!("bench_{}", SystemClock.id().simple());
    execute(&server, &format!("CREATE DATABASE {name}")).await?;
    let (base, _) = server.rsplit_once('/').context("the server's URL names no database")?;
    databases.push(format!("{base}/{name}"));
    Ok(format!("{base}/{name}"))
}

/// Runs statements.
pub async fn execute(database: &str, sql: &str) -> anyhow::Result<()> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    if database.starts_with("postgres") {
        sql.execute(&mut sqlx::PgConnection::connect(database).await?).await?;
    } else {
        sql.execute(&mut sqlx::SqliteConnection::connect(database).await?).await?;
    }
    Ok(())
}

/// Counts rows.
pub async fn count(database: &str, rows: &str) -> anyhow::Result<u64> {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {rows}"));
    let count: i64 = if database.starts_with("postgres") {
        let mut connection = sqlx::PgConnection::connect(database).await?;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await?
    } else {
        let mut connection = sqlx::SqliteConnection::connect(database).await?;
        sqlx::query_scalar(sql).fetch_one(&mut connection).await?
    };
    Ok(u64::try_from(count)?)
}
