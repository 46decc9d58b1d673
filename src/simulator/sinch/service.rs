//! The world as the service that every simulator is.

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
use crate::simulator::hooks::{Answer, Attempt};
use crate::simulator::log::RequestLog;
use crate::simulator::service::{Pace, Service};

impl Service for World {
    type Settings = Settings;
    type Fault = Fault;
    type Event = Event;
    type Due = (usize, Event);

    fn new(seed: u64, now: DateTime<Utc>) -> Self {
        Self {
            now,
            settings: Settings::default(),
            faults: Faults::new(seed),
            log: RequestLog::default(),
            accounts: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    fn settle(&mut self, now: DateTime<Utc>) {
        self.now = now;
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
        self.accounts.iter().flat_map(|account| account.texts.clone()).collect::<Vec<_>>()
    }

    fn waiting(&mut self) -> Vec<Event> {
        self.accounts.iter().flat_map(|account| account.hooks.waiting.clone()).collect()
    }

    fn take_due(&mut self) -> Vec<((usize, Event), Attempt)> {
        let (now, rules) = (self.now, self.settings.delivery);
        let mut due = Vec::new();
        for place in 0..self.accounts.len() {
            let mut hooks = std::mem::take(&mut self.accounts[place].hooks);
            let taken = hooks.take_due(now, rules, || self.id());
            due.extend(taken.into_iter().map(|(event, attempt)| ((place, event), attempt)));
            self.accounts[place].hooks = hooks;
        }
        due
    }

    /// What was answered with 5xx or 429 comes due again after 5, 10, 20 … 81,920 s of the clock's
    /// time; what was answered with any other 4xx never does.
    fn answered(&mut self, (place, event): (usize, Event), answer: Answer) {
        let now = self.now;
        if let Some(account) = self.accounts.get_mut(place) {
            account.hooks.settle(event, answer, now);
        }
    }
}

impl Door for World {
    fn route(parts: &Parts) -> &'static str {
        api::route(&Call::new(parts, Vec::new()))
    }

    async fn handle(
        simulator: &Simulator,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Reply, TransportFailure> {
        flow::handle(simulator, &Call::new(parts, body.to_vec())).await
    }
}
