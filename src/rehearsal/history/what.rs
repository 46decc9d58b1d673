//! What can happen in a world, as data.

use serde::{Deserialize, Serialize};

use crate::domain::{Channel, PatientStatus};
use crate::rehearsal::faults::Kind;
use crate::rehearsal::stages::Deed;

/// What a patient says to the clinic, as it takes it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Says {
    /// Nothing yet.
    NotAsked,
    /// Yes, with everything on record.
    Yes,
    /// Yes, by a bare flag.
    Flag,
    /// An existing customer.
    Customer,
    /// No to the channel.
    No,
    /// No to all marketing.
    Objects,
}

/// What happens. A step that makes no sense any more, as the one before it is missing, does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Somebody becomes a patient.
    Enters {
        /// The clinic.
        clinic: usize,
        /// What they say.
        says: Says,
        /// Whose address they share.
        shares: Option<usize>,
        /// How old they are.
        age: u32,
    },
    /// A patient says something to the clinic.
    Says {
        /// The clinic.
        clinic: usize,
        /// Who.
        patient: usize,
        /// About which channel.
        channel: Channel,
        /// What.
        says: Says,
    },
    /// A patient's standing changes.
    Becomes {
        /// The clinic.
        clinic: usize,
        /// Who.
        patient: usize,
        /// What.
        status: PatientStatus,
    },
    /// A patient's record changes otherwise.
    Record {
        /// The clinic.
        clinic: usize,
        /// Who.
        patient: usize,
        /// How.
        change: Change,
    },
    /// Somebody does something at a provider, or staff do.
    Does {
        /// The clinic.
        clinic: usize,
        /// On which list.
        list: usize,
        /// Who.
        patient: usize,
        /// What.
        deed: Deed,
    },
    /// A member takes another address at the provider.
    MovesThere {
        /// The clinic.
        clinic: usize,
        /// On which list.
        list: usize,
        /// Who.
        patient: usize,
    },
    /// Somebody whom the clinic does not know does something at a provider.
    Stranger {
        /// The clinic.
        clinic: usize,
        /// On which list.
        list: usize,
        /// Who.
        number: usize,
        /// What.
        deed: Deed,
    },
    /// A worker makes a run.
    Runs {
        /// Which worker.
        worker: usize,
        /// Whether it sweeps.
        full: bool,
        /// At which of its turns the process is killed.
        dies_at: Option<u32>,
    },
    /// Providers deliver what they have to tell, and the serving process attends.
    Delivers,
    /// The serving process is started anew.
    Restarts,
    /// An admin acts.
    Admin(Admin),
    /// An admin takes down what a patient said in person.
    TakesDown {
        /// The clinic.
        clinic: usize,
        /// Who.
        patient: usize,
        /// About which channel.
        channel: Channel,
        /// Whether it is accepted against an earlier objection or complaint.
        lifts: bool,
    },
    /// Something is in the air for a while.
    Weather {
        /// What.
        kind: Kind,
        /// For how many minutes.
        minutes: u32,
        /// How often it strikes.
        one_in: u32,
    },
    /// Our own clock is off by so many seconds from now on.
    ClockJumps {
        /// How far.
        seconds: i32,
    },
    /// Staff clear all flags of a clinic at once.
    FlagsInBulk {
        /// The clinic.
        clinic: usize,
    },
    /// Whoever next asks the store is held up for so many seconds first.
    Stalls {
        /// How long.
        seconds: u32,
    },
    /// The store is backed up.
    BackedUp,
    /// Every process ends, and the store is put back as it was backed up last.
    PutBack,
}

/// What changes in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Another name.
    Name,
    /// Another e-mail address.
    Email,
    /// Another number.
    Mobile,
    /// The address of another patient.
    Joins(usize),
    /// Processing is restricted, or not any more.
    Restricted(bool),
    /// The answer to the privacy policy.
    Policy(Option<bool>),
    /// The tag that selectors ask for, or not.
    Tag(bool),
    /// The row itself is gone.
    Vanishes,
}

/// What an admin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admin {
    /// Approves every plan that waits.
    Approves,
    /// Refuses every plan that waits.
    Refuses,
    /// Accepts what was too much at once.
    Accepts,
    /// Makes and mends webhooks.
    Registers,
    /// Replaces webhooks and their secrets.
    Rotates,
    /// Looks at everything that waits for a look, and closes it.
    Reviews,
}
