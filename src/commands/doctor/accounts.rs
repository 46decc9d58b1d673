//! The provider accounts: one look at each, then one at each of its lists.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use super::Finding::{self, Mend, Note, Well};
use super::{Checkup, Deployment};
use crate::clock::timeout;
use crate::commands::webhook;
use crate::config::{ClinicConfig, ListConfig};
use crate::domain::Channel;
use crate::providers::{Audience, ListAccount, ProviderError};

/// How long a provider may take for one question, all tries together.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an account is not looked at any further: told once, and not for each list.
struct Silent(String);

pub(super) async fn look(checkup: &mut Checkup, deployment: &Deployment, clinic: &ClinicConfig) {
    let accounts = match deployment.accounts(clinic) {
        Ok(accounts) => accounts,
        Err(error) => {
            let what = format!("clinic `{}`, accounts", clinic.slug);
            return checkup.tell(&what, vec![Mend(format!("{error:#}"))]);
        }
    };
    for (name, config) in &clinic.accounts {
        if let Err(error) = deployment.webhook_secrets(clinic, config) {
            let what = format!("clinic `{}`, account `{name}`, webhook_secrets", clinic.slug);
            checkup.tell(&what, vec![Mend(format!("{error:#}"))]);
        }
    }
    for (name, account) in &accounts {
        let lists = clinic.lists.iter().filter(|list| list.account == *name);
        let look = Look { deployment, clinic, account: account.as_ref(), lists: lists.collect() };
        let title = format!("clinic `{}`, account `{name}`", clinic.slug);
        match look.at_account().await {
            Ok(findings) => {
                checkup.tell(&title, findings);
                look.at_lists(checkup, &title).await;
            }
            Err(silent) => checkup.tell(&title, vec![unseen(&silent, &look.lists)]),
        }
    }
}

/// One account in view.
struct Look<'a> {
    deployment: &'a Deployment,
    clinic: &'a ClinicConfig,
    account: &'a dyn ListAccount,
    lists: Vec<&'a ListConfig>,
}

impl Look<'_> {
    async fn at_account(&self) -> Result<Vec<Finding>, Silent> {
        let mut findings = match self.answer(self.account.lists()).await? {
            Ok(there) => vec![unmanaged(there, &self.lists)],
            Err(error) => return Err(Silent(error.to_string())),
        };
        if let Some(list) = self.lists.first() {
            let port = crate::commands::deployment::port(self.account, list, &list.audience);
            findings.push(match self.answer(port.account()).await? {
                Ok(account) => region(account.region.as_deref()),
                Err(error) => Mend(error.to_string()),
            });
        }
        Ok(findings)
    }

    async fn at_lists(&self, checkup: &mut Checkup, account: &str) {
        for (at, list) in self.lists.iter().enumerate() {
            match self.at_list(list).await {
                Ok(findings) => {
                    checkup.tell(
                        &format!("clinic `{}`, list `{}`", self.clinic.slug, list.slug),
                        findings,
                    );
                }
                Err(silent) => {
                    return checkup.tell(account, vec![unseen(&silent, &self.lists[at..])]);
                }
            }
        }
    }

    async fn at_list(&self, list: &ListConfig) -> Result<Vec<Finding>, Silent> {
        let port = crate::commands::deployment::port(self.account, list, &list.audience);
        let mut findings = match self.answer(port.audience()).await? {
            Ok(audience) => {
                let mut findings = fields_of(&audience, list);
                // Only a list of e-mail addresses has forms where people sign up.
                if list.policy.channel == Channel::Email {
                    findings.insert(0, confirmation(&audience));
                }
                findings
            }
            Err(error) => vec![Mend(error.to_string())],
        };
        findings.extend(self.in_time(self.webhooks(list)).await?);
        Ok(findings)
    }

    /// Waits for an answer; what concerns the whole account is no list's.
    async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, ProviderError>> + Send,
    ) -> Result<Result<T, ProviderError>, Silent> {
        match self.in_time(work).await? {
            Err(error) if is_of_account(&error) => Err(Silent(error.to_string())),
            answer => Ok(answer),
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, Silent> {
        let done = timeout(self.deployment.clock(), PATIENCE, work).await;
        done.map_err(|_| {
            Silent(format!(
                "the provider did not answer within {} seconds: look whether it is up, and reachable from here",
                PATIENCE.as_secs()
            ))
        })
    }

    /// Webhooks that were made and are not at the provider as they should be.
    async fn webhooks(&self, list: &ListConfig) -> Option<Finding> {
        let admin = self.account.webhooks(&list.audience)?;
        Some(match webhook::look(self.deployment, self.clinic, list, admin).await {
            Ok(looked) if looked.is_empty() => Note(
                "no webhooks: what happens at the provider is seen by the next run only; `listwarden webhook register` makes them".to_owned(),
            ),
            Ok(looked) if looked.iter().all(|sound| *sound) => {
                Well(format!("its {} webhooks are as they should be", looked.len()))
            }
            Ok(_) => Mend(
                "a webhook is gone, was changed at the provider, or was never finished: run `listwarden webhook register`".to_owned(),
            ),
            Err(error) => Mend(format!("{error:#}")),
        })
    }
}

/// Says that an account does not answer, and which lists nobody looked at therefore.
fn unseen(silent: &Silent, lists: &[&ListConfig]) -> Finding {
    let names: Vec<String> = lists.iter().map(|list| format!("`{}`", list.slug)).collect();
    let unseen = if names.is_empty() {
        String::new()
    } else {
        format!("; not looked at: {}", names.join(", "))
    };
    Mend(format!("{}{unseen}", silent.0))
}

/// Tells a failure that every other question of the account would meet as well.
fn is_of_account(error: &ProviderError) -> bool {
    error.is_transient()
        || matches!(error, ProviderError::Unauthorized | ProviderError::AccountDisabled { .. })
}

/// Lists in the account that nobody keeps: whoever is dropped stays on them.
fn unmanaged(there: Vec<(String, String)>, managed: &[&ListConfig]) -> Finding {
    let kept: BTreeSet<&str> = managed.iter().map(|list| list.audience.as_str()).collect();
    let loose: Vec<String> = there
        .into_iter()
        .filter(|(id, _)| !kept.contains(id.as_str()))
        .map(|(id, name)| format!("`{name}` ({id})"))
        .collect();
    if loose.is_empty() {
        return Well("the key works; every list of the account is kept".to_owned());
    }
    Note(format!(
        "the key works; nobody keeps these lists of the account, so whoever is dropped stays on them: {}",
        loose.join(", ")
    ))
}

fn region(region: Option<&str>) -> Finding {
    match region {
        Some(region) => Note(format!(
            "the provider keeps its data in `{region}`: outside the UK and EEA that is a transfer (GDPR Art. 44)"
        )),
        None => Note("the provider does not say where it keeps the data".to_owned()),
    }
}

fn confirmation(audience: &Audience) -> Finding {
    if audience.double_opt_in {
        return Well(format!("audience `{}` confirms sign-ups on its own forms", audience.name));
    }
    Note(format!(
        "audience `{}` does not confirm sign-ups on its own forms, so none of them proves anything: turn on double opt-in in its settings at the provider",
        audience.name
    ))
}

fn fields_of(audience: &Audience, list: &ListConfig) -> Vec<Finding> {
    let mapped: BTreeSet<&str> = list.policy.fields.iter().map(|m| m.field.as_str()).collect();
    let there: BTreeSet<&str> = audience.fields.iter().map(|field| field.field.as_str()).collect();
    let missing = mapped.difference(&there).map(|field| {
        Mend(format!(
            "the list has no field `{field}`: create it at the provider, or take it out of `fields`"
        ))
    });
    let unfilled = audience
        .fields
        .iter()
        .filter(|field| field.required && !mapped.contains(field.field.as_str()))
        .map(|field| {
            Mend(format!(
                "the list requires the field `{}`, which nothing fills: invitations will be refused. Map it in `fields`, or make it optional at the provider",
                field.field
            ))
        });
    let mut findings: Vec<Finding> = missing.chain(unfilled).collect();
    if findings.is_empty() {
        findings.push(Well("mapped and required fields fit".to_owned()));
    }
    findings
}
