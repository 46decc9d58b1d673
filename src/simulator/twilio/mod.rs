//! Twilio's text messages, simulated: the Messages resource, numbers, messaging services, consents,
//! deactivations, and the webhooks.
//!
//! It owns the behaviour that Twilio documents, its oddities first: keywords act before anybody is
//! told, a STOP shows only as a refusal (21610), consents cannot be read back, a webhook that is
//! lost is not sent again, and the message log knows no filter for a messaging service.
//!
//! [`Simulator`] is a cheap handle. Reach it in process through [`Simulator::router`], over HTTP
//! through [`Simulator::serve`], and act as a person through [`Simulator::person`] (or
//! `/_control/…`). All of Twilio's hosts answer at one address, as their paths never meet.
//!
//! A fault that leaves no answer shows in process as a response of status 599 that carries a
//! [`TransportFailure`] among its extensions; over HTTP the connection breaks.

mod api;
mod control;
mod door;
mod hooks;
mod settings;
mod world;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

pub use self::control::person::Person;
pub use self::control::{ControlError, Text};
pub use self::door::flow::{NO_ANSWER, TransportFailure};
pub use self::hooks::http::{Deliveries, HttpSender};
pub use self::hooks::{Answer, Attempt, Event, WebhookSender};
pub use self::settings::{DeliveryRules, Port, Settings};
pub use self::world::account::Consent;
pub use self::world::faults::{Fault, Risk, Rule};
pub use self::world::log::{Counters, Write};
pub use super::server::Running;

use self::control::routes;
use self::world::World;
use super::server;
use crate::clock::SharedClock;

/// A simulated Twilio; clones share it.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

struct Shared {
    clock: SharedClock,
    world: Mutex<World>,
    sender: Mutex<Option<Arc<dyn WebhookSender>>>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts a service without accounts; time and chance come from `clock`.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        let world = Mutex::new(World::new(clock.chance(), clock.now()));
        Self { shared: Arc::new(Shared { clock, world, sender: Mutex::default() }) }
    }

    /// Returns the service as a router, to be called in process.
    pub fn router(&self) -> Router {
        routes::router(self.clone(), routes::Caller::InProcess)
    }

    /// Serves over HTTP until stopped.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Running> {
        server::serve(routes::router(self.clone(), routes::Caller::Remote), listener)
    }

    /// Serves over HTTP on a free port of this machine.
    pub async fn serve_locally(&self) -> io::Result<Running> {
        self.serve(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Works on the world as of now.
    fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        world.settle(self.shared.clock.now());
        work(&mut world)
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sender(&self) -> Option<Arc<dyn WebhookSender>> {
        self.shared.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn latency(&self) {
        self.wait(self.with(|world| world.settings.latency_ms)).await;
    }

    async fn stall(&self) {
        self.wait(self.with(|world| world.settings.stall_ms)).await;
    }

    async fn wait(&self, millis: u64) {
        if millis > 0 {
            self.shared.clock.sleep(Duration::from_millis(millis)).await;
        }
    }
}
