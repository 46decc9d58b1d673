//! Webhooks: what a delivery says, and the hooks themselves.
//!
//! Source: Mailchimp's webhook guide and the samples recorded of real deliveries. A payload is
//! read for whom it is about; what became of that member is read at the API.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Call, parse};
use super::{Connection, Settings};
use crate::domain::{Address, Origin};
use crate::providers::form::Form;
use crate::providers::http::Failure;
use crate::providers::signatures::{self, Delivery, Forged, Signature, Verified};
use crate::providers::{Hook, Malformed, Notice, ProviderError, WebhookAdmin, WebhookScheme, Word};

/// Every event there is; `campaign` and unknown ones are kept and not acted on.
const EVENTS: [&str; 6] = ["subscribe", "unsubscribe", "profile", "cleaned", "upemail", "campaign"];

/// How deliveries are verified and read.
#[derive(Debug)]
pub(super) struct Scheme {
    signature: signatures::Mailchimp,
}

impl Scheme {
    pub(super) fn new(settings: &Settings) -> Self {
        let window = TimeDelta::seconds(settings.webhook_window_seconds.into());
        Self { signature: signatures::Mailchimp { window } }
    }
}

impl WebhookScheme for Scheme {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        self.signature.verify(delivery, secrets, now)
    }

    fn read(&self, delivery: &Delivery<'_>, origin: Origin) -> Result<Vec<Notice>, Malformed> {
        let form = Form::decode(delivery.body)?;
        let email = |name: &str| form.get(name).and_then(|text| Address::email(text).ok());
        let about = |address, word| Notice {
            id: None,
            at: form.get("fired_at").and_then(fired_at),
            list: form.get("data[list_id]").map(str::to_owned),
            sender: None,
            address,
            member: None,
            word,
        };
        Ok(match form.get("type") {
            // One act, told twice in any order with `profile`: both members are read again.
            Some("upemail") => {
                let (old, new) = (email("data[old_email]"), email("data[new_email]"));
                vec![about(old, Word::Moved { to: new.clone() }), about(new, Word::Changed)]
            }
            Some("subscribe" | "unsubscribe" | "profile" | "cleaned") => {
                vec![about(email("data[email]"), opt_out(&form, origin).unwrap_or(Word::Changed))]
            }
            Some(_) => vec![about(None, Word::Other)],
            None => return Err(Malformed { what: "it has no type" }),
        })
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/x-www-form-urlencoded"]
    }
}

/// An opt-out that needs no second look: the contact's own `unsub`, or a spam report. Without an
/// action, or as `delete`, it may as well be staff tidying up (L17).
fn opt_out(form: &Form, origin: Origin) -> Option<Word> {
    let complained = form.get("data[reason]") == Some("abuse");
    let unsubscribed = form.get("type") == Some("unsubscribe")
        && form.get("data[action]") == Some("unsub")
        && origin != Origin::Staff;
    let reported = form.get("type") == Some("cleaned") && complained;
    let campaign = form.get("data[campaign_id]").map(|id| format!("campaign {id}"));
    (unsubscribed || reported).then_some(Word::OptedOut { complained, evidence: campaign })
}

/// Whole seconds without a zone, which are UTC.
fn fired_at(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(|at| at.and_utc())
}

/// The hooks of one audience.
#[derive(Debug)]
pub(super) struct Hooks {
    pub(super) connection: Connection,
    pub(super) list: String,
}

#[derive(Deserialize)]
struct RawHooks {
    webhooks: Vec<RawHook>,
}

#[derive(Deserialize)]
struct RawHook {
    id: String,
    url: String,
    #[serde(default)]
    events: Value,
    #[serde(default)]
    sources: Value,
    signing_enabled: Option<bool>,
    signing_secret: Option<SecretString>,
}

impl Hooks {
    fn call(&self, method: Method, id: Option<&str>) -> Call {
        let mut path = vec!["lists", self.list.as_str(), "webhooks"];
        path.extend(id);
        Call::new(method, &path)
    }
}

#[async_trait]
impl WebhookAdmin for Hooks {
    fn origins(&self) -> &'static [Origin] {
        &[Origin::Contact, Origin::Staff]
    }

    async fn hooks(&self) -> Result<Vec<Hook>, ProviderError> {
        let hooks: RawHooks =
            self.connection.read(&self.call(Method::GET, None)).await.map_err(Failure::of_list)?;
        Ok(hooks.webhooks.into_iter().map(|hook| shown(hook, None)).collect())
    }

    async fn create(
        &self,
        url: &str,
        origin: Origin,
    ) -> Result<(Hook, Option<SecretString>), ProviderError> {
        let call = self.call(Method::POST, None).body(asked(url, origin));
        let answer = self.connection.write(&call).await.map_err(Failure::of_list)?;
        let mut hook: RawHook = parse(&answer).map_err(Failure::of_list)?;
        let secret = hook.signing_secret.take();
        Ok((shown(hook, Some(origin)), secret))
    }

    async fn repair(&self, id: &str, url: &str, origin: Origin) -> Result<(), ProviderError> {
        let call = self.call(Method::PATCH, Some(id)).body(asked(url, origin));
        self.connection.write(&call).await.map(drop).map_err(Failure::of_list)
    }

    async fn remove(&self, id: &str) -> Result<(), ProviderError> {
        match self.connection.write(&self.call(Method::DELETE, Some(id))).await {
            Ok(_) => Ok(()),
            Err(Failure::NotFound) => Ok(()),
            Err(failure) => Err(failure.of_list()),
        }
    }
}

/// All three sources are always said: what an omitted one means is not documented. Our own calls
/// are never told back (`api`).
fn asked(url: &str, origin: Origin) -> Value {
    let events: serde_json::Map<String, Value> =
        EVENTS.iter().map(|event| ((*event).to_owned(), json!(true))).collect();
    let sources = json!({
        "user": origin != Origin::Staff,
        "admin": origin != Origin::Contact,
        "api": false,
    });
    json!({ "url": url, "events": events, "sources": sources })
}

/// Shows a hook; without an origin, one that asks for either of ours is as asked.
fn shown(hook: RawHook, origin: Option<Origin>) -> Hook {
    let origins = origin.map_or_else(|| Origin::ALL.to_vec(), |origin| vec![origin]);
    let matches = |origin: &Origin| {
        let asked = asked(&hook.url, *origin);
        EVENTS.iter().all(|event| hook.events[*event] == asked["events"][*event])
            && ["user", "admin", "api"].iter().all(|s| hook.sources[*s] == asked["sources"][*s])
    };
    let tells = origins.into_iter().find(matches);
    Hook { id: hook.id, url: hook.url, signs: hook.signing_enabled, tells }
}
