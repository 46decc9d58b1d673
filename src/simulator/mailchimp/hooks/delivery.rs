//! Signing and delivering webhooks, with retries, duplicates and disorder.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Event, Hooks};
use crate::simulator::hooks::{Answer, Attempt, disturbed};
use crate::simulator::mailchimp::audience::member::Stamp;

/// What Mailchimp calls itself when it delivers.
const USER_AGENT: &str = "MailChimp";

/// The header that proves who sent a delivery; unsigned webhooks have none.
const SIGNATURE: &str = "X-Mailchimp-Signature";

/// What Mailchimp calls itself when it checks a URL.
pub const VALIDATOR_USER_AGENT: &str = "MailChimp.com WebHook Validator";

/// Minutes between one attempt and the next: 75 in all.
const RETRY_MINUTES: [u32; 6] = [1, 4, 10, 15, 20, 25];

/// How deliveries misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryRules {
    /// Stamps each retry anew; otherwise a retry carries the signature of the first attempt.
    pub restamp: bool,
    /// Delivers everything twice.
    pub duplicate: bool,
    /// Delivers the newest first.
    pub reverse: bool,
}

impl Default for DeliveryRules {
    fn default() -> Self {
        Self { restamp: true, duplicate: false, reverse: false }
    }
}

/// Signs a raw body as Mailchimp does: `t=<seconds>,v1=<hex>`.
#[must_use]
pub fn signature(secret: &str, seconds: u32, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

impl Hooks {
    /// Takes the events that are due, each with the attempt to make.
    pub fn take_due(&mut self, now: Stamp, rules: DeliveryRules) -> Vec<(Event, Attempt)> {
        let waiting = std::mem::take(&mut self.waiting);
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|e| e.due <= now);
        self.waiting = later;
        let taken = due.into_iter().filter_map(|event| self.attempt(event, now, rules));
        disturbed(taken.collect(), rules.duplicate, rules.reverse)
    }

    /// Acts on an answer: done, switched off by 410, or to be tried again later.
    pub fn settle(&mut self, mut event: Event, answer: Answer, now: Stamp) {
        match answer {
            Answer::Status(200..300) => {}
            Answer::Status(410) => {
                let hook = self.webhooks.iter_mut().find(|hook| hook.id == event.webhook_id);
                if let Some(hook) = hook {
                    hook.disabled = true;
                }
            }
            Answer::Status(_) | Answer::Silence => {
                let Some(minutes) = RETRY_MINUTES.get(event.attempts as usize) else { return };
                event.due = Stamp(now.0 + minutes * 60);
                event.attempts += 1;
                self.waiting.push(event);
            }
        }
    }

    fn attempt(&self, event: Event, now: Stamp, rules: DeliveryRules) -> Option<(Event, Attempt)> {
        let hook = self.webhooks.iter().find(|hook| hook.id == event.webhook_id)?;
        if hook.disabled {
            return None;
        }
        let stamp = if rules.restamp { now.0 } else { event.fired_at };
        let mut headers = vec![
            ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
            ("User-Agent", USER_AGENT.to_owned()),
        ];
        let signature = hook.secret.as_deref().map(|key| signature(key, stamp, &event.body));
        headers.extend(signature.map(|signature| (SIGNATURE, signature)));
        let (url, body) = (hook.url.clone(), event.body.clone());
        Some((event, Attempt { url, headers, body }))
    }
}
