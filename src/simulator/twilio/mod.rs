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
mod service;
mod settings;
mod world;

#[cfg(test)]
mod tests;

pub use self::control::person::Person;
pub use self::control::{ControlError, Text};
pub use self::hooks::Event;
pub use self::settings::{DeliveryRules, Port, Settings};
pub use self::world::account::Consent;
pub use self::world::faults::{Fault, Risk, Rule};
pub use super::door::{NO_ANSWER, TransportFailure};
pub use super::hooks::{Answer, Attempt, Deliveries, HttpSender, WebhookSender};
pub use super::log::{Counters, Write};
pub use super::server::Running;

use self::world::World;
use super::service as shared;

/// A simulated Twilio; clones share it.
pub type Simulator = shared::Simulator<World>;
