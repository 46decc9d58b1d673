//! The line of the ledger that an opt-out becomes, told by a webhook or read off the member.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{Actor, Channel, Draft, EventKind, ListId, TimeSource};

/// Providers give whole seconds: an opt-out may have happened at the end of one (L2).
const COARSE: TimeDelta = TimeDelta::milliseconds(999);

/// Drafts the opt-out of a person at the provider of a list; whose it is, is still to be said.
///
/// `at` is when the provider says that it was: it counts at the latest that can be meant (L2).
#[must_use]
pub fn opt_out(
    list: (ListId, &str),
    channel: Channel,
    complained: bool,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Draft {
    let kind = if complained { EventKind::Complained } else { EventKind::Withdrawn };
    let mut draft = Draft::new(kind, Actor::Person, TimeSource::Provider, list.1);
    draft.channel = Some(channel);
    draft.list = Some(list.0);
    draft.occurred_at = at.map(|at| at.max(now.min(at + COARSE)));
    draft
}
