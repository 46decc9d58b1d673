//! Those who watch runs: so many at once, of each token a few; a run is looked at once for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::runs::Progress;
use crate::domain::RunId;

/// Watchers of runs at once.
const MOST: usize = 64;
/// Of them, watchers by one token.
const MOST_OF_ONE: usize = 8;

/// How far a run was, and when that was looked at.
type Look = (DateTime<Utc>, Progress);

#[derive(Debug, Default)]
struct Places {
    by_token: HashMap<Uuid, usize>,
    seen: HashMap<RunId, Look>,
}

/// Everybody who watches a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Watching(Arc<Mutex<Places>>);

/// A place among the watchers; it is free again when this goes.
#[derive(Debug)]
pub(super) struct Place {
    watching: Watching,
    token: Uuid,
}

impl Watching {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; none where all are taken, or too many by that token.
    pub(super) fn place(&self, token: Uuid) -> Option<Place> {
        let mut places = self.places();
        let taken: usize = places.by_token.values().sum();
        let own = places.by_token.entry(token).or_default();
        if taken >= MOST || *own >= MOST_OF_ONE {
            return None;
        }
        *own += 1;
        Some(Place { watching: self.clone(), token })
    }

    /// Returns what somebody else saw of the run no longer than that ago.
    pub(super) fn seen(
        &self,
        run: RunId,
        now: DateTime<Utc>,
        lately: Duration,
    ) -> Option<Progress> {
        let places = self.places();
        let (at, progress) = places.seen.get(&run)?;
        let ago = (now - *at).to_std().unwrap_or_default();
        (ago < lately).then(|| progress.clone())
    }

    /// Notes what was seen of the run.
    pub(super) fn see(&self, run: RunId, now: DateTime<Utc>, progress: &Progress) {
        self.places().seen.insert(run, (now, progress.clone()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.watching.places();
        if let Some(own) = places.by_token.get_mut(&self.token) {
            *own -= 1;
        }
        places.by_token.retain(|_, own| *own > 0);
        if places.by_token.is_empty() {
            places.seen.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_token_takes_a_few_places_and_all_together_no_more_than_there_are() {
        let watching = Watching::default();
        let token = |n| Uuid::from_u128(n);
        let own: Vec<_> = (0..MOST_OF_ONE).filter_map(|_| watching.place(token(1))).collect();
        assert_eq!(own.len(), MOST_OF_ONE);
        assert!(watching.place(token(1)).is_none(), "others are to have some");
        let others = (2..=100).filter_map(|n| watching.place(token(n)));
        let others: Vec<_> = others.collect();
        assert_eq!(own.len() + others.len(), MOST);
        drop(own);
        assert!(watching.place(token(1)).is_some(), "free again");
    }
}
