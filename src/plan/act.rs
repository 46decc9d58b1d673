//! The decision table: verdict x what is seen x base x policy -> one operation or none (L10 to L22).

use chrono::{DateTime, Utc};

use super::payload::{digest, payload};
use super::{Verdict, Wanted};
use crate::domain::event::CLOCK_SKEW;
use crate::domain::operation::{Counted, Payload};
use crate::domain::policy::{CleanedMembers, LeaveBy, ReturnBy, UnknownMembers, UnprovenMembers};
use crate::domain::{
    Base, By, Class, ContactFacts, Entry, GrantKind, Link, MemberStatus, Observed, Operation,
    OptOutKind, Policy, Reason, Verb,
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
    let table = Table { link, policy, now };
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
    policy: &'a Policy,
    now: DateTime<Utc>,
}

impl Table<'_> {
    fn status(&self) -> MemberStatus {
        self.link.observed.as_ref().map_or(MemberStatus::Absent, |observed| observed.status)
    }

    // --- Never known (L15, L22) ------------------------------------------------------------

    fn unknown(&self, suppressed: Option<OptOutKind>) -> Step {
        let status = self.status();
        match suppressed {
            Some(OptOutKind::Erased) if status.is_present() => self.leave(
                Verb::Erase,
                Reason::UnknownSuppressed,
                Counted::Removal,
                Class::HeldWithoutBasis,
            ),
            Some(_) if status.is_listed() => self.leave(
                match self.policy.unknown {
                    UnknownMembers::Archive => Verb::Archive,
                    UnknownMembers::Keep | UnknownMembers::Report => Verb::Unsubscribe,
                },
                Reason::UnknownSuppressed,
                Counted::Removal,
                Class::HeldWithoutBasis,
            ),
            _ if !status.is_held() => keep(Class::InStep, Reason::UnknownMember),
            _ => match self.policy.unknown {
                UnknownMembers::Archive if status.is_listed() => self.leave(
                    Verb::Archive,
                    Reason::UnknownMember,
                    Counted::Removal,
                    Class::HeldWithoutBasis,
                ),
                UnknownMembers::Report if status.is_listed() && !self.signed_up() => {
                    keep(Class::HeldWithoutBasis, Reason::UnknownMember)
                }
                _ => keep(Class::Unknown, Reason::UnknownMember),
            },
        }
    }

    /// Tells whether the member itself signed up and confirmed on the provider's form.
    fn signed_up(&self) -> bool {
        let proven = |o: &Observed| {
            o.entry == Entry::Contact && o.signed_up_at.is_some() && o.opted_in_at >= o.signed_up_at
        };
        self.link.observed.as_ref().is_some_and(proven)
    }

    // --- Dropped (L9, L14) -----------------------------------------------------------------

    fn dropped(&self, reasons: &[Reason]) -> Step {
        let way_out = self.way_out(reasons);
        let reason = deciding(reasons, way_out);
        let counted = if reason == Reason::Erased { Counted::No } else { Counted::Removal };
        let step = match (way_out, self.status()) {
            (Verb::Erase, status) if status.is_present() => {
                self.leave(Verb::Erase, reason, counted, self.still_held())
            }
            (_, MemberStatus::Absent | MemberStatus::Forgotten | MemberStatus::Archived) => {
                keep(Class::InStep, reason)
            }
            (_, MemberStatus::Cleaned) => match self.policy.cleaned {
                CleanedMembers::Erase => {
                    self.leave(Verb::Erase, reason, counted, Class::HeldButDropped)
                }
                CleanedMembers::Report => keep(Class::CannotLeave, Reason::CannotLeave),
            },
            (Verb::Unsubscribe, status) if !status.is_listed() => {
                keep(Class::CannotLeave, Reason::CannotLeave)
            }
            (way_out, _) => self.leave(way_out, reason, counted, Class::HeldButDropped),
        };
        step.because(reasons)
    }

    fn still_held(&self) -> Class {
        if self.status().is_held() { Class::HeldButDropped } else { Class::Due }
    }

    /// The strongest way out among the reasons (L14).
    fn way_out(&self, reasons: &[Reason]) -> Verb {
        reasons.iter().map(|reason| self.way_out_for(*reason)).max().unwrap_or(Verb::Archive)
    }

    /// One row of L14: reason -> way out.
    fn way_out_for(&self, reason: Reason) -> Verb {
        match reason {
            Reason::PatientDeleted | Reason::Erased => Verb::Erase,
            Reason::Withdrawn
            | Reason::WithdrawnInRecord
            | Reason::Objected
            | Reason::Complained
            | Reason::FlagAfterOptOut => Verb::Unsubscribe,
            _ => match self.policy.on_drop {
                LeaveBy::Archive => Verb::Archive,
                LeaveBy::Unsubscribe => Verb::Unsubscribe,
                LeaveBy::Erase => Verb::Erase,
            },
        }
    }

    // --- Barred (L6, L11, L14) -------------------------------------------------------------

    fn barred(&self, reasons: &[Reason], by_person: bool) -> Step {
        let way_out = self.way_out(reasons);
        let erased = reasons.contains(&Reason::Erased);
        let reason = if erased { Reason::Erased } else { self.deciding_bar(reasons, way_out) };
        let counted = if by_person { Counted::No } else { Counted::Removal };
        let status = self.status();
        let step = if erased && status.is_present() {
            self.leave(Verb::Erase, reason, counted, Class::HeldWithoutBasis)
        } else if status.is_listed() {
            self.leave(way_out, reason, counted, Class::HeldWithoutBasis)
        } else if reasons.contains(&Reason::FlagAfterOptOut) {
            keep(Class::Parked, Reason::FlagAfterOptOut)
        } else {
            keep(Class::InStep, reason)
        };
        step.because(reasons)
    }

    fn deciding_bar(&self, reasons: &[Reason], way_out: Verb) -> Reason {
        let strongest = |reason: &&Reason| self.way_out_for(**reason) == way_out;
        reasons.iter().find(strongest).copied().unwrap_or(Reason::NoBasis)
    }

    // --- Wanted (L10 to L13, L16, L18, L21) ------------------------------------------------

    fn wanted(&self, wanted: &Wanted<'_>) -> Step {
        match self.status() {
            MemberStatus::Subscribed => self.subscribed(wanted),
            MemberStatus::Pending => self.pending(wanted),
            MemberStatus::Forgotten => keep(Class::Parked, Reason::ForgottenThere),
            MemberStatus::Absent
            | MemberStatus::Archived
            | MemberStatus::Unsubscribed
            | MemberStatus::Cleaned
            | MemberStatus::NonSubscribed => self.enter(wanted),
        }
    }

    fn subscribed(&self, wanted: &Wanted<'_>) -> Step {
        if wanted.direct || wanted.proof.is_some() {
            return self.in_step(wanted);
        }
        let turned = self.link.base.is_some_and(|base| base.status != MemberStatus::Subscribed);
        if turned {
            return self.leave(
                Verb::Archive,
                Reason::TurnedSubscribed,
                Counted::Removal,
                Class::HeldWithoutBasis,
            );
        }
        match self.policy.unproven {
            UnprovenMembers::Hold => keep(Class::Unproven, Reason::Unproven),
            UnprovenMembers::ArchiveAndInvite => {
                self.leave(Verb::Archive, Reason::Unproven, Counted::Removal, Class::Unproven)
            }
        }
    }

    /// Listed as it should be: the base follows, and the mapped fields (L25).
    fn in_step(&self, wanted: &Wanted<'_>) -> Step {
        let mut step = self.fields(wanted).unwrap_or_else(|| keep(Class::InStep, Reason::Wanted));
        step.base = self.agreed();
        step
    }

    fn agreed(&self) -> Option<Base> {
        let observed = self.link.observed.as_ref()?;
        let known = self.link.base.is_some_and(|base| base.status == observed.status);
        (!known).then_some(Base { status: observed.status, by: By::Them, at: observed.seen_at })
    }

    fn fields(&self, wanted: &Wanted<'_>) -> Option<Step> {
        let payload = payload(wanted, self.policy);
        let shown = self.link.observed.as_ref().map_or(0, |observed| observed.digest);
        (digest(&payload) != shown).then(|| {
            self.change(Verb::Update, Reason::FieldsDiffer, Counted::No, Class::Due, Some(payload))
        })
    }

    fn pending(&self, wanted: &Wanted<'_>) -> Step {
        let lapses = self.opened_at() + self.policy.invitation_expires;
        let voided = self.link.invitation.as_ref().is_some_and(|invitation| invitation.voided);
        if voided || lapses <= self.now {
            return self.leave(
                Verb::Archive,
                Reason::InvitationLapsed,
                Counted::Removal,
                Class::HeldWithoutBasis,
            );
        }
        let mut step = self.fields(wanted).unwrap_or_else(|| keep(Class::Pending, Reason::Invited));
        step.base = self.agreed();
        step.due_at = Some(lapses);
        step
    }

    /// When the invitation was opened: by us, or as the provider shows it.
    fn opened_at(&self) -> DateTime<Utc> {
        let ours = self.link.invitation.as_ref().map(|invitation| invitation.sent_at);
        let shown = || self.link.observed.as_ref().map(|o| o.last_changed.unwrap_or(o.seen_at));
        ours.or_else(shown).unwrap_or(self.now)
    }

    /// Not listed, and wanted: at most one invitation a grant, never straight in after an opt-out.
    fn enter(&self, wanted: &Wanted<'_>) -> Step {
        if wanted.undeliverable {
            return keep(Class::InStep, Reason::Bounced);
        }
        if self.removed_there_stands(wanted) {
            return keep(Class::InStep, Reason::RemovedThere);
        }
        let returned = self.returned(wanted);
        let payload = Some(payload(wanted, self.policy));
        if wanted.direct && self.status() != MemberStatus::Unsubscribed {
            return self.change(
                Verb::Subscribe,
                Reason::Wanted,
                Counted::Invitation,
                Class::Due,
                payload,
            );
        }
        if returned.is_some()
            && self.policy.on_return == ReturnBy::Restore
            && self.status() != MemberStatus::Unsubscribed
        {
            return self.change(
                Verb::Subscribe,
                Reason::Returned,
                Counted::Invitation,
                Class::Due,
                payload,
            );
        }
        let key = match returned {
            Some(at) => format!("{}@{}", wanted.grant.event, at.timestamp_millis()),
            None => wanted.grant.event.to_string(),
        };
        if returned.is_none() && self.was_invited(wanted) {
            return keep(Class::InStep, Reason::InvitationUsed);
        }
        let reason = if returned.is_some() { Reason::Returned } else { Reason::Wanted };
        let mut step = self.change(Verb::Invite, reason, Counted::Invitation, Class::Due, payload);
        if let Some(operation) = &mut step.operation {
            operation.invitation = Some(key);
        }
        step
    }

    /// Tells whether an invitation went out on this grant, or after it: it was asked once (L3).
    fn was_invited(&self, wanted: &Wanted<'_>) -> bool {
        self.link.invitation.as_ref().is_some_and(|sent| {
            sent.key.starts_with(&wanted.grant.event.to_string())
                || wanted.grant.recorded_at <= sent.sent_at
        })
    }

    /// Removed there by somebody else: only a newer explicit grant outranks that (L16).
    fn removed_there_stands(&self, wanted: &Wanted<'_>) -> bool {
        let newer = |removed: DateTime<Utc>| {
            wanted.grant.kind == GrantKind::Explicit
                && wanted.grant.at.is_some_and(|at| at >= removed + CLOCK_SKEW)
        };
        self.link.removed_there.is_some_and(|removed| !newer(removed))
    }

    /// When we took somebody off whose proof still stands (L13), unless an invitation went out
    /// since and was not confirmed.
    fn returned(&self, wanted: &Wanted<'_>) -> Option<DateTime<Utc>> {
        if self.link.invitation.as_ref().is_some_and(|sent| !sent.confirmed) {
            return None;
        }
        let base = self.link.base.filter(|base| base.by == By::Us && !base.status.is_listed())?;
        wanted.proof.filter(|proof| proof.at <= base.at).map(|_| base.at)
    }

    // --- Moved at the provider (L19) -------------------------------------------------------

    fn moved(&self, wanted: &Wanted<'_>, suppressed: Option<OptOutKind>) -> Step {
        let status = self.status();
        let until = self.link.moved_there.unwrap_or(self.now) + self.policy.unadopted_after;
        if !status.is_listed() {
            return keep(Class::InStep, Reason::AddressChangedThere);
        }
        if suppressed.is_some() {
            return self.leave(
                Verb::Unsubscribe,
                Reason::UnknownSuppressed,
                Counted::Removal,
                Class::HeldWithoutBasis,
            );
        }
        if until <= self.now {
            return self.leave(
                Verb::Archive,
                Reason::AddressChangedThere,
                Counted::Removal,
                Class::HeldWithoutBasis,
            );
        }
        let proven = wanted.direct || wanted.proof.is_some();
        let class = match (status, proven) {
            (MemberStatus::Pending, _) => Class::Pending,
            (_, true) => Class::InStep,
            (_, false) => Class::Unproven,
        };
        Step { due_at: Some(until), ..keep(class, Reason::AddressChangedThere) }
    }

    // --- Making steps ----------------------------------------------------------------------

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

/// Picks the reason that calls for the strongest way out.
fn deciding(reasons: &[Reason], way_out: Verb) -> Reason {
    let erases = |reason: &&Reason| matches!(reason, Reason::PatientDeleted | Reason::Erased);
    let found = if way_out == Verb::Erase { reasons.iter().find(erases) } else { None };
    found.or(reasons.first()).copied().unwrap_or(Reason::AddressGone)
}
