//! Listwarden keeps a clinic's marketing lists in step with its patients.
//!
//! The folder tree is the architecture; `docs/architecture.md` walks through it.

pub mod clock;
pub mod config;
pub mod domain;
pub mod patients;
pub mod plan;
pub mod providers;
#[cfg(feature = "simulator")]
pub mod rehearsal;
#[cfg(feature = "simulator")]
pub mod simulator;
