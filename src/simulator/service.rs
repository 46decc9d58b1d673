//! What every simulated service is: a world behind one lock, reached in process or over HTTP, with
//! knobs, faults, a log of requests, and deliveries to a receiver.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;

use super::control;
use super::faults::{Faults, Risk, Rule};
use super::hooks::{Answer, Attempt, Deliveries, HttpSender, WebhookSender};
use super::log::{Counters, RequestLog, Write};
use super::server::{self, Running};
use crate::clock::SharedClock;

/// How often deliveries that fell due are looked for.
const LOOK: Duration = Duration::from_millis(5);

/// Everything one simulated service knows and does.
pub trait Service: Sized + Send + 'static {
    /// The knobs.
    type Settings: Clone + Serialize + DeserializeOwned + Send + 'static;
    /// What can go wrong.
    type Fault: Clone + Serialize + DeserializeOwned + Send + 'static;
    /// What waits to be told.
    type Event: Serialize + Send + 'static;
    /// An event on its way, with what says where it came from.
    type Due: Send + 'static;

    /// Starts empty; everything random follows from `seed`.
    fn new(seed: u64, now: DateTime<Utc>) -> Self;

    /// Does what fell due since the last look.
    fn settle(&mut self, now: DateTime<Utc>);

    /// Returns the knobs.
    fn settings(&mut self) -> &mut Self::Settings;

    /// Returns the knobs that every service has.
    fn pace(&self) -> Pace;

    /// Returns what goes wrong on purpose.
    fn faults(&mut self) -> &mut Faults<Self::Fault>;

    /// Returns what was asked.
    fn log(&mut self) -> &mut RequestLog;

    /// Answers a request to the API.
    fn answer(
        simulator: Simulator<Self>,
        request: Request,
    ) -> impl Future<Output = Response> + Send;

    /// Adds its own routes to those every service has: the links people follow, and what lies
    /// under `/_control`.
    fn routes() -> Router<Simulator<Self>>;

    /// Lists the messages it sent to people.
    fn outbox(&mut self) -> impl Serialize + Send + 'static;

    /// Lists events that are not delivered yet.
    fn waiting(&mut self) -> Vec<Self::Event>;

    /// Takes the events that are due, each with the attempt to make.
    fn take_due(&mut self) -> Vec<(Self::Due, Attempt)>;

    /// Acts on what a receiver answered.
    fn answered(&mut self, event: Self::Due, answer: Answer);
}

/// The knobs that every service has.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Every request takes this many milliseconds.
    pub latency_ms: u64,
    /// How long a request without an answer holds the line, in milliseconds.
    pub stall_ms: u64,
    /// How many writes the request log remembers.
    pub remembered_writes: usize,
}

/// A simulated service; clones share it.
pub struct Simulator<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    clock: SharedClock,
    service: Mutex<S>,
    sender: Mutex<Option<Arc<dyn WebhookSender>>>,
    in_flight: AtomicUsize,
}

impl<S> Clone for Simulator<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S> fmt::Debug for Simulator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl<S: Service> Simulator<S> {
    /// Starts a service without accounts; time and chance come from `clock`.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        let service = Mutex::new(S::new(clock.chance(), clock.now()));
        let (sender, in_flight) = (Mutex::default(), AtomicUsize::default());
        Self { shared: Arc::new(Shared { clock, service, sender, in_flight }) }
    }

    /// Returns the service as a router, to be called in process.
    pub fn router(&self) -> Router {
        control::router(self.clone(), control::Caller::InProcess)
    }

    /// Serves over HTTP until stopped.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Running> {
        server::serve(control::router(self.clone(), control::Caller::Remote), listener)
    }

    /// Serves over HTTP on a free port of this machine.
    pub async fn serve_locally(&self) -> io::Result<Running> {
        self.serve(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut S::Settings)) {
        self.with(|service| change(service.settings()));
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> S::Settings {
        self.with(|service| service.settings().clone())
    }

    /// Scripts a fault.
    pub fn script(&self, rule: Rule<S::Fault>) {
        self.with(|service| service.faults().script(rule));
    }

    /// Replaces the faults that strike by chance; the same seed strikes alike.
    pub fn risk(&self, risks: Vec<Risk<S::Fault>>, seed: u64) {
        self.with(|service| service.faults().risk(risks, seed));
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.with(|service| service.faults().clear());
    }

    /// Counts requests since the last reset.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.with(|service| service.log().counters.clone())
    }

    /// Lists requests other than GET since the last reset, the latest ten thousand by default.
    #[must_use]
    pub fn writes(&self) -> Vec<Write> {
        self.with(|service| service.log().writes.iter().cloned().collect())
    }

    /// Forgets counts and requests.
    pub fn reset_counters(&self) {
        self.with(|service| service.log().reset());
    }

    /// Connects deliveries to a receiver.
    pub fn connect_webhooks(&self, sender: Arc<dyn WebhookSender>) {
        *self.shared.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }

    /// Lists events that are not delivered yet.
    #[must_use]
    pub fn waiting_webhooks(&self) -> Vec<S::Event> {
        self.with(S::waiting)
    }

    /// Delivers every event that is due, and returns how many attempts were made.
    ///
    /// Without a connected sender events stay where they are. Whether and when a delivery that
    /// failed is made again is the provider's own way.
    pub async fn deliver_webhooks(&self) -> usize {
        let Some(sender) = self.sender() else { return 0 };
        let due = self.with(S::take_due);
        let attempts = due.len();
        for (event, attempt) in due {
            let answer = sender.post(&attempt).await;
            self.with(|service| service.answered(event, answer));
        }
        attempts
    }

    /// Delivers over HTTP from now on, each event as soon as it falls due, by a clock that really
    /// waits.
    #[must_use]
    pub fn deliver_over_http(&self, sender: HttpSender) -> Deliveries {
        self.connect_webhooks(Arc::new(sender));
        let simulator = self.clone();
        Deliveries(tokio::spawn(async move {
            loop {
                simulator.deliver_webhooks().await;
                simulator.shared.clock.sleep(LOOK).await;
            }
        }))
    }

    /// Works on the service as of now.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut S) -> T) -> T {
        let mut service = self.lock();
        service.settle(self.shared.clock.now());
        work(&mut service)
    }

    pub(super) fn clock(&self) -> &SharedClock {
        &self.shared.clock
    }

    pub(super) fn sender(&self) -> Option<Arc<dyn WebhookSender>> {
        self.shared.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts the requests under way, those that share the door.
    pub(super) fn in_flight(&self) -> &AtomicUsize {
        &self.shared.in_flight
    }

    pub(super) async fn latency(&self) {
        self.wait(self.with(|service| service.pace().latency_ms)).await;
    }

    pub(super) async fn stall(&self) {
        self.wait(self.with(|service| service.pace().stall_ms)).await;
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.shared.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self, millis: u64) {
        if millis > 0 {
            self.shared.clock.sleep(Duration::from_millis(millis)).await;
        }
    }
}
