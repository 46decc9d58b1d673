//! The transport of one provider's accounts, which counts what is sent.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::clock::SharedClock;
use crate::providers::{Transport, TransportError, is_json};
use crate::store::{Counter, Store};

/// Counts requests and how long they take; what they are about is not looked at.
#[derive(Debug)]
pub(super) struct Metered {
    pub(super) inner: Arc<dyn Transport>,
    pub(super) provider: &'static str,
    pub(super) store: Store,
    pub(super) clock: SharedClock,
}

#[async_trait]
impl Transport for Metered {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let began = self.clock.now();
        let answer = self.inner.send(request).await;
        let took = (self.clock.now() - began).to_std().unwrap_or_default();
        let result = result(&answer);
        self.store.counts(|tally| {
            tally.add(Counter::Requests, self.provider, result, 1);
            tally.observe(Counter::RequestTime, self.provider, took);
            if result == THROTTLED {
                tally.add(Counter::Throttles, self.provider, "", 1);
            }
        });
        answer
    }
}

const THROTTLED: &str = "throttled";

/// Says what came of a request. A 403 that is not the provider's own word is its firewall's, which
/// turns away whoever asks too much.
fn result(answer: &Result<Response<Bytes>, TransportError>) -> &'static str {
    match answer {
        Ok(answer) => match answer.status().as_u16() {
            429 => THROTTLED,
            403 if !is_json(answer.headers()) => THROTTLED,
            404 => "not_found",
            ..400 => "ok",
            400..500 => "refused",
            _ => "failed",
        },
        Err(TransportError::Unreachable(_)) => "unreachable",
        Err(TransportError::Broken(_) | TransportError::TooLarge(_)) => "broken",
    }
}
