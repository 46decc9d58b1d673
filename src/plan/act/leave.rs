//! The rows of those who may not be listed: never known, dropped, barred.

use super::{Step, Table, keep};
use crate::domain::operation::Counted;
use crate::domain::policy::{CleanedMembers, LeaveBy, UnknownMembers};
use crate::domain::{Class, Entry, MemberStatus, Observed, OptOutKind, Reason, Verb};

impl Table<'_> {
    // --- Never known (L15, L22) ------------------------------------------------------------

    pub(super) fn unknown(&self, suppressed: Option<OptOutKind>) -> Step {
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

    pub(super) fn dropped(&self, reasons: &[Reason]) -> Step {
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

    pub(super) fn barred(&self, reasons: &[Reason], by_person: bool) -> Step {
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
}

/// Picks the reason that calls for the strongest way out.
fn deciding(reasons: &[Reason], way_out: Verb) -> Reason {
    let erases = |reason: &&Reason| matches!(reason, Reason::PatientDeleted | Reason::Erased);
    let found = if way_out == Verb::Erase { reasons.iter().find(erases) } else { None };
    found.or(reasons.first()).copied().unwrap_or(Reason::AddressGone)
}
