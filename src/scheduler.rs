//! The inner schedule: wakes, and nothing else.
//!
//! Cron expressions by `croner`, on our own clock: tokio-cron-scheduler keeps the offset that a time
//! zone had when the job was made, and so is an hour off after the clocks change
//! (docs/decisions/0006).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use tokio::sync::Notify;

use crate::clock::{Clock, SharedClock};
use crate::reconcile::Stop;

/// How long a wait may go without a look whether to stop.
const STEP: Duration = Duration::from_millis(500);

/// When to wake.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    time_zone: Tz,
    jitter: Duration,
}

impl Schedule {
    /// Wakes when `cron` says so. Each instant is put off by up to `jitter`, so that deployments do
    /// not all call at once.
    #[must_use]
    pub const fn new(cron: Cron, time_zone: Tz, jitter: Duration) -> Self {
        Self { cron, time_zone, jitter }
    }

    /// Returns the next instant after `now`, by the wall clock of the time zone: an hour that the
    /// clocks skip is made up for, one that they repeat comes once.
    #[must_use]
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&self.time_zone);
        self.cron.find_next_occurrence(&local, false).ok().map(|at| at.to_utc())
    }

    /// Wakes `wake` at each of its instants until it is asked to stop.
    pub async fn run(self, clock: SharedClock, wake: Arc<Notify>, stop: Stop) {
        while let Some(next) = self.next(clock.now()) {
            let millis = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX).max(1);
            let until = next + Duration::from_millis(clock.chance() % millis);
            if !wait(clock.as_ref(), until, &stop).await {
                return;
            }
            wake.notify_one();
        }
    }
}

/// Waits until `until`; false when it was asked to stop first.
async fn wait(clock: &dyn Clock, until: DateTime<Utc>, stop: &Stop) -> bool {
    loop {
        if stop.is_asked() {
            return false;
        }
        match (until - clock.now()).to_std() {
            Ok(left) if !left.is_zero() => clock.sleep(left.min(STEP)).await,
            _ => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, now: &str) -> String {
        let cron = crate::config::cron(cron).unwrap();
        let schedule = Schedule::new(cron, Tz::Europe__London, Duration::ZERO);
        schedule.next(now.parse().unwrap()).unwrap().to_rfc3339()
    }

    #[test]
    fn three_at_night_is_three_at_night_in_summer_and_in_winter() {
        assert_eq!(next("0 3 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T03:00:00+00:00");
        assert_eq!(next("0 3 * * *", "2026-10-23T12:00:00Z"), "2026-10-24T02:00:00+00:00");
        assert_eq!(next("0 0 3 * * *", "2026-03-29T12:00:00Z"), "2026-03-30T02:00:00+00:00");
    }

    #[test]
    fn what_is_no_cron_expression_is_refused() {
        for text in ["", "often", "* * *", "99 * * * *", "0 */15 * * * * *  *"] {
            assert!(crate::config::cron(text).is_none(), "{text}");
        }
    }
}
