//! Filling an audience fast, past all rules.

use serde_json::Value;

use super::Simulator;
use super::audience::Audience;
use super::audience::member::{Member, Party, Source, Stamp, Status};
use super::control::ControlError;
use chrono::{DateTime, Utc};

/// A member to start with.
#[derive(Debug, Clone)]
pub struct SeedMember {
    /// The address.
    pub email: String,
    /// The state.
    pub status: Status,
    /// Who ended the subscription, if it ended.
    pub opted_out_by: Option<Party>,
    /// Merge fields by tag.
    pub merge_fields: Vec<(String, Value)>,
    /// Tag names.
    pub tags: Vec<String>,
    /// The opt-in; now, if left out.
    pub timestamp_opt: Option<DateTime<Utc>>,
    /// The last change; now, if left out.
    pub last_changed: Option<DateTime<Utc>>,
    /// How it came in.
    pub source: Source,
    /// Keyed by the address as typed, as very old audiences did.
    pub legacy_id: bool,
}

impl SeedMember {
    /// A member in some state; whoever is unsubscribed was so by its own hand.
    pub fn new(email: impl Into<String>, status: Status) -> Self {
        Self {
            email: email.into(),
            status,
            opted_out_by: match status {
                Status::Unsubscribed => Some(Party::Contact),
                Status::Cleaned => Some(Party::Bounce),
                _ => None,
            },
            merge_fields: Vec::new(),
            tags: Vec::new(),
            timestamp_opt: None,
            last_changed: None,
            source: Source::Import,
            legacy_id: false,
        }
    }

    /// A subscribed member.
    pub fn subscribed(email: impl Into<String>) -> Self {
        Self::new(email, Status::Subscribed)
    }
}

impl Simulator {
    /// Puts a member into an audience, past all rules and webhooks.
    pub fn seed_member(&self, list_id: &str, member: SeedMember) -> Result<(), ControlError> {
        self.seed_members(list_id, [member])
    }

    /// Puts many members into an audience, past all rules and webhooks.
    pub fn seed_members(
        &self,
        list_id: &str,
        members: impl IntoIterator<Item = SeedMember>,
    ) -> Result<(), ControlError> {
        self.with(|world| {
            let now = world.second();
            let audience = world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?;
            let members = members.into_iter();
            audience.roster.reserve(members.size_hint().0);
            for member in members {
                audience.seed(&member, now);
            }
            Ok(())
        })
    }
}

impl Audience {
    fn seed(&mut self, seed: &SeedMember, now: Stamp) {
        let mut member = Member::new(&seed.email, seed.status, seed.source);
        member.timestamp_opt = seed.timestamp_opt.map_or(now, Stamp::of);
        member.last_changed = seed.last_changed.map_or(now, Stamp::of);
        member.detail.legacy_id = seed.legacy_id;
        member.detail.opted_out = seed.opted_out_by;
        match seed.status {
            Status::Unsubscribed => member.detail.unsubscribed_at = member.last_changed,
            Status::Pending => member.detail.pending_since = member.last_changed,
            _ => {}
        }
        for (tag, value) in &seed.merge_fields {
            let field = self.merge_fields.iter().find(|field| field.tag == *tag);
            if let Some((id, Ok(value))) = field.map(|f| (f.merge_id, f.read(value, true))) {
                member.set_merge(id, value);
            }
        }
        for tag in &seed.tags {
            let id = self.tag_id(tag);
            member.detail.tags.push((id, now));
        }
        match self.roster.by_email(&seed.email) {
            Some(slot) => self.roster.replace(slot, member),
            None => drop(self.roster.insert(member)),
        }
    }
}
