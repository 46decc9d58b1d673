//! The store's own words.

use super::columns::stored_words;
use crate::domain::text::words;

words! {
    /// Where a patient's record came from.
    Origin {
        /// The clinic's system of record.
        Source = "source",
        /// A file of former patients (L22).
        Import = "import",
    }
}
words! {
    /// How far an operation got.
    OpState {
        /// To be made.
        Planned = "planned",
        /// Waits for the list's first approval (L20).
        Waiting = "waiting",
        /// Waits for the brake's release (L23).
        Braked = "braked",
        /// Sent, or about to be; the outcome is not known yet.
        Submitted = "submitted",
        /// Made.
        Acknowledged = "acknowledged",
        /// Perhaps made: to be observed again.
        Doubtful = "doubtful",
        /// Not made: refused by the provider, or by an admin.
        Refused = "refused",
        /// Not made: a later plan took its place.
        Superseded = "superseded",
    }
}

words! {
    /// What kind of thing an account told of a contact, of those that are remembered.
    Told {
        /// An opt-out, by whatever words.
        OptedOut = "opted_out",
        /// YES.
        Yes = "yes",
        /// HELP.
        Help = "help",
        /// A message did not arrive.
        Undelivered = "undelivered",
        /// A message arrived at a number that had failed.
        Delivered = "delivered",
    }
}
words! {
    /// What an admin is told of.
    AlertKind {
        /// The brake holds changes back.
        Brake = "brake",
        /// The first plan of a list waits.
        FirstPlan = "first_plan",
        /// Dropped people are held.
        Red = "red",
        /// Removals could not be made.
        ParkedRemovals = "parked_removals",
        /// Members whom the clinic never knew are on the list.
        Strangers = "strangers",
    }
}
words! {
    /// What an admin should look at.
    ReviewKind {
        /// An opt-out in other words than a keyword: it counts, unless the admin finds otherwise.
        OwnWords = "own_words",
        /// A YES that came too late, or after somebody was dropped: it restored nothing (L12).
        LateYes = "late_yes",
    }
}

words! {
    /// What is counted.
    Counter {
        /// Opt-outs, by how long it took until they were everywhere.
        Propagation = "propagation",
        /// Requests to a provider (label), by what came of them (part).
        Requests = "requests",
        /// Requests to a provider (label), by how long they took.
        RequestTime = "request_time",
        /// Answers of a provider (label) that asked us to wait.
        Throttles = "throttles",
        /// Turns of lists in runs, by outcome (label).
        Runs = "runs",
        /// The same, by how long they took.
        RunTime = "run_time",
    }
}
words! {
    /// What came of an act.
    AuditOutcome {
        /// It was begun; without a later line of the same request it ended in the midst.
        Begun = "begun",
        /// It was done.
        Done = "done",
        /// It could not be done.
        Failed = "failed",
        /// It was not allowed.
        Refused = "refused",
    }
}

stored_words!(AlertKind, AuditOutcome, OpState, Origin, Told, ReviewKind);
