//! Everything the simulated service knows, behind one lock.
//!
//! Time passes only when somebody looks: [`World::pass`] runs first, and does what fell due.

pub mod account;
pub mod batch;
pub mod faults;

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use self::account::Account;
use self::faults::Faults;
use super::audience::Audience;
use super::audience::member::Stamp;
use super::settings::Settings;
use crate::simulator::log::RequestLog;

/// How often pending members are checked for expiry, in seconds.
const EXPIRY_PERIOD: u32 = 3_600;

/// The whole service.
#[derive(Debug)]
pub struct World {
    /// The present instant, as of the last look.
    pub now: DateTime<Utc>,
    /// The knobs.
    pub settings: Settings,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// What was asked.
    pub log: RequestLog,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Ids and disorder come from here.
    pub rng: StdRng,
    /// When pending members were last checked for expiry.
    pub last_expiry: Stamp,
}

impl World {
    /// Does what fell due since the last look: batches and expired confirmations.
    pub fn pass(&mut self, now: DateTime<Utc>) {
        self.now = now;
        batch::run_due(self);
        let second = Stamp::of(now);
        if second.0.abs_diff(self.last_expiry.0) >= EXPIRY_PERIOD {
            self.last_expiry = second;
            for audience in self.audiences_mut() {
                audience.expire_pending(second);
            }
        }
    }

    /// Returns the present second.
    #[must_use]
    pub fn second(&self) -> Stamp {
        Stamp::of(self.now)
    }

    /// Iterates over the audiences of all accounts.
    pub fn audiences_mut(&mut self) -> impl Iterator<Item = &mut Audience> {
        self.accounts.iter_mut().flat_map(|account| &mut account.audiences)
    }

    /// Finds an audience of any account.
    pub fn audience_mut(&mut self, list_id: &str) -> Option<&mut Audience> {
        self.audiences_mut().find(|audience| audience.id == list_id)
    }

    /// Opens an account and returns its place.
    pub fn open_account(&mut self, name: &str, api_key: &str) -> usize {
        let seed = self.rng.next_u64();
        self.accounts.push(Account::new(name, api_key, seed));
        self.accounts.len() - 1
    }

    /// Makes an audience in an account and returns its id.
    pub fn open_audience(&mut self, account: usize, name: &str) -> Option<String> {
        let audience = Audience::new(name, self.rng.next_u64(), self.second());
        let id = audience.id.clone();
        self.accounts.get_mut(account)?.audiences.push(audience);
        Some(id)
    }
}
