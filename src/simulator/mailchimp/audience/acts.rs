//! What contacts do themselves: confirm, opt out, bounce, complain, move, sign up.

use serde_json::{Map, Value};

use super::Audience;
use super::email;
use super::entry::{Entry, Writer};
use super::member::{Member, Party, Slot, Status};
use super::refusal::Refusal;
use crate::simulator::mailchimp::hooks::{Change, Reason};

impl Audience {
    /// A pending contact follows the link in the confirmation mail.
    pub fn confirm(&mut self, slot: Slot, writer: &Writer) -> Result<(), Refusal> {
        self.by_contact(slot, writer, |member| {
            if member.status != Status::Pending {
                return;
            }
            member.enter(Status::Subscribed, Party::Contact, writer.now);
            member.timestamp_opt = writer.now;
            member.detail.ip_opt = writer.ip;
        })
    }

    /// A contact follows the unsubscribe link, or presses "spam" with [`Reason::Abuse`].
    pub fn opt_out(
        &mut self,
        slot: Slot,
        reason: Reason,
        campaign: Option<String>,
        writer: &Writer,
    ) -> Result<(), Refusal> {
        let before = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        let mut after = before.clone();
        after.enter(Status::Unsubscribed, Party::Contact, writer.now);
        after.detail.unsubscribe_reason = reason.words().into();
        after.last_changed = writer.now;
        self.roster.replace(slot, after.clone());
        if before.status != Status::Unsubscribed {
            let change = Change::Unsubscribe { deleted: false, reason, campaign };
            self.tell(slot, &after, &change, writer);
        }
        Ok(())
    }

    /// A mail server refuses the address for good.
    pub fn bounce(
        &mut self,
        slot: Slot,
        reason: Reason,
        campaign: Option<String>,
        writer: &Writer,
    ) -> Result<(), Refusal> {
        let mut member = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        member.enter(Status::Cleaned, Party::Bounce, writer.now);
        member.last_changed = writer.now;
        self.roster.replace(slot, member.clone());
        self.tell(slot, &member, &Change::Cleaned { reason, campaign }, writer);
        Ok(())
    }

    /// A contact moves to another address on the profile page.
    pub fn change_address(&mut self, slot: Slot, to: &str, writer: &Writer) -> Result<(), Refusal> {
        if self.roster.by_email(to).is_some_and(|other| other != slot) {
            return Err(Refusal::MemberExists(to.to_owned()));
        }
        self.by_contact(slot, writer, |member| {
            member.detail.email = to.into();
            member.detail.legacy_id = false;
        })
    }

    /// A contact changes its profile.
    pub fn edit_profile(
        &mut self,
        slot: Slot,
        merges: &Map<String, Value>,
        writer: &Writer,
    ) -> Result<(), Refusal> {
        let entry = Entry { merges: Some(merges.clone()), ..Entry::default() };
        self.update(slot, &entry, writer)
    }

    /// A contact fills in a form Mailchimp hosts: the only way back for the forgotten.
    pub fn sign_up(
        &mut self,
        address: &str,
        merges: &Map<String, Value>,
        writer: &Writer,
    ) -> Result<Slot, Refusal> {
        email::check(address)?;
        let status = if self.double_optin { Status::Pending } else { Status::Subscribed };
        let known = self.roster.by_email(address);
        let before = known.and_then(|slot| self.roster.get(slot)).cloned();
        if let (Some(slot), Some(Status::Subscribed)) = (known, before.as_ref().map(|m| m.status)) {
            self.edit_profile(slot, merges, writer)?;
            return Ok(slot);
        }
        let mut member = before
            .clone()
            .unwrap_or_else(|| Member::new(address, Status::Transactional, writer.source));
        let entry = Entry { merges: Some(merges.clone()), ..Entry::default() };
        self.fill(&mut member, &entry, writer)?;
        member.detail.source = writer.source;
        member.detail.ip_signup = writer.ip;
        member.timestamp_signup = writer.now;
        if status == Status::Subscribed {
            member.timestamp_opt = writer.now;
            member.detail.ip_opt = writer.ip;
        }
        self.forgotten.remove(&email::hash(address));
        let before =
            before.unwrap_or_else(|| Member::new(address, Status::Transactional, writer.source));
        let slot = known.unwrap_or_else(|| self.roster.insert(before.clone()));
        member.enter(status, Party::Contact, writer.now);
        if before.status == Status::Pending && status == Status::Pending {
            self.send_confirmation(slot, &member, writer);
        }
        self.commit(slot, &before, member, writer);
        Ok(slot)
    }

    fn by_contact(
        &mut self,
        slot: Slot,
        writer: &Writer,
        act: impl FnOnce(&mut Member),
    ) -> Result<(), Refusal> {
        let before = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        let mut after = before.clone();
        act(&mut after);
        self.commit(slot, &before, after, writer);
        Ok(())
    }
}
