//! What was asked of the service, for tests and benches to read.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// A request that may have changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// The HTTP method.
    pub method: String,
    /// The path with its query, as it was called.
    pub path: String,
    /// The body.
    pub body: String,
    /// The status answered; 599 when no answer went out.
    pub status: u16,
}

/// How often what was asked since the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Every request to the API.
    pub total: u64,
    /// Those with another method than GET.
    pub writes: u64,
    /// By method and route, as `GET /lists/{list_id}`.
    pub by_route: BTreeMap<String, u64>,
    /// By status answered.
    pub by_status: BTreeMap<u16, u64>,
    /// The most requests under way at once, all accounts together.
    pub in_flight_peak: usize,
}

/// Counts and remembers requests.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// The counts.
    pub counters: Counters,
    /// The latest writes, in order.
    pub writes: VecDeque<Write>,
}

impl RequestLog {
    /// Counts a request that was let in.
    pub fn enter(&mut self, in_flight: usize) {
        self.counters.total += 1;
        self.counters.in_flight_peak = self.counters.in_flight_peak.max(in_flight);
    }

    /// Records what a request was and how it ended; keeps the last `limit` writes.
    pub fn leave(&mut self, route: &str, write: Write, limit: usize) {
        let name = format!("{} {route}", write.method);
        *self.counters.by_route.entry(name).or_default() += 1;
        *self.counters.by_status.entry(write.status).or_default() += 1;
        if write.method != "GET" {
            self.counters.writes += 1;
            self.writes.push_back(write);
            let surplus = self.writes.len().saturating_sub(limit);
            self.writes.drain(..surplus);
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
