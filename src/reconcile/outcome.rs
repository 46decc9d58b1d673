//! What a run came to, for exit codes, journal and whoever reads it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::observe::Short;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{Class, RunId, Verb};
use crate::store::{IN_STEP, ListRow, OpState, ParkedBecause};

/// What one practice's run came to.
#[derive(Debug, Clone, Serialize)]
pub struct ClinicOutcome {
    /// The practice's short name.
    pub clinic: String,
    /// Its patients.
    pub source: SourceOutcome,
    /// Its lists.
    pub lists: Vec<ListOutcome>,
}

/// What reading the patients came to.
#[derive(Debug, Clone, Serialize)]
pub struct SourceOutcome {
    /// How it was read.
    #[serde(flatten)]
    pub state: SourceState,
    /// Rows read.
    pub rows: u64,
    /// Rows that were new or changed.
    pub changed: u64,
    /// Rows with something unreadable in them.
    pub problems: u64,
    /// Patients found vanished.
    pub vanished: u64,
    /// Withdrawals by bare flags that wait for an admin.
    pub withdrawals_held: u64,
}

impl SourceOutcome {
    pub(super) const fn of(state: SourceState) -> Self {
        Self { state, rows: 0, changed: 0, problems: 0, vanished: 0, withdrawals_held: 0 }
    }
}

/// How the patients were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum SourceState {
    /// What changed.
    Read,
    /// Everything.
    Swept,
    /// Everything, but so few that nobody is dropped for it.
    Short {
        /// Known patients that were missing.
        missing: u64,
        /// Known patients.
        total: u64,
    },
    /// Another worker reads them.
    Busy,
}

/// What one list's turn came to.
#[derive(Debug, Clone, Serialize)]
pub struct ListOutcome {
    /// The list's short name.
    pub list: String,
    /// The run, which is also the name of its plan.
    pub run: Option<RunId>,
    /// How it ended.
    pub state: ListState,
    /// Links by class.
    pub classes: BTreeMap<Class, u64>,
    /// Operations by state.
    pub operations: BTreeMap<OpState, u64>,
    /// Parked changes that would take somebody off (L26).
    pub parked_removals: u64,
    /// Why links are parked.
    pub parked: Vec<ParkedBecause>,
    /// What went wrong, for a person.
    pub problem: Option<String>,
    /// Whether the provider refused the credential.
    #[serde(skip)]
    pub credential_refused: bool,
}

/// How a list's turn ended, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListState {
    /// Clinic and list agree.
    InStep,
    /// Another worker has the account; it does the work.
    Busy,
    /// Stopped by Ctrl-C or a time limit; the next run goes on.
    Interrupted,
    /// The first plan waits for an admin (L20).
    Waiting,
    /// The brake holds changes back, or a snapshot was too short (L23).
    Braked,
    /// Somebody could not be taken off yet (L26).
    ParkedRemovals,
    /// The turn failed.
    Failed,
}

impl ListState {
    /// Returns the word it is stored as.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InStep => IN_STEP,
            Self::Busy => "busy",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
            Self::Braked => "braked",
            Self::ParkedRemovals => "parked_removals",
            Self::Failed => "failed",
        }
    }
}

impl ListOutcome {
    /// Counts the changes that wait for an admin.
    #[must_use]
    pub fn held(&self) -> u64 {
        let of = |state| self.operations.get(&state).copied().unwrap_or_default();
        of(OpState::Waiting) + of(OpState::Braked)
    }

    fn new(list: &ListRow, state: ListState) -> Self {
        Self {
            list: list.slug.clone(),
            run: None,
            state,
            classes: BTreeMap::new(),
            operations: BTreeMap::new(),
            parked_removals: 0,
            parked: Vec::new(),
            problem: None,
            credential_refused: false,
        }
    }

    pub(super) fn busy(list: &ListRow) -> Self {
        Self::new(list, ListState::Busy)
    }

    pub(super) fn failed(list: &ListRow, error: &ReconcileError) -> Self {
        Self {
            problem: Some(error.chain()),
            credential_refused: error.is_credential_refused(),
            ..Self::new(list, ListState::Failed)
        }
    }

    pub(super) fn incomplete(list: &ManagedList, short: Short) -> Self {
        let Short { missing, total, consistent } = short;
        let problem = if consistent {
            format!(
                "the provider showed {missing} of {total} known members less than before; nothing is done until it shows them again. If they are really gone, run `listwarden approve members:{}/{}`, then `listwarden reconcile --full`",
                list.clinic, list.row.slug
            )
        } else {
            format!(
                "the provider counts {total} members and did not show {missing} of them; nothing is done until its pages agree with its count"
            )
        };
        Self { problem: Some(problem), ..Self::new(&list.row, ListState::Braked) }
    }

    /// Takes in a further turn of the same list: it tells where the list stands now.
    pub(super) fn followed_by(&mut self, further: Self) {
        let mut operations = std::mem::take(&mut self.operations);
        for (state, count) in &further.operations {
            *operations.entry(*state).or_default() += count;
        }
        *self = Self { operations, ..further };
    }

    /// Returns the outcome as the journal keeps it: counts, no personal data.
    #[must_use]
    pub fn summary(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl Reconciler {
    /// Adds up where the list stands after its turn.
    pub(super) async fn conclude(
        &self,
        run: RunId,
        list: &ManagedList,
    ) -> Result<ListOutcome, ReconcileError> {
        let classes = self.store.list_classes(&list.row).await?;
        let parked = self.store.parked_because(&list.row).await?;
        let is_removal = |of: &&ParkedBecause| of.verb.is_some_and(Verb::removes);
        let parked_removals = parked.iter().filter(is_removal).map(|of| of.links).sum();
        let mut operations: BTreeMap<OpState, u64> = BTreeMap::new();
        for kind in self.store.operations_counts(run, &list.row).await? {
            *operations.entry(kind.state).or_default() += kind.count;
        }
        let held = |state| operations.get(&state).copied().unwrap_or_default() > 0;
        let state = if parked_removals > 0 {
            ListState::ParkedRemovals
        } else if held(OpState::Braked) {
            ListState::Braked
        } else if held(OpState::Waiting) || list.row.approved_at.is_none() {
            ListState::Waiting
        } else if held(OpState::Planned) || self.stop.is_asked() {
            ListState::Interrupted
        } else {
            ListState::InStep
        };
        let outcome = ListOutcome::new(&list.row, state);
        Ok(ListOutcome { classes, operations, parked_removals, parked, ..outcome })
    }
}
