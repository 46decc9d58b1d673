//! Transports that stop at a request: to kill a process there, or to hold it back.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
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

/// A transport that holds the `nth` request on one side until it is let go.
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
        let here = self.asked.fetch_add(1, Ordering::SeqCst) + 1 == self.nth;
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
