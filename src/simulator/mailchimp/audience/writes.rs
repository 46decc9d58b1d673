//! Creating, changing, archiving and forgetting members, by the rules of the API.

use super::entry::{Entry, Writer};
use super::member::{Member, Party, Slot, Status};
use super::refusal::{FieldError, Refusal};
use super::{Audience, Mail, email};
use crate::simulator::mailchimp::hooks::{Change, Reason};

/// What became of an upsert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There is a new member.
    Created(Slot),
    /// A member was there.
    Updated(Slot),
}

impl Written {
    /// Returns the member's place.
    #[must_use]
    pub const fn slot(self) -> Slot {
        match self {
            Self::Created(slot) | Self::Updated(slot) => slot,
        }
    }
}

impl Audience {
    /// Adds a member, or brings back an archived one.
    pub fn create(&mut self, entry: &Entry, writer: &Writer) -> Result<Slot, Refusal> {
        let address = self.acceptable(entry.email.as_deref())?;
        match self.roster.by_email(&address).map(|slot| (slot, self.status(slot))) {
            Some((slot, Status::Archived)) => self.revive(slot, entry, writer),
            Some(_) => Err(Refusal::MemberExists(address)),
            None => self.add(&address, entry, writer),
        }
    }

    /// Updates the member a path named or, if it named none, adds one.
    pub fn upsert(
        &mut self,
        found: Option<Slot>,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Written, Refusal> {
        if let Some(slot) = found {
            return self.update(slot, entry, writer).map(|()| Written::Updated(slot));
        }
        let address = self.acceptable(entry.email.as_deref())?;
        if self.roster.by_email(&address).is_some() {
            return Err(Refusal::MemberExists(address));
        }
        self.add(&address, entry, writer).map(Written::Created)
    }

    /// Changes a member; a change that changes nothing leaves `last_changed` alone.
    pub fn update(&mut self, slot: Slot, entry: &Entry, writer: &Writer) -> Result<(), Refusal> {
        let before = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        let mut after = before.clone();
        if let Some(address) = &entry.email
            && address.to_lowercase() != before.detail.email.to_lowercase()
        {
            self.check_move(&before, address)?;
            after.detail.email = address.as_str().into();
            after.detail.legacy_id = false;
        }
        self.fill(&mut after, entry, writer)?;
        if entry.merges.is_some() {
            self.check_required(&after, writer)?;
        }
        if let Some(status) = entry.status {
            check_transition(&before, status, writer.party)?;
            after.enter(status, writer.party, writer.now);
        }
        self.commit(slot, &before, after, writer);
        Ok(())
    }

    /// Puts a member away; refuses whom Mailchimp refuses to put away.
    pub fn archive(&mut self, slot: Slot, writer: &Writer) -> Result<(), Refusal> {
        let before = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        let by_staff = writer.party == Party::Admin && before.status != Status::Archived;
        match before.status {
            Status::Subscribed | Status::Unsubscribed | Status::Transactional => {}
            _ if by_staff => {}
            _ => return Err(Refusal::CannotArchive),
        }
        let mut after = before.clone();
        after.enter(Status::Archived, writer.party, writer.now);
        self.commit(slot, &before, after, writer);
        Ok(())
    }

    /// Erases a member and bars its address for ever.
    pub fn delete_permanently(&mut self, slot: Slot, writer: &Writer) -> Result<(), Refusal> {
        let member = self.roster.remove(slot).ok_or(Refusal::NotFound)?;
        self.forgotten.insert(email::hash(&member.detail.email));
        if member.status != Status::Archived {
            let change =
                Change::Unsubscribe { deleted: true, reason: Reason::Manual, campaign: None };
            self.tell(slot, &member, &change, writer);
        }
        Ok(())
    }

    /// Gives and takes tags; allowed on everyone, the archived too.
    pub fn tag(
        &mut self,
        slot: Slot,
        changes: &[(String, bool)],
        writer: &Writer,
    ) -> Result<(), Refusal> {
        let before = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        let mut after = before.clone();
        for (name, active) in changes {
            let id = self.tag_id(name);
            let held = after.detail.tags.iter().position(|(tag, _)| *tag == id);
            match (held, active) {
                (None, true) => after.detail.tags.push((id, writer.now)),
                (Some(place), false) => drop(after.detail.tags.remove(place)),
                _ => {}
            }
        }
        if after != before {
            after.last_changed = writer.now;
            self.roster.replace(slot, after);
        }
        Ok(())
    }

    /// Replaces all tags of a member.
    pub fn sync_tags(
        &mut self,
        slot: Slot,
        names: &[String],
        writer: &Writer,
    ) -> Result<(), Refusal> {
        let member = self.roster.get(slot).ok_or(Refusal::NotFound)?;
        let held = member.detail.tags.iter().map(|(id, _)| self.tag_name(*id).to_owned());
        let mut changes: Vec<_> = held.map(|name| (name, false)).collect();
        changes.retain(|(name, _)| !names.iter().any(|kept| kept.eq_ignore_ascii_case(name)));
        changes.extend(names.iter().map(|name| (name.clone(), true)));
        self.tag(slot, &changes, writer)
    }

    /// Stores a changed member with everything that follows: stamp, mail, webhooks.
    pub(super) fn commit(
        &mut self,
        slot: Slot,
        before: &Member,
        mut after: Member,
        writer: &Writer,
    ) {
        if *before == after {
            return;
        }
        after.last_changed = writer.now;
        if after.status == Status::Pending && before.status != Status::Pending {
            self.send_confirmation(slot, &after, writer);
        }
        self.roster.replace(slot, after.clone());
        for change in Change::between(before, &after) {
            self.tell(slot, &after, &change, writer);
        }
    }

    /// Queues a change for the webhooks that asked for it.
    pub(super) fn tell(&mut self, slot: Slot, member: &Member, change: &Change, writer: &Writer) {
        if self.hooks.wants(change, writer.party) {
            let fields = self.form_fields(slot, member, change, writer.now);
            self.hooks.queue(change, writer.party, &fields, writer.now);
        }
    }

    fn status(&self, slot: Slot) -> Status {
        self.roster.get(slot).map_or(Status::Archived, |member| member.status)
    }

    fn acceptable(&self, address: Option<&str>) -> Result<String, Refusal> {
        let Some(address) = address else {
            let error = FieldError::new("email_address", "This value should not be blank.");
            return Err(Refusal::Schema(vec![error]));
        };
        email::check(address)?;
        if self.forgotten.contains(&email::hash(address)) {
            return Err(Refusal::Forgotten(address.to_owned()));
        }
        if self.overexposed.contains(&email::hash(address)) {
            return Err(Refusal::TooManySignups(address.to_owned()));
        }
        Ok(address.to_owned())
    }

    fn add(&mut self, address: &str, entry: &Entry, writer: &Writer) -> Result<Slot, Refusal> {
        let status = first_status(entry)?;
        let mut member = Member::new(address, status, writer.source);
        if status != Status::Pending {
            member.timestamp_opt = writer.now;
            member.detail.ip_opt = writer.ip;
        }
        self.fill(&mut member, entry, writer)?;
        self.check_required(&member, writer)?;
        member.status = Status::Transactional;
        member.enter(status, writer.party, writer.now);
        member.last_changed = writer.now;
        for tag in &entry.tags {
            let id = self.tag_id(tag);
            member.detail.tags.push((id, writer.now));
        }
        let slot = self.roster.insert(member.clone());
        match status {
            Status::Pending => self.send_confirmation(slot, &member, writer),
            Status::Subscribed => self.tell(slot, &member, &Change::Subscribe, writer),
            _ => {}
        }
        Ok(slot)
    }

    fn revive(&mut self, slot: Slot, entry: &Entry, writer: &Writer) -> Result<Slot, Refusal> {
        let status = first_status(entry)?;
        let before = self.roster.get(slot).ok_or(Refusal::NotFound)?.clone();
        check_transition(&before, status, writer.party)?;
        let mut after = before.clone();
        after.timestamp_opt = writer.now;
        self.fill(&mut after, entry, writer)?;
        self.check_required(&after, writer)?;
        after.enter(status, writer.party, writer.now);
        self.commit(slot, &before, after, writer);
        Ok(slot)
    }

    fn check_move(&self, member: &Member, address: &str) -> Result<(), Refusal> {
        email::check(address)?;
        if member.status != Status::Subscribed {
            return Err(Refusal::AddressOfStatus(member.status));
        }
        if self.roster.by_email(address).is_some() {
            return Err(Refusal::MemberExists(address.to_owned()));
        }
        if self.forgotten.contains(&email::hash(address)) {
            return Err(Refusal::AddressOfDeleted(address.to_owned()));
        }
        Ok(())
    }

    pub(super) fn send_confirmation(&mut self, slot: Slot, member: &Member, writer: &Writer) {
        let contact = hex::encode(self.roster.contact_id(slot));
        let secret = format!("{contact}-{}-{}", writer.now.0, self.mails.len());
        let token = hex::encode(email::hash(&secret));
        self.mails.push(Mail {
            email: member.detail.email.to_string(),
            list_id: self.id.clone(),
            link: format!("/_confirm/{}/{contact}/{token}", self.id),
            token,
            sent_at: writer.now.text(),
        });
    }
}

/// Refuses the changes of status that Mailchimp refuses: only a contact undoes its own opt-out.
fn check_transition(before: &Member, to: Status, by: Party) -> Result<(), Refusal> {
    match (to, by) {
        (_, Party::Contact) => Ok(()),
        (Status::Subscribed, _) if before.in_compliance_state() => {
            Err(Refusal::Compliance(before.detail.email.to_string()))
        }
        _ => Ok(()),
    }
}

/// Returns the status a new member takes.
fn first_status(entry: &Entry) -> Result<Status, Refusal> {
    entry.status.or(entry.status_if_new).ok_or_else(|| {
        Refusal::Schema(vec![FieldError::new("status", "This value should not be blank.")])
    })
}
