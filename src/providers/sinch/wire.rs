//! What Sinch answers, as far as it is read.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// A group.
#[derive(Debug, Deserialize)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// When it was last changed.
    pub modified_at: Option<DateTime<Utc>>,
}

/// A page of groups.
#[derive(Debug, Deserialize)]
pub struct Groups {
    /// How many there are in all.
    pub count: u64,
    /// Those on the page.
    pub groups: Vec<Group>,
}

/// The members of a group: a bare array by the documentation, wrapped by Sinch's Python SDK.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Members {
    /// `["447911123456"]`
    Bare(Vec<String>),
    /// `{"members": ["447911123456"]}`
    Wrapped {
        /// The numbers.
        members: Vec<String>,
    },
}

impl Members {
    /// Returns the numbers.
    pub fn numbers(self) -> Vec<String> {
        match self {
            Self::Bare(numbers) | Self::Wrapped { members: numbers } => numbers,
        }
    }
}

/// A batch.
#[derive(Deserialize)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// What we called it.
    pub client_reference: Option<String>,
}

/// A page of batches.
#[derive(Deserialize)]
pub struct Batches {
    /// Those on the page.
    pub batches: Vec<Batch>,
}

/// A page of texts that people sent; each is read like a callback.
#[derive(Deserialize)]
pub struct Inbounds {
    /// How many there are in all.
    pub count: u64,
    /// Those on the page.
    pub inbounds: Vec<Value>,
}

/// A page of a consent list.
#[derive(Deserialize)]
pub struct Consents {
    /// Who is on it.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// Where the next page starts; empty after the last.
    #[serde(default)]
    pub next_page_token: String,
}

/// One who opted out.
#[derive(Deserialize)]
pub struct Identity {
    /// The number.
    pub identity: String,
}

/// A token.
#[derive(Deserialize)]
pub struct Token {
    /// The token itself.
    pub access_token: secrecy::SecretString,
    /// How long it lasts, in seconds.
    pub expires_in: u32,
}
