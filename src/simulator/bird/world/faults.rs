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
    /// An error document of this status and category.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's `type`, as `conflict_error`.
        category: String,
    },
    /// 500 with an error document.
    InternalError,
    /// 502 with HTML, as from a gateway.
    BadGateway,
    /// Nothing happens for the `stall_ms` of the settings, then 502; the write is *not* applied.
    Stall,
    /// The connection is reset; the write is *not* applied.
    Reset,
    /// The write *is* applied and the answer never comes.
    LostReply,
    /// Rows are missing from the page, silently.
    ShortPage {
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
