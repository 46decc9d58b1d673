//! An audience: members, their rules, and what leaves it as mails and webhooks.
//!
//! Nothing here knows HTTP; `api` translates.

pub mod acts;
pub mod email;
pub mod entry;
pub mod member;
pub mod merge;
pub mod refusal;
pub mod roster;
pub mod writes;

use std::collections::HashSet;

use serde_json::Value;

use self::email::Hash;
use self::member::{Member, Slot, Stamp, Status};
use self::merge::MergeField;
use self::roster::Roster;
use super::hooks::Hooks;

/// How long Mailchimp waits for a confirmation before it drops a pending member.
const PENDING_DAYS: u32 = 60;

/// How long the numbers of an audience may lag behind.
const STATS_AGE: u32 = 300;

/// The texts of the marketing permissions of an audience that asks for them.
pub const PERMISSIONS: [&str; 3] = ["Email", "Direct Mail", "Customized Online Advertising"];

/// An audience, which the API calls a list.
#[derive(Debug)]
pub struct Audience {
    /// Ten hex digits.
    pub id: String,
    /// The number the web app uses.
    pub web_id: u32,
    /// The name staff gave it.
    pub name: String,
    /// When it was made.
    pub date_created: Stamp,
    /// Hosted forms send a confirmation mail; the API does not care.
    pub double_optin: bool,
    /// Members carry marketing permissions.
    pub marketing_permissions: bool,
    /// The settings that only come back as they were sent.
    pub settings: Value,
    /// The definitions of the merge fields.
    pub merge_fields: Vec<MergeField>,
    /// Tag names; the id of a tag is its place plus [`Audience::FIRST_TAG`].
    pub tags: Vec<String>,
    /// The members.
    pub roster: Roster,
    /// Keys of contacts that were deleted permanently.
    pub forgotten: HashSet<Hash>,
    /// Keys of addresses that joined too many audiences of late.
    pub overexposed: HashSet<Hash>,
    /// Webhooks and what they are to deliver.
    pub hooks: Hooks,
    /// Confirmation mails sent since the last look.
    pub mails: Vec<Mail>,
    /// The numbers as last computed.
    pub stats: Stats,
    salt: u64,
}

/// A confirmation mail that Mailchimp sent to a contact.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mail {
    /// The address it went to.
    pub email: String,
    /// The audience it asks about.
    pub list_id: String,
    /// The secret in its link.
    pub token: String,
    /// When, as Mailchimp writes instants.
    pub sent_at: String,
    /// The path of its link: a GET confirms.
    pub link: String,
}

/// The numbers of an audience.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// When they were computed.
    pub at: Stamp,
    /// Subscribed members.
    pub subscribed: usize,
    /// Unsubscribed members.
    pub unsubscribed: usize,
    /// Cleaned members.
    pub cleaned: usize,
    /// Everyone, the archived too.
    pub total: usize,
}

impl Audience {
    /// The id of the first tag.
    pub const FIRST_TAG: u32 = 10_001;

    /// Makes an empty audience; all its ids follow from `seed`.
    #[must_use]
    pub fn new(name: &str, seed: u64, now: Stamp) -> Self {
        let mut seal = [0_u8; 12];
        seal.copy_from_slice(&email::hash(&format!("contact-{seed}"))[..12]);
        Self {
            id: hex::encode(&email::hash(&format!("list-{seed}"))[..5]),
            web_id: 100_000 + u32::try_from(seed % 800_000).unwrap_or_default(),
            name: name.to_owned(),
            date_created: now,
            double_optin: false,
            marketing_permissions: false,
            settings: Value::Null,
            merge_fields: vec![
                MergeField::new(1, "FNAME", "First Name", "text"),
                MergeField::new(2, "LNAME", "Last Name", "text"),
                MergeField::new(3, "ADDRESS", "Address", "address"),
                MergeField::new(4, "PHONE", "Phone Number", "phone"),
                MergeField::new(5, "BIRTHDAY", "Birthday", "birthday"),
            ],
            tags: Vec::new(),
            roster: Roster::new(seal),
            forgotten: HashSet::new(),
            overexposed: HashSet::new(),
            hooks: Hooks::new(seed),
            mails: Vec::new(),
            stats: Stats::default(),
            salt: seed,
        }
    }

    /// Returns the ten digits that name an address in webhooks and search.
    #[must_use]
    pub fn unique_email_id(&self, address: &str) -> String {
        let text = format!("{}-{}", self.salt, address.to_lowercase());
        hex::encode(&email::hash(&text)[..5])
    }

    /// Returns the number the web app uses for a member.
    #[must_use]
    pub fn member_web_id(&self, slot: Slot) -> u64 {
        u64::from(self.web_id) * 1_000 + u64::from(slot)
    }

    /// Returns the ids of the marketing permissions.
    #[must_use]
    pub fn permission_ids(&self) -> [String; 3] {
        [0, 1, 2].map(|n| hex::encode(&email::hash(&format!("permission-{}-{n}", self.salt))[..5]))
    }

    /// Returns the id of a tag, making the tag if it is new.
    pub fn tag_id(&mut self, name: &str) -> u32 {
        let place = self.tags.iter().position(|tag| tag.eq_ignore_ascii_case(name));
        let place = place.unwrap_or_else(|| {
            self.tags.push(name.to_owned());
            self.tags.len() - 1
        });
        Self::FIRST_TAG + u32::try_from(place).unwrap_or_default()
    }

    /// Returns the name of a tag.
    #[must_use]
    pub fn tag_name(&self, id: u32) -> &str {
        self.tags.get((id - Self::FIRST_TAG) as usize).map_or("", String::as_str)
    }

    /// Finds a member as a path names it: by id, contact id or address.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Slot> {
        match email::parse_hash(&name.to_lowercase()) {
            Some(id) => self.roster.by_id(&id).or_else(|| self.roster.by_contact_id(&id)),
            None => self.roster.by_email(name).filter(|slot| {
                self.roster.get(*slot).is_some_and(|member| !member.detail.legacy_id)
            }),
        }
    }

    /// Drops pending members that never confirmed, and puts back those who had opted out before.
    pub fn expire_pending(&mut self, now: Stamp) {
        let limit = Stamp(now.0.saturating_sub(PENDING_DAYS * 86_400));
        let overdue = |member: &Member| {
            member.status == Status::Pending && member.detail.pending_since <= limit
        };
        let slots: Vec<Slot> =
            self.roster.iter().filter(|(_, m)| overdue(m)).map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(mut member) = self.roster.remove(slot)
                && member.detail.opted_out.is_some()
            {
                member.status = Status::Unsubscribed;
                self.roster.replace(slot, member);
            }
        }
    }

    /// Counts the members of each status, in the order of [`Status::ALL`].
    #[must_use]
    pub fn counts(&self) -> [(Status, usize); 6] {
        let mut counts = Status::ALL.map(|status| (status, 0));
        for (_, member) in self.roster.iter() {
            counts[member.status as usize].1 += 1;
        }
        counts
    }

    /// Returns the numbers the API shows: computed anew only when five minutes old.
    pub fn shown_stats(&mut self, now: Stamp, lagging: bool) -> Stats {
        let stale = !self.stats.at.is_set() || now.0.saturating_sub(self.stats.at.0) >= STATS_AGE;
        if stale || !lagging {
            let counts = self.counts().map(|(_, count)| count);
            self.stats = Stats {
                at: now,
                subscribed: counts[Status::Subscribed as usize],
                unsubscribed: counts[Status::Unsubscribed as usize],
                cleaned: counts[Status::Cleaned as usize],
                total: counts.iter().sum(),
            };
        }
        self.stats
    }
}
