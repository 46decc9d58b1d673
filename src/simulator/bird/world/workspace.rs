//! A workspace: its key, contacts, audiences, statements, suppressions, texts and webhooks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::audience::Audience;
use super::contact::Contact;
use super::preference::Preference;
use super::suppression::Suppression;
use super::text::Text;
use crate::simulator::bird::hooks::Hooks;
use crate::simulator::door::Reply;

/// A workspace.
#[derive(Debug)]
pub struct Workspace {
    /// `ws_…`
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its numbers.
    pub senders: Vec<String>,
    /// Its contacts, oldest first.
    pub contacts: Vec<Contact>,
    /// Its audiences, oldest first.
    pub audiences: Vec<Audience>,
    /// What people said, oldest first.
    pub preferences: Vec<Preference>,
    /// What is stopped, oldest first.
    pub suppressions: Vec<Suppression>,
    /// Its texts, oldest first.
    pub texts: Vec<Text>,
    /// What becomes of texts to a number, where they are not delivered: status and error.
    pub fates: BTreeMap<String, (String, String)>,
    /// Its webhooks.
    pub hooks: Hooks,
    /// What was answered under which idempotency key, and to which request.
    pub answered: BTreeMap<String, (String, Reply)>,
}

/// A statement before it is recorded.
#[derive(Debug)]
pub struct Said {
    /// What it is about and says.
    pub statement: Preference,
    /// The id of the record of it.
    pub transition: String,
}

impl Workspace {
    /// Opens a workspace.
    #[must_use]
    pub fn new(id: String, key: &str, sender: &str) -> Self {
        Self {
            id,
            key: key.to_owned(),
            senders: vec![sender.to_owned()],
            contacts: Vec::new(),
            audiences: Vec::new(),
            preferences: Vec::new(),
            suppressions: Vec::new(),
            texts: Vec::new(),
            fates: BTreeMap::new(),
            hooks: Hooks::default(),
            answered: BTreeMap::new(),
        }
    }

    /// Finds an audience.
    pub fn audience_mut(&mut self, id: &str) -> Option<&mut Audience> {
        self.audiences.iter_mut().find(|audience| audience.id == id)
    }

    /// Finds an audience.
    #[must_use]
    pub fn audience(&self, id: &str) -> Option<&Audience> {
        self.audiences.iter().find(|audience| audience.id == id)
    }

    /// Finds a contact.
    #[must_use]
    pub fn contact(&self, id: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.id == id)
    }

    /// Finds a contact by number.
    #[must_use]
    pub fn by_number(&self, number: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.phone_number.as_deref() == Some(number))
    }

    /// Deletes a contact and takes it off every audience. Statements and suppressions stay.
    pub fn delete_contact(&mut self, id: &str) {
        self.contacts.retain(|contact| contact.id != id);
        for audience in &mut self.audiences {
            audience.remove(id);
        }
    }

    /// Finds what is in force between a sender and somebody.
    #[must_use]
    pub fn suppressed(&self, originator: &str, destination: &str) -> Option<&Suppression> {
        self.suppressions.iter().find(|one| {
            one.ended.is_none() && one.originator == originator && one.destination == destination
        })
    }

    /// Stops a sender's texts to somebody, unless they are stopped already, and tells of it.
    pub fn suppress(
        &mut self,
        suppression: Suppression,
        event: &str,
        now: DateTime<Utc>,
    ) -> Suppression {
        let known = self.suppressed(&suppression.originator, &suppression.destination);
        if let Some(known) = known {
            return known.clone();
        }
        let data = serde_json::json!({
            "suppression_id": suppression.id,
            "destination": suppression.destination,
            "originator": suppression.originator,
            "reason": suppression.reason,
            "workspace_id": self.id,
        });
        self.hooks.queue(event, "sms_suppression.created", suppression.effective_at, &data, now);
        self.suppressions.push(suppression.clone());
        suppression
    }

    /// Records a statement, and tells of it, unless a newer one is on record. Returns whether it is
    /// what holds now, and what holds now.
    ///
    /// Consent is newer than an opt-out only by the date the person gave it.
    pub fn state(&mut self, said: Said, event: &str, now: DateTime<Utc>) -> (bool, Preference) {
        let Said { mut statement, transition } = said;
        let same = |one: &&mut Preference| {
            one.channel == statement.channel
                && one.handle == statement.handle
                && one.sender_scope == statement.sender_scope
        };
        let Some(current) = self.preferences.iter_mut().find(same) else {
            self.tell(&statement, &transition, event, now);
            self.preferences.push(statement.clone());
            return (true, statement);
        };
        let over_an_opt_out = current.status == "revoked" && statement.status == "granted";
        let by_the_workspace = !statement.is_the_persons();
        let dated = statement.consented_at.filter(|_| over_an_opt_out && by_the_workspace);
        let newer = match dated {
            Some(consented) => consented > current.effective_at,
            None => !(over_an_opt_out && by_the_workspace),
        };
        if !newer || statement.effective_at < current.effective_at {
            return (false, current.clone());
        }
        if current.status == statement.status {
            return (true, current.clone());
        }
        statement.id.clone_from(&current.id);
        statement.created_at = current.created_at;
        *current = statement.clone();
        self.tell(&statement, &transition, event, now);
        (true, statement)
    }

    fn tell(&mut self, one: &Preference, transition: &str, event: &str, now: DateTime<Utc>) {
        let kind = format!("preference.{}", one.status);
        self.hooks.queue(event, &kind, one.effective_at, &one.event(transition), now);
    }
}
