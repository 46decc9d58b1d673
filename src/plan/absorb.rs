//! What the provider's state teaches: opt-outs, bounces, confirmations, sign-ups, removals.
//!
//! The base tells "unsubscribed there" from "never sent there"; an intent in doubt tells ours from
//! theirs (L17). Everything learned becomes a draft for the ledger, once.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{ListFacts, Verdict, judge, opt_out};
use crate::domain::event::CLOCK_SKEW;
use crate::domain::{
    Actor, Base, By, Contact, ContactFacts, Draft, Entry, EventKind, Holder, Intent, Invitation,
    Link, MemberStatus, Observed, OptOut, OptOutKind, PatientStatus, TimeSource, Verb,
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
    /// The change of address that the ledger learns now (L19).
    pub moved_told: Option<DateTime<Utc>>,
}

impl Adoption {
    /// Tells whether nothing moves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the link as it will be.
    #[must_use]
    pub fn applied_to<'a>(&self, link: &'a Link) -> Cow<'a, Link> {
        if self.is_empty() {
            return Cow::Borrowed(link);
        }
        let mut link = link.clone();
        link.base = self.base.or(link.base);
        link.removed_there = self.removed_there.or(link.removed_there);
        link.moved_told = self.moved_told.or(link.moved_told);
        if self.invitation.is_some() {
            link.invitation.clone_from(&self.invitation);
        }
        if self.settles_intent {
            link.intent = None;
        }
        Cow::Owned(link)
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
    let settled = seen.settle_intent();
    let (mut drafts, learned) = Seen { link: &settled.applied_to(link), ..seen }.learn();
    let moved = link.moved_there.filter(|moved| link.moved_told != Some(*moved));
    drafts.extend(moved.map(|at| seen.address_changed(at)));
    let adoption = Adoption {
        moved_told: moved,
        base: learned.base.or(settled.base),
        invitation: learned.invitation.or(settled.invitation),
        settles_intent: settled.settles_intent,
        ..learned
    };
    (drafts, adoption)
}

/// Returns what a sign-up that still waits for its confirmation would grant: enough to leave the
/// member pending on this very list, and nothing that the ledger or another list may rest on (L18).
#[must_use]
pub fn unconfirmed(
    facts: &ContactFacts,
    link: &Link,
    list: &ListFacts<'_>,
    now: DateTime<Utc>,
) -> Option<Draft> {
    let (contact, observed) = (facts.contact.as_ref()?, link.observed.as_ref()?);
    let seen = Seen { facts, contact, observed, link, list, now };
    let waits = observed.status == MemberStatus::Pending && seen.sign_up_is_open();
    (waits && seen.is_sign_up_here()).then(|| seen.granted(observed.signed_up_at))
}

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
    fn settle_intent(&self) -> Adoption {
        let seen_since = |intent: &&Intent| intent.is_settled_by(self.observed.seen_at);
        let Some(intent) = self.link.intent.as_ref().filter(seen_since) else {
            return Adoption::default();
        };
        let mut settled = Adoption { settles_intent: true, ..Adoption::default() };
        let confirmed =
            intent.verb == Verb::Invite && self.observed.status == MemberStatus::Subscribed;
        let wording = self.list.policy.asking.as_ref().map(|asking| asking.text.clone());
        let status = if confirmed { MemberStatus::Pending } else { self.observed.status };
        if intent.explains(status) {
            settled.base = Some(Base { status, by: By::Us, at: intent.at });
            let known = self.link.invitation.as_ref();
            let recorded = |key: &String| known.is_some_and(|known| known.key == *key);
            let sent = intent.invitation.clone().filter(|key| !recorded(key));
            settled.invitation = sent.map(|key| Invitation {
                key,
                sent_at: intent.at,
                voided: false,
                confirmed: false,
                wording,
            });
        } else if intent.verb.removes() {
            settled.invitation = self.voided();
        }
        settled
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
            // Put away by anybody after a complaint that we have no word of.
            (_, Archived) if self.shows_a_complaint() => self.opted_out(),
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
            (_, Subscribed) if self.is_own_sign_up() => self.signed_up(),
            (Some(Pending), Subscribed) if self.answers_our_invitation() => self.confirmed(),
            (None, Subscribed) => self.adopted(),
            (_, Subscribed) => self.nothing(),
            (_, Pending) if self.is_new_sign_up() => self.sign_up_begun(),
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

    /// An opt-out by the person; or a member put away before we knew it, which counts as one.
    fn opted_out(&self) -> (Vec<Draft>, Adoption) {
        let (list, at) = ((self.list.id, self.list.slug), self.changed_at());
        let mut draft = opt_out(list, self.contact.channel, self.observed.complained, at, self.now);
        let adoption = Adoption { base: Some(self.base()), ..Adoption::default() };
        if self.contact.standing.has_on_record(draft.kind, at, draft.clock) {
            return (Vec::new(), adoption);
        }
        draft.contact = Some(self.contact.id);
        draft.unique = Draft::act(self.contact.id, draft.kind, at.unwrap_or(self.observed.seen_at));
        draft.method = Some(format!("found {} at the provider", self.observed.status));
        if self.observed.status == MemberStatus::Archived && !self.observed.complained {
            draft.actor = Actor::Provider;
        }
        (vec![draft], adoption)
    }

    /// Tells whether the member shows a complaint of spam that the ledger has never had: a store that
    /// was put back does not know why we ourselves put it away (L20).
    fn shows_a_complaint(&self) -> bool {
        let complained = |known: &OptOut| known.kind == OptOutKind::Complained;
        self.observed.complained && !self.contact.standing.opt_outs.iter().any(complained)
    }

    fn bounced(&self) -> (Vec<Draft>, Adoption) {
        let (kind, actor) = if self.observed.complained {
            (EventKind::Complained, Actor::Person)
        } else {
            (EventKind::Bounced, Actor::Provider)
        };
        let mut draft = self.draft(kind, self.changed_at());
        draft.actor = actor;
        (vec![draft], Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    fn removed_there(&self) -> (Vec<Draft>, Adoption) {
        let removed_there = Some(self.changed_at().unwrap_or(self.observed.seen_at));
        (Vec::new(), Adoption { base: Some(self.base()), removed_there, ..Adoption::default() })
    }

    /// A confirmation after our invitation, for somebody who is still wanted (L10, L12).
    fn confirmed(&self) -> (Vec<Draft>, Adoption) {
        if !matches!(judge(self.facts, self.list.policy, self.now), Verdict::Wanted(_)) {
            return (Vec::new(), Adoption { invitation: self.voided(), ..Adoption::default() });
        }
        let mut draft = self.draft(EventKind::Confirmed, self.opted_in_at());
        draft.method = Some("confirmed the invitation".to_owned());
        (vec![draft], self.adopted_as_confirmed())
    }

    /// A sign-up the contact made and proved on the provider's own form (L4, L18).
    fn signed_up(&self) -> (Vec<Draft>, Adoption) {
        let mut confirmed = self.draft(EventKind::Confirmed, self.opted_in_at());
        confirmed.method = Some("confirmed the provider's sign-up".to_owned());
        (vec![self.granted(self.opted_in_at()), confirmed], self.adopted_as_confirmed())
    }

    fn granted(&self, at: Option<DateTime<Utc>>) -> Draft {
        let mut granted = self.draft(EventKind::Granted, at);
        granted.explicit = true;
        granted.method = Some("signed up on the provider's form".to_owned());
        granted
    }

    fn adopted_as_confirmed(&self) -> Adoption {
        let open = self.link.invitation.clone().filter(|invitation| !invitation.voided);
        let invitation = open.map(|open| Invitation { confirmed: true, ..open });
        Adoption { base: Some(self.base()), invitation, ..Adoption::default() }
    }

    /// A sign-up that waits for its confirmation: an open invitation that is not ours, and no
    /// grant, since anybody can type anybody's address into a form.
    fn sign_up_begun(&self) -> (Vec<Draft>, Adoption) {
        let invitation = Some(Invitation {
            key: Invitation::SIGNED_UP_THERE.to_owned(),
            sent_at: self.observed.signed_up_at.unwrap_or(self.observed.seen_at),
            voided: false,
            confirmed: false,
            wording: None,
        });
        (Vec::new(), Adoption { base: Some(self.base()), invitation, ..Adoption::default() })
    }

    fn grandfathered(&self) -> (Vec<Draft>, Adoption) {
        let mut draft = self.draft(EventKind::Grandfathered, self.joined_at());
        draft.actor = Actor::Listwarden;
        draft.evidence = Some("member from before the day set as grandfather_before".to_owned());
        (vec![draft], Adoption { base: Some(self.base()), ..Adoption::default() })
    }

    /// The clinic is told that the address changed, on which list and when; the new address goes
    /// nowhere. Whether the contact or staff changed it, the member does not show (L19).
    fn address_changed(&self, at: DateTime<Utc>) -> Draft {
        let mut draft = self.draft(EventKind::AddressChanged, Some(at));
        draft.actor = Actor::Provider;
        draft.method = Some("found under another address at the provider".to_owned());
        draft.unique = format!("{}/{}/{}", self.link.id, draft.kind, at.timestamp_millis());
        draft
    }

    /// The link's invitation as a removal leaves it (L12).
    fn voided(&self) -> Option<Invitation> {
        self.link.invitation.clone().map(|open| Invitation { voided: true, ..open })
    }

    /// Tells whether this is the answer to our invitation: given after it was sent and before it
    /// lapsed, and from the address that the member still has (L10, L12). Where we ask ourselves
    /// only a reply is.
    fn answers_our_invitation(&self) -> bool {
        let expires = self.list.policy.invitation_expires;
        let at = self.opted_in_at().unwrap_or(self.observed.seen_at);
        let in_time =
            |sent: &Invitation| sent.sent_at <= at + CLOCK_SKEW && at <= sent.sent_at + expires;
        self.list.policy.asking.is_none()
            && self.link.moved_there.is_none()
            && self.link.invitation.as_ref().is_some_and(|i| !i.voided && in_time(i))
    }

    /// Tells whether the invitation that is open is one the contact began itself.
    fn sign_up_is_open(&self) -> bool {
        let begun = |i: &Invitation| !i.voided && i.key == Invitation::SIGNED_UP_THERE;
        self.link.invitation.as_ref().is_some_and(begun)
    }

    /// The contact's own act, proved, on a form whose sign-ups are confirmed (L18).
    fn is_own_sign_up(&self) -> bool {
        let pending = self.link.base.is_some_and(|base| base.status == MemberStatus::Pending);
        let open = if pending { self.sign_up_is_open() } else { self.is_new_sign_up() };
        open && self.is_sign_up_here() && self.observed.opted_in_at >= self.observed.signed_up_at
    }

    /// Tells a sign-up since the base from one of long ago that staff or an API call revived.
    fn is_new_sign_up(&self) -> bool {
        self.is_sign_up_here()
            && self.link.base.is_none_or(|base| self.observed.signed_up_at > Some(base.at))
    }

    /// By the contact, on a form whose sign-ups are confirmed, for a known person not dropped.
    fn is_sign_up_here(&self) -> bool {
        let known = |holder: &Holder| {
            holder.holds_now && holder.patient.record.status == PatientStatus::Active
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
            && self.link.moved_there.is_none()
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
        draft.unique = Draft::act(self.contact.id, kind, at.unwrap_or(self.observed.seen_at));
        draft
    }
}
