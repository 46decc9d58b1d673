//! Each documented fact about Sinch, as a sentence.

mod callbacks;
mod door;
mod groups;
mod texts;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use chrono::{DateTime, TimeZone, Utc};
use serde_json::Value;
use tower::ServiceExt;

use super::{Credentials, Simulator};
use crate::clock::ManualClock;

const SENDER: &str = "+447700900001";
const ANN: &str = "+447700900123";

/// One account with one empty group, at nine on a Monday morning.
struct Clinic {
    sim: Simulator,
    clock: Arc<ManualClock>,
    group: String,
}

struct Seen {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

fn clinic() -> Clinic {
    let clock = Arc::new(ManualClock::new(monday(), 7));
    let sim = Simulator::new(clock.clone());
    let account = sim.open_account(Credentials::default());
    let group = sim.open_group(account, "News").unwrap();
    Clinic { sim, clock, group }
}

fn monday() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
}

impl Clinic {
    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn members(&self) -> Vec<String> {
        self.sim.members(&self.group).unwrap()
    }

    fn at(&self, rest: &str) -> String {
        format!("/groups/{}{rest}", self.group)
    }

    /// A request to the service plan, by its own token.
    async fn send(&self, method: &str, path: &str, body: Value) -> Seen {
        let path = format!("/xms/v1/plan-1{path}");
        self.call(method, &path, "Bearer plan-token-1", body.to_string()).await
    }

    async fn get(&self, path: &str) -> Seen {
        self.send("GET", path, Value::Null).await
    }

    async fn call(&self, method: &str, path: &str, credential: &str, body: String) -> Seen {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", credential)
            .body(Body::from(body))
            .unwrap();
        let response = self.sim.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Seen {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }
}
