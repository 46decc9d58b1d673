//! Makes a patient's record of one row, whatever types a clinic happens to use.
//!
//! A row arrives as JSON values by column name, the same from both database engines and from a
//! CSV file. What decides about listing (status, restriction, consents, birth date, tags) either
//! reads well or makes the whole row unreadable; the rest is left out and reported.

mod cells;
mod consent;
mod times;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::RowProblem;
use crate::domain::event::CLOCK_SKEW;
use crate::domain::{Address, Answer, Channel, PatientRecord, PatientStatus, Personal};
use cells::Unreadable;

/// One row: column -> value. A column that is missing is absent.
pub type Row = Map<String, Value>;

/// What is needed to read a row besides the row.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The clinic's country, for numbers in national form.
    pub country: Option<&'a str>,
    /// Our time.
    pub now: DateTime<Utc>,
}

/// What came of reading a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// The record, where one could be made.
    pub record: Option<PatientRecord>,
    /// What could not be read.
    pub problems: Vec<RowProblem>,
    /// Whether the row was changed later than now, by the clinic's clock.
    pub ahead: bool,
}

/// Tells whether a change of the answer from one reading to the next takes a consent back.
///
/// A bare `false` reads as *not asked*, because on its own it is no opt-out (L4). After a yes it
/// is one, and only the caller, who holds the earlier record, can see that.
#[must_use]
pub const fn withdrawn(before: Answer, after: Answer) -> bool {
    matches!(before, Answer::Granted | Answer::SoftOptIn)
        && matches!(after, Answer::NotAsked | Answer::Withdrawn | Answer::Objected)
}

/// Reads one row.
#[must_use]
pub fn read(row: &Row, context: Context<'_>) -> Reading {
    let Ok(Some(id)) = cells::text(row.get("id")) else {
        let problem = RowProblem {
            source_id: None,
            column: "id",
            problem: "the row has no id: give every patient one that never changes".to_owned(),
            unreadable: true,
        };
        return Reading { problems: vec![problem], ..Reading::default() };
    };
    let mut reader = Reader { row, id, context, problems: Vec::new() };
    let (record, ahead) = reader.record();
    Reading { record, problems: reader.problems, ahead }
}

/// Collects problems while it reads, so that one reading tells them all.
struct Reader<'a> {
    row: &'a Row,
    id: String,
    context: Context<'a>,
    problems: Vec<RowProblem>,
}

impl Reader<'_> {
    fn record(&mut self) -> (Option<PatientRecord>, bool) {
        let (updated_at, ahead) = self.updated_at();
        let status = self.status();
        let restricted = self.decisive("restricted", cells::flag).flatten();
        let privacy_policy = self.decisive("privacy_policy", cells::flag);
        let birth_date = self.decisive("birth_date", times::day);
        let tags = self.decisive("tags", cells::tags);
        let email_consent = self.consent(Channel::Email, ahead);
        let sms_consent = self.consent(Channel::Sms, ahead);
        let given_name = self.name("given_name");
        let family_name = self.name("family_name");
        let email = self.address(Channel::Email);
        let mobile = self.address(Channel::Sms);
        if self.problems.iter().any(|problem| problem.unreadable) {
            return (None, ahead);
        }
        let record = (|| {
            Some(PatientRecord {
                source_id: self.id.clone(),
                given_name,
                family_name,
                email,
                mobile,
                birth_date: birth_date?,
                status: status?,
                restricted: restricted.unwrap_or(false),
                tags: tags?,
                privacy_policy: privacy_policy?,
                email_consent: email_consent?,
                sms_consent: sms_consent?,
                updated_at,
            })
        })();
        (record, ahead)
    }

    /// Never later than now: a row from the future must not pull a sweep's starting point along.
    fn updated_at(&mut self) -> (DateTime<Utc>, bool) {
        let now = self.context.now;
        match times::instant(self.row.get("updated_at")) {
            Ok(Some(read)) if read.earliest > now + CLOCK_SKEW => (now, true),
            Ok(Some(read)) => (read.earliest, false),
            Ok(None) => {
                self.minor("updated_at", Unreadable("is empty, so only full sweeps see changes: fill it whenever the row changes"));
                (now, false)
            }
            Err(why) => {
                self.minor("updated_at", why);
                (now, false)
            }
        }
    }

    fn status(&mut self) -> Option<PatientStatus> {
        const WHY: Unreadable = Unreadable(
            "is not one of active, archived, merged, deceased, deleted: map the clinic's own words in the view",
        );
        let status = cells::text(self.row.get("status")).ok().flatten();
        let known = status.and_then(|word| word.trim().to_lowercase().parse().ok());
        match known {
            Some(PatientStatus::Vanished) | None => {
                self.report("status", WHY, true);
                None
            }
            status => status,
        }
    }

    fn name(&mut self, column: &'static str) -> Personal {
        match cells::text(self.row.get(column)) {
            Ok(text) => Personal::new(&text.unwrap_or_default()),
            Err(why) => {
                self.minor(column, why);
                Personal::default()
            }
        }
    }

    fn address(&mut self, channel: Channel) -> Option<Address> {
        let column = match channel {
            Channel::Email => "email",
            Channel::Sms => "mobile",
        };
        match cells::address(self.row.get(column), channel, self.context.country) {
            Ok(address) => address,
            Err(why) => {
                self.push(column, why, false);
                None
            }
        }
    }

    /// Reads a column that decides about listing: unreadable, it spoils the row.
    fn decisive<T>(
        &mut self,
        column: &'static str,
        read: impl Fn(Option<&Value>) -> Result<T, Unreadable>,
    ) -> Option<T> {
        read(self.row.get(column)).map_err(|why| self.report(column, why, true)).ok()
    }

    /// Reads a column that can do without: unreadable, it is left out and reported.
    fn dispensable<T: Default>(
        &mut self,
        column: &'static str,
        read: impl Fn(Option<&Value>) -> Result<T, Unreadable>,
    ) -> T {
        match read(self.row.get(column)) {
            Ok(value) => value,
            Err(why) => {
                self.minor(column, why);
                T::default()
            }
        }
    }

    fn minor(&mut self, column: &'static str, why: Unreadable) {
        self.report(column, why, false);
    }

    fn report(&mut self, column: &'static str, why: Unreadable, unreadable: bool) {
        self.push(column, why.0.to_owned(), unreadable);
    }

    fn push(&mut self, column: &'static str, problem: String, unreadable: bool) {
        let source_id = Some(self.id.clone());
        self.problems.push(RowProblem { source_id, column, problem, unreadable });
    }
}

#[cfg(test)]
mod tests;
