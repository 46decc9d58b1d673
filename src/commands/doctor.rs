//! `doctor`: everything a run needs, looked at one by one, with how to mend what is wrong.

use std::collections::BTreeSet;

use serde_json::json;

use super::console::say;
use super::{Common, Deployment, Exit, webhook};
use crate::config::{ClinicConfig, Config, ListConfig};
use crate::domain::event::CLOCK_SKEW;
use crate::providers::{Audience, ListAccount};

/// What a look came to.
enum Finding {
    Well(String),
    Note(String),
    Mend(String),
}

use Finding::{Mend, Note, Well};

/// Looks at everything; exit 1 if something must be mended.
pub async fn run(common: &Common) -> anyhow::Result<Exit> {
    let deployment = Deployment::unchecked(common).await?;
    let mut checkup = Checkup { json: common.json, sick: false, looks: Vec::new() };
    checkup.tell("configuration", vec![configuration(&deployment)]);
    checkup.tell("secrets", secrets(&deployment.config));
    checkup.tell("store", vec![store(&deployment).await]);
    for clinic in deployment.clinics() {
        checkup.tell(&format!("clinic `{}`", clinic.slug), source(&deployment, clinic).await);
        accounts(&mut checkup, &deployment, clinic).await;
    }
    checkup.end()
}

/// What was found so far: told at once, or as JSON at the end.
struct Checkup {
    json: bool,
    sick: bool,
    looks: Vec<serde_json::Value>,
}

impl Checkup {
    fn tell(&mut self, what: &str, findings: Vec<Finding>) {
        if !self.json {
            println!("{what}");
        }
        for finding in findings {
            let (mark, text) = match finding {
                Well(text) => ("ok", text),
                Note(text) => ("note", text),
                Mend(text) => ("MEND", text),
            };
            self.sick |= mark == "MEND";
            if self.json {
                let found = mark.to_lowercase();
                self.looks.push(json!({ "at": what, "found": found, "text": text }));
            } else {
                println!("  {mark:<4}  {text}");
            }
        }
    }

    fn end(self) -> anyhow::Result<Exit> {
        let word = if self.sick { "Mend what is marked, then look again." } else { "All is well." };
        say(self.json, &self.looks, format_args!("\n{word}"))?;
        Ok(if self.sick { Exit::Error } else { Exit::InStep })
    }
}

fn configuration(deployment: &Deployment) -> Finding {
    let clinics = deployment.config.clinics.iter().map(|clinic| clinic.slug.as_str());
    Well(format!(
        "`{}` can be read; clinics: {}",
        deployment.config.path.display(),
        clinics.collect::<Vec<_>>().join(", ")
    ))
}

/// Secrets that more people than their owner can read.
fn secrets(config: &Config) -> Vec<Finding> {
    let store = config.store.secret().map(str::to_owned);
    let names = config.keys.retired.iter().chain([&config.keys.master]).cloned().chain(store);
    let mut warnings: Vec<_> =
        names.filter_map(|name| config.secrets.deployment_warning(&name)).collect();
    for clinic in &config.clinics {
        let keys = clinic.accounts.values().map(|account| account.key_secret.as_str());
        let names = keys.chain(clinic.source.url.secret());
        warnings.extend(names.filter_map(|name| config.secrets.clinic_warning(&clinic.slug, name)));
    }
    if warnings.is_empty() {
        return vec![Well("no file of theirs can be read by others".to_owned())];
    }
    warnings.into_iter().map(Note).collect()
}

async fn store(deployment: &Deployment) -> Finding {
    match deployment.store.check_schema().await {
        Ok(()) => match deployment.store.check_keys().await {
            Ok(()) => {
                Well("open; its tables fit this program, and its keys this master key".to_owned())
            }
            Err(error) => Mend(error.to_string()),
        },
        Err(error) => Mend(error.to_string()),
    }
}

async fn source(deployment: &Deployment, clinic: &ClinicConfig) -> Vec<Finding> {
    let source = match deployment.source(clinic).await {
        Ok(source) => source,
        Err(error) => return vec![Mend(format!("{error:#}"))],
    };
    if let Err(error) = source.check().await {
        return vec![Mend(error.to_string())];
    }
    let count = match source.count().await {
        Ok(count) => Well(format!("{count} patients can be read")),
        Err(error) => return vec![Mend(error.to_string())],
    };
    let clock = match source.now().await {
        Ok(Some(theirs)) if (theirs - deployment.clock().now()).abs() > CLOCK_SKEW => {
            Mend("the clinic's clock is more than five minutes off ours: set both by NTP, or consents given lately will not count (L2)".to_owned())
        }
        Ok(Some(_)) => Well("its clock agrees with ours".to_owned()),
        Ok(None) => Note("it has no clock of its own to compare".to_owned()),
        Err(error) => Mend(error.to_string()),
    };
    vec![count, clock]
}

async fn accounts(checkup: &mut Checkup, deployment: &Deployment, clinic: &ClinicConfig) {
    let accounts = match deployment.accounts(clinic) {
        Ok(accounts) => accounts,
        Err(error) => {
            let what = format!("clinic `{}`, accounts", clinic.slug);
            return checkup.tell(&what, vec![Mend(format!("{error:#}"))]);
        }
    };
    for (name, account) in &accounts {
        let lists: Vec<&ListConfig> =
            clinic.lists.iter().filter(|list| list.account == *name).collect();
        let title = format!("clinic `{}`, account `{name}`", clinic.slug);
        checkup.tell(&title, vec![unmanaged(account.as_ref(), &lists).await]);
        for list in lists {
            let title = format!("clinic `{}`, list `{}`", clinic.slug, list.slug);
            let mut findings = audience(account.as_ref(), list).await;
            findings.extend(webhooks(deployment, clinic, account.as_ref(), list).await);
            checkup.tell(&title, findings);
        }
    }
}

/// Webhooks that were made and are not at the provider as they should be.
async fn webhooks(
    deployment: &Deployment,
    clinic: &ClinicConfig,
    account: &dyn ListAccount,
    list: &ListConfig,
) -> Option<Finding> {
    let admin = account.webhooks(&list.audience)?;
    Some(match webhook::look(deployment, clinic, list, admin).await {
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

/// Lists in the account that nobody keeps: whoever is dropped stays on them.
async fn unmanaged(account: &dyn ListAccount, managed: &[&ListConfig]) -> Finding {
    let there = match account.lists().await {
        Ok(there) => there,
        Err(error) => return Mend(error.to_string()),
    };
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

async fn audience(account: &dyn ListAccount, list: &ListConfig) -> Vec<Finding> {
    let fields = list.policy.fields.iter().map(|mapping| mapping.field.clone()).collect();
    let port = account.list(&list.audience, fields, !list.policy.tags.is_empty());
    let region = match port.account().await {
        Ok(account) => region(account.region.as_deref()),
        Err(error) => return vec![Mend(error.to_string())],
    };
    match port.audience().await {
        Ok(audience) => {
            let mut findings = vec![region, confirmation(&audience)];
            findings.extend(fields_of(&audience, list));
            findings
        }
        Err(error) => vec![region, Mend(error.to_string())],
    }
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
