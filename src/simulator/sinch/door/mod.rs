//! Where requests come in: tokens, faults, latency, and the shape of every answer.

pub mod call;
pub mod flow;
pub mod key;
pub mod reply;
