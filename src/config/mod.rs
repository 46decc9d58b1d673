//! Configuration: one deployment file, a folder of clinics and the environment, checked whole.
//!
//! Every mistake is told at once, with its file, key, line and cure; a key that is not known is a
//! mistake too. Secrets are named here, never written. What is left is a [`Config`] that the rest
//! of the program can rely on.

mod account;
mod asking;
mod clinic;
mod deployment;
mod digest;
pub mod duration;
mod list;
mod notify;
mod oidc;
mod parts;
mod problem;
mod secrets;
mod section;
mod serve;
mod shared;
pub mod templates;
mod texts;
mod url;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;

use crate::domain::policy::OptOutScope;
use crate::domain::text::words;
use crate::domain::{NoteKind, Policy};
pub use digest::policy_digest;
pub use oidc::{Grant, OidcSettings, RETURN};
pub use problem::{ConfigErrors, Problem};
pub use secrets::{SecretError, Secrets};
pub use serve::cron;
pub use shared::ListRef;
pub use url::DatabaseUrl;

/// The whole configuration of a deployment.
#[derive(Debug, Clone)]
pub struct Config {
    /// The deployment file.
    pub path: PathBuf,
    /// Where our own store is.
    pub store: DatabaseUrl,
    /// The folder that keeps what must outlive the store.
    pub register: Option<PathBuf>,
    /// Names of the secrets that keys are derived from.
    pub keys: KeySettings,
    /// How the loop turns.
    pub run: RunSettings,
    /// How to serve.
    pub serve: ServeSettings,
    /// Whom to tell that an admin is needed.
    pub notify: NotifySettings,
    /// The clinics, by name.
    pub clinics: Vec<ClinicConfig>,
    /// Where secrets are.
    pub secrets: Secrets,
}

/// Whom to tell that an admin is needed; nobody, where neither is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotifySettings {
    /// By e-mail.
    pub smtp: Option<SmtpSettings>,
    /// By a webhook of ours.
    pub webhook: Option<HookSettings>,
}

impl NotifySettings {
    /// Returns the names of the secrets it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let password = self.smtp.iter().filter_map(|smtp| smtp.password.as_deref());
        password.chain(self.webhook.iter().map(|hook| hook.secret.as_str()))
    }
}

/// A mail server, and who writes to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept private.
    pub tls: SmtpTls,
    /// Who writes.
    pub from: String,
    /// Whom to.
    pub to: Vec<String>,
    /// The user name, where the server asks for one.
    pub user: Option<String>,
    /// The name of the secret with the password.
    pub password: Option<String>,
}

words! {
    /// How the connection to a mail server is kept private.
    SmtpTls {
        /// By STARTTLS, which must work.
        Starttls = "starttls",
        /// From its first byte.
        Wrapped = "wrapped",
        /// Not at all: a server on this machine.
        None = "none",
    }
}

/// Where a webhook of ours goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// The URL.
    pub url: String,
    /// The name of the secret it is signed with.
    pub secret: String,
}

/// Names of the secrets that keys are derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The one in use.
    pub master: String,
    /// Earlier ones, still needed to read what they sealed and to match what they hashed.
    pub retired: Vec<String>,
}

/// How the loop turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunSettings {
    /// How long a lease lasts without being renewed.
    pub lease_ttl: TimeDelta,
    /// How often every patient and every member is read, changed or not.
    pub full_sweep_every: TimeDelta,
    /// How often a list's settings are read at the provider.
    pub settings_every: TimeDelta,
    /// How long an admin's approval or release holds.
    pub approval_lasts: TimeDelta,
}

/// How `listwarden serve` serves.
#[derive(Debug, Clone, PartialEq)]
pub struct ServeSettings {
    /// The address and port to listen on.
    pub listen: std::net::SocketAddr,
    /// The address and port to show figures on; none shows none.
    pub metrics_listen: Option<std::net::SocketAddr>,
    /// Up to how many lists each is shown by itself.
    pub metrics_lists: u32,
    /// The address and port of the admin API; none where it is not served.
    pub admin_listen: Option<std::net::SocketAddr>,
    /// How providers reach us, with the path that the proxy before us takes off; signatures may
    /// cover it.
    pub public_url: Option<String>,
    /// When to reconcile every clinic: a cron expression of six fields, seconds first.
    pub schedule: Option<croner::Cron>,
    /// The time zone of the schedule.
    pub time_zone: Tz,
    /// The longest a scheduled run is put off by chance, so that deployments do not all call at once.
    pub jitter: TimeDelta,
    /// How long the raw bodies of deliveries are kept.
    pub keep_bodies: TimeDelta,
    /// Who signs in to the page by `OpenID` Connect; nobody where it is not there.
    pub oidc: Option<OidcSettings>,
}

/// One clinic.
#[derive(Debug, Clone)]
pub struct ClinicConfig {
    /// Its file.
    pub path: PathBuf,
    /// Its name in commands, logs and secrets.
    pub slug: String,
    /// Its name for people.
    pub title: String,
    /// Its country (ISO 3166), for numbers in national form.
    pub country: Option<String>,
    /// Its time zone.
    pub time_zone: Tz,
    /// Where its patients are.
    pub source: SourceSettings,
    /// Its accounts at list providers, by name.
    pub accounts: BTreeMap<String, AccountConfig>,
    /// Its lists.
    pub lists: Vec<ListConfig>,
    /// How far an opt-out by text reaches.
    pub opt_out_scope: OptOutScope,
}

/// Where a clinic's patients are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// What kind of source it is.
    pub kind: SourceKind,
    /// Its database.
    pub url: DatabaseUrl,
    /// Rows a page.
    pub page_size: u32,
    /// How far a delta reaches back before the last one.
    pub overlap: TimeDelta,
    /// What its records are told of beside opt-outs, which they always are.
    pub notes: BTreeSet<NoteKind>,
}

/// What kind of source a clinic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Its own database, through the view `listwarden_patients`.
    Sql,
    /// The reference clinic's schema, which we create and migrate.
    Reference,
}

/// An account at a list provider.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// The provider's name.
    pub provider: String,
    /// The name of the secret that holds the credential.
    pub key_secret: String,
    /// What answers HELP by text, where the provider does not answer itself.
    pub help: Option<String>,
    /// The names of the secrets that webhooks are signed with, where an admin agreed on them with
    /// the provider; two during a rotation.
    pub webhook_secrets: Vec<String>,
    /// The provider's own settings, which only its adapter reads.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// One list.
#[derive(Debug, Clone)]
pub struct ListConfig {
    /// Its name in commands and logs.
    pub slug: String,
    /// The account it is in, by name.
    pub account: String,
    /// The provider's id of it.
    pub audience: String,
    /// The lists it shares the audience with (L27).
    pub shared_with: Vec<ListRef>,
    /// Who attested the chance to refuse in every message, and when (L5).
    pub attested: Option<Attestation>,
    /// What the clinic decided about it.
    pub policy: Policy,
}

/// An admin's word that every message of a list offers the chance to refuse (L5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Who gave it.
    pub by: String,
    /// When.
    pub on: NaiveDate,
}

/// Settings and secrets from outside the files.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes the process's own. Values that are not UTF-8 are left out.
    #[must_use]
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Returns a variable that is set and not blank.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys().filter(|name| name.starts_with("LISTWARDEN_"))).finish()
    }
}

impl Config {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// [`ConfigErrors`]: every mistake in every file.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigErrors> {
        let (config, problems) = Self::load_sound(path, environment)?;
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads everything and leaves out the clinics whose files have mistakes, so that one
    /// clinic's mistake does not stop the others.
    ///
    /// # Errors
    /// [`ConfigErrors`], when the deployment file itself is at fault or no clinic is sound.
    pub fn load_sound(
        path: &Path,
        environment: &Environment,
    ) -> Result<(Self, ConfigErrors), ConfigErrors> {
        let mut problems = Vec::new();
        let Some(deployment) = deployment::read(path, environment, &mut problems) else {
            return Err(ConfigErrors::new(problems));
        };
        let mut clinics = clinic::read_all(path, &deployment, &mut problems);
        shared::check(&clinics, &mut problems);
        if let (Some(oidc), true) = (&deployment.serve.oidc, problems.is_empty()) {
            oidc::check(oidc, path, &clinics, &mut problems);
        }
        clinics.retain(|clinic| problems.iter().all(|problem| problem.file != clinic.path));
        if clinics.is_empty() {
            return Err(ConfigErrors::new(problems));
        }
        clinics.sort_by(|a, b| a.slug.cmp(&b.slug));
        let deployment::Deployment { store, register, keys, run, serve, notify, secrets, .. } =
            deployment;
        let path = path.to_owned();
        let config = Self { path, store, register, keys, run, serve, notify, clinics, secrets };
        Ok((config, ConfigErrors::new(problems)))
    }

    /// Finds a clinic by its name.
    #[must_use]
    pub fn clinic(&self, slug: &str) -> Option<&ClinicConfig> {
        self.clinics.iter().find(|clinic| clinic.slug == slug)
    }
}

impl ClinicConfig {
    /// Finds a list by its name.
    #[must_use]
    pub fn list(&self, slug: &str) -> Option<&ListConfig> {
        self.lists.iter().find(|list| list.slug == slug)
    }
}
