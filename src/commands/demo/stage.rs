//! The demo's stage: a folder with a real configuration, a clinic, a provider on loopback.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio::net::TcpListener;

use super::Options;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::commands::Deployment;
use crate::config::{Config, Environment};
use crate::domain::RunId;
use crate::patients::Reference;
use crate::providers::transport::HttpTransport;
use crate::rehearsal::town::Town;
use crate::simulator::mailchimp::{Running, SeedMember, Simulator};
use crate::simulator::twilio;

/// The hour at which the demo begins, when texts may be sent.
const BEGIN: u32 = 9;
/// The key of the simulated Mailchimp account.
const API_KEY: &str = "0123456789abcdef0123456789abcdef-us6";
/// The auth token of the simulated Twilio account.
const AUTH_TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The number that texts come from.
pub(super) const SENDER: &str = "+447700900001";
/// Members of a second audience whom the clinic does not know: enough to be swept for a while.
const VISITORS: usize = 4_000;

/// Everything the demo plays on.
pub(super) struct Stage {
    pub(super) deployment: Deployment,
    pub(super) clinic: Reference,
    pub(super) simulator: Simulator,
    pub(super) audience: String,
    pub(super) texting: twilio::Simulator,
    pub(super) town: Town,
    pub(super) clock: Arc<ManualClock>,
    /// Where providers send what they have to tell, until somebody serves there.
    pub(super) port: Mutex<Option<TcpListener>>,
    pub(super) server: Running,
    pub(super) texting_server: twilio::Running,
    folder: PathBuf,
}

impl Stage {
    /// Makes up the town, starts the provider, writes the configuration, opens the deployment.
    /// The last of `days` is the present one, or the one before it.
    pub(super) async fn set(options: &Options, days: u64) -> anyhow::Result<Self> {
        let begin = begin(SystemClock.now(), days);
        let clock = Arc::new(ManualClock::new(begin, options.seed));
        let town = Town::new(options.patients, begin, options.seed);
        let folder = std::env::temp_dir().join(format!("listwarden-demo-{}", SystemClock.id()));
        fs::create_dir_all(&folder)
            .with_context(|| format!("`{}` cannot be made", folder.display()))?;

        let simulator = Simulator::new(clock.clone());
        let account = simulator.open_account("Riverside Clinic", API_KEY);
        let audience = simulator.open_audience(account, "Riverside newsletter")?;
        simulator.set_double_optin(&audience, true)?;
        simulator.seed_members(&audience, town.members.clone())?;
        let visitors = simulator.open_audience(account, "Riverside open days")?;
        simulator.set_double_optin(&visitors, true)?;
        let visitor = |number| SeedMember::subscribed(format!("visitor{number}@elsewhere.test"));
        simulator.seed_members(&visitors, (0..VISITORS).map(visitor))?;
        let server = simulator.serve_locally().await?;
        let texting = twilio::Simulator::new(clock.clone());
        let sid = texting.open_account("Riverside Clinic", AUTH_TOKEN);
        texting.add_number(&sid, SENDER)?;
        let texting_server = texting.serve_locally().await?;
        let port = TcpListener::bind("127.0.0.1:0").await?;
        let named = [
            ("{port}", port.local_addr()?.to_string()),
            ("{url}", server.url()),
            ("{audience}", audience.clone()),
            ("{visitors}", visitors),
            ("{texting}", texting_server.url()),
            ("{sid}", sid),
            ("{sender}", SENDER.to_owned()),
        ];
        write_configuration(&folder, &named)?;

        let deployment = open(&folder, clock.clone()).await?;
        deployment.store.migrate().await?;
        let riverside = deployment.clinics().next().context("the demo has one clinic")?;
        let clinic =
            deployment.reference(riverside)?.context("the demo's clinic keeps its own records")?;
        clinic.migrate().await?;
        clinic.upsert(&town.patients).await?;
        println!(
            "A clinic with {} patients and a Mailchimp audience of {} members, drifted apart for years.",
            town.patients.len(),
            town.members.len()
        );
        let port = Mutex::new(Some(port));
        Ok(Self {
            deployment,
            clinic,
            simulator,
            audience,
            texting,
            town,
            clock,
            port,
            server,
            texting_server,
            folder,
        })
    }

    /// Another process of the same deployment.
    pub(super) async fn another_process(&self) -> anyhow::Result<Deployment> {
        open(&self.folder, self.clock.clone()).await
    }

    /// Where the configuration is.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join("listwarden.toml")
    }

    /// Lets days pass.
    pub(super) fn pass_days(&self, days: u64) {
        self.clock.advance(Duration::from_secs(days * 24 * 3600));
    }

    /// Returns the plans that wait for an admin, one of each list.
    pub(super) async fn waiting_plans(&self) -> anyhow::Result<Vec<RunId>> {
        let riverside = self.deployment.clinics().next().context("the demo has one clinic")?;
        let (id, lists) = self.deployment.known_lists(riverside).await?;
        let runs = self.deployment.store.runs(id, 10).await?;
        let mut plans = Vec::new();
        for list in lists {
            let mut of_list = runs.iter().filter(|run| run.list == Some(list.row.id));
            plans.push(of_list.next().context("no plan waits")?.id);
        }
        Ok(plans)
    }

    /// Stops the provider and clears the stage, unless it is kept.
    pub(super) async fn strike(self, keep: bool) -> anyhow::Result<()> {
        self.server.stop().await?;
        self.texting_server.stop().await?;
        if keep {
            println!("\nKept in {}", self.folder.display());
            return Ok(());
        }
        drop(self.deployment);
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("`{}` could not be removed", self.folder.display()))
    }
}

/// Returns nine o'clock so many days ago that the last of them has begun.
fn begin(now: DateTime<Utc>, days: u64) -> DateTime<Utc> {
    let nine = NaiveTime::from_hms_opt(BEGIN, 0, 0).unwrap_or_default();
    let today = now.date_naive().and_time(nine).and_utc();
    let last = if today <= now { today } else { today - Days::new(1) };
    last - Days::new(days)
}

async fn open(folder: &Path, clock: Arc<ManualClock>) -> anyhow::Result<Deployment> {
    let config = Config::load(&folder.join("listwarden.toml"), &Environment::default())?;
    Deployment::of(config, clock, Arc::new(HttpTransport::new()?)).await
}

/// Writes the files with what they name in the places of `named`.
fn write_configuration(folder: &Path, named: &[(&str, String)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("clinics"))?;
    fs::create_dir_all(folder.join("secrets/riverside"))?;
    for private in ["secrets", "secrets/riverside"] {
        fs::set_permissions(folder.join(private), fs::Permissions::from_mode(0o700))?;
    }
    let filled = |template: &str| {
        named.iter().fold(template.to_owned(), |text, (place, name)| text.replace(place, name))
    };
    fs::write(folder.join("listwarden.toml"), filled(DEPLOYMENT))?;
    fs::write(folder.join("clinics/riverside.toml"), filled(CLINIC))?;
    // The one thing that is not the same each time: tokens and hashes are made with it.
    let key = [(); 4].map(|()| SystemClock.chance().to_be_bytes()).concat();
    secret(&folder.join("secrets/master_key"), &hex::encode(key))?;
    secret(&folder.join("secrets/riverside/mailchimp"), API_KEY)?;
    secret(&folder.join("secrets/riverside/twilio"), AUTH_TOKEN)
}

fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}

const DEPLOYMENT: &str = r#"
[store]
url = "sqlite://listwarden.db"

[serve]
listen = "{port}"
public_url = "http://{port}"
"#;

const CLINIC: &str = r#"
name = "riverside"
title = "Riverside Clinic"
country = "GB"
time_zone = "Europe/London"

[source]
kind = "reference"
url = "sqlite://riverside.db"

[accounts.main]
provider = "mailchimp"
api_key = "mailchimp"
base_url = "{url}/3.0"

[lists.newsletter]
account = "main"
audience = "{audience}"
purpose = "newsletter"
soft_opt_in = "pending"
attested = { by = "the practice manager", on = 2026-02-20 }
unknown = "report"
unproven = "archive_and_invite"
on_return = "restore"
fields = { FNAME = "given_name", LNAME = "family_name" }

[lists.open-days]
account = "main"
audience = "{visitors}"
selector = { any = ["open-days"] }
unknown = "keep"
unproven = "hold"

[accounts.sms]
provider = "twilio"
api_key = "twilio"
account_sid = "{sid}"
sender = "{sender}"
base_url = "{texting}"
messaging_url = "{texting}"

[lists.texts]
account = "sms"
audience = "{sender}"
unknown = "report"
unproven = "hold"
"#;
