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
    /// How long an OAuth 2.0 token lasts, in seconds.
    pub token_seconds: u32,
    /// Wraps the members of a group as `{"members": […]}`, as Sinch's Python SDK has it; else a
    /// bare array, as the documentation has it.
    pub wrap_members: bool,
    /// A sent text is reported as delivered at once, where the batch asks for reports.
    pub reports_delivery: bool,
    /// STOP and START change the list `OPT_OUT_ALL` of every app, and who is on it gets no text:
    /// what Sinch does where consent management is switched on, and nowhere else.
    pub consent_management: bool,
    /// How callbacks misbehave.
    pub delivery: DeliveryRules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            stall_ms: 120_000,
            remembered_writes: 10_000,
            token_seconds: 3_600,
            wrap_members: false,
            reports_delivery: true,
            consent_management: false,
            delivery: DeliveryRules::default(),
        }
    }
}
