//! Lists whose providers make webhooks by their API: made, mended, replaced, removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;

use super::{Deployment, RETIRING, public_url, url};
use crate::config::{ClinicConfig, ListConfig};
use crate::domain::{ClinicId, Origin};
use crate::providers::{Hook, WebhookAdmin};
use crate::store::{Endpoint, NewEndpoint};

/// What was found of a list's webhooks.
#[derive(Default)]
pub(super) struct Looked {
    /// Our endpoints, each with its hook at the provider.
    pub(super) known: Vec<(Endpoint, Option<Hook>)>,
    /// Hooks that send to us and that no endpoint answers for.
    pub(super) orphans: Vec<Hook>,
}

/// One list whose provider makes webhooks by its API.
pub(super) struct HookedList {
    /// `clinic/list`.
    pub(super) name: String,
    clinic: ClinicId,
    account: String,
    audience: String,
    admin: Arc<dyn WebhookAdmin>,
}

/// Returns the lists whose providers make webhooks; several lists of one audience share its hooks.
pub(super) async fn lists(
    deployment: &Deployment,
    asked: Option<&str>,
) -> anyhow::Result<Vec<HookedList>> {
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
    pub(super) async fn endpoints(&self, deployment: &Deployment) -> anyhow::Result<Vec<Endpoint>> {
        let mut endpoints = deployment.store.endpoints(self.clinic).await?;
        endpoints.retain(|endpoint| {
            endpoint.account == self.account
                && endpoint.audience.as_deref() == Some(self.audience.as_str())
        });
        Ok(endpoints)
    }

    /// Returns our endpoints with the hooks that the provider has for them, and the orphans.
    pub(super) async fn looked_at(&self, deployment: &Deployment) -> anyhow::Result<Looked> {
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

    pub(super) async fn register(&self, deployment: &Deployment) -> anyhow::Result<Vec<String>> {
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

    pub(super) async fn remove_orphans(&self, orphans: &[Hook]) -> anyhow::Result<Vec<String>> {
        for hook in orphans {
            self.admin.remove(&hook.id).await?;
        }
        let removed = format!("{}: a webhook that was never finished is removed", self.name);
        Ok(vec![removed; orphans.len()])
    }

    /// Gives the one place that there is to a new endpoint; what was sent to the old one is taken
    /// for a while.
    async fn take_over(
        &self,
        deployment: &Deployment,
        old: &Endpoint,
        place: &str,
    ) -> anyhow::Result<()> {
        let new = deployment.store.endpoint_add(&self.endpoint(old.origin)).await?;
        self.admin.repair(place, &url(deployment, &new)?, old.origin).await?;
        deployment.store.endpoint_hooked(&new, place, old.secret.as_ref()).await?;
        let at = deployment.clock().now() + RETIRING;
        Ok(deployment.store.endpoint_removed(old, at).await?)
    }

    fn endpoint(&self, origin: Origin) -> NewEndpoint {
        NewEndpoint {
            clinic: self.clinic,
            account: self.account.clone(),
            audience: Some(self.audience.clone()),
            origin,
        }
    }

    /// Makes an endpoint and its hook; the provider looks at the URL meanwhile.
    async fn make(&self, deployment: &Deployment, origin: Origin) -> anyhow::Result<Endpoint> {
        public_url(deployment)?;
        let endpoint = deployment.store.endpoint_add(&self.endpoint(origin)).await?;
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
    pub(super) async fn replace(
        &self,
        deployment: &Deployment,
        old: &[Endpoint],
    ) -> anyhow::Result<Vec<String>> {
        let mut said = Vec::new();
        for endpoint in old {
            match &endpoint.hook {
                Some(place) if self.admin.has_one_place() => {
                    self.take_over(deployment, endpoint, place).await?;
                }
                _ => {
                    self.make(deployment, endpoint.origin).await?;
                    self.retire(deployment, endpoint, RETIRING).await?;
                }
            }
            let origin = endpoint.origin;
            said.push(format!("{}: the webhook for acts of {origin} is replaced", self.name));
        }
        Ok(said)
    }

    /// Removes the hook; what it sent already is taken for a while.
    pub(super) async fn retire(
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
pub async fn look(
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
pub(super) fn is_sound(
    deployment: &Deployment,
    endpoint: &Endpoint,
    hook: &Hook,
) -> anyhow::Result<bool> {
    let as_asked = hook.tells == Some(endpoint.origin) && signs_as_it_must(endpoint, hook);
    Ok(as_asked && hook.url == url(deployment, endpoint)?)
}
