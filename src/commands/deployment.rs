//! The composition root: from configuration to practices in hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use super::accounts::Accounts;
use super::metered::Metered;
use super::references::References;
use super::{Common, Console};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::{
    AccountConfig, ClinicConfig, Config, ConfigErrors, Environment, ListConfig, SourceKind,
};
use crate::domain::ClinicId;
use crate::http::metrics::{Figures, Watched};
use crate::keys::Keyring;
use crate::notify::{Herald, NotifyError};
use crate::patients::{PatientSource, Reference, SqlOptions, SqlSource};
use crate::providers::transport::HttpTransport;
use crate::providers::{self, ListAccount, ListReader, ListWriter, Opening, Transport};
use crate::reconcile::{
    KnownList, ManagedAccount, ManagedList, Practice, Reconciler, Roster, RunSettings, Silent, Stop,
};
use crate::register::Register;
use crate::store::Store;

/// A name on the command line that the configuration does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {what} `{asked}`; {}", known(what, names))]
pub struct NotConfigured {
    what: &'static str,
    asked: String,
    names: BTreeSet<String>,
}

impl NotConfigured {
    fn new<'a>(what: &'static str, asked: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names = names.into_iter().map(ToOwned::to_owned).collect();
        Self { what, asked: asked.to_owned(), names }
    }

    /// No list of the clinics asked for has that name.
    pub fn list<'a>(asked: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new("list", asked, names)
    }
}

fn known(what: &str, names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return format!("the configuration has no {what} at all");
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    format!("the configuration has {}", names.join(", "))
}

/// How long it is remembered what accounts told of single numbers: longer than any question is open.
const NOTICES_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(90);

/// How long `token list` shows a sign-in that is over; the audit log has it for good.
const SESSIONS_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// Everything a command works with.
#[derive(Debug)]
pub struct Deployment {
    /// The validated configuration.
    pub config: Arc<Config>,
    /// The store.
    pub store: Store,
    /// Where progress is shown.
    pub console: Arc<Console>,
    reconciler: Reconciler,
    transport: Arc<dyn Transport>,
    opened: Arc<Accounts>,
    references: Arc<References>,
    clinic: Option<String>,
}

impl Deployment {
    /// Reads the configuration and opens a store whose tables fit this program.
    pub async fn open(common: &Common) -> anyhow::Result<Self> {
        let deployment = Self::unchecked(common).await?;
        deployment.store.check_schema().await?;
        deployment.store.check_keys().await?;
        Ok(deployment)
    }

    /// Reads the configuration and opens the store, whatever its tables.
    pub async fn unchecked(common: &Common) -> anyhow::Result<Self> {
        let config = Config::load(&common.config, &Environment::of_process())?;
        let clock: SharedClock = Arc::new(SystemClock);
        let mut deployment = Self::of(config, clock, Arc::new(HttpTransport::new()?)).await?;
        if let Some(slug) = &common.clinic {
            deployment.expect_clinic(slug)?;
        }
        deployment.clinic.clone_from(&common.clinic);
        if !common.json {
            deployment.reconciler.progress = deployment.console.clone();
        }
        Ok(deployment)
    }

    /// Puts a deployment together from its parts.
    pub async fn of(
        config: Config,
        clock: SharedClock,
        transport: Arc<dyn Transport>,
    ) -> anyhow::Result<Self> {
        let keys = Arc::new(keyring(&config)?);
        let url = config.store.resolve(&config.secrets, None)?;
        let store = Store::open(url.expose_secret(), keys, clock.clone()).await?;
        Self::over(config, store, clock, transport)
    }

    /// Puts a deployment together over a store that is open.
    pub fn over(
        config: Config,
        store: Store,
        clock: SharedClock,
        transport: Arc<dyn Transport>,
    ) -> anyhow::Result<Self> {
        let settings = RunSettings {
            lease: config.run.lease_ttl.to_std()?,
            full_sweep_every: config.run.full_sweep_every,
            settings_every: config.run.settings_every,
            register: config.register.clone().map(Register::at),
            ..RunSettings::default()
        };
        let reconciler = Reconciler {
            store: store.clone(),
            clock,
            settings,
            progress: Arc::new(Silent),
            stop: Stop::default(),
            roster: Arc::default(),
        };
        let console = Arc::new(Console::default());
        Ok(Self {
            config: Arc::new(config),
            store,
            console,
            reconciler,
            transport,
            opened: Arc::default(),
            references: Arc::default(),
            clinic: None,
        })
    }

    /// Reads the configuration again, for the clinics in it; store, keys and transport stay.
    pub fn reread(&self, environment: &Environment) -> Result<Self, ConfigErrors> {
        let config = Config::load(&self.config.path, environment)?;
        Ok(self.with(Arc::new(config)))
    }

    fn with(&self, config: Arc<Config>) -> Self {
        Self {
            config,
            store: self.store.clone(),
            console: self.console.clone(),
            reconciler: self.reconciler.clone(),
            transport: self.transport.clone(),
            opened: self.opened.clone(),
            references: self.references.clone(),
            clinic: self.clinic.clone(),
        }
    }

    /// Returns what requests are sent by.
    pub(super) const fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Returns the lists of `clinics`, by name, and how old a reading of them may be.
    pub fn watched<'a>(clinics: impl Iterator<Item = &'a ClinicConfig>) -> Watched {
        let of = |clinic: &'a ClinicConfig| {
            let lists = clinic.lists.iter();
            lists.map(|list| ((clinic.slug.clone(), list.slug.clone()), list.policy.freshness))
        };
        clinics.flat_map(of).collect()
    }

    /// Returns what gathers the figures of the lists that `watched` names.
    pub fn figures(&self, watched: impl Fn() -> Watched + Send + Sync + 'static) -> Figures {
        let clock = self.reconciler.clock.clone();
        Figures::new(self.store.clone(), clock, watched, self.config.serve.metrics_lists)
    }

    /// Leaves in the store what this process has counted.
    pub async fn leave_figures(&self) {
        if let Err(error) = self.store.tallies_keep().await {
            tracing::warn!(%error, "what was counted could not be stored; it is tried again");
        }
    }

    /// Returns the loop.
    #[must_use]
    pub const fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.reconciler.clock.as_ref()
    }

    /// Returns the clinics this command is about.
    pub fn clinics(&self) -> impl Iterator<Item = &ClinicConfig> {
        let asked = self.clinic.as_ref();
        self.config
            .clinics
            .iter()
            .filter(move |clinic| asked.is_none_or(|slug| *slug == clinic.slug))
    }

    /// Returns the clinic this command is about, if it is one: a patient's id is a clinic's own, and
    /// may be somebody else at another.
    pub fn only_clinic(&self) -> anyhow::Result<&ClinicConfig> {
        let mut clinics = self.clinics();
        match (clinics.next(), clinics.next()) {
            (Some(clinic), None) => Ok(clinic),
            _ => anyhow::bail!(
                "there are several clinics: say whose patients these are with --clinic"
            ),
        }
    }

    /// Finds a clinic by name among those this command is about.
    pub fn expect_clinic(&self, slug: &str) -> Result<&ClinicConfig, NotConfigured> {
        let known = self.clinics().map(|clinic| clinic.slug.as_str());
        self.clinics()
            .find(|clinic| clinic.slug == slug)
            .ok_or_else(|| NotConfigured::new("clinic", slug, known))
    }

    /// Refuses the name of a list that none of the clinics has.
    pub fn expect_list(&self, asked: Option<&str>) -> Result<(), NotConfigured> {
        let lists = self.clinics().flat_map(|clinic| &clinic.lists);
        let known: Vec<&str> = lists.map(|list| list.slug.as_str()).collect();
        match asked {
            Some(slug) if !known.contains(&slug) => Err(NotConfigured::list(slug, known)),
            _ => Ok(()),
        }
    }

    /// Asks the loop to stop between operations when the process is asked to stop.
    pub fn stop_on_ctrl_c(&self) {
        let stop = self.reconciler.stop.clone();
        let progress = self.reconciler.progress.clone();
        tokio::spawn(async move {
            let asked = asked_to_stop().await;
            if asked.is_ok() {
                progress.note("Stopping between operations; the next run goes on from there.");
                stop.ask();
            }
        });
    }

    /// Opens a clinic's patient source.
    pub async fn source(&self, clinic: &ClinicConfig) -> anyhow::Result<Arc<dyn PatientSource>> {
        if clinic.source.kind == SourceKind::Reference {
            return self.kept_with_us(clinic).await;
        }
        let url = clinic.source.url.resolve(&self.config.secrets, Some(&clinic.slug))?;
        let clock = self.reconciler.clock.clone();
        Ok(Arc::new(SqlSource::open(&url, options(clinic), clock)?))
    }

    /// Opens the records that a clinic keeps with us, or returns them as they are open already.
    async fn kept_with_us(&self, clinic: &ClinicConfig) -> anyhow::Result<Arc<dyn PatientSource>> {
        let url = clinic.source.url.resolve(&self.config.secrets, Some(&clinic.slug))?;
        let options = options(clinic);
        if let Some(open) = self.references.find(&clinic.slug, &url, &options) {
            return Ok(open);
        }
        let clock = self.reconciler.clock.clone();
        let records = Arc::new(Reference::open(&url, options.clone(), clock)?);
        records.migrate().await?;
        self.references.keep(&clinic.slug, url, options, &records);
        Ok(records)
    }

    /// Opens a clinic's records where it keeps them with us; none where it has its own database.
    pub fn reference(&self, clinic: &ClinicConfig) -> anyhow::Result<Option<Reference>> {
        if clinic.source.kind != SourceKind::Reference {
            return Ok(None);
        }
        let url = clinic.source.url.resolve(&self.config.secrets, Some(&clinic.slug))?;
        let clock = self.reconciler.clock.clone();
        Ok(Some(Reference::open(&url, options(clinic), clock)?))
    }

    /// Takes a clinic in hand, to change its lists.
    pub async fn practice(&self, clinic: &ClinicConfig) -> anyhow::Result<Practice> {
        self.practice_as(clinic, |port| port).await
    }

    /// Takes a clinic in hand, to read only.
    pub async fn practice_to_read(
        &self,
        clinic: &ClinicConfig,
    ) -> anyhow::Result<Practice<dyn ListReader>> {
        self.practice_as(clinic, |port| -> Arc<dyn ListReader> { port }).await
    }

    async fn practice_as<L: ?Sized>(
        &self,
        clinic: &ClinicConfig,
        held_as: impl Fn(Arc<dyn ListWriter>) -> Arc<L>,
    ) -> anyhow::Result<Practice<L>> {
        let id = self.store.clinic_ensure(&clinic.slug).await?;
        let accounts = self.accounts(clinic)?;
        let mut lists = Vec::new();
        for list in &clinic.lists {
            let account = accounts
                .get(&list.account)
                .with_context(|| format!("list `{}`: no account `{}`", list.slug, list.account))?;
            let port = held_as(port(account.as_ref(), list, &list.audience));
            let managed = self.managed(clinic, list, id, port).await?;
            lists.push(ManagedList { sender: account.sender().map(str::to_owned), ..managed });
        }
        // A list that is new takes the lease of the account's others, whose account is pinned.
        for (list, config) in clinic.lists.iter().enumerate() {
            let of_account = clinic.lists.iter().zip(&lists);
            let mut of_account = of_account.filter(|(other, _)| other.account == config.account);
            let pinned = of_account.find_map(|(_, other)| other.row.account_pin.clone());
            lists[list].account = pinned.unwrap_or_else(|| lists[list].account.clone());
        }
        lists.retain(|list| list.row.retired_at.is_none());
        let source = self.source(clinic).await?;
        let (opt_out_scope, notes) = (clinic.opt_out_scope, clinic.source.notes.clone());
        Ok(Practice { id, slug: clinic.slug.clone(), opt_out_scope, source, notes, lists })
    }

    async fn managed<L: ?Sized>(
        &self,
        clinic: &ClinicConfig,
        list: &ListConfig,
        id: ClinicId,
        port: Arc<L>,
    ) -> anyhow::Result<ManagedList<L>> {
        let known = KnownList::find(&self.store, clinic, id, list).await?;
        let KnownList { row, policy, .. } = known;
        Ok(ManagedList {
            clinic: clinic.slug.clone(),
            // Lists of one provider account share its lease, whichever clinic they belong to.
            account: row
                .account_pin
                .clone()
                .unwrap_or_else(|| format!("{}/{}", clinic.slug, list.account)),
            row,
            policy,
            audience: list.audience.clone(),
            sender: None,
            sharers: KnownList::sharers_of(&self.store, &self.config, list).await?,
            port,
        })
    }

    /// Returns a clinic's id and its lists, as store and configuration know them.
    pub async fn known_lists(
        &self,
        clinic: &ClinicConfig,
    ) -> anyhow::Result<(ClinicId, Vec<KnownList>)> {
        Ok(KnownList::of_clinic(&self.store, &self.config, clinic).await?)
    }

    /// Returns the same deployment for one clinic only.
    #[must_use]
    pub fn of_clinic(&self, slug: &str) -> Self {
        Self { clinic: Some(slug.to_owned()), ..self.with(self.config.clone()) }
    }

    /// Takes every clinic in hand with its accounts, to attend to what is told of them: all of them,
    /// whichever this command is about, since several may share an account.
    pub async fn roster(&self) -> Arc<Roster> {
        self.roster_after(&Roster::default()).await
    }

    /// Does the same; a clinic that cannot be taken in hand now stays as it was `before`.
    pub async fn roster_after(&self, before: &Roster) -> Arc<Roster> {
        let mut roster = Roster::default();
        for clinic in &self.config.clinics {
            if let Err(error) = self.enrol(&mut roster, clinic).await {
                tracing::warn!(
                    clinic = clinic.slug,
                    error = format!("{error:#}"),
                    "the clinic could not be taken in hand; it is attended to as before, if it was"
                );
                roster.keep(before, &clinic.slug);
            }
        }
        Arc::new(roster)
    }

    async fn enrol(&self, roster: &mut Roster, clinic: &ClinicConfig) -> anyhow::Result<()> {
        // Held from here on, so that lists and account are of one client.
        let accounts = self.accounts(clinic)?;
        let practice = self.practice(clinic).await?;
        let mut enrolled = Vec::new();
        for (name, port) in accounts {
            let config = &clinic.accounts[&name];
            let provider = providers::provider(&config.provider)
                .with_context(|| format!("there is no provider `{}`", config.provider))?;
            let scheme = provider.webhook.map(|scheme| scheme(&config.settings)).transpose()?;
            enrolled.push(ManagedAccount {
                clinic: practice.id,
                account: account_lease(clinic, &name, &practice),
                channel: provider.channel,
                name,
                help: config.help.clone(),
                webhook_secrets: self.webhook_secrets(clinic, config)?,
                scheme,
                port,
            });
        }
        roster.accounts.extend(enrolled);
        roster.practices.push(practice);
        Ok(())
    }

    /// Reads the secrets that an account's webhooks are signed with.
    pub fn webhook_secrets(
        &self,
        clinic: &ClinicConfig,
        config: &AccountConfig,
    ) -> anyhow::Result<Vec<SecretString>> {
        let read = |name: &String| Ok(self.config.secrets.of_clinic(&clinic.slug, name)?);
        config.webhook_secrets.iter().map(read).collect()
    }

    /// Returns how providers reach this deployment.
    #[must_use]
    pub fn public_url(&self) -> &str {
        self.config.serve.public_url.as_deref().unwrap_or_default()
    }

    /// Drops the bodies of deliveries that were kept long enough, and what accounts told so long ago
    /// that nothing asks for it.
    pub async fn forget_old(&self) -> anyhow::Result<()> {
        let now = self.clock().now();
        let before = now - self.config.serve.keep_bodies;
        // Clinics that are not configured any more too.
        for clinic in self.store.clinics().await? {
            self.store.deliveries_empty(clinic.id, before).await?;
            self.store.notices_forget(clinic.id, now - NOTICES_KEPT).await?;
        }
        self.store.sessions_forget(now - SESSIONS_KEPT).await?;
        Ok(())
    }

    /// Tells admins what needs them. What goes wrong is logged, and tried again the next time.
    pub async fn notify(&self) {
        if let Err(error) = self.try_notify().await {
            tracing::warn!(
                error = format!("{error:#}"),
                "admins could not be told; it is tried again"
            );
        }
    }

    /// Returns who tells admins; none where nobody is to be told.
    pub(super) fn herald(&self) -> Result<Option<Herald>, NotifyError> {
        let clock = self.reconciler.clock.clone();
        Herald::of(&self.config, &self.store, clock, self.transport.clone())
    }

    async fn try_notify(&self) -> anyhow::Result<()> {
        let Some(herald) = self.herald()? else { return Ok(()) };
        let mut clinics = Vec::new();
        for clinic in self.clinics() {
            let id = self.store.clinic_ensure(&clinic.slug).await?;
            clinics.push((id, clinic.slug.clone()));
        }
        Ok(herald.tell(&clinics).await?)
    }

    /// Opens the provider accounts of a clinic; lists of one account share its connections.
    pub fn accounts(
        &self,
        clinic: &ClinicConfig,
    ) -> anyhow::Result<BTreeMap<String, Arc<dyn ListAccount>>> {
        clinic
            .accounts
            .iter()
            .map(|(name, config)| {
                let account = self
                    .account(clinic, config)
                    .with_context(|| format!("clinic `{}`, account `{name}`", clinic.slug))?;
                Ok((name.clone(), account))
            })
            .collect()
    }

    fn account(
        &self,
        clinic: &ClinicConfig,
        config: &AccountConfig,
    ) -> anyhow::Result<Arc<dyn ListAccount>> {
        let provider = providers::provider(&config.provider)
            .with_context(|| format!("there is no provider `{}`", config.provider))?;
        let opening = Opening {
            settings: config.settings.clone(),
            key: self.config.secrets.of_clinic(&clinic.slug, &config.key_secret)?,
            transport: Arc::new(Metered {
                inner: self.transport.clone(),
                provider: provider.name,
                store: self.store.clone(),
                clock: self.reconciler.clock.clone(),
            }),
            clock: self.reconciler.clock.clone(),
        };
        Ok(self.opened.open(provider, opening)?)
    }
}

/// Returns what an account's lease is called after, as its lists have it.
fn account_lease(clinic: &ClinicConfig, name: &str, practice: &Practice) -> String {
    let unpinned = format!("{}/{name}", clinic.slug);
    let of_account = |slug: &str| clinic.list(slug).is_some_and(|list| list.account == name);
    let lists = practice.lists.iter().filter(|list| of_account(&list.row.slug));
    let pinned = lists.map(|list| list.account.clone()).find(|account| *account != unpinned);
    pinned.unwrap_or(unpinned)
}

/// Reads the master key and the retired ones.
pub fn keyring(config: &Config) -> anyhow::Result<Keyring> {
    let mut ring = String::new();
    for name in std::iter::once(&config.keys.master).chain(&config.keys.retired) {
        ring.push_str(config.secrets.of_deployment(name)?.expose_secret());
        ring.push('\n');
    }
    Keyring::parse(&ring.into()).context("the master key or a retired one cannot be read")
}

fn options(clinic: &ClinicConfig) -> SqlOptions {
    SqlOptions { page_size: clinic.source.page_size, country: clinic.country.clone() }
}

/// Opens one list of an account, as the policy reads it.
pub fn port(account: &dyn ListAccount, list: &ListConfig, audience: &str) -> Arc<dyn ListWriter> {
    let fields = list.policy.fields.iter().map(|mapping| mapping.field.clone()).collect();
    account.list(audience, fields, !list.policy.tags.is_empty())
}

pub(super) async fn asked_to_stop() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        asked = tokio::signal::ctrl_c() => asked,
        _ = terminate.recv() => Ok(()),
    }
}
