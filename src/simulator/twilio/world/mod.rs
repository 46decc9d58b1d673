//! Everything the simulated service knows, behind one lock.
//!
//! Time passes only when somebody looks: [`World::pass`] runs first, and does what fell due.

pub mod account;
pub mod faults;
pub mod keyword;
pub mod message;
pub mod texting;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use self::account::Account;
use self::faults::Faults;
use super::hooks::Event;
use super::settings::Settings;
use crate::simulator::log::RequestLog;

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
    /// How texts to a number fare; delivered where nothing is said.
    pub reach: BTreeMap<String, Reach>,
    /// Numbers that carriers took out of use, by the day they said so.
    pub deactivated: BTreeMap<NaiveDate, Vec<String>>,
    /// Deliveries not made yet, oldest first.
    pub waiting: Vec<Event>,
    /// Ids come from here.
    pub rng: StdRng,
}

/// How texts to a number fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Not delivered, with this error.
    Fails(u32),
    /// A landline.
    Landline,
}

impl World {
    /// Makes an id of a kind: two letters and 32 hex digits.
    pub fn sid(&mut self, kind: &str) -> String {
        format!("{kind}{}", self.secret())
    }

    /// Makes 32 hex digits.
    pub fn secret(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    /// Finds an account.
    pub fn account(&mut self, sid: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.sid == sid)
    }
}
