//! The changes a webhook can tell.

use serde::{Deserialize, Serialize};

use crate::simulator::mailchimp::audience::member::{Member, Status};

/// Why a subscription ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// The link, or a hand in the web app.
    #[default]
    Manual,
    /// A complaint about spam.
    Abuse,
    /// A hard bounce.
    Hard,
}

impl Reason {
    /// Returns the word a webhook carries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Abuse => "abuse",
            Self::Hard => "hard",
        }
    }

    /// Returns the words the member resource carries.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Manual => "N/A (Unsubscribed by contact)",
            Self::Abuse => "N/A (Marked as spam)",
            Self::Hard => "",
        }
    }
}

/// A change a webhook can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Someone is subscribed now.
    Subscribe,
    /// Someone is not any more.
    Unsubscribe {
        /// Archived or deleted rather than opted out.
        deleted: bool,
        /// Why.
        reason: Reason,
        /// The campaign whose link was used.
        campaign: Option<String>,
    },
    /// A profile changed.
    Profile,
    /// A member moved from this address.
    Upemail {
        /// The address it had.
        from: String,
    },
    /// An address bounced.
    Cleaned {
        /// Why.
        reason: Reason,
        /// The campaign that bounced.
        campaign: Option<String>,
    },
}

impl Change {
    /// Returns the `type` of the event.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Profile => "profile",
            Self::Upemail { .. } => "upemail",
            Self::Cleaned { .. } => "cleaned",
        }
    }

    /// Lists what a webhook hears of one change of a member.
    #[must_use]
    pub fn between(before: &Member, after: &Member) -> Vec<Self> {
        use Status::{Archived, Cleaned, Pending, Subscribed, Transactional, Unsubscribed};
        let left = |deleted| Self::Unsubscribe { deleted, reason: Reason::Manual, campaign: None };
        match (before.status, after.status) {
            (from, Subscribed) if from != Subscribed => vec![Self::Subscribe],
            (Subscribed, Unsubscribed) => vec![left(false)],
            (Subscribed | Unsubscribed | Transactional, Archived) => vec![left(true)],
            (from, Cleaned) if from != Cleaned => {
                vec![Self::Cleaned { reason: Reason::Hard, campaign: None }]
            }
            (from, to) if from != to || to == Pending || to == Archived => Vec::new(),
            _ if before.detail.email.eq_ignore_ascii_case(&after.detail.email) => {
                Self::profile(before, after)
            }
            _ => vec![Self::Upemail { from: before.detail.email.to_string() }, Self::Profile],
        }
    }

    fn profile(before: &Member, after: &Member) -> Vec<Self> {
        let same = before.detail.merges == after.detail.merges
            && before.detail.html == after.detail.html
            && before.detail.email == after.detail.email;
        if same { Vec::new() } else { vec![Self::Profile] }
    }
}
