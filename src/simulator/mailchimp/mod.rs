//! The Mailchimp Marketing API, simulated.
//!
//! It owns the behaviour that was recorded of the real service, its oddities first, and refuses to
//! be kinder than that: a second archive is a 405, a deleted contact never comes back through the
//! API, double opt-in is not enforced, time zones are ignored, offsets drift.
//!
//! [`Simulator`] is a cheap handle. Reach it in process through [`Simulator::router`], over HTTP
//! through [`Simulator::serve`], and act as a contact or as staff through [`Simulator::contact`]
//! and [`Simulator::staff`] (or `/_control/…`).
//!
//! A fault that leaves no answer shows in process as a response of status 599 that carries a
//! [`TransportFailure`] among its extensions; over HTTP the connection breaks.

mod api;
mod audience;
mod control;
mod door;
mod hooks;
mod seed;
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

pub use self::audience::Mail;
pub use self::audience::member::{Party, Source, Status};
pub use self::control::ControlError;
pub use self::control::contact::{Contact, ContactAct};
pub use self::control::inspect::MemberState;
pub use self::control::staff::{ImportRow, Imported, Staff, StaffAct};
pub use self::door::flow::{NO_ANSWER, TransportFailure};
pub use self::hooks::http::{Deliveries, HttpSender};
pub use self::hooks::{Answer, Attempt, DeliveryRules, Event, Reason, WebhookSender, signature};
pub use self::seed::SeedMember;
pub use self::settings::Settings;
pub use self::world::faults::{Fault, Risk, Rule};
pub use super::log::{Counters, Write};
pub use super::server::Running;

use self::world::World;
use super::server;
use crate::clock::SharedClock;

/// A simulated Mailchimp; clones share it.
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

    fn clock(&self) -> &SharedClock {
        &self.shared.clock
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
