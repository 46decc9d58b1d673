//! Transports that stop at a request: to kill a process there, or to hold it back.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use listwarden::providers::Transport;
use listwarden::providers::transport::{HttpTransport, TransportError};
use tokio::sync::Notify;

/// On which side of a request something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The provider never hears of it.
    Before,
    /// The provider has done it, and the answer does not arrive.
    After,
}

/// A transport that holds the `nth` request on one side until it is let go; afterwards only writes
/// are counted, since a read leaves nothing behind.
#[derive(Debug)]
pub struct Stopping {
    inner: HttpTransport,
    nth: usize,
    side: Side,
    asked: AtomicUsize,
    reached: Notify,
    let_go: Notify,
}

impl Stopping {
    pub fn at(nth: usize, side: Side) -> Self {
        Self {
            inner: HttpTransport::new().unwrap(),
            nth,
            side,
            asked: AtomicUsize::new(0),
            reached: Notify::new(),
            let_go: Notify::new(),
        }
    }

    /// Resolves once the request is held.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    pub fn let_go(&self) {
        self.let_go.notify_one();
    }

    async fn hold(&self) {
        self.reached.notify_one();
        self.let_go.notified().await;
    }
}

#[async_trait]
impl Transport for Stopping {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let counts = self.side == Side::Before || request.method() != Method::GET;
        let here = counts && self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.nth;
        if here && self.side == Side::Before {
            self.hold().await;
        }
        let answer = self.inner.send(request).await;
        if here && self.side == Side::After {
            self.hold().await;
        }
        answer
    }
}

/// A transport that counts how many requests are under way at once.
#[derive(Debug)]
pub struct Counting {
    inner: HttpTransport,
    under_way: AtomicUsize,
    peak: AtomicUsize,
}

impl Counting {
    pub fn new() -> Self {
        let (under_way, peak) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { inner: HttpTransport::new().unwrap(), under_way, peak }
    }

    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Counting {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        // Whoever may start beside this one has started then.
        tokio::task::yield_now().await;
        let answer = self.inner.send(request).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}
