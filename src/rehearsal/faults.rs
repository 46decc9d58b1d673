//! What goes wrong: which kinds there are, when each is in the air, and how often it struck.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::turnstile::Turnstile;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 429.
    Throttled,
    /// 403 with HTML, as from a firewall.
    Forbidden,
    /// 500.
    ServerError,
    /// 502 with HTML.
    BadGateway,
    /// The connection is reset before the request took effect.
    Reset,
    /// The request took effect, and the answer never came.
    LostReply,
    /// Nobody answers at all.
    Unreachable,
    /// The answer takes minutes.
    Slow,
    /// Staff archive a member between two pages.
    PageDrift,
    /// Rows are missing from a page.
    ShortPage,
    /// Rows are missing from a page and from its total.
    ShrunkPage,
    /// The key opens somebody else's account.
    ForeignAccount,
    /// What became of a job is not to be had any more.
    JobLost,
    /// A webhook never arrives.
    HookLost,
    /// A webhook arrives twice.
    HookTwice,
    /// Webhooks arrive the newest first.
    HooksReversed,
    /// A webhook is signed with a secret that is not ours.
    HookForged,
    /// The store refuses connections.
    StoreAway,
    /// The store can only be read.
    StoreReadOnly,
    /// The store's disk is full.
    StoreFull,
    /// The clinic's records cannot be read.
    SourceAway,
    /// Some of the clinic's records are missing.
    SourceShort,
    /// All of the clinic's records are missing.
    SourceEmpty,
    /// The clinic's clock is ahead.
    ClinicAhead,
    /// Our own clock jumps.
    ClockJump,
    /// A process is killed between two of its waits.
    Killed,
    /// Two processes work on one clinic at once.
    TwoWorkers,
    /// A worker is held up for longer than its lease.
    LeaseExpired,
    /// Staff clear everybody's flag at once.
    FlagsInBulk,
    /// The provider refuses one address for good, alone or amid a job.
    Refused,
    /// The store is put back to an older state.
    PutBack,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Throttled,
        Self::Forbidden,
        Self::ServerError,
        Self::BadGateway,
        Self::Reset,
        Self::LostReply,
        Self::Unreachable,
        Self::Slow,
        Self::PageDrift,
        Self::ShortPage,
        Self::ShrunkPage,
        Self::ForeignAccount,
        Self::JobLost,
        Self::HookLost,
        Self::HookTwice,
        Self::HooksReversed,
        Self::HookForged,
        Self::StoreAway,
        Self::StoreReadOnly,
        Self::StoreFull,
        Self::SourceAway,
        Self::SourceShort,
        Self::SourceEmpty,
        Self::ClinicAhead,
        Self::ClockJump,
        Self::Killed,
        Self::TwoWorkers,
        Self::LeaseExpired,
        Self::FlagsInBulk,
        Self::Refused,
        Self::PutBack,
    ];

    /// Tells whether it comes over the air for a while, and strikes one act of the program in so many.
    #[must_use]
    pub const fn is_weather(self) -> bool {
        !matches!(
            self,
            Self::ClockJump
                | Self::Killed
                | Self::TwoWorkers
                | Self::LeaseExpired
                | Self::FlagsInBulk
                | Self::Refused
                | Self::PutBack
        )
    }

    /// Those that come over the air for a while.
    #[must_use]
    pub fn weather() -> Vec<Self> {
        Self::ALL.iter().copied().filter(|kind| kind.is_weather()).collect()
    }

    /// Those that befall a request to a provider.
    pub const REQUESTS: &'static [Self] = &[
        Self::Throttled,
        Self::Forbidden,
        Self::ServerError,
        Self::BadGateway,
        Self::Reset,
        Self::LostReply,
        Self::Unreachable,
        Self::Slow,
        Self::PageDrift,
        Self::ShortPage,
        Self::ShrunkPage,
        Self::ForeignAccount,
        Self::JobLost,
    ];

    /// Returns the word for it.
    #[must_use]
    pub fn word(self) -> String {
        serde_json::to_string(&self).unwrap_or_default().trim_matches('"').to_owned()
    }
}

/// A kind of fault in the air for a while.
#[derive(Debug, Clone, Copy)]
struct Front {
    kind: Kind,
    until: DateTime<Utc>,
    /// One in so many is struck.
    one_in: u32,
}

/// What is in the air, and what struck.
#[derive(Debug)]
pub struct Weather {
    turnstile: Arc<Turnstile>,
    fronts: Mutex<Vec<Front>>,
    struck: Mutex<BTreeMap<Kind, u64>>,
}

impl Weather {
    /// Starts fair.
    #[must_use]
    pub fn new(turnstile: &Arc<Turnstile>) -> Arc<Self> {
        let (fronts, struck) = (Mutex::default(), Mutex::default());
        Arc::new(Self { turnstile: turnstile.clone(), fronts, struck })
    }

    /// Puts a kind into the air until then; one act in so many is struck.
    pub fn comes(&self, kind: Kind, until: DateTime<Utc>, one_in: u32) {
        lock(&self.fronts).push(Front { kind, until, one_in });
    }

    /// Ends all of it.
    pub fn clears_up(&self) {
        lock(&self.fronts).clear();
    }

    /// Draws whether one of `kinds` strikes now; what strikes is counted by whoever lets it.
    #[must_use]
    pub fn draw(&self, kinds: &[Kind]) -> Option<Kind> {
        let now = self.turnstile.now();
        let fronts = lock(&self.fronts);
        let of_these = fronts.iter().filter(|front| front.until > now);
        let mut of_these = of_these.filter(|front| kinds.contains(&front.kind));
        of_these.find(|front| self.turnstile.draw(front.one_in) == 0).map(|front| front.kind)
    }

    /// Draws and counts.
    #[must_use]
    pub fn strikes(&self, kinds: &[Kind]) -> Option<Kind> {
        let kind = self.draw(kinds)?;
        self.count(kind);
        Some(kind)
    }

    /// Counts a fault that struck.
    pub fn count(&self, kind: Kind) {
        *lock(&self.struck).entry(kind).or_default() += 1;
    }

    /// Returns how often each kind struck.
    #[must_use]
    pub fn struck(&self) -> BTreeMap<Kind, u64> {
        lock(&self.struck).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
