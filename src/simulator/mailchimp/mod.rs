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
mod service;
mod settings;
mod world;

#[cfg(test)]
mod tests;

pub use self::audience::Mail;
pub use self::audience::member::{Party, Source, Status};
pub use self::control::ControlError;
pub use self::control::contact::{Contact, ContactAct};
pub use self::control::inspect::MemberState;
pub use self::control::staff::{ImportRow, Imported, Staff, StaffAct};
pub use self::hooks::{DeliveryRules, Event, Reason, signature};
pub use self::seed::SeedMember;
pub use self::settings::Settings;
pub use self::world::faults::{Fault, Risk, Rule};
pub use super::door::{NO_ANSWER, TransportFailure};
pub use super::hooks::{Answer, Attempt, Deliveries, HttpSender, WebhookSender};
pub use super::log::{Counters, Write};
pub use super::server::Running;

use self::world::World;
use super::service as shared;

/// A simulated Mailchimp; clones share it.
pub type Simulator = shared::Simulator<World>;
