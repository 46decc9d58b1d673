//! What the loop asks of a clinic's system of record.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{SourceError, SourcePage};
use crate::domain::{Actor, Channel, EventId, NoteKind, PatientRecord};

/// A clinic's system of record.
#[async_trait]
pub trait PatientSource: Debug + Send + Sync {
    /// Fetches one page of rows, in an order that stays the same while rows change.
    ///
    /// `since` limits it to rows changed at or after that instant (by the clinic's clock; the
    /// caller adds an overlap). `after` goes on behind an earlier page of the same sweep.
    async fn rows(
        &self,
        since: Option<DateTime<Utc>>,
        after: Option<&SourceCursor>,
    ) -> Result<SourcePage, SourceError>;

    /// Fetches one page and reads all of it.
    async fn page(
        &self,
        since: Option<DateTime<Utc>>,
        after: Option<&SourceCursor>,
    ) -> Result<PatientPage, SourceError> {
        Ok(self.rows(since, after).await?.read(|_| true))
    }

    /// Counts all rows there are now, so that a source that shrank is noticed.
    async fn count(&self) -> Result<u64, SourceError>;

    /// Tells the clinic of opt-outs, invitations, confirmations, bounces and changed addresses. A note that is already there,
    /// by its event's id, is left as it is.
    async fn write_back(&self, notes: &[Note]) -> Result<(), SourceError>;

    /// Checks that all that a run will read and write is there.
    async fn check(&self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Asks the source for its own time; none where it has no clock apart from ours.
    async fn now(&self) -> Result<Option<DateTime<Utc>>, SourceError>;
}

/// Where a further page starts; only its source can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCursor(pub String);

/// One page of patients.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatientPage {
    /// The patients that could be read.
    pub records: Vec<PatientRecord>,
    /// The places of the rows that were read without any problem, whenever they would be read; the
    /// first is 0.
    pub sound: Vec<usize>,
    /// What could not be read, and of whom.
    pub problems: Vec<RowProblem>,
    /// Where the next page starts; none at the end.
    pub next: Option<SourceCursor>,
}

impl PatientPage {
    /// Tells whether every patient without a record on this page is named by a problem.
    ///
    /// A sweep with a page for which this is false has seen rows it cannot tell apart, so it
    /// proves of no patient that they vanished.
    #[must_use]
    pub fn names_everyone(&self) -> bool {
        !self.problems.iter().any(|problem| problem.unreadable && problem.source_id.is_none())
    }
}

/// Something in a row that could not be read. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// The clinic's id of the row; none where the row has no usable id.
    pub source_id: Option<String>,
    /// The column at fault.
    pub column: &'static str,
    /// What is wrong, and how to put it right.
    pub problem: String,
    /// Whether there is no record for this row. The patient is still in the source: it has not
    /// vanished, and nothing is known of any change.
    pub unreadable: bool,
}

/// One line for the clinic: what became of a patient's marketing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The ledger line, or the invitation; the clinic keeps at most one note for it.
    pub event: EventId,
    /// The clinic's own id of the patient.
    pub source_id: String,
    /// The channel; none means every channel.
    pub channel: Option<Channel>,
    /// What happened.
    pub kind: NoteKind,
    /// When it happened, as far as known; else when it was recorded.
    pub at: DateTime<Utc>,
    /// The list it was seen on, by its configured name.
    pub list: Option<String>,
    /// Whose act it was.
    pub by: Actor,
}
