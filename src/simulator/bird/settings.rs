//! The knobs of the simulator.

use serde::{Deserialize, Serialize};

use super::hooks::DeliveryRules;

/// How the simulated service behaves; every field can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Every request takes this many milliseconds.
    pub latency_ms: u64,
    /// How long a stalled request holds its connection, in milliseconds.
    pub stall_ms: u64,
    /// How many writes the request log remembers.
    pub remembered_writes: usize,
    /// The most rows of a page; how many Bird gives is not documented.
    pub page_rows: usize,
    /// Whether an audience can be counted just now.
    pub counts_members: bool,
    /// A sent text is delivered at once.
    pub delivers: bool,
    /// How deliveries of webhooks misbehave.
    pub delivery: DeliveryRules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            stall_ms: 60_000,
            remembered_writes: 10_000,
            page_rows: 100,
            counts_members: true,
            delivers: true,
            delivery: DeliveryRules::default(),
        }
    }
}
