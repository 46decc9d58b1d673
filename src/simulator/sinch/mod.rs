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
mod service;
mod settings;
mod world;

#[cfg(test)]
mod tests;

pub use self::control::ControlError;
pub use self::hooks::signature;
pub use self::hooks::{Callback, DeliveryRules, Event, Signing};
pub use self::settings::Settings;
pub use self::world::account::{Credentials, Inbound, Text};
pub use self::world::faults::{Fault, Risk, Rule};
pub use super::hooks::{Answer, Attempt, Deliveries, HttpSender, WebhookSender};
pub use super::log::{Counters, Write};
pub use super::server::Running;

use self::world::World;
use super::service as shared;

/// A simulated Sinch; clones share it.
pub type Simulator = shared::Simulator<World>;
