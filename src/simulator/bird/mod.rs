//! Bird's platform API, simulated: contacts, audiences, statements of wishes, suppressions, texts
//! and webhooks.
//!
//! It owns the behaviour that Bird's SDK documents, its traps first: a batch answers 200 with
//! failures in it, a removal fails entirely for one unknown contact, a contact that is deleted
//! leaves its suppressions, what a person said cannot be taken back by API, a statement that is
//! older than the current one is refused with 200, a webhook that is paused loses what happens,
//! and what was asked under one idempotency key is done once.
//!
//! What the SDK does not say is assumed and marked so: how long a page can be, that a text to
//! somebody who opted out is taken and rejected at once, which keywords there are, and when a
//! delivery that failed comes again.
//!
//! [`Simulator`] is a cheap handle. Reach it in process through [`Simulator::router`], over HTTP
//! through [`Simulator::serve`], and act as a person or as staff through its other methods (or
//! `/_control/…`).

mod api;
mod control;
mod flow;
mod hooks;
mod service;
mod settings;
mod world;

pub use self::control::ControlError;
pub use self::hooks::{DeliveryRules, Event, Webhook, signature};
pub use self::settings::Settings;
pub use self::world::contact::Contact;
pub use self::world::faults::{Fault, Risk, Rule};
pub use self::world::preference::Preference;
pub use self::world::suppression::Suppression;
pub use self::world::text::Text;
pub use super::door::{NO_ANSWER, TransportFailure};
pub use super::hooks::{Answer, Attempt, Deliveries, HttpSender, WebhookSender};
pub use super::log::{Counters, Write};
pub use super::server::Running;

use self::world::World;
use super::service as shared;

/// A simulated Bird; clones share it.
pub type Simulator = shared::Simulator<World>;
