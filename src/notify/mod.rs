//! Telling an admin that one is needed: by e-mail and by webhook, once each, and without any address.
//!
//! What there is to tell is read from the store at the end of a run, and while serving. What could not
//! be sent is logged and tried again the next time; it ends nobody's run.

mod hook;
mod mail;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;

use crate::clock::{SharedClock, timeout};
use crate::config::{Config, SecretError};
use crate::domain::{Class, ClinicId};
use crate::providers::Transport;
use crate::store::{AlertKind, AlertRow, Lease, NewAlert, Result, Store, ToldBy};
use hook::Hook;
use mail::{Mail, MailError};

/// How long one process tells before another may.
const LEASE: Duration = Duration::from_mins(2);
/// Longest wait for the mail server, and for the webhook.
const PATIENCE: Duration = Duration::from_secs(20);
/// After how long it is renewed while clinics are gone through.
const RENEWED_AFTER: TimeDelta = TimeDelta::seconds(30);
/// How long a message rests that the mail server refused for good, or the server itself after a wrong password:
/// somebody may have mended it.
const REST: Duration = Duration::from_hours(1);
/// The lease that nobody gives back, and while it lasts no process asks the mail server.
const MAIL: &str = "mail";
/// What is said of a server that did not answer.
const SILENT: &str = "there was no answer in time";

/// Tells admins what needs them.
#[derive(Debug)]
pub struct Herald {
    store: Store,
    clock: SharedClock,
    mail: Option<Mail>,
    hook: Option<Hook>,
}

/// By what there still is to tell: a way that failed is not tried again before the next telling.
struct Ways<'a> {
    mail: Option<&'a Mail>,
    hook: Option<&'a Hook>,
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An address of the configuration is none.
    #[error("`{key}` in [notify.smtp] is no e-mail address")]
    Address {
        /// The key.
        key: &'static str,
    },
    /// The webhook's secret is none.
    #[error("the secret of [notify.webhook] is no Standard Webhooks secret: `whsec_` and base64")]
    HookSecret,
    /// The mail server.
    #[error("the mail server cannot be used as configured")]
    Smtp(#[source] lettre::transport::smtp::Error),
}

impl Herald {
    /// Reads from the configuration whom to tell; none where nobody is to be told.
    pub fn of(
        config: &Config,
        store: &Store,
        clock: SharedClock,
        transport: Arc<dyn Transport>,
    ) -> std::result::Result<Option<Self>, NotifyError> {
        let settings = &config.notify;
        let secret = |name: &String| -> std::result::Result<SecretString, SecretError> {
            config.secrets.of_deployment(name)
        };
        let mail = match &settings.smtp {
            Some(smtp) => Some(Mail::new(smtp, smtp.password.as_ref().map(secret).transpose()?)?),
            None => None,
        };
        let hook = match &settings.webhook {
            Some(hook) => Some(Hook::new(hook, &secret(&hook.secret)?, transport)?),
            None => None,
        };
        let told = mail.is_some() || hook.is_some();
        Ok(told.then(|| Self { store: store.clone(), clock, mail, hook }))
    }

    /// Tells what is new of the clinics, each by its id and short name, unless another process does.
    pub async fn tell(&self, clinics: &[(ClinicId, String)]) -> Result<()> {
        let holder = self.clock.id();
        let Some(lease) = self.store.lease_acquire("notify", holder, LEASE).await? else {
            return Ok(());
        };
        let told = self.tell_under(&lease, clinics).await;
        self.store.lease_release(&lease).await?;
        told
    }

    async fn tell_under(&self, lease: &Lease, clinics: &[(ClinicId, String)]) -> Result<()> {
        let rests = self.mail.is_some() && self.store.lease_is_held(MAIL).await?;
        let mut ways =
            Ways { mail: self.mail.as_ref().filter(|_| !rests), hook: self.hook.as_ref() };
        let mut renewed = self.clock.now();
        for (id, slug) in clinics {
            let now = self.clock.now();
            if now - renewed > RENEWED_AFTER {
                if !self.store.lease_renew(lease, LEASE).await? {
                    return Ok(());
                }
                renewed = now;
            }
            let found = self.found(*id).await?;
            self.store.alerts_put(lease, *id, &found).await?;
            for alert in self.store.alerts_standing(*id).await? {
                if !self.tell_one(lease, *id, slug, &alert, &mut ways).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Reads off the store what needs an admin.
    async fn found(&self, clinic: ClinicId) -> Result<Vec<NewAlert>> {
        let strangers = self.store.strangers(clinic).await?;
        let mut found = Vec::new();
        for report in self.store.report(clinic).await? {
            if report.list.retired_at.is_some() {
                continue;
            }
            let dropped = report.classes.get(&Class::HeldButDropped).copied().unwrap_or_default();
            let unapproved = report.list.approved_at.is_none() && report.list.swept_at.is_some();
            let list = report.list.id;
            let alerts = [
                (AlertKind::Brake, report.braked, report.braked > 0),
                (AlertKind::FirstPlan, report.waiting, unapproved),
                (AlertKind::Red, dropped, dropped > 0),
                (AlertKind::ParkedRemovals, report.parked_removals, report.parked_removals > 0),
            ];
            let stand = alerts.into_iter().filter(|(.., stands)| *stands);
            found.extend(stand.map(|(kind, links, _)| NewAlert { list, kind, links }));
            let strangers = strangers.get(&list).copied().filter(|links| *links > 0);
            found.extend(strangers.map(|links| {
                let kind = AlertKind::Strangers;
                NewAlert { list, kind, links }
            }));
        }
        Ok(found)
    }

    /// Tells one alert wherever it was not told yet. Returns whether it is still ours to tell: before
    /// each sending the lease is renewed, so that no other process tells the same meanwhile.
    async fn tell_one(
        &self,
        lease: &Lease,
        id: ClinicId,
        clinic: &str,
        alert: &AlertRow,
        ways: &mut Ways<'_>,
    ) -> Result<bool> {
        let rests = alert.mail_rests_until.is_some_and(|until| self.clock.now() < until);
        if let Some(mail) = ways.mail.filter(|_| !alert.mailed && !rests) {
            if !self.store.lease_renew(lease, LEASE).await? {
                return Ok(false);
            }
            match mail.send(self.clock.as_ref(), clinic, alert).await {
                Ok(()) => self.store.alert_told(lease, id, alert.id, ToldBy::Mail).await?,
                Err(error) => {
                    tracing::warn!(alert = %alert.id, error = %error, "an e-mail could not be sent; it is tried again");
                    match error {
                        MailError::Message | MailError::Refused => {
                            let until = self.clock.now() + REST;
                            self.store.alert_mail_rests(lease, id, alert.id, until).await?;
                        }
                        MailError::Password => {
                            ways.mail = None;
                            self.store.lease_acquire(MAIL, self.clock.id(), REST).await?;
                        }
                        MailError::Server(_) => ways.mail = None,
                    }
                }
            }
        }
        if let Some(hook) = ways.hook.filter(|_| !alert.hooked) {
            if !self.store.lease_renew(lease, LEASE).await? {
                return Ok(false);
            }
            let now = self.clock.now();
            let sent = timeout(self.clock.as_ref(), PATIENCE, hook.send(clinic, alert, now)).await;
            if sent.is_err() {
                ways.hook = None;
            }
            match sent.unwrap_or(Err(SILENT)) {
                Ok(()) => self.store.alert_told(lease, id, alert.id, ToldBy::Hook).await?,
                Err(why) => {
                    tracing::warn!(alert = %alert.id, why, "a notice could not be sent; it is tried again");
                }
            }
        }
        Ok(true)
    }
}

/// Says an alert to a person, in one sentence without any address.
fn sentence(clinic: &str, alert: &AlertRow) -> String {
    let (list, links) = (&alert.list, alert.links);
    let what = match alert.kind {
        AlertKind::Brake => format!("the brake holds back {links} changes"),
        AlertKind::FirstPlan => format!("the first plan waits, with {links} changes"),
        AlertKind::Red => format!("{links} are held but dropped"),
        AlertKind::ParkedRemovals => format!("{links} could not be taken off yet"),
        AlertKind::Strangers => format!("{links} members are on it whom the clinic never knew"),
    };
    format!("clinic {clinic}, list {list}: {what}")
}

/// Says what an admin can do about it.
const fn cure(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Brake | AlertKind::FirstPlan => {
            "Look at it by `listwarden plan`, then `listwarden approve` or `listwarden refuse`."
        }
        AlertKind::Red => "Run `listwarden reconcile --full` and look at `listwarden report`.",
        AlertKind::ParkedRemovals => {
            "It is tried again by every run; `listwarden report` and `explain` say why it fails."
        }
        AlertKind::Strangers => {
            "Name former patients by `listwarden patients import --former`, or set `unknown`."
        }
    }
}
