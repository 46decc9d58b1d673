//! Faithful fakes of the providers, for tests, rehearsals and the demo.
//!
//! Each provider is an axum router with its *own* wire types: sharing them with the client would
//! hide the client's misreadings. The simulators own no law; they only behave as the real service
//! was seen to behave. What has nothing to do with any provider, faults by script or chance, the
//! log of requests, deliveries, a socket that can be cut, is shared.

pub mod bird;
mod control;
mod door;
mod faults;
mod hooks;
mod log;
pub mod mailchimp;
mod server;
mod service;
pub mod sinch;
pub mod twilio;

pub use self::hooks::{Answer, Attempt, WebhookSender};
pub use self::log::Write;
