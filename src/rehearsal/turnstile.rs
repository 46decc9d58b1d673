//! The turnstile: every wait of the rehearsed program is a ticket in one queue, and the seed says
//! whose turn is next. Time is what the next ticket says it is.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::clock::Clock;

/// Names an actor: whoever takes turns.
pub type ActorId = usize;

/// Keeps simulated time, and who waits for what.
#[derive(Debug)]
pub struct Turnstile {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: DateTime<Utc>,
    /// How far the program's own clock is off.
    skew: TimeDelta,
    tickets: BTreeMap<u64, Ticket>,
    issued: u64,
    /// Statements and transactions under way.
    busy: usize,
    /// Who looks whether the actor rests; woken when something else of its process begins to wait.
    watcher: Option<Waker>,
    turn: ActorId,
    ids: StdRng,
    order: StdRng,
}

#[derive(Debug)]
struct Ticket {
    actor: ActorId,
    due: DateTime<Utc>,
    /// A deadline lets its actor go on meanwhile; anything else holds it.
    holds: bool,
    open: bool,
    waker: Option<Waker>,
}

impl Turnstile {
    /// Starts at `now`; ids and order follow from `seed`.
    #[must_use]
    pub fn new(now: DateTime<Utc>, seed: u64) -> Arc<Self> {
        let state = State {
            now: now.trunc_subsecs(3),
            skew: TimeDelta::zero(),
            tickets: BTreeMap::new(),
            issued: 0,
            busy: 0,
            watcher: None,
            turn: 0,
            ids: StdRng::seed_from_u64(seed ^ 0x1d5),
            order: StdRng::seed_from_u64(seed ^ 0x0bde4),
        };
        Arc::new(Self { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the true time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.lock().now
    }

    /// Moves time forward to `then`, if that is later.
    pub fn advance_to(&self, then: DateTime<Utc>) {
        let mut state = self.lock();
        state.now = state.now.max(then.trunc_subsecs(3));
    }

    /// Sets how far the program's own clock is off.
    pub fn skew(&self, by: TimeDelta) {
        self.lock().skew = by;
    }

    /// Draws a number below `end` by the seed of the order.
    pub fn draw(&self, end: u32) -> u32 {
        self.lock().order.random_range(0..end.max(1))
    }

    /// Draws whether something happens.
    pub fn happens(&self, probability: f64) -> bool {
        self.lock().order.random_bool(probability.clamp(0.0, 1.0))
    }

    /// Waits for a turn after `wait`.
    #[must_use]
    pub fn park(self: &Arc<Self>, wait: Duration) -> Park {
        self.ticket(wait, true)
    }

    fn ticket(self: &Arc<Self>, wait: Duration, holds: bool) -> Park {
        let mut state = self.lock();
        state.issued += 1;
        let (number, actor) = (state.issued, state.turn);
        let due = state.now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(3650));
        let ticket = Ticket { actor, due, holds, open: false, waker: None };
        state.tickets.insert(number, ticket);
        let watcher = state.watcher.take();
        drop(state);
        watcher.iter().for_each(Waker::wake_by_ref);
        Park { turnstile: self.clone(), number }
    }

    /// Counts a statement under way until the guard is dropped.
    #[must_use]
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.lock().busy += 1;
        Busy(self.clone())
    }

    /// Tells whether `actor` can do nothing before a ticket of its own opens; else wakes `watcher`
    /// when there is a new one.
    pub(super) fn rests(&self, actor: ActorId, watcher: &Waker) -> bool {
        let mut state = self.lock();
        let mut tickets = state.tickets.values();
        let rests = state.busy == 0 && tickets.any(|t| t.actor == actor && t.holds && !t.open);
        state.watcher = (!rests).then(|| watcher.clone());
        rests
    }

    /// Returns whose turn it is.
    #[must_use]
    pub fn turn(&self) -> ActorId {
        self.lock().turn
    }

    /// Has what waits from now on wait as `actor`.
    pub(super) fn take_turn(&self, actor: ActorId) {
        self.lock().turn = actor;
    }

    /// Chooses the next ticket, of those that fall due until `until`, and whose it is: among those
    /// that are due by chance, else the first to fall due.
    pub(super) fn choose(&self, until: DateTime<Utc>) -> Option<(u64, ActorId)> {
        let mut state = self.lock();
        let now = state.now;
        let closed = || state.tickets.iter().filter(|(_, ticket)| !ticket.open);
        let due: Vec<u64> =
            closed().filter(|(_, t)| t.due <= now).map(|(number, _)| *number).collect();
        let chosen = if due.is_empty() {
            let first = closed().filter(|(_, t)| t.due <= until);
            *first.min_by_key(|(number, ticket)| (ticket.due, **number))?.0
        } else {
            due[state.order.random_range(0..due.len())]
        };
        let ticket = state.tickets.get(&chosen)?;
        let (actor, due) = (ticket.actor, ticket.due);
        state.now = now.max(due);
        Some((chosen, actor))
    }

    /// Lets whoever holds the ticket go on.
    pub(super) fn open(&self, number: u64) {
        let mut state = self.lock();
        let Some(ticket) = state.tickets.get_mut(&number) else { return };
        ticket.open = true;
        let waker = ticket.waker.take();
        drop(state);
        waker.iter().for_each(Waker::wake_by_ref);
    }
}

/// A place in the queue; leaving it is no harm.
#[derive(Debug)]
pub struct Park {
    turnstile: Arc<Turnstile>,
    number: u64,
}

impl Future for Park {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.turnstile.lock();
        match state.tickets.get_mut(&self.number) {
            Some(ticket) if !ticket.open => {
                ticket.waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Park {
    fn drop(&mut self) {
        self.turnstile.lock().tickets.remove(&self.number);
    }
}

/// A statement under way.
#[derive(Debug)]
pub struct Busy(Arc<Turnstile>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().busy -= 1;
    }
}

/// The clock of one side of the world.
#[derive(Debug)]
pub struct WorldClock {
    turnstile: Arc<Turnstile>,
    /// Whether it is the program's, which may be off.
    ours: bool,
}

impl WorldClock {
    /// The clock of the program.
    #[must_use]
    pub fn ours(turnstile: &Arc<Turnstile>) -> Arc<Self> {
        Arc::new(Self { turnstile: turnstile.clone(), ours: true })
    }

    /// The clock of everybody else, which is right.
    #[must_use]
    pub fn theirs(turnstile: &Arc<Turnstile>) -> Arc<Self> {
        Arc::new(Self { turnstile: turnstile.clone(), ours: false })
    }
}

#[async_trait]
impl Clock for WorldClock {
    fn now(&self) -> DateTime<Utc> {
        let state = self.turnstile.lock();
        if self.ours { state.now + state.skew } else { state.now }
    }

    async fn sleep(&self, duration: Duration) {
        self.turnstile.park(duration).await;
    }

    async fn deadline(&self, limit: Duration) {
        self.turnstile.ticket(limit, false).await;
    }

    fn chance(&self) -> u64 {
        self.turnstile.lock().ids.next_u64()
    }
}
