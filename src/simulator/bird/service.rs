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

use super::api::{self, Call};
use super::hooks::Event;
use super::settings::Settings;
use super::world::World;
use super::world::faults::{Fault, Faults};
use super::{Simulator, control, flow};
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
            workspaces: Vec::new(),
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
        let texts = self.workspaces.iter().flat_map(|workspace| &workspace.texts);
        texts.filter(|text| !text.inbound).cloned().collect::<Vec<_>>()
    }

    fn waiting(&mut self) -> Vec<Event> {
        self.workspaces.iter().flat_map(|workspace| workspace.hooks.waiting.clone()).collect()
    }

    fn take_due(&mut self) -> Vec<((usize, Event), Attempt)> {
        let (now, rules) = (self.now, self.settings.delivery);
        let mut due = Vec::new();
        for (place, workspace) in self.workspaces.iter_mut().enumerate() {
            let taken = workspace.hooks.take_due(now, rules);
            due.extend(taken.into_iter().map(|(event, attempt)| ((place, event), attempt)));
        }
        due
    }

    /// What was not answered with 2xx comes due again, at growing intervals over 19 hours of the
    /// clock's time; then the webhook is paused.
    fn answered(&mut self, (place, event): (usize, Event), answer: Answer) {
        let now = self.now;
        if let Some(workspace) = self.workspaces.get_mut(place) {
            workspace.hooks.settle(event, answer, now);
        }
    }
}

impl Door for World {
    fn route(parts: &Parts) -> &'static str {
        api::route(&Call::new(parts, &Bytes::new()))
    }

    async fn handle(
        simulator: &Simulator,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Reply, TransportFailure> {
        flow::handle(simulator, &Call::new(parts, body)).await
    }
}
