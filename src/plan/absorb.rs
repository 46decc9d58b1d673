//! What the provider's state teaches: opt-outs, bounces, confirmations, sign-ups, removals.
//!
//! The base tells "unsubscribed there" from "never sent there"; an intent in doubt tells ours from
//! theirs (L17). Everything learned becomes a draft for the ledger, once.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Draft, ListFacts, Verdict, judge};
use crate::domain::{
    Actor, Base, By, Contact, ContactFacts, Entry, EventKind, Invitation, Link, MemberStatus,
    Observed, TimeSource,
};

/// What moves on the link itself without a write at the provider.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adoption {
    /// The new base.
    pub base: Option<Base>,
    /// When it was removed there by somebody else (L16).
    pub removed_there: Option<DateTime<Utc>>,
    /// An open invitation found there, or ours voided (L12).
    pub invitation: Option<Invitation>,
    /// Whether the intent in doubt is settled (L17).
    pub settles_intent: bool,
}

impl Adoption {
    /// Tells whether nothing moves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the link as it will be.
    #[must_use]
    pub fn applied_to(&self, link: &Link) -> Link {
        let mut link = link.clone();
        link.base = self.base.or(link.base);
        link.removed_there = self.removed_there.or(link.removed_there);
        if self.invitation.is_some() {
            link.invitation.clone_from(&self.invitation);
        }
        if self.settles_intent {
            link.intent = None;
        }
        link
    }

    /// Adds a base that the decision itself agreed on.
    #[must_use]
    pub fn with_base(mut self, base: Option<Base>) -> Self {
        self.base = self.base.or(base);
        self
    }
}

/// Reads off the provider's state what is new since the base.
#[must_use]
pub fn absorb(
    facts: &ContactFacts,
    link: &Link,
    list: &ListFacts<'_>,
    now: DateTime<Utc>,
) -> (Vec<Draft>, Adoption) {
    let (Some(contact), Some(observed)) = (&facts.contact, &link.observed) else {
        return (Vec::new(), Adoption::default());
    };
    let seen = Seen { facts, contact, observed, link, list, now };
    let (settled, link) = seen.settle_intent();
    let (drafts, learned) = Seen { link: &link, ..seen }.learn();
    let adoption = Adoption {
        base: learned.base.or(settled.base),
        invitation: learned.invitation.or(settled.invitation),
        settles_intent: settled.settles_intent,
        ..learned
    };
    (drafts, adoption)
}

/// Providers give whole seconds: an opt-out may have happened at the end of one (L2).
const COARSE: TimeDelta = TimeDelta::milliseconds(999);

/// One observed member with everything that is needed to read it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    facts: &'a ContactFacts,
    contact: &'a Contact,
    observed: &'a Observed,
    link: &'a Link,
    list: &'a ListFacts<'a>,
    now: DateTime<Utc>,
}

impl Seen<'_> {
    /// Settles an operation in doubt by what was seen after it (L17).
    ///
    /// An invitation in doubt that is found confirmed counts as sent.
    fn settle_intent(&self) -> (Adoption, Link) {
        let mut link = self.link.clone();
        let mut settled = Adoption::default();
        if let Some(intent) = link.intent.filter(|intent| self.observed.seen_at >= intent.at) {
            settled.settles_intent = true;
            link.intent = None;
            let confirmed = intent.verb == crate::domain::Verb::Invite
                && self.observed.status == MemberStatus::Subscribed;
            let status = if confirmed { MemberStatus::Pending } else { self.observed.status };
            if intent.explains(status) {
                let base = Base { status, by: By::Us, at: intent.at };
                settled.base = Some(base);
                link.base = Some(base);
            } else if intent.verb.removes() && link.invitation.is_some() {
                let voided = link.invitation.take().map(|open| Invitation { voided: true, ..open });
                link.invitation.clone_from(&voided);
                settled.invitation = voided;
            }
        }
        (settled, link)
    }

    /// The table: base x what is seen -> what is learned.
    fn learn(&self) -> (Vec<Draft>, Adoption) {
        use MemberStatus::{
            Absent, Archived, Cleaned, Forgotten, NonSubscribed, Pending, Subscribed, Unsubscribed,
        };
        let base = self.link.base.map(|base| base.status);
        match (base, self.observed.status) {
            (None | Some(Subscribed), Subscribed) if self.is_grandfathered() => {
                self.grandfathered()
            }
            (Some(base), seen) if base == seen => self.nothing(),
            // Opt-outs and bounces, from whatever state.
            (_, Unsubscribed) => self.opted_out(),
            (_, Cleaned) => self.bounced(),
            // Found archived with no history of ours (L16).
            (None, Archived) => self.opted_out(),
            (None, Absent | Forgotten | NonSubscribed) => self.nothing(),
            // Removed there by somebody else (L16).
            (Some(Pending | Subscribed), Archived | Absent | Forgotten | NonSubscribed) => {
                self.removed_there()
            }
            (Some(_), Archived | Absent | Forgotten | NonSubscribed) => self.adopted(),
            // Listed without us.
            (Some(Pending), Subscribed) if self.invitation_is_open() => self.confirmed(),
            (_, Subscribed) if self.is_own_sign_up() => self.signed_up(),
            (None, Subscribed) => self.adopted(),
            (_, Subscribed) => self.nothing(),
            (_, Pending) if self.is_own_sign_up_begun() => self.sign_up_begun(),
            (_, Pending) => self.nothing(),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as the other rows of the table do")]
    fn nothing(&self) -> (Vec<Draft>, Adoption) {
        (Vec::new(), Adoption::default())
    }

    fn adopted(&self) -> (Vec<Draft>, Adoption) {
        (Vec::new(), Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    fn opted_out(&self) -> (Vec<Draft>, Adoption) {
        let kind =
            if self.observed.complained { EventKind::Complained } else { EventKind::Withdrawn };
        let mut draft = self.draft(kind, self.changed_at().map(|at| at + COARSE));
        draft.method = Some(format!("found {} at the provider", self.observed.status));
        (vec![draft], Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    fn bounced(&self) -> (Vec<Draft>, Adoption) {
        let kind =
            if self.observed.complained { EventKind::Complained } else { EventKind::Bounced };
        let mut draft = self.draft(kind, self.changed_at());
        draft.actor = Actor::Provider;
        (vec![draft], Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    fn removed_there(&self) -> (Vec<Draft>, Adoption) {
        let removed_there = Some(self.changed_at().unwrap_or(self.observed.seen_at));
        (Vec::new(), Adoption { base: Some(self.base()), removed_there, ..Adoption::default() })
    }

    /// A confirmation after our invitation, for somebody who is still wanted (L10, L12).
    fn confirmed(&self) -> (Vec<Draft>, Adoption) {
        let invitation = self.link.invitation.clone();
        if !matches!(judge(self.facts, self.list.policy, self.now), Verdict::Wanted(_)) {
            let invitation = invitation.map(|open| Invitation { voided: true, ..open });
            return (Vec::new(), Adoption { invitation, ..Adoption::default() });
        }
        let mut draft = self.draft(EventKind::Confirmed, self.opted_in_at());
        draft.method = Some("confirmed the invitation".to_owned());
        let invitation = invitation.map(|open| Invitation { confirmed: true, ..open });
        (vec![draft], Adoption { base: Some(self.base()), invitation, ..Adoption::default() })
    }

    /// A sign-up the contact made and proved on the provider's own form (L4, L18).
    fn signed_up(&self) -> (Vec<Draft>, Adoption) {
        let mut granted = self.draft(EventKind::Granted, self.opted_in_at());
        granted.explicit = true;
        granted.method = Some("signed up on the provider's form".to_owned());
        let mut confirmed = self.draft(EventKind::Confirmed, self.opted_in_at());
        confirmed.method = Some("confirmed the provider's sign-up".to_owned());
        (vec![granted, confirmed], Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    /// A sign-up that waits for its confirmation: a grant, and an open invitation that is not ours.
    fn sign_up_begun(&self) -> (Vec<Draft>, Adoption) {
        let mut granted = self.draft(EventKind::Granted, self.observed.signed_up_at);
        granted.explicit = true;
        granted.method = Some("signed up on the provider's form".to_owned());
        let invitation = Some(Invitation {
            key: "signed up there".to_owned(),
            sent_at: self.observed.signed_up_at.unwrap_or(self.observed.seen_at),
            voided: false,
            confirmed: false,
        });
        let adoption = Adoption { base: Some(self.base()), invitation, ..Adoption::default() };
        (vec![granted], adoption)
    }

    fn grandfathered(&self) -> (Vec<Draft>, Adoption) {
        let mut draft = self.draft(EventKind::Grandfathered, self.joined_at());
        draft.actor = Actor::Listwarden;
        draft.evidence = Some("member from before the day set as grandfather_before".to_owned());
        (vec![draft], Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    fn invitation_is_open(&self) -> bool {
        self.link.invitation.as_ref().is_some_and(|invitation| !invitation.voided)
    }

    /// The contact's own act on a form, of an audience that has sign-ups confirmed (L18).
    fn is_own_sign_up(&self) -> bool {
        self.is_own_sign_up_begun() && self.observed.opted_in_at >= self.observed.signed_up_at
    }

    fn is_own_sign_up_begun(&self) -> bool {
        let known = |holder: &crate::domain::Holder| {
            holder.holds_now && holder.patient.record.status == crate::domain::PatientStatus::Active
        };
        self.observed.entry == Entry::Contact
            && self.observed.signed_up_at.is_some()
            && self.list.confirms_sign_ups
            && self.link.moved_there.is_none()
            && self.facts.holders.iter().any(known)
    }

    /// Evidence from before the first run counts for wanted contacts only (L21).
    fn is_grandfathered(&self) -> bool {
        let Some(before) = self.list.policy.grandfather_before else { return false };
        let early = self.joined_at().is_some_and(|at| at.date_naive() < before);
        early
            && self.contact.standing.proof.is_none()
            && matches!(judge(self.facts, self.list.policy, self.now), Verdict::Wanted(_))
    }

    fn joined_at(&self) -> Option<DateTime<Utc>> {
        self.observed.opted_in_at.or(self.observed.signed_up_at)
    }

    fn opted_in_at(&self) -> Option<DateTime<Utc>> {
        self.observed.opted_in_at.or(self.observed.last_changed)
    }

    fn changed_at(&self) -> Option<DateTime<Utc>> {
        self.observed.last_changed
    }

    fn base(&self) -> Base {
        Base { status: self.observed.status, by: By::Them, at: self.observed.seen_at }
    }

    /// Starts a draft about this contact; its time makes it unique on this list.
    fn draft(&self, kind: EventKind, at: Option<DateTime<Utc>>) -> Draft {
        let mut draft = Draft::new(kind, Actor::Person, TimeSource::Provider, self.list.slug);
        draft.channel = Some(self.contact.channel);
        draft.contact = Some(self.contact.id);
        draft.list = Some(self.list.id);
        draft.occurred_at = at;
        let stamp = at.unwrap_or(self.observed.seen_at).timestamp_millis();
        draft.unique = format!("{}/{kind}/{stamp}", self.link.id);
        draft
    }
}
