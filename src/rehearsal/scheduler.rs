//! The scheduler: one actor at a time, from one wait to the next. An actor whose database is at work
//! keeps its turn.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::turnstile::{ActorId, Turnstile};

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Whoever takes turns in the world.
struct Actor<'a> {
    id: ActorId,
    work: Work<'a>,
    bell: Arc<Bell>,
    /// Its process is killed instead of its so-manieth turn.
    dies_at: Option<u32>,
}

/// Rings when an actor can go on, and passes it on to whoever polls.
#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).take();
        outer.iter().for_each(Waker::wake_by_ref);
    }
}

/// Takes all actors through their turns.
pub struct Scheduler<'a> {
    turnstile: Arc<Turnstile>,
    actors: Vec<Actor<'a>>,
    begun: ActorId,
    turns: u64,
}

/// More turns than any world takes: the program goes round in circles.
const MOST_TURNS: u64 = 400_000;

/// How long a database may take: whoever waits longer waits for something that never comes. It is
/// counted in glances, so that the time in which this process itself stood still counts for nothing.
const GLANCES: u32 = 60;
/// The time between two glances.
const GLANCE: Duration = Duration::from_secs(1);

/// The world did not come to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restless;

impl<'a> Scheduler<'a> {
    /// Starts without actors.
    #[must_use]
    pub const fn new(turnstile: Arc<Turnstile>) -> Self {
        Self { turnstile, actors: Vec::new(), begun: 0, turns: 0 }
    }

    /// Begins a piece of work and gives it its first turn.
    pub async fn begin(
        &mut self,
        work: impl Future<Output = ()> + 'a,
        dies_at: Option<u32>,
    ) -> Result<(), Restless> {
        self.begun += 1;
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), outer: Mutex::default() });
        let actor = Actor { id: self.begun, work: Box::pin(work), bell, dies_at };
        self.actors.push(actor);
        self.turn(self.actors.len() - 1).await
    }

    /// Gives turns until nothing falls due before `until`.
    pub async fn run_until(&mut self, until: DateTime<Utc>) -> Result<(), Restless> {
        while let Some((ticket, id)) = self.turnstile.choose(until) {
            self.turns += 1;
            if self.turns > MOST_TURNS {
                return Err(Restless);
            }
            let place = self.actors.iter().position(|actor| actor.id == id);
            if place.is_some_and(|place| self.is_over(place)) {
                continue;
            }
            self.turnstile.open(ticket);
            if let Some(place) = place {
                self.turn(place).await?;
            }
        }
        Ok(())
    }

    /// Gives turns until every actor is through.
    pub async fn run_out(&mut self) -> Result<(), Restless> {
        self.run_until(DateTime::<Utc>::MAX_UTC).await
    }

    /// Kills every actor where it stands.
    pub fn kill_all(&mut self) {
        self.actors.clear();
    }

    /// Counts the turns given.
    #[must_use]
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// Kills an actor whose time has come; everything it had in hand is gone with it.
    fn is_over(&mut self, place: usize) -> bool {
        let Some(left) = &mut self.actors[place].dies_at else { return false };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return false;
        }
        drop(self.actors.remove(place));
        true
    }

    async fn turn(&mut self, place: usize) -> Result<(), Restless> {
        let actor = &mut self.actors[place];
        self.turnstile.take_turn(actor.id);
        let waker = Waker::from(actor.bell.clone());
        let done = poll_fn(|context| {
            loop {
                *actor.bell.outer.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(context.waker().clone());
                if actor.bell.rung.swap(false, Ordering::SeqCst) {
                    if actor.work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                        return Poll::Ready(true);
                    }
                } else if self.turnstile.rests(actor.id, context.waker()) {
                    return Poll::Ready(false);
                } else {
                    return Poll::Pending;
                }
            }
        });
        if patiently(tokio::task::unconstrained(done)).await? {
            self.actors.remove(place);
        }
        Ok(())
    }
}

/// Waits for a turn to end, unless its database hangs.
#[expect(clippy::disallowed_methods, reason = "a database that hangs hangs in real time")]
async fn patiently<T>(turn: impl Future<Output = T>) -> Result<T, Restless> {
    let mut turn = std::pin::pin!(turn);
    for _ in 0..GLANCES {
        if let Ok(done) = tokio::time::timeout(GLANCE, turn.as_mut()).await {
            return Ok(done);
        }
    }
    Err(Restless)
}
