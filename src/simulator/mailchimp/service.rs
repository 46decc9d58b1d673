//! The world as the service that every simulator is.

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use chrono::{DateTime, Utc};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use super::audience::member::Stamp;
use super::audience::{Audience, Mail};
use super::door::flow;
use super::hooks::Event;
use super::settings::Settings;
use super::world::World;
use super::world::faults::{Fault, Faults};
use super::{Simulator, control};
use crate::simulator::hooks::{Answer, Attempt};
use crate::simulator::log::RequestLog;
use crate::simulator::service::{Pace, Service};

impl Service for World {
    type Settings = Settings;
    type Fault = Fault;
    type Event = Event;
    type Due = (String, Event);

    fn new(seed: u64, now: DateTime<Utc>) -> Self {
        Self {
            now,
            settings: Settings::default(),
            faults: Faults::new(seed),
            log: RequestLog::default(),
            accounts: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
            last_expiry: Stamp::of(now),
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
        flow::answer(&simulator, request).await
    }

    fn routes() -> Router<Simulator> {
        control::routes::router()
    }

    fn outbox(&mut self) -> impl Serialize + Send + 'static {
        self.audiences_mut().flat_map(|audience| audience.mails.clone()).collect::<Vec<Mail>>()
    }

    fn waiting(&mut self) -> Vec<Event> {
        self.audiences_mut().flat_map(|audience| audience.hooks.waiting.clone()).collect()
    }

    fn take_due(&mut self) -> Vec<((String, Event), Attempt)> {
        let (now, rules) = (self.second(), self.settings.delivery);
        let take = |audience: &mut Audience| {
            let id = audience.id.clone();
            let taken = audience.hooks.take_due(now, rules).into_iter();
            taken.map(move |(event, attempt)| ((id.clone(), event), attempt))
        };
        self.audiences_mut().flat_map(take).collect()
    }

    /// Failures come due again later, at growing intervals over 75 minutes of the clock's time.
    fn answered(&mut self, (list_id, event): (String, Event), answer: Answer) {
        let now = self.second();
        if let Some(audience) = self.audience_mut(&list_id) {
            audience.hooks.settle(event, answer, now);
        }
    }
}
