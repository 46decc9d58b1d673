//! The transport of one provider's accounts, which counts and traces what is sent.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use tracing::field::Empty;
use tracing::{Instrument, info_span};

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
        let span = info_span!(
            "request",
            otel.kind = "client",
            provider = self.provider,
            http.request.method = request.method().as_str(),
            url.template = Empty,
            http.response.status_code = Empty,
            result = Empty,
        );
        if !span.is_disabled() {
            span.record("url.template", template(request.uri().path()));
        }
        let answer = self.inner.send(request).instrument(span.clone()).await;
        let took = (self.clock.now() - began).to_std().unwrap_or_default();
        let result = result(&answer);
        span.record("result", result);
        if let Ok(answer) = &answer {
            span.record("http.response.status_code", answer.status().as_u16());
        }
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

/// What providers call things in their paths; anything else may be somebody's.
const WORDS: &[&str] = &[
    "2010-04-01",
    "3.0",
    "Accounts",
    "IncomingPhoneNumbers",
    "IncomingPhoneNumbers.json",
    "Messages.json",
    "Services",
    "actions",
    "apps",
    "audiences",
    "batch",
    "batches",
    "consents",
    "contacts",
    "delete-permanent",
    "delivery_report",
    "groups",
    "inbounds",
    "lists",
    "members",
    "membership",
    "merge-fields",
    "messages",
    "oauth2",
    "ping",
    "preferences",
    "projects",
    "sms",
    "suppressions",
    "tags",
    "token",
    "v1",
    "webhooks",
    "workspace",
    "xms",
];

/// Returns a path without what differs from one of its kind to the next: ids, tokens, addresses.
fn template(path: &str) -> String {
    let part = |part| if part == "" || WORDS.contains(&part) { part } else { "{}" };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_words_and_nothing_that_may_be_somebody_s() {
        let path = "/3.0/lists/a1b2/members/5f2c/actions/delete-permanent";
        assert_eq!(template(path), "/3.0/lists/{}/members/{}/actions/delete-permanent");
        assert_eq!(template("/members/ann@post.test"), "/members/{}");
        assert_eq!(template("/ann/+447700900123"), "/{}/{}");
    }
}
