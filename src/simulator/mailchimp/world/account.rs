//! An account: its keys, its audiences, its batches, its busy connections.

use super::batch::Batch;
use crate::simulator::mailchimp::audience::{Audience, email};

/// A key that opens an account.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The whole key with its data centre, as `…-us6`.
    pub text: String,
    /// Refused since it was switched off.
    pub disabled: bool,
}

/// An account.
#[derive(Debug)]
pub struct Account {
    /// Thirty-two hex digits.
    pub id: String,
    /// The name of the company.
    pub name: String,
    /// Its keys.
    pub keys: Vec<ApiKey>,
    /// Refuses everything.
    pub deactivated: bool,
    /// Requests under way.
    pub in_flight: usize,
    /// Its audiences.
    pub audiences: Vec<Audience>,
    /// Its batches, oldest first.
    pub batches: Vec<Batch>,
}

impl Account {
    /// Opens an account with one key.
    #[must_use]
    pub fn new(name: &str, api_key: &str, seed: u64) -> Self {
        Self {
            id: hex::encode(email::hash(&format!("account-{seed}"))),
            name: name.to_owned(),
            keys: vec![ApiKey { text: api_key.to_owned(), disabled: false }],
            deactivated: false,
            in_flight: 0,
            audiences: Vec::new(),
            batches: Vec::new(),
        }
    }

    /// Finds one of its audiences.
    pub fn audience_mut(&mut self, id: &str) -> Option<&mut Audience> {
        self.audiences.iter_mut().find(|audience| audience.id == id)
    }
}
