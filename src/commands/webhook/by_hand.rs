//! Accounts whose providers have no API for webhooks: the URL is entered there by hand.

use super::{Deployment, RETIRING, url};
use crate::domain::{ClinicId, Origin};
use crate::providers;
use crate::store::{Endpoint, NewEndpoint};

/// One account whose webhook an admin enters at the provider.
pub(super) struct ByHand {
    /// `clinic/account`.
    pub(super) name: String,
    /// Whether the admin agreed with the provider on secrets to sign with.
    pub(super) signed: bool,
    clinic: ClinicId,
    account: String,
}

/// Returns the accounts of the lists asked for that have webhooks, and no API for them.
pub(super) async fn accounts(
    deployment: &Deployment,
    asked: Option<&str>,
) -> anyhow::Result<Vec<ByHand>> {
    let mut found: Vec<ByHand> = Vec::new();
    for clinic in deployment.clinics() {
        let accounts = deployment.accounts(clinic)?;
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        for list in clinic.lists.iter().filter(|list| asked.is_none_or(|slug| slug == list.slug)) {
            let (Some(account), Some(port)) =
                (clinic.accounts.get(&list.account), accounts.get(&list.account))
            else {
                continue;
            };
            let tells = providers::provider(&account.provider).is_some_and(|p| p.webhook.is_some());
            let name = format!("{}/{}", clinic.slug, list.account);
            let new = found.iter().all(|other| other.name != name);
            if tells && new && port.webhooks(&list.audience).is_none() {
                found.push(ByHand {
                    name,
                    signed: !account.webhook_secrets.is_empty(),
                    clinic: id,
                    account: list.account.clone(),
                });
            }
        }
    }
    Ok(found)
}

impl ByHand {
    /// Returns our endpoints of the account.
    pub(super) async fn endpoints(&self, deployment: &Deployment) -> anyhow::Result<Vec<Endpoint>> {
        let mut endpoints = deployment.store.endpoints(self.clinic).await?;
        endpoints
            .retain(|endpoint| endpoint.account == self.account && endpoint.audience.is_none());
        Ok(endpoints)
    }

    /// Makes the endpoint unless it is there, and says what to enter at the provider.
    pub(super) async fn register(&self, deployment: &Deployment) -> anyhow::Result<String> {
        let known = self.endpoints(deployment).await?.into_iter().next();
        let endpoint = match known {
            Some(endpoint) => endpoint,
            None => self.make(deployment).await?,
        };
        let url = url(deployment, &endpoint)?;
        let unsigned = if self.signed {
            ""
        } else {
            "; nothing it tells is believed before it is read again, until webhook_secrets names what it signs with"
        };
        Ok(format!("{}: enter this URL at the provider{unsigned}: {url}", self.name))
    }

    /// Makes a new endpoint; the old ones are taken for a while.
    pub(super) async fn replace(&self, deployment: &Deployment) -> anyhow::Result<String> {
        let before = self.endpoints(deployment).await?;
        self.make(deployment).await?;
        for old in before {
            deployment.store.endpoint_removed(&old, deployment.clock().now() + RETIRING).await?;
        }
        self.register(deployment).await
    }

    /// Takes nothing more for the account.
    pub(super) async fn remove(&self, deployment: &Deployment) -> anyhow::Result<Option<String>> {
        let endpoints = self.endpoints(deployment).await?;
        for endpoint in &endpoints {
            let now = deployment.clock().now();
            deployment.store.endpoint_removed(endpoint, now).await?;
        }
        let removed = format!("{}: removed; take the URL out at the provider too", self.name);
        Ok((!endpoints.is_empty()).then_some(removed))
    }

    async fn make(&self, deployment: &Deployment) -> anyhow::Result<Endpoint> {
        super::public_url(deployment)?;
        let new = NewEndpoint {
            clinic: self.clinic,
            account: self.account.clone(),
            audience: None,
            origin: Origin::Any,
        };
        Ok(deployment.store.endpoint_add(&new).await?)
    }
}
