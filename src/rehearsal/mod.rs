//! Worlds to rehearse in: clinics and audiences made up from one seed, and what connects the
//! program to simulated providers.
//!
//! The demo, the benchmarks and the tests live in them. Nobody here is real: every address is under
//! the reserved domain `test`.

pub mod town;
pub mod transport;

pub use transport::RouterTransport;
