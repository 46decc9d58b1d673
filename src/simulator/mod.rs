//! Faithful fakes of the providers, for tests, rehearsals and the demo.
//!
//! Each provider is an axum router with its *own* wire types: sharing them with the client would
//! hide the client's misreadings. The simulators own no law; they only behave as the real service
//! was seen to behave.

pub mod mailchimp;
mod server;
pub mod twilio;
