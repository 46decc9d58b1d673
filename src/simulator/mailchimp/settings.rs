//! The knobs of the simulator.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::hooks::DeliveryRules;

/// How the simulated service behaves; every field can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each switches one thing by itself")]
pub struct Settings {
    /// Every request takes this many milliseconds.
    pub latency_ms: u64,
    /// A batch takes this many milliseconds from pending to finished.
    pub batch_ms: u64,
    /// How long a stalled request holds its slot, in milliseconds.
    pub stall_ms: u64,
    /// Simultaneous requests an account may have.
    pub max_connections: usize,
    /// How many writes the request log remembers.
    pub remembered_writes: usize,
    /// The `stats` of an audience lag five minutes behind.
    pub lagging_stats: bool,
    /// Checks the URL of a webhook before accepting it; needs a webhook sender.
    pub validate_webhooks: bool,
    /// New webhooks get a secret; without, they are as those made before 2026.
    pub sign_webhooks: bool,
    /// How deliveries misbehave.
    pub delivery: DeliveryRules,
    /// The address callers come from when there is no connection to ask.
    pub caller_ip: IpAddr,
    /// Refuses a key whose suffix is not the data centre of the host called.
    pub check_data_center: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            batch_ms: 300,
            stall_ms: 120_000,
            max_connections: 10,
            remembered_writes: 10_000,
            lagging_stats: true,
            validate_webhooks: false,
            sign_webhooks: true,
            delivery: DeliveryRules::default(),
            caller_ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
            check_data_center: false,
        }
    }
}
