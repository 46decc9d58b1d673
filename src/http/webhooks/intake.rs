//! The intake: many deliveries share one transaction, and each is answered after its commit.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::clock::SharedClock;
use crate::store::{NewDelivery, Store};

/// Deliveries that may wait for a transaction; more are made to wait at the door.
const WAITING: usize = 1_024;
/// Deliveries in one transaction.
const TOGETHER: usize = 128;

/// How long a group waits at most to be as large as the last one: each costs its commit.
const LINGER: Duration = Duration::from_millis(2);

/// Hands deliveries to the one task that writes them.
#[derive(Debug)]
pub(super) struct Intake {
    waiting: mpsc::Sender<Waiting>,
}

struct Waiting {
    delivery: NewDelivery,
    kept: oneshot::Sender<Kept>,
}

/// Whether a delivery that is kept was new; none where it could not be kept.
type Kept = Option<bool>;

impl Intake {
    /// Starts the writing task; it ends when the intake is dropped and everything taken is written.
    pub(super) fn start(store: Store, clock: SharedClock, wake: Arc<Notify>) -> Self {
        let (waiting, arriving) = mpsc::channel(WAITING);
        let (written, since) = watch::channel(());
        tokio::spawn(keep_up(store.clone(), since));
        tokio::spawn(write(store, clock, wake, arriving, written));
        Self { waiting }
    }

    /// Tells whether the writing task is there.
    pub(super) fn is_alive(&self) -> bool {
        !self.waiting.is_closed()
    }

    /// Keeps a delivery; returns once it is committed, or could not be.
    pub(super) async fn keep(&self, delivery: NewDelivery) -> Kept {
        let (kept, answer) = oneshot::channel();
        self.waiting.send(Waiting { delivery, kept }).await.ok()?;
        answer.await.ok().flatten()
    }
}

async fn write(
    store: Store,
    clock: SharedClock,
    wake: Arc<Notify>,
    mut arriving: mpsc::Receiver<Waiting>,
    written: watch::Sender<()>,
) {
    let mut together = Vec::with_capacity(TOGETHER);
    let mut last = 0;
    while arriving.recv_many(&mut together, TOGETHER).await > 0 {
        gather(&clock, &mut arriving, &mut together, last).await;
        // A group that fell short once is no reason to wait for no more than that from now on.
        last = together.len().max(last - last.div_ceil(8));
        let (deliveries, answers): (Vec<_>, Vec<_>) =
            together.drain(..).map(|waiting| (waiting.delivery, waiting.kept)).unzip();
        let kept = keep_all(&store, &deliveries).await;
        wake.notify_one();
        written.send_replace(());
        for (answer, kept) in answers.into_iter().zip(kept) {
            // A sender that hung up sends again; the key makes it the same delivery.
            answer.send(kept).ok();
        }
    }
}

/// Keeps the store in shape beside the writing task, until that one is gone.
async fn keep_up(store: Store, mut written: watch::Receiver<()>) {
    while written.changed().await.is_ok() {
        store.upkeep().await;
    }
}

/// Waits a little for as many as came together last: senders that were just answered send the next.
async fn gather(
    clock: &SharedClock,
    arriving: &mut mpsc::Receiver<Waiting>,
    together: &mut Vec<Waiting>,
    last: usize,
) {
    if together.len() >= last {
        return;
    }
    let mut over = clock.sleep(LINGER);
    while together.len() < last {
        let room = TOGETHER - together.len();
        let more = std::pin::pin!(arriving.recv_many(together, room));
        match select(more, over.as_mut()).await {
            Either::Left((1.., _)) => {}
            Either::Left(_) | Either::Right(_) => return,
        }
    }
}

/// Writes all in one transaction; where that fails each by itself, so that one alone is refused.
async fn keep_all(store: &Store, deliveries: &[NewDelivery]) -> Vec<Kept> {
    match store.deliveries_take(deliveries).await {
        Ok(new) => return new.into_iter().map(Some).collect(),
        Err(error) if deliveries.len() == 1 => {
            tracing::error!(%error, "a delivery could not be kept; its provider sends it again");
            return vec![None];
        }
        Err(_) => {}
    }
    let mut kept = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let one = store.deliveries_take(std::slice::from_ref(delivery)).await;
        if let Err(error) = &one {
            tracing::error!(%error, "a delivery could not be kept; its provider sends it again");
        }
        kept.push(one.ok().and_then(|new| new.first().copied()));
    }
    kept
}
