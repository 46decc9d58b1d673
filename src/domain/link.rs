//! Links: one contact on one list, with what was seen there and what was last agreed.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::text::words;
use super::{
    Address, Channel, ContactId, Entry, LinkId, MemberKey, MemberStatus, Patient, Standing, Verb,
};

/// One address of one clinic on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Our id.
    pub id: ContactId,
    /// The channel.
    pub channel: Channel,
    /// The address; none once it was erased.
    pub address: Option<Address>,
    /// What its events add up to.
    pub standing: Standing,
}

/// A patient who holds, or held, an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The patient.
    pub patient: Patient,
    /// What the patient's own events add up to on this channel.
    pub standing: Standing,
    /// Whether the clinic's record says no and the ledger line still waits for the brake (L23).
    pub withdrawn_in_record: bool,
    /// Whether the patient holds the address now.
    pub holds_now: bool,
}

/// All that is known of a contact, as the planner needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactFacts {
    /// The contact; none for a member whom the clinic never knew.
    pub contact: Option<Contact>,
    /// Its holders, present and past, by id.
    pub holders: Vec<Holder>,
    /// Whether the suppression list knows the address of an unknown member, and why.
    pub suppressed: Option<super::OptOutKind>,
    /// The invitations of the contact's other lists of the channel, where we ask ourselves: one
    /// confirmation text counts for all of them.
    pub asked: Vec<Invitation>,
}

/// One contact on one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Our id.
    pub id: LinkId,
    /// What the provider said last; none while it was never seen there.
    pub observed: Option<Observed>,
    /// What the two sides last agreed on; none before that.
    pub base: Option<Base>,
    /// The last invitation we sent, or found open.
    pub invitation: Option<Invitation>,
    /// An operation whose outcome is in doubt (L17).
    pub intent: Option<Intent>,
    /// When it was removed from this list at the provider by somebody else (L16).
    pub removed_there: Option<DateTime<Utc>>,
    /// When the member's address was changed at the provider (L19).
    pub moved_there: Option<DateTime<Utc>>,
    /// The change of address that the ledger has, by its instant: each is told once.
    pub moved_told: Option<DateTime<Utc>>,
}

/// What the provider said of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its status.
    pub status: MemberStatus,
    /// The provider's stable id; none where it is absent.
    pub member: Option<MemberKey>,
    /// When the provider last changed it.
    pub last_changed: Option<DateTime<Utc>>,
    /// When it signed up on a form of the provider.
    pub signed_up_at: Option<DateTime<Utc>>,
    /// When it opted in, by the provider.
    pub opted_in_at: Option<DateTime<Utc>>,
    /// How it came there.
    pub entry: Entry,
    /// Whether the provider gives a spam report as the reason for the opt-out.
    pub complained: bool,
    /// Digest of the mapped fields and tags it holds.
    pub digest: i64,
    /// When we saw it.
    pub seen_at: DateTime<Utc>,
}

words! {
    /// Whose act a state was.
    By {
        /// Ours.
        Us = "us",
        /// Somebody else's.
        Them = "them",
    }
}

/// What clinic and list last agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Base {
    /// The status agreed on.
    pub status: MemberStatus,
    /// Whose act it was.
    pub by: By,
    /// When.
    pub at: DateTime<Utc>,
}

/// An invitation to confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// What it rests on: a grant, and the return it was repeated for. At most one each (L3, L13).
    pub key: String,
    /// When it went out.
    pub sent_at: DateTime<Utc>,
    /// Whether a removal voided it before it was confirmed (L12).
    pub voided: bool,
    /// Whether it was confirmed.
    #[serde(default)]
    pub confirmed: bool,
    /// The wording that was sent, where we asked ourselves.
    #[serde(default)]
    pub wording: Option<String>,
}

/// An answer may seem to come this much before the question.
const ANSWER_SKEW: TimeDelta = TimeDelta::minutes(1);

impl Invitation {
    /// What an invitation that the contact began itself is kept under.
    pub const SIGNED_UP_THERE: &'static str = "signed up there";

    /// Tells whether an answer at `at` would confirm it: neither voided nor confirmed, and not
    /// lapsed after `expires` (L12). Two clocks may differ a little, and the sending is recorded after
    /// it was done.
    #[must_use]
    pub fn is_open(&self, at: DateTime<Utc>, expires: TimeDelta) -> bool {
        let since = self.sent_at - ANSWER_SKEW;
        !self.voided && !self.confirmed && since <= at && at <= self.sent_at + expires
    }
}

/// An operation that was sent, or was about to be, and not acknowledged (L17).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What was meant.
    pub verb: Verb,
    /// The member's status before.
    pub from: MemberStatus,
    /// When.
    pub at: DateTime<Utc>,
    /// What an invitation rests on, so that one in doubt that went out counts as sent (L3).
    pub invitation: Option<String>,
    /// Whether its outcome is still waited for: then nothing that is seen settles it.
    #[serde(default)]
    pub under_way: bool,
}

impl Intent {
    /// Tells whether what the provider was asked for at `seen_at` settles what is in doubt.
    #[must_use]
    pub fn is_settled_by(&self, seen_at: DateTime<Utc>) -> bool {
        !self.under_way && seen_at >= self.at
    }

    /// Tells whether `status` is what this operation leads to, whole or half done.
    ///
    /// Archiving a pending member goes by way of `unsubscribed`.
    #[must_use]
    pub fn explains(&self, status: MemberStatus) -> bool {
        let half_done = matches!(
            (self.verb, self.from, status),
            (Verb::Archive, MemberStatus::Pending, MemberStatus::Unsubscribed)
        );
        half_done
            || self.verb.leads_to() == Some(status)
            || (self.verb == Verb::Erase && status == MemberStatus::Absent)
    }
}

words! {
    /// Where a link stands: the classes of the attestation, which add up to the total (L26).
    Class {
        /// Clinic and list agree.
        InStep = "in_step",
        /// Invited, the confirmation is awaited.
        Pending = "pending",
        /// A change the next run makes; nobody is listed wrongly meanwhile.
        Due = "due",
        /// A change waits for the first approval.
        Waiting = "waiting",
        /// A change waits for the brake's release.
        Braked = "braked",
        /// A change could not be made and is tried again later.
        Parked = "parked",
        /// Subscribed without proof, held by policy.
        Unproven = "unproven",
        /// Nobody the clinic ever knew.
        Unknown = "unknown",
        /// Cannot be removed from the provider.
        CannotLeave = "cannot_leave",
        /// Held by the list although the clinic dropped them.
        HeldButDropped = "held_but_dropped",
        /// Listed without a basis.
        HeldWithoutBasis = "held_without_basis",
    }
}
