//! One mistake in the configuration, and all of them together.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake: where it is, what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the folder.
    pub file: PathBuf,
    /// The line and the column, from 1, where it is at a place in the file.
    pub place: Option<(usize, usize)>,
    /// The key, from the top of the file; empty where it is about the whole file.
    pub key: String,
    /// What is wrong. Never repeats a value, which may be a secret.
    pub what: String,
    /// What to do about it.
    pub cure: String,
}

impl Problem {
    pub(super) fn of_file(file: &Path, what: &str, cure: &str) -> Self {
        Self {
            file: file.to_owned(),
            place: None,
            key: String::new(),
            what: what.to_owned(),
            cure: cure.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}. {}", self.what, self.cure)
    }
}

/// Every mistake in the configuration, by file and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.file, a.place, &a.key).cmp(&(&b.file, b.place, &b.key)));
        problems.dedup();
        Self(problems)
    }

    /// Returns them in the order of their places.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.0
    }

    /// Tells whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mistakes = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {mistakes} in the configuration:", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigErrors {}
