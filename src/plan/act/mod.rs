//! The decision table: verdict x what is seen x base x policy -> one operation or none (L10 to L22).

mod enter;
mod leave;

use chrono::{DateTime, Utc};

use super::Verdict;
use crate::domain::operation::{Counted, Payload};
use crate::domain::{
    Base, Class, ContactFacts, Invitation, Link, MemberStatus, Operation, Policy, Reason, Verb,
};

/// What to do, and where the link stands meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The change at the provider, if any.
    pub operation: Option<Operation>,
    /// Where the link stands until that is carried out.
    pub class: Class,
    /// Every reason, the deciding one first.
    pub reasons: Vec<Reason>,
    /// When the decision changes by itself.
    pub due_at: Option<DateTime<Utc>>,
    /// A base agreed on without a write.
    pub base: Option<Base>,
}

/// Looks up the row for this contact on this list.
#[must_use]
pub fn act(
    verdict: &Verdict<'_>,
    facts: &ContactFacts,
    link: &Link,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Step {
    let table = Table { link, asked: &facts.asked, policy, now };
    match verdict {
        Verdict::Unknown { suppressed } => table.unknown(*suppressed),
        Verdict::Dropped { reasons } => table.dropped(reasons),
        Verdict::Barred { reasons, by_person } => table.barred(reasons, *by_person),
        Verdict::Wanted(wanted) if link.moved_there.is_some() => {
            table.moved(wanted, facts.suppressed)
        }
        Verdict::Wanted(wanted) => table.wanted(wanted),
    }
}

struct Table<'a> {
    link: &'a Link,
    asked: &'a [Invitation],
    policy: &'a Policy,
    now: DateTime<Utc>,
}

impl Table<'_> {
    fn status(&self) -> MemberStatus {
        self.link.observed.as_ref().map_or(MemberStatus::Absent, |observed| observed.status)
    }

    fn leave(&self, verb: Verb, reason: Reason, counted: Counted, class: Class) -> Step {
        self.change(verb, reason, counted, class, None)
    }

    fn change(
        &self,
        verb: Verb,
        reason: Reason,
        counted: Counted,
        class: Class,
        payload: Option<Payload>,
    ) -> Step {
        let operation = Operation {
            link: self.link.id,
            verb,
            reason,
            counted,
            from: self.status(),
            payload,
            invitation: None,
        };
        Step { operation: Some(operation), ..keep(class, reason) }
    }
}

impl Step {
    /// Lists the verdict's other reasons behind the deciding one.
    fn because(mut self, reasons: &[Reason]) -> Self {
        for reason in reasons {
            if !self.reasons.contains(reason) {
                self.reasons.push(*reason);
            }
        }
        self
    }
}

fn keep(class: Class, reason: Reason) -> Step {
    Step { operation: None, class, reasons: vec![reason], due_at: None, base: None }
}
