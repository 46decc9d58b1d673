//! Tallies: what processes count, added up in the store for whoever shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::Store;
use super::columns::{args, count, json};
use super::db::again;
use super::error::Result;
use super::sql::statements;
use super::words::Counter;

/// The part of a histogram that holds the sum of all durations, in milliseconds.
pub const SUM: &str = "sum";
/// The bucket of a histogram that has no upper bound.
pub const INFINITE: &str = "+Inf";

impl Counter {
    /// Returns the upper bounds of its buckets in seconds; none where nothing is measured.
    #[must_use]
    pub const fn buckets(self) -> &'static [&'static str] {
        match self {
            Self::Propagation => {
                &["0.1", "0.25", "0.5", "1", "2.5", "5", "15", "60", "300", "900", "3600", "86400"]
            }
            Self::RequestTime => &["0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60"],
            Self::RunTime => &["0.5", "1", "2.5", "5", "10", "30", "60", "300", "900", "3600"],
            Self::Requests | Self::Throttles | Self::Runs => &[],
        }
    }
}

/// Counts by what is counted, label and part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(Counter, String, String), u64>);

impl Tally {
    /// Counts `n` more.
    pub fn add(&mut self, counter: Counter, label: &str, part: &str, n: u64) {
        *self.0.entry((counter, label.to_owned(), part.to_owned())).or_default() += n;
    }

    /// Counts one that took `took`: in the smallest bucket that holds it, and in the sum.
    pub fn observe(&mut self, counter: Counter, label: &str, took: Duration) {
        let holds = |bound: &&&str| bound.parse().is_ok_and(|bound| took.as_secs_f64() <= bound);
        let bucket = counter.buckets().iter().find(holds).copied().unwrap_or(INFINITE);
        self.add(counter, label, bucket, 1);
        self.add(counter, label, SUM, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    }

    /// Returns what was counted, by label and part.
    pub fn of(&self, counter: Counter) -> impl Iterator<Item = (&str, &str, u64)> {
        let of = self.0.iter().filter(move |((of, ..), _)| *of == counter);
        of.map(|((_, label, part), n)| (label.as_str(), part.as_str(), *n))
    }

    fn take_in(&mut self, other: Self) {
        for ((counter, label, part), n) in other.0 {
            self.add(counter, &label, &part, n);
        }
    }
}

/// What a process has counted and not yet added to the store.
pub(super) type Counting = Arc<Mutex<Tally>>;

#[derive(Serialize)]
struct TallyPut<'a> {
    counter: &'static str,
    label: &'a str,
    part: &'a str,
    value: u64,
}

statements! {
    TALLIES_ADD (given: counter text, label text, part text, value bigint) = {
        "INSERT INTO tallies (counter, label, part, value)
         SELECT counter, label, part, value FROM given WHERE TRUE
         ON CONFLICT (counter, label, part) DO UPDATE SET value = tallies.value + excluded.value"
    }
    TALLIES = { "SELECT counter, label, part, value FROM tallies" }
}

impl Store {
    /// Counts something; it is in the store after the next [`Store::tallies_keep`].
    pub fn counts(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.counting.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds what was counted since the last time. What cannot be added is kept for the next.
    pub async fn tallies_keep(&self) -> Result<()> {
        let mut counted = Tally::default();
        self.counts(|counting| std::mem::swap(counting, &mut counted));
        let kept = self.tallies_add(&counted).await;
        if kept.is_err() {
            self.counts(|counting| counting.take_in(counted));
        }
        kept
    }

    /// Adds in the order of the keys, so that two processes cannot wait for each other.
    async fn tallies_add(&self, tally: &Tally) -> Result<()> {
        if tally.0.is_empty() {
            return Ok(());
        }
        let put = |((counter, label, part), value): (&(Counter, String, String), &u64)| {
            json(&TallyPut { counter: counter.word(), label, part, value: *value })
        };
        let puts: Vec<String> = tally.0.iter().map(put).collect::<Result<_>>()?;
        let rows = format!("[{}]", puts.join(","));
        again!(self, self.db.execute(TALLIES_ADD, args![rows.clone()]).await.map(drop))
    }

    /// Returns what all processes have counted and added.
    pub async fn tallies(&self) -> Result<Tally> {
        let rows: Vec<(String, String, String, i64)> = self.db.rows(TALLIES, args![]).await?;
        let mut tally = Tally::default();
        for (counter, label, part, value) in rows {
            // What a newer program counts is left to it.
            if let Ok(counter) = counter.parse() {
                tally.add(counter, &label, &part, count(value));
            }
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_is_in_the_first_bucket_that_holds_it() {
        let mut tally = Tally::default();
        for millis in [500, 501, 3_600_001] {
            tally.observe(Counter::RunTime, "", Duration::from_millis(millis));
        }
        let counted: Vec<_> = tally.of(Counter::RunTime).collect();
        let sum = 500 + 501 + 3_600_001;
        assert_eq!(counted, [("", INFINITE, 1), ("", "0.5", 1), ("", "1", 1), ("", SUM, sum)]);
    }
}
