//! `doctor`: everything a run needs, looked at one by one, with how to mend what is wrong.

mod accounts;

use serde_json::json;

use super::console::say;
use super::{Common, Deployment, Exit};
use crate::config::{ClinicConfig, Config, OidcSettings};
use crate::domain::event::CLOCK_SKEW;
use crate::http::admin::page::oidc::discover;
use crate::reconcile::Chain;
use crate::store::Verified;

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
    let found = store(&deployment).await;
    // What lies in a store that does not open says nothing new.
    let opens = matches!(found, Well(_));
    checkup.tell("store", vec![found]);
    checkup.tell("notices", vec![notices(&deployment)]);
    if let Some(settings) = &deployment.config.serve.oidc {
        checkup.tell("OpenID Connect", vec![provider(&deployment, settings).await]);
    }
    if opens {
        checkup.tell("audit log", vec![chain(&deployment, Chain::Audit).await]);
    }
    for clinic in deployment.clinics() {
        checkup.tell(&format!("clinic `{}`", clinic.slug), source(&deployment, clinic).await);
        if opens {
            checkup.tell(
                &format!("clinic `{}`, ledger", clinic.slug),
                vec![ledger(&deployment, clinic).await],
            );
        }
        accounts::look(&mut checkup, &deployment, clinic).await;
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
    let told = config.notify.secrets().map(str::to_owned);
    let names = config.keys.retired.iter().chain([&config.keys.master]).cloned();
    let oidc = config.serve.oidc.iter().map(|oidc| oidc.client_secret.clone());
    let names = names.chain(store).chain(told).chain(oidc);
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

/// Whether people can sign in, as far as that shows without anybody signing in.
async fn provider(deployment: &Deployment, settings: &OidcSettings) -> Finding {
    if let Err(error) = deployment.config.secrets.of_deployment(&settings.client_secret) {
        return Mend(error.to_string());
    }
    let clock = &deployment.reconciler().clock;
    match discover(deployment.transport().as_ref(), clock, &settings.issuer).await {
        Ok(_) => Well(format!(
            "the provider answers; its client `{}` must have the redirect URL {}",
            settings.client_id,
            settings.redirect()
        )),
        Err(error) => Mend(error.to_string()),
    }
}

/// Whether admins can be told, as far as that shows without telling anything.
fn notices(deployment: &Deployment) -> Finding {
    match deployment.herald() {
        Ok(Some(_)) => Well("admins are told as [notify] says".to_owned()),
        Ok(None) => Note("nobody is told when an admin is needed: [notify] is empty".to_owned()),
        Err(error) => Mend(error.to_string()),
    }
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

async fn ledger(deployment: &Deployment, clinic: &ClinicConfig) -> Finding {
    match deployment.store.clinic_ensure(&clinic.slug).await {
        Ok(id) => chain(deployment, Chain::Ledger(id, &clinic.slug)).await,
        Err(error) => Mend(error.to_string()),
    }
}

async fn chain(deployment: &Deployment, chain: Chain<'_>) -> Finding {
    match deployment.reconciler().verify(chain).await {
        Ok(Verified { first_bad: None, lines, .. }) => Well(format!("{lines} lines, unbroken")),
        Ok(Verified { first_bad: Some(line), .. }) => Mend(format!(
            "broken at line {line}: somebody changed the database past Listwarden (docs/runbooks/ledger-broken.md)"
        )),
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
