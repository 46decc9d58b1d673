//! Batches: operations that run later, in no order, against the very same handlers.

use std::net::IpAddr;

use chrono::{DateTime, Duration, Utc};
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::World;
use crate::simulator::mailchimp::api;
use crate::simulator::mailchimp::audience::member::Stamp;
use crate::simulator::mailchimp::door::call::Call;

/// One operation of a batch, as it was submitted.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are Mailchimp's names")]
pub struct Operation {
    /// The HTTP method.
    pub method: String,
    /// The path, without `/3.0`.
    pub path: String,
    /// The query.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The body, as a text.
    #[serde(default)]
    pub body: Option<String>,
    /// The caller's name for it.
    #[serde(default)]
    pub operation_id: String,
}

/// What became of one operation.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The HTTP status.
    pub status_code: u16,
    /// The caller's name for it.
    pub operation_id: String,
    /// The body of the answer, as a text.
    pub response: String,
}

/// A batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Ten hex digits.
    pub id: String,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// How long it takes.
    pub takes: Duration,
    /// Where the caller was.
    pub ip: IpAddr,
    /// What is still to do.
    pub operations: Vec<Operation>,
    /// What was done.
    pub outcomes: Vec<Outcome>,
    /// How many operations it came with.
    pub total: usize,
    /// Stopped by a DELETE.
    pub stopped: bool,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Accepted.
    Pending,
    /// Being read.
    Preprocessing,
    /// Running.
    Started,
    /// Being packed.
    Finalizing,
    /// Done.
    Finished,
}

impl Phase {
    /// Returns Mailchimp's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Preprocessing => "preprocessing",
            Self::Started => "started",
            Self::Finalizing => "finalizing",
            Self::Finished => "finished",
        }
    }
}

impl Batch {
    /// Tells how far the batch is.
    #[must_use]
    pub fn phase(&self, now: DateTime<Utc>) -> Phase {
        let takes = self.takes.num_milliseconds().max(1);
        match (now - self.submitted_at).num_milliseconds() * 4 / takes {
            ..=0 if self.takes.num_milliseconds() > 0 => Phase::Pending,
            1 => Phase::Preprocessing,
            2 => Phase::Started,
            3 => Phase::Finalizing,
            _ => Phase::Finished,
        }
    }

    /// Shows the batch as the API does.
    #[must_use]
    pub fn json(&self, now: DateTime<Utc>, url: &str) -> Value {
        let phase = self.phase(now);
        let finished = phase == Phase::Finished;
        let counted = phase != Phase::Pending;
        let errored = self.outcomes.iter().filter(|outcome| outcome.status_code >= 400).count();
        json!({
            "id": self.id,
            "status": phase.name(),
            "total_operations": if counted { self.total } else { 0 },
            "finished_operations": self.outcomes.len(),
            "errored_operations": errored,
            "submitted_at": Stamp::of(self.submitted_at).text(),
            "completed_at": if finished { self.done_at() } else { String::new() },
            "response_body_url": if finished { url } else { "" },
            "_links": [],
        })
    }

    fn done_at(&self) -> String {
        Stamp::of(self.submitted_at + self.takes).text()
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        !self.stopped
            && !self.operations.is_empty()
            && matches!(self.phase(now), Phase::Started | Phase::Finalizing | Phase::Finished)
    }
}

/// Runs the operations of every batch that has started by now, each batch in no order.
pub fn run_due(world: &mut World) {
    let now = world.now;
    for account in 0..world.accounts.len() {
        for place in 0..world.accounts[account].batches.len() {
            let batch = &mut world.accounts[account].batches[place];
            if !batch.is_due(now) {
                continue;
            }
            let mut operations = std::mem::take(&mut batch.operations);
            world.now = batch.submitted_at + batch.takes / 2;
            let ip = batch.ip;
            operations.shuffle(&mut world.rng);
            let outcomes = operations.into_iter().map(|op| run(world, account, op, ip)).collect();
            world.accounts[account].batches[place].outcomes = outcomes;
            world.now = now;
        }
    }
}

fn run(world: &mut World, account: usize, operation: Operation, ip: IpAddr) -> Outcome {
    let id = uuid::Builder::from_random_bytes(world.rng.random()).into_uuid().to_string();
    let call = Call::of_operation(&operation, ip, id);
    let reply = api::dispatch(world, account, &call);
    Outcome {
        status_code: reply.status,
        operation_id: operation.operation_id,
        response: String::from_utf8_lossy(&reply.body).into_owned(),
    }
}
