//! The demo's stage: a folder with a real configuration, a clinic, a provider on loopback.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};

use super::Options;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::commands::Deployment;
use crate::config::{Config, Environment};
use crate::domain::RunId;
use crate::patients::Reference;
use crate::providers::transport::HttpTransport;
use crate::rehearsal::town::Town;
use crate::simulator::mailchimp::{Running, Simulator};

/// When the demo begins.
const BEGIN: &str = "2026-03-02T09:00:00Z";
/// The key of the simulated account.
const API_KEY: &str = "0123456789abcdef0123456789abcdef-us6";

/// Everything the demo plays on.
pub(super) struct Stage {
    pub(super) deployment: Deployment,
    pub(super) clinic: Reference,
    pub(super) simulator: Simulator,
    pub(super) audience: String,
    pub(super) town: Town,
    pub(super) clock: Arc<ManualClock>,
    server: Running,
    folder: PathBuf,
}

impl Stage {
    /// Makes up the town, starts the provider, writes the configuration, opens the deployment.
    pub(super) async fn set(options: &Options) -> anyhow::Result<Self> {
        let begin: DateTime<Utc> = BEGIN.parse()?;
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
        let server = simulator.serve_locally().await?;
        write_configuration(&folder, &server.url(), &audience)?;

        let config = Config::load(&folder.join("listwarden.toml"), &Environment::default())?;
        let transport = Arc::new(HttpTransport::new()?);
        let deployment = Deployment::of(config, clock.clone(), transport).await?;
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
        Ok(Self { deployment, clinic, simulator, audience, town, clock, server, folder })
    }

    /// Lets days pass.
    pub(super) fn pass_days(&self, days: u64) {
        self.clock.advance(Duration::from_secs(days * 24 * 3600));
    }

    /// Returns the plan that waits for an admin.
    pub(super) async fn waiting_plan(&self) -> anyhow::Result<RunId> {
        let riverside = self.deployment.clinics().next().context("the demo has one clinic")?;
        let (_, lists) = self.deployment.known_lists(riverside).await?;
        let list = lists.first().context("the demo has one list")?;
        self.deployment.store.plan_open(&list.row).await?.context("no plan waits")
    }

    /// Stops the provider and clears the stage, unless it is kept.
    pub(super) async fn strike(self, keep: bool) -> anyhow::Result<()> {
        self.server.stop().await?;
        if keep {
            println!("\nKept in {}", self.folder.display());
            return Ok(());
        }
        drop(self.deployment);
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("`{}` could not be removed", self.folder.display()))
    }
}

fn write_configuration(folder: &Path, url: &str, audience: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("clinics"))?;
    fs::create_dir_all(folder.join("secrets/riverside"))?;
    for private in ["secrets", "secrets/riverside"] {
        fs::set_permissions(folder.join(private), fs::Permissions::from_mode(0o700))?;
    }
    fs::write(folder.join("listwarden.toml"), DEPLOYMENT)?;
    fs::write(
        folder.join("clinics/riverside.toml"),
        CLINIC.replace("{url}", url).replace("{audience}", audience),
    )?;
    secret(&folder.join("secrets/master_key"), &"5a".repeat(32))?;
    secret(&folder.join("secrets/riverside/mailchimp"), API_KEY)
}

fn secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}

const DEPLOYMENT: &str = r#"
[store]
url = "sqlite://listwarden.db"
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
"#;
