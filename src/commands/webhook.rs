//! `webhook`: where providers send what they have to tell, made and mended there.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::TimeDelta;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;

use super::console::say;
use super::{Common, Deployment, Exit};
use crate::config::{ClinicConfig, ListConfig};
use crate::domain::{ClinicId, Origin};
use crate::providers::{Hook, WebhookAdmin};
use crate::store::{Endpoint, NewEndpoint};

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
    match webhook {
        Webhook::Register(which) => {
            let said = register(&deployment, which.list.as_deref()).await?;
            tell(common.json, "registered", &said)
        }
        Webhook::Rotate(which) => {
            let mut said = Vec::new();
            for list in lists(&deployment, which.list.as_deref()).await? {
                let old = list.endpoints(&deployment).await?;
                said.extend(list.replace(&deployment, &old).await?);
            }
            tell(common.json, "rotated", &said)
        }
        Webhook::Remove(which) => {
            let mut said = Vec::new();
            for list in lists(&deployment, which.list.as_deref()).await? {
                let orphans = list.looked_at(&deployment).await?.orphans;
                said.extend(list.remove_orphans(&orphans).await?);
                for endpoint in list.endpoints(&deployment).await? {
                    list.retire(&deployment, &endpoint, TimeDelta::zero()).await?;
                    said.push(format!("{}: {} removed", list.name, endpoint.origin));
                }
            }
            tell(common.json, "removed", &said)
        }
        Webhook::List(show) => list(common, &deployment, &show).await,
    }
}

/// Makes the webhooks that are missing, and mends those that were changed at the provider; says
/// what became of each.
pub async fn register(deployment: &Deployment, list: Option<&str>) -> anyhow::Result<Vec<String>> {
    let mut said = Vec::new();
    for list in lists(deployment, list).await? {
        said.extend(list.register(deployment).await?);
    }
    Ok(said)
}

fn tell(json: bool, what: &str, said: &[String]) -> anyhow::Result<Exit> {
    let lines = if said.is_empty() { "Nothing to do.".to_owned() } else { said.join("\n") };
    say(json, &json!({ what: said }), lines)?;
    Ok(Exit::InStep)
}

/// What was found of a list's webhooks.
#[derive(Default)]
struct Looked {
    /// Our endpoints, each with its hook at the provider.
    known: Vec<(Endpoint, Option<Hook>)>,
    /// Hooks that send to us and that no endpoint answers for.
    orphans: Vec<Hook>,
}

/// One list whose provider makes webhooks by its API.
struct HookedList {
    /// `clinic/list`.
    name: String,
    clinic: ClinicId,
    account: String,
    audience: String,
    admin: Arc<dyn WebhookAdmin>,
}

/// Returns the lists whose providers make webhooks; several lists of one audience share its hooks.
async fn lists(deployment: &Deployment, asked: Option<&str>) -> anyhow::Result<Vec<HookedList>> {
    deployment.expect_list(asked)?;
    let mut lists: Vec<HookedList> = Vec::new();
    for clinic in deployment.clinics() {
        let accounts = deployment.accounts(clinic)?;
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        for list in clinic.lists.iter().filter(|list| asked.is_none_or(|slug| slug == list.slug)) {
            let admin = accounts.get(&list.account).and_then(|a| a.webhooks(&list.audience));
            lists.extend(admin.map(|admin| HookedList::new(clinic, list, id, admin)));
        }
    }
    lists.dedup_by(|a, b| {
        (a.clinic, &a.account, &a.audience) == (b.clinic, &b.account, &b.audience)
    });
    Ok(lists)
}

impl HookedList {
    fn new(
        clinic: &ClinicConfig,
        list: &ListConfig,
        id: ClinicId,
        admin: Arc<dyn WebhookAdmin>,
    ) -> Self {
        Self {
            name: format!("{}/{}", clinic.slug, list.slug),
            clinic: id,
            account: list.account.clone(),
            audience: list.audience.clone(),
            admin,
        }
    }

    /// Returns our endpoints of the list.
    async fn endpoints(&self, deployment: &Deployment) -> anyhow::Result<Vec<Endpoint>> {
        let mut endpoints = deployment.store.endpoints(self.clinic).await?;
        endpoints.retain(|endpoint| {
            endpoint.account == self.account
                && endpoint.audience.as_deref() == Some(self.audience.as_str())
        });
        Ok(endpoints)
    }

    /// Returns our endpoints with the hooks that the provider has for them, and the orphans.
    async fn looked_at(&self, deployment: &Deployment) -> anyhow::Result<Looked> {
        let endpoints = self.endpoints(deployment).await?;
        let mut looked = Looked::default();
        if endpoints.is_empty() && deployment.config.serve.public_url.is_none() {
            return Ok(looked);
        }
        let hooks = self.admin.hooks().await?;
        let mut hooks: BTreeMap<String, Hook> =
            hooks.into_iter().map(|hook| (hook.id.clone(), hook)).collect();
        for endpoint in endpoints {
            let hook = endpoint.hook.as_ref().and_then(|id| hooks.remove(id));
            looked.known.push((endpoint, hook));
        }
        for hook in hooks.into_values() {
            if is_orphan(deployment, &hook).await? {
                looked.orphans.push(hook);
            }
        }
        Ok(looked)
    }

    async fn register(&self, deployment: &Deployment) -> anyhow::Result<Vec<String>> {
        let Looked { mut known, orphans } = self.looked_at(deployment).await?;
        // Those with a hook first; what else is there has lost it.
        known.sort_by_key(|(_, hook)| hook.is_none());
        let mut said = Vec::new();
        for origin in self.admin.origins() {
            let mut of_origin = known.iter().filter(|(endpoint, _)| endpoint.origin == *origin);
            let own = of_origin.next();
            let done = match own {
                Some((endpoint, Some(hook))) if is_sound(deployment, endpoint, hook)? => {
                    "is as it should be"
                }
                // The secret is shown when a hook is made, and then no more.
                Some((endpoint, Some(hook))) if !signs_as_it_must(endpoint, hook) => {
                    self.replace(deployment, std::slice::from_ref(endpoint)).await?;
                    "did not sign any more, and is replaced"
                }
                Some((endpoint, Some(hook))) => {
                    let url = url(deployment, endpoint)?;
                    self.admin.repair(&hook.id, &url, *origin).await?;
                    "was changed at the provider, and is mended"
                }
                Some((endpoint, None)) => {
                    deployment.store.endpoint_removed(endpoint, deployment.clock().now()).await?;
                    self.make(deployment, *origin).await?;
                    "was gone at the provider, and is made anew"
                }
                None => {
                    self.make(deployment, *origin).await?;
                    "is made"
                }
            };
            for (endpoint, _) in of_origin.filter(|(_, hook)| hook.is_none()) {
                deployment.store.endpoint_removed(endpoint, deployment.clock().now()).await?;
            }
            said.push(format!("{}: the webhook for acts of {origin} {done}", self.name));
        }
        said.extend(self.remove_orphans(&orphans).await?);
        Ok(said)
    }

    async fn remove_orphans(&self, orphans: &[Hook]) -> anyhow::Result<Vec<String>> {
        for hook in orphans {
            self.admin.remove(&hook.id).await?;
        }
        let removed = format!("{}: a webhook that was never finished is removed", self.name);
        Ok(vec![removed; orphans.len()])
    }

    /// Makes an endpoint and its hook; the provider looks at the URL meanwhile.
    async fn make(&self, deployment: &Deployment, origin: Origin) -> anyhow::Result<Endpoint> {
        public_url(deployment)?;
        let new = NewEndpoint {
            clinic: self.clinic,
            account: self.account.clone(),
            audience: Some(self.audience.clone()),
            origin,
        };
        let endpoint = deployment.store.endpoint_add(&new).await?;
        let url = url(deployment, &endpoint)?;
        match self.admin.create(&url, origin).await {
            Ok((hook, secret)) => {
                deployment.store.endpoint_hooked(&endpoint, &hook.id, secret.as_ref()).await?;
                Ok(endpoint)
            }
            Err(error) => {
                deployment.store.endpoint_removed(&endpoint, deployment.clock().now()).await?;
                Err(error).with_context(|| format!(
                    "{}: the provider did not make the webhook; `listwarden serve` must answer at [serve] public_url while it looks",
                    self.name
                ))
            }
        }
    }

    /// Makes new webhooks before the old ones go, so that nothing is told to nobody.
    async fn replace(
        &self,
        deployment: &Deployment,
        old: &[Endpoint],
    ) -> anyhow::Result<Vec<String>> {
        let mut said = Vec::new();
        for endpoint in old {
            self.make(deployment, endpoint.origin).await?;
            self.retire(deployment, endpoint, RETIRING).await?;
            let origin = endpoint.origin;
            said.push(format!("{}: the webhook for acts of {origin} is replaced", self.name));
        }
        Ok(said)
    }

    /// Removes the hook; what it sent already is taken for a while.
    async fn retire(
        &self,
        deployment: &Deployment,
        endpoint: &Endpoint,
        after: TimeDelta,
    ) -> anyhow::Result<()> {
        if let Some(hook) = &endpoint.hook {
            self.admin.remove(hook).await?;
        }
        let at = deployment.clock().now() + after;
        Ok(deployment.store.endpoint_removed(endpoint, at).await?)
    }
}

/// Looks at the webhooks of one list: whether each is as it should be, which an orphan is not.
pub(super) async fn look(
    deployment: &Deployment,
    clinic: &ClinicConfig,
    list: &ListConfig,
    admin: Arc<dyn WebhookAdmin>,
) -> anyhow::Result<Vec<bool>> {
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let list = HookedList::new(clinic, list, id, admin);
    let Looked { known, orphans } = list.looked_at(deployment).await?;
    let mut looked = vec![false; orphans.len()];
    for (endpoint, hook) in known {
        let sound = hook.map(|hook| is_sound(deployment, &endpoint, &hook)).transpose()?;
        looked.push(sound.unwrap_or(false));
    }
    Ok(looked)
}

/// Tells a hook that sends to us and that no endpoint of any clinic answers for: whoever made it
/// was stopped before it was stored, and its secret is lost.
async fn is_orphan(deployment: &Deployment, hook: &Hook) -> anyhow::Result<bool> {
    let public = deployment.config.serve.public_url.as_deref();
    let ours = public.map(|public| format!("{public}/webhooks/"));
    let Some(token) = ours.and_then(|ours| hook.url.strip_prefix(ours.as_str())) else {
        return Ok(false);
    };
    let endpoint = deployment.store.endpoint_by_token(token).await?;
    Ok(endpoint.is_none_or(|endpoint| endpoint.hook.as_ref() != Some(&hook.id)))
}

fn signs_as_it_must(endpoint: &Endpoint, hook: &Hook) -> bool {
    !endpoint.signed || hook.signs != Some(false)
}

/// Tells whether a hook is at the provider as we made it.
fn is_sound(deployment: &Deployment, endpoint: &Endpoint, hook: &Hook) -> anyhow::Result<bool> {
    let as_asked = hook.tells == Some(endpoint.origin) && signs_as_it_must(endpoint, hook);
    Ok(as_asked && hook.url == url(deployment, endpoint)?)
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
            let told =
                last.map_or("nothing yet".to_owned(), |at| at.format("%F %T UTC").to_string());
            lines.push(format!(
                "{}  {}  {signed}  last told: {told}  {state}{}",
                list.name,
                endpoint.origin,
                url.as_ref().map(|url| format!("  {url}")).unwrap_or_default(),
            ));
            rows.push(json!({
                "list": list.name, "endpoint": endpoint.id, "origin": endpoint.origin,
                "signed": endpoint.signed, "last_delivery": last, "state": state, "url": url,
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
