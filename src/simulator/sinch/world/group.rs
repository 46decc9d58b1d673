//! A group: a set of numbers with a name, and nothing known of any of them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::simulator::sinch::door::reply::stamp;

/// A group of numbers.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name, at most 20 characters.
    pub name: Option<String>,
    /// Its numbers without `+`, in the order of entry, none twice.
    pub members: Vec<String>,
    /// Ids of other groups; kept and shown, and not followed here.
    pub child_groups: Vec<String>,
    /// By which texts people enter and leave.
    pub auto_update: Option<AutoUpdate>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub modified_at: DateTime<Utc>,
}

/// By which texts people enter and leave a group by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoUpdate {
    /// The number they text to, without `+`.
    pub to: String,
    /// The first word that lets them in.
    pub add: Option<String>,
    /// The first word that lets them out.
    pub remove: Option<String>,
}

impl Group {
    /// Makes an empty group.
    #[must_use]
    pub const fn new(id: String, now: DateTime<Utc>) -> Self {
        Self {
            id,
            name: None,
            members: Vec::new(),
            child_groups: Vec::new(),
            auto_update: None,
            created_at: now,
            modified_at: now,
        }
    }

    /// Adds numbers, then removes others: who is in both is out.
    pub fn update(&mut self, add: &[String], remove: &[String], now: DateTime<Utc>) {
        let there: std::collections::BTreeSet<String> = self.members.iter().cloned().collect();
        let mut added = std::collections::BTreeSet::new();
        let fresh = add.iter().filter(|number| !there.contains(*number));
        let fresh: Vec<String> = fresh.filter(|n| added.insert((*n).clone())).cloned().collect();
        self.members.extend(fresh);
        let gone: std::collections::BTreeSet<&String> = remove.iter().collect();
        self.members.retain(|number| !gone.contains(number));
        self.modified_at = now;
    }

    /// Lets a person in or out by the first word of a text.
    pub fn hear(&mut self, from: &str, to: &str, body: &str, now: DateTime<Utc>) {
        let Some(auto) = self.auto_update.clone().filter(|auto| auto.to == to) else { return };
        let word = body.split_whitespace().next().unwrap_or_default().to_lowercase();
        let says = |keyword: &Option<String>| {
            keyword.as_ref().is_some_and(|keyword| keyword.to_lowercase() == word)
        };
        let person = [from.to_owned()];
        if says(&auto.add) {
            self.update(&person, &[], now);
        }
        if says(&auto.remove) {
            self.update(&[], &person, now);
        }
    }

    /// Shows it as the API does.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut shown = json!({
            "id": self.id,
            "size": self.members.len(),
            "created_at": stamp(self.created_at),
            "modified_at": stamp(self.modified_at),
            "child_groups": self.child_groups,
        });
        if let Some(name) = &self.name {
            shown["name"] = json!(name);
        }
        if let Some(auto) = &self.auto_update {
            let word = |word: &Option<String>| word.as_ref().map(|w| json!({ "first_word": w }));
            shown["auto_update"] = json!({ "to": auto.to });
            for (field, word) in [("add", word(&auto.add)), ("remove", word(&auto.remove))] {
                if let Some(word) = word {
                    shown["auto_update"][field] = word;
                }
            }
        }
        shown
    }
}
