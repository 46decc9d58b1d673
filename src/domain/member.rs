//! A contact as a provider holds it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::words;

words! {
    /// What a provider says of a contact on one list.
    MemberStatus {
        /// Invited, and not yet confirmed.
        Pending = "pending",
        /// Receives marketing.
        Subscribed = "subscribed",
        /// Opted out.
        Unsubscribed = "unsubscribed",
        /// Undeliverable: the provider stopped sending after a bounce or complaint.
        Cleaned = "cleaned",
        /// Put away: not mailed, still held.
        Archived = "archived",
        /// A contact that never asked for marketing (a shop's customer, say).
        NonSubscribed = "non_subscribed",
        /// Not on the list.
        Absent = "absent",
        /// Erased for good; the provider refuses the address from now on.
        Forgotten = "forgotten",
    }
}

impl MemberStatus {
    /// Tells whether marketing reaches it now or after one click.
    #[must_use]
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Pending | Self::Subscribed)
    }

    /// Tells whether the provider holds it in readable form other than archived (L26).
    #[must_use]
    pub const fn is_held(self) -> bool {
        !matches!(self, Self::Archived | Self::Absent | Self::Forgotten)
    }

    /// Tells whether there is anything at the provider to erase.
    #[must_use]
    pub const fn is_present(self) -> bool {
        !matches!(self, Self::Absent | Self::Forgotten)
    }
}

words! {
    /// How a member came onto the list, by the provider's word.
    Entry {
        /// The contact's own act on a form of the provider.
        Contact = "contact",
        /// An API call, ours among them.
        Api = "api",
        /// Staff: an import, or added in the web application.
        Staff = "staff",
        /// The provider does not say.
        Unknown = "unknown",
    }
}

/// The provider's own stable id of a member: survives a change of address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberKey(pub String);

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberKey(***)")
    }
}
