//! The knobs of the simulator.

use serde::{Deserialize, Serialize};

/// How the simulated service behaves; every field can be changed while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Every request takes this many milliseconds.
    pub latency_ms: u64,
    /// How long a request whose answer is lost holds the line, in milliseconds.
    pub stall_ms: u64,
    /// A text takes this many milliseconds from being taken to its fate.
    pub delivery_ms: u64,
    /// How many writes the request log remembers.
    pub remembered_writes: usize,
    /// Webhooks say what a keyword was taken for (`OptOutType`); keywords act either way.
    pub advanced_opt_out: bool,
    /// A text of a messaging service to somebody who said STOP is taken, and fails afterwards.
    pub late_refusals: bool,
    /// How deliveries misbehave.
    pub delivery: DeliveryRules,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            stall_ms: 15_000,
            delivery_ms: 0,
            remembered_writes: 10_000,
            advanced_opt_out: true,
            late_refusals: false,
            delivery: DeliveryRules::default(),
        }
    }
}

/// How deliveries misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each switches one thing by itself")]
pub struct DeliveryRules {
    /// Delivers everything twice.
    pub duplicate: bool,
    /// Delivers the newest first.
    pub reverse: bool,
    /// Loses everything.
    pub lose: bool,
    /// Adds a parameter that no documentation knows.
    pub novelty: bool,
    /// How the port stands in the URL that is signed.
    pub port: Port,
}

/// How the port stands in the URL that is signed: the service has signed it every way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// As in the URL.
    #[default]
    AsGiven,
    /// Left out.
    LeftOut,
    /// The scheme's usual one, where the URL has none.
    Added,
}
