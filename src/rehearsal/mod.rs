//! Worlds to rehearse in: clinics and audiences made up from one seed, and what connects the
//! program to simulated providers.
//!
//! The demo, the benchmarks and the tests live in them. Nobody here is real: every address is under
//! the reserved domain `test`. [`play`] takes a whole world through its history and says which laws
//! were broken.

mod actors;
mod books;
mod doctored;
pub mod faults;
mod files;
mod forgetting;
pub mod ground;
pub mod history;
mod journal;
mod laws;
mod play;
mod processes;
mod scheduler;
pub mod shrink;
mod stages;
pub mod town;
pub mod transport;
mod turnstile;
mod wire;
mod world;

pub use laws::Breach;
pub use play::{Played, play};
pub use transport::RouterTransport;
