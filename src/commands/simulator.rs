//! `simulator`: a simulated Mailchimp on loopback, to try things on.

use std::sync::Arc;

use clap::Args;

use super::Exit;
use crate::clock::SystemClock;
use crate::simulator::mailchimp;

/// Where to serve.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8180)]
    port: u16,
    /// Milliseconds each request takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Members to begin with.
    #[arg(long, default_value_t = 0)]
    members: u32,
}
