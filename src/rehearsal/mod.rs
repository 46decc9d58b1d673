//! The rehearsed world: simulated providers and what connects the program to them.

pub mod transport;

pub use transport::RouterTransport;
