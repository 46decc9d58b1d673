//! What a clinic decided about one list.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::text::words;
use super::{Channel, Personal};
use crate::domain::PatientRecord;

/// What a clinic decided about one list; every field has its key in `clinics/*.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The channel the list is on.
    pub channel: Channel,
    /// What the list is for; a grant limited to another purpose is none for it.
    pub purpose: Option<String>,
    /// Which patients it is for.
    pub selector: Selector,
    /// Whether a contact enters only by its own confirmation (L10).
    pub double_opt_in: bool,
    /// How a soft opt-in enters (L5).
    pub soft_opt_in: SoftOptInEntry,
    /// The age of consent in years (L6).
    pub age_of_consent: u8,
    /// What becomes of members whom the clinic never knew (L22).
    pub unknown: UnknownMembers,
    /// What becomes of subscribed members without proof (L21).
    pub unproven: UnprovenMembers,
    /// How a dropped contact leaves (L14).
    pub on_drop: LeaveBy,
    /// How a returning patient comes back (L13).
    pub on_return: ReturnBy,
    /// What becomes of a dropped member that cannot be archived (L14).
    pub cleaned: CleanedMembers,
    /// Whose fields a shared address carries (L7).
    pub shared_fields: SharedFields,
    /// Members who opted in before this day count as proven (L21).
    pub grandfather_before: Option<NaiveDate>,
    /// How long an invitation stays open (L12).
    pub invitation_expires: TimeDelta,
    /// How we ask for confirmations ourselves; none where the provider asks.
    pub asking: Option<Asking>,
    /// How long an address changed at the provider waits for the clinic (L19).
    pub unadopted_after: TimeDelta,
    /// Which fields leave, and from where in the record (L25).
    pub fields: Vec<FieldMapping>,
    /// Which tags leave: the record's tag -> the list's tag (L25).
    pub tags: BTreeMap<String, String>,
    /// When a run stops for an admin (L23).
    pub brake: Brake,
    /// How old a snapshot may be for a count to be known (L26).
    pub freshness: TimeDelta,
    /// Whether the list is being ended: everybody known leaves (L20).
    pub retiring: bool,
}

/// How a list asks for a confirmation by a text message of ours (L10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The message, which names the clinic, YES and STOP.
    pub text: String,
    /// The hours of the day in which it may be sent.
    pub hours: Hours,
}

/// Hours of the day in a time zone: from the first, until just before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// When they begin.
    pub from: NaiveTime,
    /// When they end, on the same day.
    pub until: NaiveTime,
    /// Where.
    pub zone: Tz,
}

impl Hours {
    /// Returns when the hours begin next; none while they last.
    ///
    /// ```
    /// use listwarden::domain::policy::Hours;
    /// let hours = Hours {
    ///     from: "09:00".parse()?, until: "20:00".parse()?, zone: chrono_tz::Europe::London,
    /// };
    /// assert_eq!(hours.next("2026-07-01T18:59:00Z".parse()?), None, "19:59 in London");
    /// assert_eq!(hours.next("2026-07-01T19:00:00Z".parse()?), Some("2026-07-02T08:00:00Z".parse()?));
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let here = now.with_timezone(&self.zone);
        if (self.from..self.until).contains(&here.time()) {
            return None;
        }
        let today = here.date_naive();
        let day = if here.time() < self.from { Some(today) } else { today.succ_opt() };
        let begins =
            day.and_then(|day| self.zone.from_local_datetime(&day.and_time(self.from)).earliest());
        // Hours that begin while the clocks go forward begin an hour later.
        Some(begins.map_or(now + TimeDelta::hours(1), |begins| begins.to_utc()))
    }
}

words! {
    /// How far an opt-out by text reaches: STOP ends texts from every sender either way.
    OptOutScope {
        /// The channel it came on.
        Channel = "channel",
        /// Every channel.
        All = "all",
    }
}

words! {
    /// How a soft opt-in enters a list (L5).
    SoftOptInEntry {
        /// Not at all.
        Refuse = "refuse",
        /// By an invitation.
        Pending = "pending",
        /// Subscribed at once.
        Direct = "direct",
    }
}

words! {
    /// What becomes of members whom the clinic never knew (L22).
    UnknownMembers {
        /// They stay, and are counted.
        Keep = "keep",
        /// They stay, and are counted and reported.
        Report = "report",
        /// They are archived.
        Archive = "archive",
    }
}

words! {
    /// What becomes of subscribed members without proof (L21).
    UnprovenMembers {
        /// They stay as they are, and are counted.
        Hold = "hold",
        /// They are archived, and invited to confirm.
        ArchiveAndInvite = "archive_and_invite",
    }
}

words! {
    /// How a dropped contact leaves (L14).
    LeaveBy {
        /// Archived: not mailed, still held.
        Archive = "archive",
        /// Unsubscribed: stays readable at the provider.
        Unsubscribe = "unsubscribe",
        /// Erased for good.
        Erase = "erase",
    }
}

words! {
    /// How a returning patient comes back (L13).
    ReturnBy {
        /// By a new invitation.
        Invite = "invite",
        /// Subscribed again at once, where grant and proof are intact.
        Restore = "restore",
    }
}

words! {
    /// What becomes of a dropped member that cannot be archived (L14).
    CleanedMembers {
        /// It is erased for good.
        Erase = "erase",
        /// It stays, and is reported as *cannot leave*.
        Report = "report",
    }
}

words! {
    /// Whose fields an address shared by several patients carries (L7).
    SharedFields {
        /// Nobody's.
        None = "none",
        /// Those of the wanted holder with the oldest grant.
        OldestGrant = "oldest_grant",
    }
}

words! {
    /// A part of the patient's record that may leave (L25): never anything clinical.
    PatientField {
        /// The given name.
        GivenName = "given_name",
        /// The family name.
        FamilyName = "family_name",
    }
}

impl PatientField {
    /// Returns the field's text in `record`.
    #[must_use]
    pub fn of(self, record: &PatientRecord) -> Personal {
        match self {
            Self::GivenName => record.given_name.clone(),
            Self::FamilyName => record.family_name.clone(),
        }
    }
}

/// One merge field and where its text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldMapping {
    /// The provider's name for the field, such as `FNAME`.
    pub field: String,
    /// Where its text comes from.
    pub from: PatientField,
}

/// Which patients a list is for, by their tags. Without tags: all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    /// At least one of these, where any are given.
    pub any: BTreeSet<String>,
    /// All of these.
    pub all: BTreeSet<String>,
    /// None of these.
    pub none: BTreeSet<String>,
}

impl Selector {
    /// Tells whether a patient with `tags` is one the list is for.
    #[must_use]
    pub fn matches(&self, tags: &BTreeSet<String>) -> bool {
        (self.any.is_empty() || !self.any.is_disjoint(tags))
            && self.all.is_subset(tags)
            && self.none.is_disjoint(tags)
    }
}

/// When a run stops for an admin (L23), over a rolling 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    /// Share of the list that may be removed, in percent.
    pub percent: u32,
    /// Removals that are always allowed.
    pub at_least: u32,
    /// Removals that are never exceeded, however long the list.
    pub at_most: u32,
    /// Invitations that are allowed.
    pub invitations: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self { percent: 10, at_least: 5, at_most: 500, invitations: 500 }
    }
}

impl Brake {
    /// Returns how many of `total` may be removed within 24 hours.
    #[must_use]
    pub fn removals(&self, total: u64) -> u64 {
        (total * u64::from(self.percent) / 100)
            .clamp(u64::from(self.at_least), u64::from(self.at_most.max(self.at_least)))
    }
}
