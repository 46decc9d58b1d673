//! The journal: what happened in a world, line by line, naming nobody. The same seed writes the same.

use chrono::{DateTime, Utc};

/// Lines with their times.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Journal(Vec<String>);

impl Journal {
    /// Writes a line.
    pub fn note(&mut self, at: DateTime<Utc>, line: &str) {
        let at = at.format("%d %H:%M:%S%.3f");
        self.0.push(format!("{at}  {line}"));
    }

    /// Returns the whole text.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join("\n") + "\n"
    }
}
