//! Looking on: members, mails.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::ControlError;
use crate::simulator::mailchimp::api::fields::Selection;
use crate::simulator::mailchimp::api::members::view::MemberView;
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::member::{Member, Party, Slot, Status};
use crate::simulator::mailchimp::audience::roster::Roster;
use crate::simulator::mailchimp::{Mail, Simulator};

/// A member, as somebody sees who may look behind the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberState {
    /// The address as stored.
    pub email: String,
    /// The `id`.
    pub id: String,
    /// The id that survives changes of address.
    pub contact_id: String,
    /// The state.
    pub status: Status,
    /// Who ended the subscription; the API never tells.
    pub opted_out_by: Option<Party>,
    /// How it came in.
    pub source: &'static str,
    /// The last change.
    pub last_changed: String,
    /// Tag names.
    pub tags: Vec<String>,
}

impl MemberState {
    fn of(audience: &Audience, slot: Slot, member: &Member) -> Self {
        let tags = member.detail.tags.iter().map(|(id, _)| audience.tag_name(*id).to_owned());
        Self {
            email: member.detail.email.to_string(),
            id: hex::encode(Roster::id(member)),
            contact_id: hex::encode(audience.roster.contact_id(slot)),
            status: member.status,
            opted_out_by: member.detail.opted_out,
            source: member.detail.source.name(),
            last_changed: member.last_changed.text(),
            tags: tags.collect(),
        }
    }
}

impl Simulator {
    /// Looks a member up by address.
    #[must_use]
    pub fn member(&self, list_id: &str, email: &str) -> Option<MemberState> {
        self.with(|world| {
            let audience = world.audience_mut(list_id)?;
            let slot = audience.roster.by_email(email)?;
            Some(MemberState::of(audience, slot, audience.roster.get(slot)?))
        })
    }

    /// Shows a member exactly as the API would.
    #[must_use]
    pub fn member_json(&self, list_id: &str, email: &str) -> Option<Value> {
        self.with(|world| {
            let audience = world.audience_mut(list_id)?;
            let slot = audience.roster.by_email(email)?;
            serde_json::to_value(MemberView::new(audience, slot, &Selection::All)?).ok()
        })
    }

    /// Lists all members, the archived too, in the order of entry.
    pub fn dump(&self, list_id: &str) -> Result<Vec<MemberState>, ControlError> {
        self.with(|world| {
            let audience = world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?;
            Ok(audience.roster.iter().map(|(slot, m)| MemberState::of(audience, slot, m)).collect())
        })
    }

    /// Counts the members of each status.
    pub fn statuses(&self, list_id: &str) -> Result<BTreeMap<Status, usize>, ControlError> {
        self.with(|world| {
            let audience = world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?;
            Ok(audience.counts().into_iter().collect())
        })
    }

    /// Tells whether an address was deleted permanently.
    #[must_use]
    pub fn is_forgotten(&self, list_id: &str, email: &str) -> bool {
        let hash = crate::simulator::mailchimp::audience::email::hash(email);
        self.with(|world| world.audience_mut(list_id).is_some_and(|a| a.forgotten.contains(&hash)))
    }

    /// Lists the confirmation mails sent so far.
    #[must_use]
    pub fn outbox(&self) -> Vec<Mail> {
        self.with(|world| world.audiences_mut().flat_map(|a| a.mails.clone()).collect())
    }
}
