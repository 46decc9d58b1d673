//! Under way: work that goes on while whoever began it does something else.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;

use futures::future::{Either, FutureExt, select};
use futures::stream::{FuturesUnordered, StreamExt};

/// Futures that are all polled whenever their holder waits.
///
/// One that is not polled may hold what the holder waits for, or be the next in its queue: the one
/// connection that writes, or the provider's. So the holder waits for nothing but
/// [`beside`](Self::beside) them.
pub(super) struct UnderWay<F: Future> {
    running: FuturesUnordered<F>,
    ended: VecDeque<F::Output>,
}

impl<F: Future> UnderWay<F> {
    pub(super) fn new() -> Self {
        Self { running: FuturesUnordered::new(), ended: VecDeque::new() }
    }

    /// Begins one more.
    pub(super) fn begin(&mut self, work: F) {
        self.running.push(work);
    }

    /// Counts those that were begun and not taken yet.
    pub(super) fn count(&self) -> usize {
        self.running.len() + self.ended.len()
    }

    /// Waits for the next one to end; none where none is left.
    pub(super) async fn next(&mut self) -> Option<F::Output> {
        match self.ended.pop_front() {
            Some(ended) => Some(ended),
            None => self.running.next().await,
        }
    }

    /// Returns one that has ended already.
    pub(super) fn ended(&mut self) -> Option<F::Output> {
        self.next().now_or_never().flatten()
    }

    /// Waits for `work`, and lets all others go on meanwhile.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match select(work.as_mut(), self.running.next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((Some(ended), _)) => self.ended.push_back(ended),
                Either::Right((None, _)) => return work.await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_not_behind_one_that_stands_still() {
        let writer = Arc::new(Mutex::new(()));
        let busy = writer.clone().lock_owned().await;
        let mut under_way = UnderWay::new();
        under_way.begin(async {
            let _turn = writer.lock().await;
            1
        });
        // It queues for the writer, ahead of us.
        assert_eq!(under_way.ended(), None);
        drop(busy);
        let ours = under_way.beside(async { writer.lock().await }).await;
        drop(ours);
        assert_eq!(under_way.next().await, Some(1));
        assert_eq!(under_way.next().await, None);
    }
}
