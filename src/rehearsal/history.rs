//! A history: what there is in a world, and what happens in it, all as data made up from one seed.

mod life;
mod what;

use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

pub use super::doctored::Doctored;
use super::stages::Standing;
use crate::domain::PatientStatus;
pub use what::{Admin, Change, Says, What};

/// A world and what happens in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// What everything random follows from.
    pub seed: u64,
    /// The clinics.
    pub clinics: Vec<ClinicSetting>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What is wrong on purpose, to see that it is noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doctored: Option<Doctored>,
}

/// One clinic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClinicSetting {
    /// Its lists.
    pub lists: Vec<ListSetting>,
    /// Requests under way at once for an account.
    pub in_flight: u32,
    /// From how many calls on they go as one job.
    pub job_from: u32,
    /// Whether the brake is set so wide that it never holds.
    pub no_brake: bool,
    /// Who is there from the start.
    pub patients: Vec<PatientSetting>,
}

/// One list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSetting {
    /// Its short name.
    pub slug: String,
    /// At which provider, by its place in the world.
    pub stage: usize,
    /// `unknown`.
    pub unknown: String,
    /// `unproven`.
    pub unproven: String,
    /// `soft_opt_in`.
    pub soft: String,
    /// `on_drop`.
    pub on_drop: String,
    /// `on_return`.
    pub on_return: String,
    /// How many days an invitation stays open.
    pub expires_days: u32,
    /// The tag that a patient needs.
    pub tag: Option<String>,
}

/// Somebody who is there from the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientSetting {
    /// What the record says of each channel.
    pub says: Says,
    /// How old.
    pub age: u32,
    /// How they stand with the clinic.
    pub status: PatientStatus,
    /// Whose address they share.
    pub shares: Option<usize>,
    /// How they stand on the clinic's first list.
    pub member: Option<Standing>,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number in the history as it was made.
    pub number: usize,
    /// When, in milliseconds from the beginning.
    pub at: u64,
    /// What.
    pub what: What,
}

impl History {
    /// Makes up a history of so many steps.
    #[must_use]
    pub fn of(seed: u64, steps: usize) -> Self {
        let mut chance = StdRng::seed_from_u64(seed);
        let clinics = [1, 1, 2, 2, 3][chance.random_range(0..5)];
        let clinics: Vec<_> = (0..clinics).map(|_| life::clinic(&mut chance)).collect();
        let steps = life::steps(&mut chance, &clinics, steps);
        Self { seed, clinics, steps, doctored: None }
    }

    /// The same world with only some of its steps.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Step) -> bool) -> Self {
        let steps = self.steps.iter().filter(|step| keep(step)).cloned().collect();
        Self { steps, ..self.clone() }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at / 1000;
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
        let millis = self.at % 1000;
        let what = format!("{:?}", self.what);
        write!(
            f,
            "#{:<3} day {days} {hours:02}:{minutes:02}:{seconds:02}.{millis:03}  {what}",
            self.number
        )
    }
}
