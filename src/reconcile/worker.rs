//! The worker of a serving process: attends as soon as it is woken, and looks by itself meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::attend::Left;
use super::{Reconciler, Roster};

/// How often it looks without being woken: another replica may have taken a delivery.
const LOOK: Duration = Duration::from_millis(500);
/// How often it looks while another worker holds an account that something waits for.
const HELD: Duration = Duration::from_millis(200);
/// How long whatever failed is left alone; it doubles with every further failure.
const PAUSE: Duration = Duration::from_secs(1);
/// How long at most: what failed may be the store of this whole process, or one account.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_mins(1);

impl Reconciler {
    /// Attends to what waits until it is asked to stop, with the accounts and lists as `roster` has
    /// them at each pass. A failure is logged and tried again, ever more slowly; what waits is in the
    /// store and is lost by none.
    pub async fn attend_until_stopped(
        &self,
        roster: watch::Receiver<Arc<Roster>>,
        wake: Arc<Notify>,
    ) {
        let (mut pause, mut rests) = (PAUSE, Rests::default());
        while !self.stop.is_asked() {
            let reconciler = self.attending(roster.borrow().clone());
            let attended = reconciler.attend_but(&rests.at(self.clock.now())).await;
            let (wait, may_be_woken) = match attended {
                Ok(left) => {
                    pause = PAUSE;
                    rests.note(&left, self.clock.now());
                    // Whoever holds it looks for what is delivered meanwhile: being woken changes nothing.
                    // What was given back is left alone for longer than others wait between two tries.
                    if left.held && !left.more { (HELD, false) } else { (LOOK, !left.more) }
                }
                Err(error) => {
                    tracing::warn!(
                        error = error.chain(),
                        "nothing could be attended to; it is tried again"
                    );
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    (pause, true)
                }
            };
            let waited = self.clock.sleep(wait);
            if may_be_woken {
                futures::future::select(std::pin::pin!(wake.notified()), waited).await;
            } else {
                waited.await;
            }
        }
    }
}

/// Accounts and records that failed, by their leases: until when each is left alone, and how long
/// that was.
#[derive(Default)]
struct Rests(BTreeMap<String, (DateTime<Utc>, Duration)>);

impl Rests {
    /// Returns what is left alone at `now`.
    fn at(&self, now: DateTime<Utc>) -> BTreeSet<String> {
        let resting = self.0.iter().filter(|(_, (until, _))| now < *until);
        resting.map(|(lease, _)| lease.clone()).collect()
    }

    fn note(&mut self, left: &Left, now: DateTime<Utc>) {
        self.0.retain(|lease, _| !left.done.contains(lease));
        for lease in &left.failed {
            let rested = self.0.get(lease).map(|(_, rested)| *rested);
            let rest = rested.map_or(PAUSE, |rested| (rested * 2).min(LONGEST_REST));
            self.0.insert(lease.clone(), (now + rest, rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Left {
        Left { failed: BTreeSet::from(["account:a".to_owned()]), ..Left::default() }
    }

    #[test]
    fn what_fails_rests_ever_longer_and_no_longer_than_a_minute() {
        let (mut rests, mut now) = (Rests::default(), DateTime::UNIX_EPOCH);
        let mut rested = Vec::new();
        for _ in 0..8 {
            rests.note(&failing(), now);
            let begun = now;
            while !rests.at(now).is_empty() {
                now += Duration::from_secs(1);
            }
            rested.push((now - begun).num_seconds());
        }
        assert_eq!(rested, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn whatever_works_again_rests_no_more() {
        let (mut rests, now) = (Rests::default(), DateTime::UNIX_EPOCH);
        rests.note(&failing(), now);
        let done = BTreeSet::from(["account:a".to_owned()]);
        rests.note(&Left { done, ..Left::default() }, now);
        assert!(rests.at(now).is_empty());
    }
}
