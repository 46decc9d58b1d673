//! Webhooks: what is told, how it is signed, and when it is told again.
//!
//! Source: Bird's Python SDK 0.106.0, `resources/webhooks.py` and `WebhookEndpoint`; Standard
//! Webhooks 1.0.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::stamp;
use crate::simulator::hooks::{Answer, Attempt, disturbed};

/// Seconds between one attempt and the next: those that Standard Webhooks recommends.
const PAUSES: [i64; 6] = [5, 300, 1_800, 7_200, 18_000, 36_000];
/// How long an old secret signs beside a new one.
const BOTH: TimeDelta = TimeDelta::hours(24);
/// The most secrets that sign at once.
const MOST_SECRETS: usize = 5;

/// A webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// `whk_…`
    pub id: String,
    /// Where deliveries go.
    pub url: String,
    /// The types it asked for.
    pub events: Vec<String>,
    /// `active`, `degraded` or `paused`.
    pub status: &'static str,
    /// What signs, each until when; the current one without an end.
    pub secrets: Vec<(String, Option<DateTime<Utc>>)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl Webhook {
    /// Shows it as the API does, without its secrets.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "url": self.url,
            "description": null,
            "filter": null,
            "events": self.events,
            "status": self.status,
            "destination": { "type": "webhook" },
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        })
    }

    /// Takes a new secret; the old ones sign for a day more. Not where there are too many.
    pub fn rotate(&mut self, secret: String, now: DateTime<Utc>) -> bool {
        self.secrets.retain(|(_, until)| until.is_none_or(|until| until > now));
        if self.secrets.len() >= MOST_SECRETS {
            return false;
        }
        for (_, until) in &mut self.secrets {
            *until = until.or(Some(now + BOTH));
        }
        self.secrets.insert(0, (secret, None));
        true
    }
}

/// An event on its way to one webhook.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The webhook it goes to.
    pub webhook_id: String,
    /// What makes it the same when it comes again.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The raw body.
    pub body: String,
    /// When it happened.
    pub fired_at: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: usize,
    /// When it is tried next.
    pub due: DateTime<Utc>,
}

/// How deliveries misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryRules {
    /// Delivers everything twice, under the same id.
    pub duplicate: bool,
    /// Delivers the newest first.
    pub reverse: bool,
    /// Loses everything.
    pub lose: bool,
    /// Stamps everything so many seconds too early.
    pub late_by_seconds: u32,
}

/// Signs as Standard Webhooks say: base64 of the HMAC-SHA256 of `id.time.body`.
#[must_use]
pub fn signature(secret: &str, id: &str, seconds: i64, body: &str) -> String {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The webhooks of a workspace and what waits for them.
#[derive(Debug, Default)]
pub struct Hooks {
    /// The webhooks, oldest first.
    pub webhooks: Vec<Webhook>,
    /// Events that are not delivered yet, oldest first.
    pub waiting: Vec<Event>,
}

impl Hooks {
    /// Queues an event for every webhook that asked for its type. Whoever is paused never hears.
    pub fn queue(
        &mut self,
        id: &str,
        kind: &str,
        at: DateTime<Utc>,
        data: &Value,
        now: DateTime<Utc>,
    ) {
        let body = json!({ "type": kind, "timestamp": stamp(at), "data": data }).to_string();
        let wants = |hook: &&Webhook| {
            hook.status != "paused" && hook.events.iter().any(|event| event == kind)
        };
        self.waiting.extend(self.webhooks.iter().filter(wants).map(|hook| Event {
            webhook_id: hook.id.clone(),
            id: id.to_owned(),
            kind: kind.to_owned(),
            body: body.clone(),
            fired_at: now,
            attempts: 0,
            due: now,
        }));
    }

    /// Takes the events that are due, each with the attempt to make.
    pub fn take_due(&mut self, now: DateTime<Utc>, rules: DeliveryRules) -> Vec<(Event, Attempt)> {
        let waiting = std::mem::take(&mut self.waiting);
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|e| e.due <= now);
        self.waiting = later;
        if rules.lose {
            return Vec::new();
        }
        let taken = due.into_iter().filter_map(|event| self.attempt(event, now, rules));
        disturbed(taken.collect(), rules.duplicate, rules.reverse)
    }

    /// Acts on an answer: done, or to be tried again later; and when no try is left, paused.
    pub fn settle(&mut self, mut event: Event, answer: Answer, now: DateTime<Utc>) {
        let good = matches!(answer, Answer::Status(200..300));
        let hook = self.webhooks.iter_mut().find(|hook| hook.id == event.webhook_id);
        let Some(hook) = hook.filter(|hook| hook.status != "paused") else { return };
        hook.status = if good { "active" } else { "degraded" };
        if good {
            return;
        }
        let Some(pause) = PAUSES.get(event.attempts) else {
            hook.status = "paused";
            return;
        };
        event.due = now + TimeDelta::seconds(*pause);
        event.attempts += 1;
        self.waiting.push(event);
    }

    fn attempt(
        &self,
        event: Event,
        now: DateTime<Utc>,
        rules: DeliveryRules,
    ) -> Option<(Event, Attempt)> {
        let hook = self.webhooks.iter().find(|hook| hook.id == event.webhook_id)?;
        if hook.status == "paused" {
            return None;
        }
        let seconds = now.timestamp() - i64::from(rules.late_by_seconds);
        let valid = hook.secrets.iter().filter(|(_, until)| until.is_none_or(|until| until > now));
        let signatures: Vec<String> =
            valid.map(|(secret, _)| signature(secret, &event.id, seconds, &event.body)).collect();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", event.id.clone()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signatures.join(" ")),
        ];
        let (url, body) = (hook.url.clone(), event.body.clone());
        Some((event, Attempt { url, headers, body }))
    }
}
