//! One change at a provider, complete enough that executing it leaves no choice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::text::words;
use super::{LinkId, MemberStatus, Personal, Reason};

words! {
    /// What is done to a member, the strongest last where it is a way out (L14).
    Verb {
        /// Mapped fields and tags are brought up to date; the status is not sent.
        Update = "update",
        /// Put on the list as `pending`: the provider asks for confirmation.
        Invite = "invite",
        /// Put on the list as `subscribed`: single opt-in lists and restores only.
        Subscribe = "subscribe",
        /// Opted out.
        Unsubscribe = "unsubscribe",
        /// Put away.
        Archive = "archive",
        /// Erased for good, and verified.
        Erase = "erase",
    }
}

impl Verb {
    /// Tells whether it takes somebody off a list.
    #[must_use]
    pub const fn removes(self) -> bool {
        matches!(self, Self::Unsubscribe | Self::Archive | Self::Erase)
    }

    /// Returns the status it leads to; none where it leaves the status alone.
    #[must_use]
    pub const fn leads_to(self) -> Option<MemberStatus> {
        match self {
            Self::Update => None,
            Self::Invite => Some(MemberStatus::Pending),
            Self::Subscribe => Some(MemberStatus::Subscribed),
            Self::Unsubscribe => Some(MemberStatus::Unsubscribed),
            Self::Archive => Some(MemberStatus::Archived),
            Self::Erase => Some(MemberStatus::Forgotten),
        }
    }
}

words! {
    /// What the brake counts an operation as (L23).
    Counted {
        /// Not at all: an opt-out the person made, an erasure ordered singly, an update.
        No = "no",
        /// A removal.
        Removal = "removal",
        /// An invitation.
        Invitation = "invitation",
    }
}

/// One planned change of one link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The link it changes.
    pub link: LinkId,
    /// What is done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// What the brake counts it as.
    pub counted: Counted,
    /// The member's status before.
    pub from: MemberStatus,
    /// The mapped fields and tags to send; none with removals (L25).
    pub payload: Option<Payload>,
    /// What an invitation rests on: at most one each (L3).
    pub invitation: Option<String>,
}

/// The mapped fields and tags of one member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Payload {
    /// Field name -> text; an empty text clears the field.
    pub fields: BTreeMap<String, Personal>,
    /// Allow-listed tag -> whether the member should carry it.
    pub tags: BTreeMap<String, bool>,
}
