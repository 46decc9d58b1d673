//! Rows of a source as they came: whoever has seen one before need not read it.

use std::fmt;

use chrono::{DateTime, Utc};

use super::reading::{self, Context, Reading};
use super::{PatientPage, RowProblem, SourceCursor};

/// One page of rows that are not read yet.
#[derive(Clone, Default)]
pub struct SourcePage {
    /// The rows, in the order of their ids.
    pub rows: Vec<SourceRow>,
    /// What is wrong beside the rows themselves.
    pub problems: Vec<RowProblem>,
    /// Where the next page starts; none at the end.
    pub next: Option<SourceCursor>,
    /// The clinic's country (ISO 3166), for numbers in national form.
    pub country: Option<String>,
    /// When they were fetched.
    pub now: DateTime<Utc>,
    /// Only what changed since is wanted.
    pub since: Option<DateTime<Utc>>,
}

/// One row.
#[derive(Clone)]
pub struct SourceRow {
    /// The clinic's id.
    pub id: String,
    /// The row as JSON; none where it is not valid text.
    pub text: Option<String>,
}

impl fmt::Debug for SourcePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePage").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for SourceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceRow(***)")
    }
}

impl SourceRow {
    /// Reads the record.
    #[must_use]
    pub fn read(&self, context: Context<'_>) -> Reading {
        let row = self.text.as_deref().and_then(|text| serde_json::from_str(text).ok());
        if let Some(row) = row {
            return reading::read(&row, context);
        }
        let problem = RowProblem {
            source_id: Some(self.id.clone()),
            column: "id",
            problem: "a text in this row is not valid UTF-8: re-enter or convert it".to_owned(),
            unreadable: true,
        };
        Reading { problems: vec![problem], ..Reading::default() }
    }
}

impl SourcePage {
    /// Reads the rows in the places that are asked for.
    #[must_use]
    pub fn read(self, asked_for: impl Fn(usize) -> bool) -> PatientPage {
        let context = Context { country: self.country.as_deref(), now: self.now };
        let mut page =
            PatientPage { problems: self.problems, next: self.next, ..PatientPage::default() };
        let mut ahead = None;
        for (place, row) in self.rows.iter().enumerate().filter(|(place, _)| asked_for(*place)) {
            let read = row.read(context);
            if read.problems.is_empty() && !read.ahead {
                page.sound.push(place);
            }
            page.problems.extend(read.problems);
            if read.ahead && ahead.is_none() {
                ahead = Some(clock_ahead(&row.id));
            }
            let wanted = |changed| self.since.is_none_or(|since| changed >= since);
            page.records.extend(read.record.filter(|record| wanted(record.updated_at)));
        }
        page.problems.extend(ahead);
        page
    }
}

fn clock_ahead(id: &str) -> RowProblem {
    RowProblem {
        source_id: Some(id.to_owned()),
        column: "updated_at",
        problem: "clock ahead: this row (and perhaps more) was changed over 5 minutes from now, so the times of its consents prove nothing and are left out; correct the clock of the clinic's database, or the time zone in the view".to_owned(),
        unreadable: false,
    }
}
