//! Each recorded fact about Mailchimp, as a sentence.

mod batches;
mod contacts;
mod door;
mod listing;
mod members;
mod server;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use chrono::{DateTime, TimeZone, Utc};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{SeedMember, Simulator};
use crate::clock::ManualClock;

const KEY: &str = "0123456789abcdef0123456789abcdef-us6";

/// One account with one empty audience, at nine on a Monday morning.
struct Clinic {
    sim: Simulator,
    clock: Arc<ManualClock>,
    list: String,
}

struct Seen {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
    body: Value,
    failure: Option<super::TransportFailure>,
}

fn clinic() -> Clinic {
    let clock = Arc::new(ManualClock::new(monday(), 7));
    let sim = Simulator::new(clock.clone());
    let account = sim.open_account("Clinic", KEY);
    let list = sim.open_audience(account, "Patients").unwrap();
    Clinic { sim, clock, list }
}

fn monday() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
}

fn hash(email: &str) -> String {
    hex::encode(super::audience::email::hash(email))
}

impl Clinic {
    fn with(self, emails: &[&str]) -> Self {
        for email in emails {
            self.sim.seed_member(&self.list, SeedMember::subscribed(*email)).unwrap();
        }
        self
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn members(&self) -> String {
        format!("/lists/{}/members", self.list)
    }

    fn member(&self, email: &str) -> String {
        format!("{}/{}", self.members(), hash(email))
    }

    fn shown(&self, email: &str) -> Value {
        self.sim.member_json(&self.list, email).unwrap()
    }

    fn status(&self, email: &str) -> String {
        self.shown(email)["status"].as_str().unwrap().to_owned()
    }

    async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Seen {
        self.send("POST", path, body).await
    }

    async fn put(&self, path: &str, body: Value) -> Seen {
        self.send("PUT", path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> Seen {
        self.send("PATCH", path, body).await
    }

    async fn delete(&self, path: &str) -> Seen {
        self.send("DELETE", path, Value::Null).await
    }

    async fn subscribe(&self, email: &str) -> Seen {
        self.post(&self.members(), json!({"email_address": email, "status": "subscribed"})).await
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Seen {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("/3.0{path}"))
            .header("authorization", format!("Bearer {KEY}"))
            .body(Body::from(text))
            .unwrap();
        self.call(request).await
    }

    async fn call(&self, request: Request<Body>) -> Seen {
        let response = self.sim.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Seen {
            status: parts.status.as_u16(),
            failure: parts.extensions.get().copied(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        }
    }
}

impl Seen {
    fn title(&self) -> &str {
        self.body["title"].as_str().unwrap_or_default()
    }

    fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    fn total(&self) -> u64 {
        self.body["total_items"].as_u64().unwrap()
    }

    fn emails(&self) -> Vec<&str> {
        let rows = self.body["members"].as_array().unwrap();
        rows.iter().map(|row| row["email_address"].as_str().unwrap()).collect()
    }
}
