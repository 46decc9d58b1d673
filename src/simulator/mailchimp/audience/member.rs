//! One member, kept small: an audience may hold a million of them.

use std::net::IpAddr;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::merge::MergeValue;

/// A member's place in its audience; never reused.
pub type Slot = u32;

/// Whole seconds since 1970, as coarse as Mailchimp's timestamps; zero means "never".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u32);

impl Stamp {
    /// Never; Mailchimp writes it as an empty text.
    pub const NEVER: Self = Self(0);

    /// Cuts an instant to its whole second.
    #[must_use]
    pub fn of(instant: DateTime<Utc>) -> Self {
        Self(u32::try_from(instant.timestamp().max(0)).unwrap_or(u32::MAX))
    }

    /// Tells whether this is a real instant.
    #[must_use]
    pub fn is_set(self) -> bool {
        self != Self::NEVER
    }

    /// Writes `2026-01-31T09:30:00+00:00`, or nothing for never.
    #[must_use]
    pub fn text(self) -> String {
        self.written(b'T', b"+00:00")
    }

    /// Writes the instant in a webhook's format, without a zone.
    #[must_use]
    pub fn fired_at(self) -> String {
        self.written(b' ', b"")
    }

    /// Digit by digit: a page of a thousand members has thousands of these.
    fn written(self, between: u8, zone: &[u8]) -> String {
        let instant = DateTime::<Utc>::from_timestamp(i64::from(self.0), 0);
        let Some(at) = instant.filter(|_| self.is_set()) else { return String::new() };
        let mut text = Vec::with_capacity(25);
        let year = at.year().unsigned_abs();
        text.extend(digits(year / 100));
        for (number, after) in [
            (year % 100, b'-'),
            (at.month(), b'-'),
            (at.day(), between),
            (at.hour(), b':'),
            (at.minute(), b':'),
        ] {
            text.extend(digits(number));
            text.push(after);
        }
        text.extend(digits(at.second()));
        text.extend(zone);
        String::from_utf8(text).unwrap_or_default()
    }
}

/// The last two digits of a number.
fn digits(number: u32) -> [u8; 2] {
    let digit = |n: u32| b'0' + u8::try_from(n % 10).unwrap_or_default();
    [digit(number / 10), digit(number)]
}

/// What Mailchimp calls the state of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Receives campaigns.
    Subscribed,
    /// Opted out, or was opted out.
    Unsubscribed,
    /// Bounced.
    Cleaned,
    /// Was sent a confirmation mail and has not answered.
    Pending,
    /// Known, never asked for campaigns.
    Transactional,
    /// Put away; read-only through the API.
    Archived,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Subscribed,
        Self::Unsubscribed,
        Self::Cleaned,
        Self::Pending,
        Self::Transactional,
        Self::Archived,
    ];

    /// Returns Mailchimp's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Cleaned => "cleaned",
            Self::Pending => "pending",
            Self::Transactional => "transactional",
            Self::Archived => "archived",
        }
    }

    /// Reads Mailchimp's word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Who did something: the `sources` of a webhook, and what a later subscription depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The contact, by a link, a form or a complaint.
    Contact,
    /// Staff in the web app.
    Admin,
    /// A caller of the API.
    Api,
    /// A mail server that refused the address for good.
    Bounce,
}

impl Party {
    /// Tells whether only the contact can undo what this party did.
    #[must_use]
    pub const fn binds(self) -> bool {
        matches!(self, Self::Contact | Self::Bounce)
    }
}

/// How a member came into the audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Through the API.
    Api,
    /// Through a form that Mailchimp hosts.
    HostedForm,
    /// In a file that staff imported.
    Import,
    /// By hand, in the web app.
    AdminAdd,
}

impl Source {
    /// Returns Mailchimp's words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "API - Generic",
            Self::HostedForm => "Hosted Signup Form",
            Self::Import => "Import",
            Self::AdminAdd => "Admin Add",
        }
    }
}

/// One member. What listings filter and sort by lies here; the rest is boxed.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The state.
    pub status: Status,
    /// The last real change.
    pub last_changed: Stamp,
    /// The opt-in.
    pub timestamp_opt: Stamp,
    /// The sign-up on a form.
    pub timestamp_signup: Stamp,
    /// Everything else.
    pub detail: Box<Detail>,
}

/// The part of a member that listings need only to show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    /// The address as it was sent; compared in lower case.
    pub email: Box<str>,
    /// Keyed by the address as typed, as very old audiences did.
    pub legacy_id: bool,
    /// Who ended the subscription, kept through archive and pending.
    pub opted_out: Option<Party>,
    /// Why, in the contact's words.
    pub unsubscribe_reason: Box<str>,
    /// When.
    pub unsubscribed_at: Stamp,
    /// When the confirmation mail was sent.
    pub pending_since: Stamp,
    /// Wants HTML mail.
    pub html: bool,
    /// Marked as important by staff.
    pub vip: bool,
    /// The language code, if known.
    pub language: Box<str>,
    /// Merge field values by merge id, in ascending order.
    pub merges: Vec<(u16, MergeValue)>,
    /// Tags by id, with the instant each was given.
    pub tags: Vec<(u32, Stamp)>,
    /// One bit a marketing permission.
    pub permissions: u8,
    /// Where the sign-up came from.
    pub ip_signup: Option<IpAddr>,
    /// Where the opt-in came from.
    pub ip_opt: Option<IpAddr>,
    /// How the member came in.
    pub source: Source,
}

impl Member {
    /// Starts a member that has an address and nothing else.
    #[must_use]
    pub fn new(email: &str, status: Status, source: Source) -> Self {
        Self {
            status,
            last_changed: Stamp::NEVER,
            timestamp_opt: Stamp::NEVER,
            timestamp_signup: Stamp::NEVER,
            detail: Box::new(Detail {
                email: email.into(),
                legacy_id: false,
                opted_out: None,
                unsubscribe_reason: "".into(),
                unsubscribed_at: Stamp::NEVER,
                pending_since: Stamp::NEVER,
                html: true,
                vip: false,
                language: "".into(),
                merges: Vec::new(),
                tags: Vec::new(),
                permissions: 0,
                ip_signup: None,
                ip_opt: None,
                source,
            }),
        }
    }

    /// Takes a new status and records who ended the subscription, if this ends it.
    pub fn enter(&mut self, status: Status, by: Party, now: Stamp) {
        let detail = &mut self.detail;
        match status {
            Status::Subscribed => {
                detail.opted_out = None;
                detail.unsubscribe_reason = "".into();
                detail.unsubscribed_at = Stamp::NEVER;
            }
            Status::Unsubscribed if self.status != status || by == Party::Contact => {
                let bound = detail.opted_out.filter(|party| party.binds());
                detail.opted_out = Some(bound.unwrap_or(by));
                detail.unsubscribed_at = now;
            }
            Status::Cleaned => detail.opted_out = Some(Party::Bounce),
            Status::Pending if self.status != status => detail.pending_since = now,
            _ => {}
        }
        self.status = status;
    }

    /// Tells whether only the contact can subscribe this member again.
    #[must_use]
    pub fn in_compliance_state(&self) -> bool {
        self.detail.opted_out.is_some_and(Party::binds)
    }
}
