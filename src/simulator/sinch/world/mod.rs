//! Everything the simulated service knows, behind one lock.

pub mod account;
pub mod faults;
pub mod group;
pub mod number;

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use self::account::{Account, Credentials};
use self::faults::Faults;
use self::group::Group;
use super::settings::Settings;
use crate::simulator::log::RequestLog;

/// Crockford's base 32, of which Sinch's ids are made.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

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
    /// Ids come from here.
    pub rng: StdRng,
}

impl World {
    /// Makes an id of 26 characters, as `01FC66621VHDBN119Z8PMV1QPQ`.
    pub fn id(&mut self) -> String {
        let mut id = String::from("01");
        for _ in 0..24 {
            let place = self.rng.next_u32() as usize % ALPHABET.len();
            id.push(char::from(ALPHABET[place]));
        }
        id
    }

    /// Opens an account and returns its place.
    pub fn open_account(&mut self, credentials: Credentials) -> usize {
        self.accounts.push(Account::new(credentials));
        self.accounts.len() - 1
    }

    /// Finds a group of any account.
    pub fn group_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.accounts.iter_mut().find_map(|account| account.group_mut(id))
    }
}
