//! The brake: stops a run that would change too much (L23), and tells a shrunken snapshot.

use crate::domain::policy::Brake;

/// What a run would do to one list, and what was done to it within 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gauge {
    /// Members listed now.
    pub listed: u64,
    /// Removals planned that count and that nobody approved, by whichever run.
    pub removals: u64,
    /// Whether some of them are held back already: what joins them is held back with them.
    pub removals_held: bool,
    /// Removals that counted, carried out within the last 24 hours.
    pub removed: u64,
    /// Invitations planned that nobody approved, by whichever run.
    pub invitations: u64,
    /// Whether some of them are held back already.
    pub invitations_held: bool,
    /// Invitations sent within the last 24 hours.
    pub invited: u64,
}

/// Which kind of change a brake holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Counted removals.
    pub removals: bool,
    /// Invitations.
    pub invitations: bool,
}

impl Held {
    /// Tells whether anything is held back.
    #[must_use]
    pub const fn any(self) -> bool {
        self.removals || self.invitations
    }
}

/// Says what must wait for an admin.
///
/// What was done in the last 24 hours counts, so that a mistake cannot go out in slices.
///
/// ```
/// use listwarden::domain::policy::Brake;
/// use listwarden::plan::brake::{Gauge, hold};
/// let gauge = Gauge { listed: 950, removed: 50, removals: 51, ..Gauge::default() };
/// assert!(hold(gauge, &Brake::default()).removals, "101 of 1,000 within a day");
/// ```
#[must_use]
pub fn hold(gauge: Gauge, brake: &Brake) -> Held {
    let removals = gauge.removed + gauge.removals;
    let invitations = gauge.invited + gauge.invitations;
    let many = removals > brake.removals(gauge.listed + gauge.removed);
    let inviting = invitations > u64::from(brake.invitations);
    Held {
        removals: gauge.removals > 0 && (many || gauge.removals_held),
        invitations: gauge.invitations > 0 && (inviting || gauge.invitations_held),
    }
}

/// Tells whether a snapshot that misses `missing` of `total` known rows is too short to be
/// believed: then nobody is dropped and no base moves (L23).
#[must_use]
pub fn shrank(total: u64, missing: u64, brake: &Brake) -> bool {
    missing > brake.removals(total)
}
