//! The world as the service that every simulator is.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::request::Parts;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use super::door::call::Call;
use super::door::flow;
use super::hooks::Event;
use super::settings::Settings;
use super::world::World;
use super::world::faults::{Fault, Faults};
use super::{Simulator, api, control};
use crate::simulator::door::{self, Door, Reply, TransportFailure};
use crate::simulator::hooks::{Answer, Attempt, disturbed};
use crate::simulator::log::RequestLog;
use crate::simulator::service::{Pace, Service};

impl Service for World {
    type Settings = Settings;
    type Fault = Fault;
    type Event = Event;
    type Due = Event;

    fn new(seed: u64, now: DateTime<Utc>) -> Self {
        Self {
            now,
            settings: Settings::default(),
            faults: Faults::new(seed),
            log: RequestLog::default(),
            accounts: Vec::new(),
            reach: BTreeMap::new(),
            deactivated: BTreeMap::new(),
            waiting: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn settle(&mut self, now: DateTime<Utc>) {
        self.pass(now);
    }

    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn pace(&self) -> Pace {
        let Settings { latency_ms, stall_ms, remembered_writes, .. } = self.settings;
        Pace { latency_ms, stall_ms, remembered_writes }
    }

    fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    fn log(&mut self) -> &mut RequestLog {
        &mut self.log
    }

    async fn answer(simulator: Simulator, request: Request) -> Response {
        door::answer(simulator, request).await
    }

    fn routes() -> Router<Simulator> {
        control::routes::router()
    }

    fn outbox(&mut self) -> impl Serialize + Send + 'static {
        self.texts()
    }

    fn waiting(&mut self) -> Vec<Event> {
        self.waiting.clone()
    }

    fn take_due(&mut self) -> Vec<(Event, Attempt)> {
        let rules = self.settings.delivery;
        let mut due = std::mem::take(&mut self.waiting);
        if rules.lose {
            due.clear();
        }
        disturbed(due, rules.duplicate, rules.reverse)
            .into_iter()
            .filter_map(|event| {
                let attempt = event.attempt(self.account(&event.account)?, rules);
                Some((event, attempt))
            })
            .collect()
    }

    /// A delivery without an answer is tried once more; any answer, be it an error, ends it.
    fn answered(&mut self, event: Event, answer: Answer) {
        if answer == Answer::Silence && !event.tried {
            self.waiting.push(Event { tried: true, ..event });
        }
    }
}

impl Door for World {
    fn route(parts: &Parts) -> &'static str {
        api::route(parts.uri.path())
    }

    async fn handle(
        simulator: &Simulator,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Reply, TransportFailure> {
        simulator.latency().await;
        flow::handle(simulator, parts, &Call::new(parts, body))
    }
}
