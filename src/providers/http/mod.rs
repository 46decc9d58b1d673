//! What every client of a provider's HTTP API needs: the account's share of requests, tries with
//! growing pauses, and the difference between what failed and what may have taken effect.
//!
//! A read is tried again freely. A write is sent again only when it certainly was not applied:
//! what may have happened comes back as [`ProviderError::Doubtful`], and the loop reads first.
//! What an answer means is each provider's own to say; see [`Judge`].

mod answer;
mod base;
mod headers;
#[cfg(test)]
pub mod scripted;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

pub use self::answer::{Answer, Failure, Judge, Setback, Trouble, plain};
pub use self::base::base_url;
pub use self::headers::{basic, bearer, is_json};
use crate::clock::SharedClock;
use crate::providers::{ProviderError, Transport, TransportError};

/// The first pause after a failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause; a provider that asks for more is left to the next run.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How a request may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Freely.
    Read,
    /// Only where it certainly was not applied.
    Write,
    /// Freely, as the provider knows it by its name.
    Named,
}

/// Sends the requests of one account.
pub struct Client {
    transport: Arc<dyn Transport>,
    clock: SharedClock,
    permits: Semaphore,
    tries: u32,
    judge: Judge,
    sent: AtomicU64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Prepares a client with at most `in_flight` requests at once, each tried up to `tries`
    /// times; nothing is sent yet.
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: SharedClock,
        in_flight: usize,
        tries: u32,
        judge: Judge,
    ) -> Self {
        let permits = Semaphore::new(in_flight);
        Self { transport, clock, permits, tries, judge, sent: AtomicU64::new(0) }
    }

    /// Returns how many requests were sent, tries counted one by one.
    pub fn requests(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Returns the clock it waits by.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Sends what changes nothing, until it works, fails for good, or no try is left.
    ///
    /// `request` is asked anew for each try.
    pub async fn read(
        &self,
        request: impl Fn() -> Result<Request<Bytes>, Failure>,
    ) -> Result<Bytes, Failure> {
        self.persist(Kind::Read, request).await
    }

    /// Sends what changes something, until it works, fails for good, is in doubt, or no try is
    /// left.
    pub async fn write(
        &self,
        request: impl Fn() -> Result<Request<Bytes>, Failure>,
    ) -> Result<Bytes, Failure> {
        self.persist(Kind::Write, request).await
    }

    /// Sends what changes something under a name that the provider acts on once, however often it
    /// comes: it is tried again even in doubt, and in doubt only where no try told.
    pub async fn named(
        &self,
        request: impl Fn() -> Result<Request<Bytes>, Failure>,
    ) -> Result<Bytes, Failure> {
        self.persist(Kind::Named, request).await
    }

    /// Sends one request once and returns whatever comes, unjudged.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let permit = self.permits.acquire().await;
        let _permit = permit.map_err(|_| TransportError::Unreachable(None))?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.transport.send(request).await
    }

    async fn persist(
        &self,
        kind: Kind,
        request: impl Fn() -> Result<Request<Bytes>, Failure>,
    ) -> Result<Bytes, Failure> {
        let (mut tried, mut doubtful) = (0, false);
        loop {
            let trouble = match self.attempt(request()?).await {
                Ok(body) => return Ok(body),
                Err(Setback::Failed(failure)) => return Err(failure),
                Err(Setback::Trouble(trouble)) => trouble,
            };
            tried += 1;
            doubtful |= kind != Kind::Read && trouble.is_doubtful();
            let pause = self.pause(tried, trouble.retry_after());
            let last = tried >= self.tries || pause > LONGEST_PAUSE;
            if last || (doubtful && kind == Kind::Write) {
                return Err(Failure::Error(match trouble.into_error(doubtful) {
                    ProviderError::Doubtful(source) => ProviderError::Doubtful(source),
                    _ if doubtful => ProviderError::Doubtful(None),
                    error => error,
                }));
            }
            self.clock.sleep(pause).await;
        }
    }

    async fn attempt(&self, request: Request<Bytes>) -> Result<Bytes, Setback> {
        let response =
            self.send(request).await.map_err(|error| Setback::Trouble(Trouble::from(error)))?;
        (self.judge)(&Answer::of(&response, self.clock.now()))?;
        Ok(response.into_body())
    }

    fn pause(&self, tried: u32, asked: Option<Duration>) -> Duration {
        let doubled = FIRST_PAUSE * 2_u32.saturating_pow(tried.saturating_sub(1)).min(32);
        let own = self.clock.jittered(doubled).min(LONGEST_PAUSE);
        asked.map_or(own, |asked| asked.max(own))
    }
}

/// Reads an answer as `T`; an answer of another shape is an error without any of its text.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|_| {
        Failure::Error(ProviderError::Unreadable { what: "an answer of another shape" })
    })
}

/// Says that a request could not even be made: a fault of ours or of the configuration.
pub fn unbuilt(_: http::Error) -> Failure {
    let title = "request could not be built".to_owned();
    Failure::Error(ProviderError::Rejected { status: 0, title })
}

#[cfg(test)]
mod tests {
    use super::scripted::{Reply, script};
    use super::*;
    use crate::clock::Clock;

    const OK: Reply = Reply::Json(200, "{}");

    /// Good under 300, passing from 500 on and at 429, else refused for good.
    fn judge(answer: &Answer<'_>) -> Result<(), Setback> {
        match answer.status {
            200..=299 => Ok(()),
            429 => Err(Setback::Trouble(Trouble::Throttled(answer.retry_after))),
            500.. => Err(Setback::Trouble(Trouble::Broken(None))),
            _ => Err(Setback::Failed(Failure::NotFound)),
        }
    }

    fn request() -> Result<Request<Bytes>, Failure> {
        Request::get("http://x.test/").body(Bytes::new()).map_err(unbuilt)
    }

    #[tokio::test]
    async fn what_may_have_taken_effect_is_never_sent_twice() {
        for (replies, writes, good, requests) in [
            (vec![Reply::Unreachable, Reply::Later(429, 3), OK], true, true, 3),
            (vec![Reply::Broken, OK], true, false, 1),
            (vec![Reply::Html(502), OK], true, false, 1),
            (vec![Reply::Broken, Reply::Html(502), OK], false, true, 3),
            (vec![Reply::Html(404), OK], false, false, 1),
            (vec![Reply::Unreachable; 3], false, false, 3),
            (vec![Reply::Later(429, 61), OK], false, false, 1),
        ] {
            let (transport, clock) = script(replies.clone());
            let client = Client::new(transport, clock, 2, 3, judge);
            let answer =
                if writes { client.write(request).await } else { client.read(request).await };
            assert_eq!((answer.is_ok(), client.requests()), (good, requests), "{replies:?}");
        }
    }

    #[tokio::test]
    async fn what_has_a_name_is_sent_again_and_stays_in_doubt_if_no_try_told() {
        let doubt = Reply::Broken;
        for (replies, said, requests) in [
            (vec![doubt, OK], "done", 2),
            (vec![doubt, Reply::Html(502), doubt], "doubtful", 3),
            (vec![doubt, Reply::Unreachable, Reply::Unreachable], "doubtful", 3),
            (vec![Reply::Unreachable; 3], "unavailable", 3),
            (vec![doubt, Reply::Html(404)], "refused", 2),
        ] {
            let (transport, clock) = script(replies.clone());
            let client = Client::new(transport, clock, 2, 3, judge);
            let answer = match client.named(request).await {
                Ok(_) => "done",
                Err(Failure::Error(ProviderError::Doubtful(_))) => "doubtful",
                Err(Failure::Error(_)) => "unavailable",
                Err(_) => "refused",
            };
            assert_eq!((answer, client.requests()), (said, requests), "{replies:?}");
        }
    }

    #[tokio::test]
    async fn pauses_grow_and_are_as_long_as_the_provider_asks_for() {
        let (transport, clock) = script(vec![Reply::Html(500); 4]);
        let client = Client::new(transport, clock.clone(), 1, 4, judge);
        let before = clock.now();
        assert!(client.read(request).await.is_err());
        assert!((3..=11).contains(&(clock.now() - before).num_seconds()));

        let (transport, clock) = script(vec![Reply::Later(429, 40), OK]);
        let client = Client::new(transport, clock.clone(), 1, 4, judge);
        let before = clock.now();
        assert!(client.read(request).await.is_ok());
        assert_eq!((clock.now() - before).num_seconds(), 40);
    }
}
