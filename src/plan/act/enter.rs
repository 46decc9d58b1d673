//! The rows of those who are wanted: listed as they should be, invited, or to be invited.

use chrono::{DateTime, Utc};

use super::{Step, Table, keep};
use crate::domain::event::CLOCK_SKEW;
use crate::domain::operation::Counted;
use crate::domain::policy::{ReturnBy, UnprovenMembers};
use crate::domain::{
    Base, By, Class, Grant, GrantKind, Invitation, MemberStatus, OptOutKind, Reason, Verb,
};
use crate::plan::Wanted;
use crate::plan::payload::{digest, payload};

impl Table<'_> {
    // --- Wanted (L10 to L13, L16, L18, L21) ------------------------------------------------

    pub(super) fn wanted(&self, wanted: &Wanted<'_>) -> Step {
        match self.status() {
            MemberStatus::Subscribed => self.subscribed(wanted),
            MemberStatus::Pending => self.pending(wanted),
            // Nobody is forgotten for good where we ask ourselves: a number can always be texted.
            MemberStatus::Forgotten if self.policy.asking.is_none() => {
                keep(Class::Parked, Reason::ForgottenThere)
            }
            MemberStatus::Absent
            | MemberStatus::Forgotten
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
        if self.has_confirmed(wanted) {
            let payload = Some(payload(wanted, self.policy));
            return self.change(
                Verb::Subscribe,
                Reason::Confirmed,
                Counted::No,
                Class::Due,
                payload,
            );
        }
        let lapses = self.opened_at() + self.policy.invitation_expires;
        let voided = self.link.invitation.as_ref().is_some_and(|invitation| invitation.voided);
        if voided || lapses <= self.now {
            // Whoever did not answer in time was never let in: that is no removal (L23).
            let counted = if voided { Counted::Removal } else { Counted::No };
            let reason = Reason::InvitationLapsed;
            return self.leave(Verb::Archive, reason, counted, Class::HeldWithoutBasis);
        }
        let mut step = self.fields(wanted).unwrap_or_else(|| keep(Class::Pending, Reason::Invited));
        step.base = self.agreed();
        step.due_at = Some(lapses);
        step
    }

    /// Tells whether the invitation that we sent ourselves was answered, and the answer holds.
    fn has_confirmed(&self, wanted: &Wanted<'_>) -> bool {
        let confirmed = self.link.invitation.as_ref().is_some_and(|i| i.confirmed && !i.voided);
        self.policy.asking.is_some() && confirmed && wanted.proof.is_some()
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
            && wanted.readmits.is_some()
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
        if let Some(step) = self.asked_already(wanted) {
            return step;
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
        self.link.invitation.as_ref().is_some_and(|sent| rests_on(sent, wanted.grant))
    }

    /// One text asks for all lists of the clinic: while it is open the others wait, its answer
    /// counts for them too, and unanswered it is not sent again for another list (L3, L10).
    fn asked_already(&self, wanted: &Wanted<'_>) -> Option<Step> {
        self.policy.asking.as_ref()?;
        let expires = self.policy.invitation_expires;
        if let Some(open) = self.asked.iter().find(|sent| sent.is_open(self.now, expires)) {
            let due_at = Some(open.sent_at + expires);
            return Some(Step { due_at, ..keep(Class::InStep, Reason::AskedAlready) });
        }
        let on_this_grant = |sent: &&Invitation| rests_on(sent, wanted.grant);
        let sent = self.asked.iter().filter(on_this_grant).max_by_key(|sent| sent.sent_at)?;
        let confirmed = sent.confirmed && wanted.proof.is_some_and(|p| p.at >= wanted.since);
        if confirmed && wanted.readmits.is_none() {
            return None;
        }
        Some(if confirmed {
            let payload = Some(payload(wanted, self.policy));
            let counted = Counted::Invitation;
            self.change(Verb::Subscribe, Reason::Confirmed, counted, Class::Due, payload)
        } else {
            keep(Class::InStep, Reason::InvitationUsed)
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

    pub(super) fn moved(&self, wanted: &Wanted<'_>, suppressed: Option<OptOutKind>) -> Step {
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
}

/// Tells whether an invitation went out on the grant, or after it.
fn rests_on(sent: &Invitation, grant: &Grant) -> bool {
    sent.key.starts_with(&grant.event.to_string()) || grant.recorded_at <= sent.sent_at
}
