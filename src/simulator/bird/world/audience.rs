//! An audience: a list of contacts, each with the time it joined.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::stamp;

/// An audience.
#[derive(Debug, Clone)]
pub struct Audience {
    /// `adn_…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who is on it, in the order of joining.
    pub members: Vec<(String, DateTime<Utc>)>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Audience {
    /// Shows it as the API does.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": null,
            "type": "static",
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.created_at),
        })
    }

    /// Tells whether a contact is on it.
    #[must_use]
    pub fn has(&self, contact: &str) -> bool {
        self.members.iter().any(|(id, _)| id == contact)
    }

    /// Puts a contact on it; one that is there keeps its time.
    pub fn add(&mut self, contact: &str, now: DateTime<Utc>) {
        if !self.has(contact) {
            self.members.push((contact.to_owned(), now));
        }
    }

    /// Takes a contact off it.
    pub fn remove(&mut self, contact: &str) {
        self.members.retain(|(id, _)| id != contact);
    }
}
