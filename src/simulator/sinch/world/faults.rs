//! The ways in which a request goes wrong on purpose.

use serde::{Deserialize, Serialize};

use crate::simulator::faults;

/// A way for a request to go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// 429, with or without `Retry-After` (seconds).
    TooManyRequests {
        /// The header's value.
        retry_after: Option<u32>,
    },
    /// 401: the token is no longer taken.
    Unauthorized,
    /// 400 or 403 with an error document.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code, as `syntax_constraint_violation`.
        code: String,
    },
    /// 500; the documentation says that the request was not processed.
    InternalError,
    /// 502 with HTML, as from a gateway.
    BadGateway,
    /// 503: a subsystem is down.
    Unavailable,
    /// Nothing happens for the `stall_ms` of the settings, then 502; the write is *not* applied.
    Stall,
    /// The connection is reset; the write is *not* applied.
    Reset,
    /// The write *is* applied and the answer never comes.
    LostReply,
    /// Members are missing from the answer, silently.
    ShortMembers {
        /// How many.
        drop: usize,
    },
}

/// When a scripted fault strikes.
pub type Rule = faults::Rule<Fault>;

/// A fault that strikes by chance.
pub type Risk = faults::Risk<Fault>;

/// All that may go wrong.
pub type Faults = faults::Faults<Fault>;
