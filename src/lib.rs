//! Listwarden keeps a clinic's marketing lists in step with its patients.
//!
//! The folder tree is the architecture; `docs/architecture.md` walks through it.

pub mod clock;
pub mod commands;
pub mod config;
pub mod domain;
pub mod http;
pub mod keys;
pub mod notify;
pub mod patients;
pub mod plan;
pub mod providers;
pub mod reconcile;
pub mod register;
#[cfg(feature = "simulator")]
pub mod rehearsal;
pub mod rights;
pub mod scheduler;
#[cfg(feature = "simulator")]
pub mod simulator;
pub mod store;
pub mod telemetry;
