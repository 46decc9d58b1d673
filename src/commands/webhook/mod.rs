//! `webhook`: where providers send what they have to tell, made and mended there.

mod by_hand;
mod hooked;

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::acting::{By, Deed};
use super::console::say;
use super::{Common, Deployment, Exit};
use crate::http::admin::Replaced;
use crate::store::Endpoint;
use hooked::{Looked, is_sound, lists};

pub(super) use hooked::look;

/// Webhooks: providers tell us at once.
#[derive(Debug, Subcommand)]
pub enum Webhook {
    /// Makes the webhooks that are missing, and mends those that were changed at the provider.
    Register(Which),
    /// Shows the webhooks, and whether they are at the provider as they should be.
    List(Show),
    /// Replaces webhooks and their secrets; the old ones are still taken for two hours.
    Rotate(Which),
    /// Removes webhooks, here and at the provider.
    Remove(Which),
}

/// Which lists.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Only this list, by its short name.
    #[arg(long)]
    list: Option<String>,
    #[command(flatten)]
    by: By,
}

/// What to show.
#[derive(Debug, Clone, Args)]
pub struct Show {
    /// Only this list, by its short name.
    #[arg(long)]
    list: Option<String>,
    /// Show the whole URLs: whoever knows one can send to it.
    #[arg(long)]
    urls: bool,
}

/// How long a replaced webhook is still taken: a provider may retry for 75 minutes.
const RETIRING: TimeDelta = TimeDelta::hours(2);

/// Runs the subcommand.
pub async fn run(common: &Common, webhook: Webhook) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let acts = |what: &'static str, which: &Which| {
        let (by, list) = (which.by.by.clone(), which.list.clone());
        let deployment = &deployment;
        async move {
            let clinics = deployment.clinics_meant().await?;
            let deed = Deed { clinics, subject: list.clone(), ..Deed::new(what, &by) };
            let list = list.as_deref();
            let doing = async {
                match what {
                    "webhook register" => register(deployment, list).await,
                    "webhook rotate" => {
                        let Replaced { said, failed } = rotate(deployment, list).await?;
                        if !failed.is_empty() {
                            tell(common.json, "rotated", &said)?;
                            let failed = failed.join(", ");
                            bail!("not, or not all, replaced (the log says why): {failed}");
                        }
                        Ok(said)
                    }
                    _ => remove(deployment, list).await,
                }
            };
            deployment.on_record(deed, doing).await
        }
    };
    match webhook {
        Webhook::Register(which) => {
            tell(common.json, "registered", &acts("webhook register", &which).await?)
        }
        Webhook::Rotate(which) => {
            tell(common.json, "rotated", &acts("webhook rotate", &which).await?)
        }
        Webhook::Remove(which) => {
            tell(common.json, "removed", &acts("webhook remove", &which).await?)
        }
        Webhook::List(show) => list(common, &deployment, &show).await,
    }
}

/// Removes webhooks, here and at the provider; says what became of each.
async fn remove(deployment: &Deployment, list: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut said = Vec::new();
    for of in lists(deployment, list).await? {
        let orphans = of.looked_at(deployment).await?.orphans;
        said.extend(of.remove_orphans(&orphans).await?);
        for endpoint in of.endpoints(deployment).await? {
            of.retire(deployment, &endpoint, TimeDelta::zero()).await?;
            said.push(format!("{}: {} removed", of.name, endpoint.origin));
        }
    }
    for account in by_hand::accounts(deployment, list).await? {
        said.extend(account.remove(deployment).await?);
    }
    Ok(said)
}

/// Makes the webhooks that are missing, and mends those that were changed at the provider; says
/// what became of each.
pub async fn register(deployment: &Deployment, list: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut said = Vec::new();
    for list in lists(deployment, list).await? {
        said.extend(list.register(deployment).await.with_context(|| list.name.clone())?);
    }
    for account in by_hand::accounts(deployment, list).await? {
        said.push(account.register(deployment).await?);
    }
    Ok(said)
}

/// Replaces webhooks and their secrets; says what became of each. A list or an account where it fails
/// keeps no other back.
pub async fn rotate(deployment: &Deployment, list: Option<&str>) -> anyhow::Result<Replaced> {
    let mut replaced = Replaced::default();
    for list in lists(deployment, list).await? {
        let old = list.endpoints(deployment).await?;
        replaced.take(&list.name, list.replace(deployment, &old).await);
    }
    for account in by_hand::accounts(deployment, list).await? {
        let said = account.replace(deployment).await.map(|said| vec![said]);
        replaced.take(&account.name, said);
    }
    Ok(replaced)
}

impl Replaced {
    fn take(&mut self, name: &str, done: anyhow::Result<Vec<String>>) {
        match done {
            Ok(said) => self.said.extend(said),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(of = name, error, "webhooks could not be replaced");
                self.failed.push(name.to_owned());
            }
        }
    }
}

fn tell(json: bool, what: &str, said: &[String]) -> anyhow::Result<Exit> {
    let lines = if said.is_empty() { "Nothing to do.".to_owned() } else { said.join("\n") };
    say(json, &json!({ what: said }), lines)?;
    Ok(Exit::InStep)
}

fn public_url(deployment: &Deployment) -> anyhow::Result<&str> {
    let Some(public) = &deployment.config.serve.public_url else {
        bail!(
            "providers must know where to send: set public_url in the section [serve] of {}",
            deployment.config.path.display()
        );
    };
    Ok(public)
}

fn url(deployment: &Deployment, endpoint: &Endpoint) -> anyhow::Result<String> {
    let public = public_url(deployment)?;
    Ok(format!("{public}/webhooks/{}", endpoint.token.expose_secret()))
}

async fn list(common: &Common, deployment: &Deployment, show: &Show) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    let mut exit = Exit::InStep;
    for list in lists(deployment, show.list.as_deref()).await? {
        let Looked { known, orphans } = list.looked_at(deployment).await?;
        for hook in orphans {
            exit = Exit::Error;
            let state = "never finished: run `listwarden webhook register`, which removes it";
            lines.push(format!("{}  {state}", list.name));
            rows.push(json!({ "list": list.name, "hook": hook.id, "state": state }));
        }
        for (endpoint, hook) in known {
            let state = match &hook {
                None => "gone at the provider: run `listwarden webhook register`",
                Some(hook) if is_sound(deployment, &endpoint, hook)? => "as it should be",
                Some(_) => "changed at the provider: run `listwarden webhook register`",
            };
            if state != "as it should be" {
                exit = Exit::Error;
            }
            let last = deployment.store.delivery_last(&endpoint).await?;
            let url = if show.urls { Some(url(deployment, &endpoint)?) } else { None };
            let signed = if endpoint.signed { "signed" } else { "not signed" };
            let origin = endpoint.origin.word();
            lines.push(line(&list.name, origin, signed, last, state, url.as_deref()));
            rows.push(json!({
                "list": list.name, "endpoint": endpoint.id, "origin": endpoint.origin,
                "signed": endpoint.signed, "last_delivery": last, "state": state, "url": url,
            }));
        }
    }
    for account in by_hand::accounts(deployment, show.list.as_deref()).await? {
        for endpoint in account.endpoints(deployment).await? {
            let last = deployment.store.delivery_last(&endpoint).await?;
            let url = if show.urls { Some(url(deployment, &endpoint)?) } else { None };
            let signed = if account.signed { "signed" } else { "not signed" };
            let state = "entered by hand";
            lines.push(line(&account.name, "any", signed, last, state, url.as_deref()));
            rows.push(json!({
                "account": account.name, "endpoint": endpoint.id, "origin": endpoint.origin,
                "signed": account.signed, "last_delivery": last, "state": state, "url": url,
            }));
        }
    }
    let text = if lines.is_empty() {
        "No webhooks: make them with `listwarden webhook register`.".to_owned()
    } else {
        lines.join("\n")
    };
    say(common.json, &rows, text)?;
    Ok(exit)
}

fn line(
    name: &str,
    origin: &str,
    signed: &str,
    last: Option<DateTime<Utc>>,
    state: &str,
    url: Option<&str>,
) -> String {
    let told = last.map_or("nothing yet".to_owned(), |at| at.format("%F %T UTC").to_string());
    let url = url.map(|url| format!("  {url}")).unwrap_or_default();
    format!("{name}  {origin}  {signed}  last told: {told}  {state}{url}")
}
