//! Where requests come in: keys, limits, faults, latency, and the shape of every answer.

pub mod call;
pub mod flow;
pub mod key;
pub mod problem;
pub mod reply;
