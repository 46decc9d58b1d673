//! The law as a pure function: what is known of one contact on one list -> what to do about it.
//!
//! ```text
//! what the provider shows ─ absorb ─► drafts for the ledger, the base
//! what the clinic knows ─── judge ──► wanted | barred | dropped | unknown
//!                            act ───► at most one operation, its class and its reason
//! ```
//!
//! Nothing here does I/O, waits or asks the time: the same facts give the same decision, and a
//! decision carried out and planned again gives none (L24).

pub mod absorb;
pub mod act;
pub mod brake;
pub mod consents;
pub mod eligibility;
pub mod opt_out;
pub mod payload;
pub mod reply;

use chrono::{DateTime, Utc};

pub use absorb::Adoption;
pub use brake::Gauge;
pub use eligibility::{Verdict, Wanted, judge};
pub use opt_out::opt_out;

use crate::domain::{
    Class, Contact, ContactFacts, Draft, EventId, Link, ListId, MemberStatus, Operation, Policy,
    Reason,
};

/// What the planner must know of the list itself.
#[derive(Debug, Clone)]
pub struct ListFacts<'a> {
    /// Its id.
    pub id: ListId,
    /// Its short name, which events give as their source.
    pub slug: &'a str,
    /// What the clinic decided about it.
    pub policy: &'a Policy,
    /// Whether sign-ups on the provider's own forms are confirmed (L18).
    pub confirms_sign_ups: bool,
}

/// What to do about one contact on one list, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the provider's state teaches the ledger; recorded before anything else is done.
    pub drafts: Vec<Draft>,
    /// What moves without a write: base, found invitation, settled intent.
    pub adoption: Adoption,
    /// The change to make at the provider, if any.
    pub operation: Option<Operation>,
    /// Where the link stands until the operation is carried out.
    pub class: Class,
    /// Every reason, the deciding one first.
    pub reasons: Vec<Reason>,
    /// When the decision changes by itself.
    pub due_at: Option<DateTime<Utc>>,
}

impl Decision {
    /// Returns the deciding reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reasons.first().copied().unwrap_or(Reason::InStep)
    }

    /// Nothing is done before the member is read again; what is held meanwhile stays visible.
    fn unread(step: act::Step) -> Self {
        let class = if step.operation.is_some() { step.class } else { Class::Due };
        Self {
            drafts: Vec::new(),
            adoption: Adoption::default(),
            operation: None,
            class,
            reasons: [vec![Reason::InDoubt], step.reasons].concat(),
            due_at: None,
        }
    }

    /// Tells whether the contact may be sent to now: on the list, wanted, with proof; else why not.
    pub fn clears(&self, link: &Link) -> Result<(), Reason> {
        let subscribed =
            link.observed.as_ref().is_some_and(|o| o.status == MemberStatus::Subscribed);
        match self.reason() {
            Reason::Wanted | Reason::FieldsDiffer if subscribed => Ok(()),
            Reason::Wanted | Reason::FieldsDiffer => Err(Reason::NotListedYet),
            reason => Err(reason),
        }
    }

    /// Tells whether nothing is to be recorded, moved or changed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.drafts.is_empty() && self.adoption.is_empty() && self.operation.is_none()
    }
}

/// Decides what one list must do about one contact.
///
/// An opt-out wins from whichever side it comes; nothing here re-subscribes anyone.
#[must_use]
pub fn decide(
    facts: &ContactFacts,
    link: &Link,
    list: &ListFacts<'_>,
    now: DateTime<Utc>,
) -> Decision {
    if awaits_reading(link) {
        let verdict = judge(facts, list.policy, now);
        return Decision::unread(act::act(&verdict, facts, link, list.policy, now));
    }
    let (drafts, adoption) = absorb::absorb(facts, link, list, now);
    let link = adoption.applied_to(link);
    let unconfirmed = absorb::unconfirmed(facts, &link, list, now);
    let learned = learn(facts, drafts.iter().chain(&unconfirmed), list.policy, now);
    let contact = learned.as_ref().or(facts.contact.as_ref());
    // Of a member that moved, the suppression is the new address's, which `act` asks for (L19).
    let own = link.moved_there.and(facts.suppressed).map(|_| without_suppression(facts));
    let verdict = eligibility::judge_as(contact, own.as_ref().unwrap_or(facts), list.policy, now);
    let step = act::act(&verdict, facts, &link, list.policy, now);
    let adoption = adoption.with_base(step.base);
    Decision {
        drafts,
        adoption,
        operation: step.operation,
        class: step.class,
        reasons: step.reasons,
        due_at: step.due_at,
    }
}

fn without_suppression(facts: &ContactFacts) -> ContactFacts {
    ContactFacts { suppressed: None, ..facts.clone() }
}

/// Tells whether an operation in doubt has not been followed by a reading yet (L17).
fn awaits_reading(link: &Link) -> bool {
    let seen_since = |intent: &crate::domain::Intent| {
        link.observed.as_ref().is_some_and(|observed| intent.is_settled_by(observed.seen_at))
    };
    link.intent.as_ref().is_some_and(|intent| !seen_since(intent))
}

/// Returns the contact as it will be once `drafts` are known; none where that is as it is.
fn learn<'a>(
    facts: &ContactFacts,
    drafts: impl Iterator<Item = &'a Draft>,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Option<Contact> {
    let here = |draft: &&Draft| draft.channel.is_none_or(|channel| channel == policy.channel);
    let mut drafts = drafts.filter(here).peekable();
    drafts.peek()?;
    let mut contact = facts.contact.clone()?;
    for draft in drafts {
        contact.standing.apply(&draft.clone().into_event(EventId(uuid::Uuid::nil()), now));
    }
    Some(contact)
}
