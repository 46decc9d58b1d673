//! Why: every decision carries one of these, and each prints as one sentence with its law.

use std::fmt;

use super::OptOutKind;
use super::text::words;

/// A line of the law (`docs/law.md`), L1 to L30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Law(pub u8);

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.0)
    }
}

words! {
    /// Why somebody is wanted, barred or dropped, and why an operation is planned or withheld.
    Reason {
        /// Wanted.
        Wanted = "wanted",
        /// Dropped: archived by the clinic.
        PatientArchived = "patient_archived",
        /// Dropped: merged into another record.
        PatientMerged = "patient_merged",
        /// Dropped: died.
        PatientDeceased = "patient_deceased",
        /// Dropped: deleted by the clinic.
        PatientDeleted = "patient_deleted",
        /// Dropped: gone from the source.
        PatientVanished = "patient_vanished",
        /// Dropped: nobody holds the address any more.
        AddressGone = "address_gone",
        /// Barred: processing restricted.
        Restricted = "restricted",
        /// Barred: under the age of consent.
        UnderAge = "under_age",
        /// Barred: the only grant was given under age.
        GrantUnderAge = "grant_under_age",
        /// Barred: no basis on record.
        NoBasis = "no_basis",
        /// Barred: the basis is for another purpose.
        OtherPurpose = "other_purpose",
        /// Barred: the patient prefers not to be written to for this purpose.
        PurposeRefused = "purpose_refused",
        /// Barred: the list takes no soft opt-in.
        SoftOptInRefused = "soft_opt_in_refused",
        /// Barred: privacy policy rejected.
        PolicyRejected = "policy_rejected",
        /// Barred: the list's selector does not match.
        NotSelected = "not_selected",
        /// Barred: consent withdrawn.
        Withdrawn = "withdrawn",
        /// Barred: the clinic's record says no, and the ledger line still waits for the brake.
        WithdrawnInRecord = "withdrawn_in_record",
        /// Barred: objected to direct marketing.
        Objected = "objected",
        /// Barred: reported spam.
        Complained = "complained",
        /// Barred: erased.
        Erased = "erased",
        /// Barred: undeliverable.
        Bounced = "bounced",
        /// Barred: a bare flag set after an opt-out, for an admin to look at.
        FlagAfterOptOut = "flag_after_opt_out",
        /// Kept off: removed at the provider by somebody else.
        RemovedThere = "removed_there",
        /// Kept off: the one invitation of this grant was used.
        InvitationUsed = "invitation_used",
        /// Invitation not answered in time.
        InvitationLapsed = "invitation_lapsed",
        /// Invited and not yet confirmed.
        Invited = "invited",
        /// Invited by a text that counts for this list too, and not yet confirmed.
        AskedAlready = "asked_already",
        /// To be listed, and not on the list yet.
        NotListedYet = "not_listed_yet",
        /// No admin has approved the list's first plan.
        NotApproved = "not_approved",
        /// Confirmed the invitation.
        Confirmed = "confirmed",
        /// Became subscribed without us and without proof.
        TurnedSubscribed = "turned_subscribed",
        /// Subscribed without proof.
        Unproven = "unproven",
        /// Nobody the clinic ever knew.
        UnknownMember = "unknown_member",
        /// Unknown by name, and on the suppression list.
        UnknownSuppressed = "unknown_suppressed",
        /// Mapped fields or tags differ.
        FieldsDiffer = "fields_differ",
        /// Came back as an active patient with grant and proof intact.
        Returned = "returned",
        /// The provider erased the address for good and refuses it.
        ForgottenThere = "forgotten_there",
        /// Undeliverable at the provider, which cannot archive it.
        CannotLeave = "cannot_leave",
        /// The contact's address was changed at the provider.
        AddressChangedThere = "address_changed_there",
        /// The list is being ended.
        ListRetired = "list_retired",
        /// Kept: another list that shares the audience wants the contact.
        WantedByAnother = "wanted_by_another",
        /// A change was sent whose outcome is not known yet.
        InDoubt = "in_doubt",
        /// In step, nothing to do.
        InStep = "in_step",
    }
}

impl Reason {
    /// Tells whether it is the person's no, which ends a shared audience for all (L27).
    #[must_use]
    pub const fn is_opt_out(self) -> bool {
        matches!(
            self,
            Self::Withdrawn
                | Self::Objected
                | Self::Complained
                | Self::Erased
                | Self::UnknownSuppressed
        )
    }

    /// Returns why an opt-out bars.
    #[must_use]
    pub const fn opted_out(kind: OptOutKind) -> Self {
        match kind {
            OptOutKind::Withdrawn => Self::Withdrawn,
            OptOutKind::Erased => Self::Erased,
            OptOutKind::Complained => Self::Complained,
            OptOutKind::Objected => Self::Objected,
        }
    }

    /// Returns the line of the law it rests on.
    #[must_use]
    pub const fn law(self) -> Law {
        Law(match self {
            Self::Wanted
            | Self::Restricted
            | Self::UnderAge
            | Self::GrantUnderAge
            | Self::NoBasis
            | Self::OtherPurpose
            | Self::PurposeRefused
            | Self::PolicyRejected
            | Self::NotSelected => 6,
            Self::PatientArchived
            | Self::PatientMerged
            | Self::PatientDeceased
            | Self::PatientVanished
            | Self::AddressGone => 9,
            Self::PatientDeleted | Self::CannotLeave => 14,
            Self::SoftOptInRefused => 5,
            Self::Withdrawn => 7,
            Self::WithdrawnInRecord => 23,
            Self::Objected | Self::Complained | Self::Erased => 11,
            Self::Bounced => 8,
            Self::FlagAfterOptOut => 3,
            Self::RemovedThere => 16,
            Self::InvitationUsed => 3,
            Self::InvitationLapsed => 12,
            Self::Invited | Self::AskedAlready | Self::Confirmed | Self::NotListedYet => 10,
            Self::NotApproved => 20,
            Self::TurnedSubscribed => 18,
            Self::Unproven => 21,
            Self::UnknownMember => 22,
            Self::UnknownSuppressed => 15,
            Self::FieldsDiffer => 25,
            Self::Returned => 13,
            Self::ForgottenThere => 14,
            Self::AddressChangedThere => 19,
            Self::ListRetired => 20,
            Self::WantedByAnother => 27,
            Self::InDoubt => 17,
            Self::InStep => 24,
        })
    }

    /// Returns the reason as one plain sentence, without its law.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Wanted => "An active patient holds this address and has asked for this list.",
            Self::PatientArchived => "The clinic has archived the patient.",
            Self::PatientMerged => "The patient was merged into another record.",
            Self::PatientDeceased => "The patient has died.",
            Self::PatientDeleted => "The patient was deleted by the clinic, or erased on request.",
            Self::PatientVanished => {
                "The patient was missing from two complete sweeps of the clinic's records."
            }
            Self::AddressGone => "No patient holds this address any more.",
            Self::PurposeRefused => "The patient prefers not to be written to for this purpose.",
            Self::Restricted => "Processing of the patient's data is restricted.",
            Self::UnderAge => "The patient is under the age of consent.",
            Self::GrantUnderAge => "The only consent was given before the age of consent.",
            Self::NoBasis => "The patient never consented to marketing on this channel.",
            Self::OtherPurpose => "The patient consented to another purpose than this list's.",
            Self::SoftOptInRefused => {
                "The patient is only a soft opt-in, which this list does not accept or whose three facts are not on record."
            }
            Self::PolicyRejected => "The patient rejected the privacy policy.",
            Self::NotSelected => "The list's selector does not match the patient.",
            Self::Withdrawn => {
                "Consent was withdrawn for this address, and nothing newer gives it back."
            }
            Self::WithdrawnInRecord => {
                "The clinic's record now says no; the change is one of many and waits for an admin."
            }
            Self::Objected => {
                "The person objected to direct marketing; only evidence that an admin accepts lifts it."
            }
            Self::Complained => {
                "The person reported a message as spam; only evidence that an admin accepts lifts it."
            }
            Self::Erased => "The person was erased; only a newer explicit consent lifts it.",
            Self::Bounced => "The address is undeliverable.",
            Self::FlagAfterOptOut => {
                "The clinic's flag was set after an opt-out without evidence: an admin must look at it."
            }
            Self::RemovedThere => {
                "The contact was removed from this list at the provider and is not added again without a newer consent."
            }
            Self::InvitationUsed => {
                "The one invitation that this consent allows was sent and not confirmed."
            }
            Self::InvitationLapsed => "The invitation was not confirmed in time.",
            Self::Invited => "Invited; the confirmation is awaited.",
            Self::AskedAlready => {
                "The number was asked for another list of the clinic; the answer counts for this one too."
            }
            Self::NotListedYet => "The contact is to be listed, and is not on the list yet.",
            Self::NotApproved => "No admin has approved the first plan of this list.",
            Self::Confirmed => "The contact confirmed the invitation.",
            Self::TurnedSubscribed => {
                "The member became subscribed at the provider without us and without proof of consent."
            }
            Self::Unproven => "Subscribed, but nothing proves that this address asked for it.",
            Self::UnknownMember => "The clinic never knew this address.",
            Self::UnknownSuppressed => "This address is on the suppression list.",
            Self::FieldsDiffer => "The mapped fields or tags differ from the patient's record.",
            Self::Returned => "The patient is active again; consent and proof are intact.",
            Self::ForgottenThere => {
                "The provider erased this address for good: the person must sign up on the provider's own form."
            }
            Self::CannotLeave => {
                "The member stays readable at the provider, by this list's policy or because the provider cannot archive it."
            }
            Self::AddressChangedThere => {
                "The contact's address was changed at the provider; the clinic has not adopted it yet."
            }
            Self::WantedByAnother => {
                "Another list that shares this audience decides about the contact."
            }
            Self::ListRetired => "An admin is ending this list.",
            Self::InDoubt => {
                "A change was sent and its outcome is not known yet: the member is read again first."
            }
            Self::InStep => "Clinic and list agree.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l29_every_reason_is_one_sentence_with_its_law() {
        for reason in Reason::ALL {
            let sentence = reason.sentence();
            assert!(sentence.ends_with('.') && !sentence.contains(". "), "{reason}: {sentence}");
            assert!((1..=30).contains(&reason.law().0), "{reason}");
            assert_eq!(reason.word().parse::<Reason>().as_ref(), Ok(reason));
        }
    }
}
