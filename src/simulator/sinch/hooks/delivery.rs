//! Signing and delivering callbacks, with retries, duplicates, disorder and old stamps.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Event, Hooks};
use crate::simulator::hooks::{Answer, Attempt, disturbed};

/// The pause after the first attempt, in seconds; it doubles with each.
const FIRST_PAUSE: i64 = 5;
/// The last pause, in seconds.
const LAST_PAUSE: i64 = 81_920;

/// How the receiver of callbacks can tell that they are genuine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Signing {
    /// Not at all.
    None,
    /// By HMAC-SHA256 over body, nonce and time.
    Signed {
        /// The secret.
        secret: String,
    },
    /// By HTTP Basic.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
}

/// How deliveries misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliveryRules {
    /// Stamps each retry anew; otherwise a retry carries the time of the event.
    pub restamp: bool,
    /// Delivers everything twice, with the same nonce.
    pub duplicate: bool,
    /// Delivers the newest first.
    pub reverse: bool,
    /// Stamps everything so many seconds too early.
    pub late_by_seconds: u32,
}

impl Default for DeliveryRules {
    fn default() -> Self {
        Self { restamp: true, duplicate: false, reverse: false, late_by_seconds: 0 }
    }
}

/// Signs a raw body as Sinch does: base64 of the HMAC-SHA256 of `body.nonce.timestamp`.
#[must_use]
pub fn signature(secret: &str, body: &str, nonce: &str, seconds: i64) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{body}.{nonce}.{seconds}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

impl Hooks {
    /// Takes the events that are due, each with the attempt to make; `nonce` gives a fresh one.
    pub fn take_due(
        &mut self,
        now: DateTime<Utc>,
        rules: DeliveryRules,
        mut nonce: impl FnMut() -> String,
    ) -> Vec<(Event, Attempt)> {
        let waiting = std::mem::take(&mut self.waiting);
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|e| e.due <= now);
        self.waiting = later;
        let taken = due.into_iter().filter_map(|event| self.attempt(event, now, rules, nonce()));
        disturbed(taken.collect(), rules.duplicate, rules.reverse)
    }

    /// Acts on an answer: done, given up (4xx), or to be tried again later (5xx, 429, silence).
    pub fn settle(&mut self, mut event: Event, answer: Answer, now: DateTime<Utc>) {
        let again = matches!(answer, Answer::Status(429 | 500..) | Answer::Silence);
        let pause = FIRST_PAUSE.checked_shl(event.attempts).unwrap_or(i64::MAX);
        if again && pause <= LAST_PAUSE {
            event.due = now + TimeDelta::seconds(pause);
            event.attempts += 1;
            self.waiting.push(event);
        }
    }

    fn attempt(
        &self,
        event: Event,
        now: DateTime<Utc>,
        rules: DeliveryRules,
        nonce: String,
    ) -> Option<(Event, Attempt)> {
        let callback = self.callback.as_ref()?;
        let stamped = if rules.restamp { now } else { event.fired_at };
        let seconds = stamped.timestamp() - i64::from(rules.late_by_seconds);
        let mut headers = vec![("content-type", "application/json".to_owned())];
        match &callback.signing {
            Signing::None => {}
            Signing::Signed { secret } => headers.extend([
                ("x-sinch-webhook-signature", signature(secret, &event.body, &nonce, seconds)),
                ("x-sinch-webhook-signature-algorithm", "HmacSHA256".to_owned()),
                ("x-sinch-webhook-signature-nonce", nonce),
                ("x-sinch-webhook-signature-timestamp", seconds.to_string()),
            ]),
            Signing::Basic { user, password } => {
                let credential = STANDARD.encode(format!("{user}:{password}"));
                headers.push(("authorization", format!("Basic {credential}")));
            }
        }
        let (url, body) = (callback.url.clone(), event.body.clone());
        Some((event, Attempt { url, headers, body }))
    }
}
