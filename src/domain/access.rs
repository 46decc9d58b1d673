//! Access: who may do what. A role is a row of one table; a scope says for which clinics.

use std::collections::BTreeSet;

use super::ClinicId;
use super::text::words;

words! {
    /// What somebody may be.
    Role {
        /// Sees where lists stand.
        Viewer = "viewer",
        /// Sees, and keeps the loop going: resync, approve, refuse, retry.
        Operator = "operator",
        /// Sees, and examines: audit log, ledger, report, export.
        Auditor = "auditor",
        /// May do everything.
        Owner = "owner",
    }
}

words! {
    /// What can be done.
    Act {
        /// Look at clinics, lists, runs, and why somebody is on a list; addresses are masked.
        Read = "read",
        /// Look at an address.
        Reveal = "reveal",
        /// Resync, approve, refuse, retry, dismiss, rotate.
        Operate = "operate",
        /// Look at the audit log, the ledger of a contact, the report.
        Audit = "audit",
        /// Take data out.
        Export = "export",
        /// Erase, suppress, lift, restrict, object; give and revoke access.
        Own = "own",
    }
}

impl Act {
    /// Says to a person what it is.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Read => "look",
            Self::Reveal => "see an address in full",
            Self::Operate => "resync, approve, refuse, retry, dismiss or rotate",
            Self::Audit => "see the audit log, timelines, receipts or the report",
            Self::Export => "take data out",
            Self::Own => "suppress, lift, erase, restrict or take down an objection",
        }
    }
}

impl Role {
    /// Tells whether this role may do `act`.
    ///
    /// ```
    /// use listwarden::domain::{Act, Role};
    /// assert!(Role::Operator.may(Act::Operate));
    /// assert!(!Role::Operator.may(Act::Export));
    /// ```
    #[must_use]
    pub const fn may(self, act: Act) -> bool {
        match (self, act) {
            (Self::Owner, _) | (_, Act::Read) => true,
            (Self::Viewer, _) => false,
            (_, Act::Reveal) => true,
            (Self::Operator, Act::Operate) => true,
            (Self::Auditor, Act::Audit | Act::Export) => true,
            (Self::Operator | Self::Auditor, _) => false,
        }
    }
}

/// For which clinics somebody may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clinics {
    /// All, those added later too.
    All,
    /// These.
    Some(BTreeSet<ClinicId>),
}

impl Clinics {
    /// Tells whether `clinic` is among them.
    #[must_use]
    pub fn include(&self, clinic: ClinicId) -> bool {
        match self {
            Self::All => true,
            Self::Some(clinics) => clinics.contains(&clinic),
        }
    }
}

/// Why an admin does something: a sentence that names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because(String);

/// Why a text is no reason. Does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BecauseError {
    /// Nothing, or hardly anything.
    #[error("reason or evidence is too short: say it in a sentence")]
    Short,
    /// More than is ever read again.
    #[error("reason or evidence is too long: 500 characters at most")]
    Long,
    /// An e-mail address or a telephone number.
    #[error(
        "reason or evidence holds what looks like an address or a number: it stays on record after an erasure, so name nobody in it"
    )]
    Personal,
}

impl Because {
    /// Takes a reason that holds no address: reasons outlive an erasure.
    pub fn parse(text: &str) -> Result<Self, BecauseError> {
        let text = text.trim();
        match text.chars().count() {
            0..3 => Err(BecauseError::Short),
            501.. => Err(BecauseError::Long),
            _ if names_somebody(text) => Err(BecauseError::Personal),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Tells whether a text seems to hold an address or a number: an `@`, or nine digits with nothing but what telephone numbers are written with between them.
#[must_use]
pub fn names_somebody(text: &str) -> bool {
    let mut digits = 0;
    text.chars().any(|c| {
        digits = match c {
            '0'..='9' => digits + 1,
            ' ' | '(' | ')' | '.' | '/' | '+' | '-' => digits,
            _ => 0,
        };
        c == '@' || digits >= 9
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// May do: read, reveal, operate, audit, export, own.
    const TABLE: &[(Role, [bool; 6])] = &[
        (Role::Viewer, [true, false, false, false, false, false]),
        (Role::Operator, [true, true, true, false, false, false]),
        (Role::Auditor, [true, true, false, true, true, false]),
        (Role::Owner, [true, true, true, true, true, true]),
    ];

    #[test]
    fn each_role_may_do_what_its_row_says() {
        assert_eq!(TABLE.len(), Role::ALL.len());
        for (role, row) in TABLE {
            let may: Vec<bool> = Act::ALL.iter().map(|act| role.may(*act)).collect();
            assert_eq!(may, row, "{role}");
        }
    }

    #[test]
    fn a_scope_has_only_the_clinics_it_names() {
        let [one, other] = [1, 2].map(|n| ClinicId(uuid::Uuid::from_u128(n)));
        assert!(Clinics::All.include(one));
        let some = Clinics::Some([one].into());
        assert!(some.include(one) && !some.include(other));
    }

    #[test]
    fn a_reason_names_nobody() {
        assert_eq!(Because::parse(" no "), Err(BecauseError::Short));
        assert_eq!(Because::parse(&"x".repeat(501)), Err(BecauseError::Long));
        for text in ["asked by ann@post.test", "called from +44 20 7946 0958", "on 020-79460958"] {
            assert_eq!(Because::parse(text), Err(BecauseError::Personal), "{text}");
        }
        for text in ["asked in person on 2026-11-22", "ticket 4711, see 12 of 300 patients"] {
            assert_eq!(Because::parse(text).unwrap().text(), text);
        }
    }
}
