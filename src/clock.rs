//! The only source of time, sleep, deadlines, ids and chance.
//!
//! Everything that is not deterministic enters through [`Clock`], so a rehearsal can replay a
//! whole run from one seed. Nothing else in the program may ask the machine what time it is.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, Utc};
use futures::future::{Either, select};
use rand::Rng;
use uuid::Uuid;

/// Time and chance as a parameter.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the present instant, cut to whole milliseconds as the store keeps it.
    fn now(&self) -> DateTime<Utc>;

    /// Waits for `duration` of this clock's time.
    async fn sleep(&self, duration: Duration);

    /// Resolves when `limit` has passed; a clock that is moved by hand never does.
    ///
    /// Apart from `sleep`, because hand-moved time must not overtake real I/O that is under way.
    async fn deadline(&self, limit: Duration);

    /// Returns 64 bits of chance.
    fn chance(&self) -> u64;

    /// Returns a fresh time-ordered id (`UUIDv7`).
    fn id(&self) -> Uuid {
        let millis = u64::try_from(self.now().timestamp_millis()).unwrap_or_default();
        let mut random = [0_u8; 10];
        random[..8].copy_from_slice(&self.chance().to_le_bytes());
        random[8..].copy_from_slice(&self.chance().to_le_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// Returns a duration between half of `around` and one and a half times it.
    ///
    /// Spreads retries, so that many workers refused together do not come back together.
    fn jittered(&self, around: Duration) -> Duration {
        let millis = u64::try_from(around.as_millis()).unwrap_or(u64::MAX / 2).max(1);
        Duration::from_millis(millis / 2 + self.chance() % millis)
    }
}

/// A clock that several parts of the program share.
pub type SharedClock = Arc<dyn Clock>;

/// The deadline of [`timeout`] passed before the work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within the time allowed")]
pub struct Elapsed;

/// Runs `work` for at most `limit` of the clock's time.
///
/// # Errors
/// [`Elapsed`] when the limit passes first; the work is dropped then.
pub async fn timeout<T>(
    clock: &dyn Clock,
    limit: Duration,
    work: impl Future<Output = T> + Send,
) -> Result<T, Elapsed> {
    let work = std::pin::pin!(work);
    match select(work, clock.deadline(limit)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(((), _)) => Err(Elapsed),
    }
}

/// The machine's own clock and random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(3)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    async fn deadline(&self, limit: Duration) {
        self.sleep(limit).await;
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws chance")]
    fn chance(&self) -> u64 {
        rand::rng().next_u64()
    }
}

/// A clock moved by hand and a random source made from one seed: for tests and rehearsals.
///
/// `sleep` moves the clock instead of waiting, until the clock is let [run](ManualClock::run).
#[derive(Debug)]
pub struct ManualClock {
    state: std::sync::Mutex<ManualState>,
}

#[derive(Debug)]
struct ManualState {
    now: DateTime<Utc>,
    /// Since when it runs by itself.
    since: Option<std::time::Instant>,
    chance: rand::rngs::StdRng,
}

impl ManualClock {
    /// Starts at `now` with chance drawn from `seed`.
    #[must_use]
    pub fn new(now: DateTime<Utc>, seed: u64) -> Self {
        use rand::SeedableRng;
        let chance = rand::rngs::StdRng::seed_from_u64(seed);
        Self {
            state: std::sync::Mutex::new(ManualState {
                now: now.trunc_subsecs(3),
                since: None,
                chance,
            }),
        }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.lock().now += by;
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: DateTime<Utc>) {
        self.lock().now = now.trunc_subsecs(3);
    }

    /// Lets the clock run by itself from now on, as fast as the machine's own; chance is the machine's too.
    #[expect(clippy::disallowed_methods, reason = "a clock that runs must read one that does")]
    pub fn run(&self) {
        self.lock().since.get_or_insert_with(std::time::Instant::now);
    }

    fn runs(&self) -> bool {
        self.lock().since.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let state = self.lock();
        let run = state.since.map(|since| since.elapsed()).unwrap_or_default();
        (state.now + run).trunc_subsecs(3)
    }

    async fn sleep(&self, duration: Duration) {
        if self.runs() {
            return SystemClock.sleep(duration).await;
        }
        self.advance(duration);
        tokio::task::yield_now().await;
    }

    async fn deadline(&self, limit: Duration) {
        if self.runs() {
            return SystemClock.deadline(limit).await;
        }
        futures::future::pending::<()>().await;
    }

    fn chance(&self) -> u64 {
        if self.runs() {
            return SystemClock.chance();
        }
        self.lock().chance.next_u64()
    }
}
