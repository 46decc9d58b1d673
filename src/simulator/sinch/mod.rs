//! The Sinch SMS API, its OAuth 2.0 tokens and the consent lists of the Conversation API, simulated.
//!
//! It owns the behaviour that Sinch documents, its traps first: `PUT` replaces a whole group,
//! additions run before deletions, numbers come back without `+`, STOP is a message like any other,
//! a `client_reference` names a batch and does not keep it from being sent twice, and a callback
//! that is answered with 4xx never comes again.
//!
//! [`Simulator`] is a cheap handle. Reach it in process through [`Simulator::router`], over HTTP
//! through [`Simulator::serve`] (one router stands for all of Sinch's hosts), and act as a person
//! or as staff through its other methods (or `/_control/…`).
//!
//! A fault that leaves no answer shows in process as a response of status 599; over HTTP the
//! connection breaks.

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

pub use self::control::ControlError;
pub use self::hooks::http::{Deliveries, HttpSender};
pub use self::hooks::signature;
pub use self::hooks::{Answer, Attempt, Callback, DeliveryRules, Event, Signing, WebhookSender};
pub use self::settings::Settings;
pub use self::world::account::{Credentials, Inbound, Text};
pub use self::world::faults::{Fault, Risk, Rule};
pub use crate::simulator::log::{Counters, Write};
pub use crate::simulator::server::Running;

use self::world::World;
use crate::clock::SharedClock;
use crate::simulator::server;

/// A simulated Sinch; clones share it.
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
        control::routes::router(self.clone(), control::routes::Caller::InProcess)
    }

    /// Serves over HTTP until stopped.
    pub fn serve(&self, listener: TcpListener) -> io::Result<Running> {
        server::serve(
            control::routes::router(self.clone(), control::routes::Caller::Remote),
            listener,
        )
    }

    /// Serves over HTTP on a free port of this machine.
    pub async fn serve_locally(&self) -> io::Result<Running> {
        self.serve(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Works on the world as of now.
    fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.lock();
        world.now = self.shared.clock.now();
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
