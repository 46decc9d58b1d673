//! The ways in which a request goes wrong on purpose.

use serde::{Deserialize, Serialize};

use crate::simulator::faults;

/// A way for a request to go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// 429 with error 20429, with or without `Retry-After` (seconds).
    TooManyRequests {
        /// The header's value.
        retry_after: Option<u32>,
    },
    /// 500 with error 20500.
    InternalError,
    /// 502 with HTML, as from what stands before the API.
    BadGateway,
    /// The connection breaks; the write is *not* applied.
    Reset,
    /// The write *is* applied and the answer never comes.
    LostReply,
}

/// When a scripted fault strikes.
pub type Rule = faults::Rule<Fault>;

/// A fault that strikes by chance.
pub type Risk = faults::Risk<Fault>;

/// All that may go wrong.
pub type Faults = faults::Faults<Fault>;
