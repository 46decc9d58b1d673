//! Saying how far a run is, to whoever watches.

use std::fmt;

/// Hears how far a run is.
pub trait Progress: fmt::Debug + Send + Sync {
    /// `done` of `total` (where known) of `doing` are through, for the list or clinic `of`.
    fn at(&self, of: &str, doing: &'static str, done: u64, total: Option<u64>);

    /// One sentence that a person should read.
    fn note(&self, sentence: &str);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn at(&self, _of: &str, _doing: &'static str, _done: u64, _total: Option<u64>) {}

    fn note(&self, _sentence: &str) {}
}
