//! The way of a request through the door of a service, and what an answer is before it goes out.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use super::log::Write;
use super::server::Peer;
use super::service::{Service, Simulator};

/// The most bytes a request may carry.
const BODY_LIMIT: usize = 32 << 20;

/// The status of a response that stands for no response at all.
pub const NO_ANSWER: u16 = 599;

/// Why no answer came. In process, a response of status 599 carries it as an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportFailure {
    /// The connection broke before the request was handled.
    Reset,
    /// The request was handled and its answer was lost.
    TimedOut,
}

/// A service whose requests go this way: count, handle, log, answer or break.
pub trait Door: Service {
    /// Names the route of a request, without anything of anybody in it.
    fn route(parts: &Parts) -> &'static str;

    /// Handles a request that was counted: credential, latency, fault, resource.
    fn handle(
        simulator: &Simulator<Self>,
        parts: &Parts,
        body: &Bytes,
    ) -> impl Future<Output = Result<Reply, TransportFailure>> + Send;
}

/// Answers a request.
pub async fn answer<S: Door>(simulator: Simulator<S>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
    let busy = simulator.in_flight().fetch_add(1, Ordering::Relaxed) + 1;
    simulator.with(|service| service.log().enter(busy));
    let outcome = S::handle(&simulator, &parts, &body).await;
    let write = written(&parts, &body, outcome.as_ref().map_or(NO_ANSWER, |reply| reply.status));
    simulator.in_flight().fetch_sub(1, Ordering::Relaxed);
    simulator.with(|service| {
        let limit = service.pace().remembered_writes;
        service.log().leave(S::route(&parts), write, limit);
    });
    match outcome {
        Ok(reply) => reply.respond(),
        Err(failure) => broken(&simulator, failure, peer).await,
    }
}

/// Says for the log what a request was.
pub fn written(parts: &Parts, body: &[u8], status: u16) -> Write {
    Write {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: String::from_utf8_lossy(body).into_owned(),
        status,
    }
}

/// Breaks the connection; in process, tells why.
pub async fn broken<S: Service>(
    simulator: &Simulator<S>,
    failure: TransportFailure,
    peer: Option<Peer>,
) -> Response<Body> {
    if let Some(peer) = peer {
        if failure == TransportFailure::TimedOut {
            simulator.stall().await;
        }
        peer.cut();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(NO_ANSWER).unwrap_or(StatusCode::BAD_GATEWAY);
    response.extensions_mut().insert(failure);
    response
}

/// Returns the host the caller named.
pub fn host(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
}

/// An answer of a service.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What the body is; none where there is no body.
    pub content_type: Option<&'static str>,
}

impl Reply {
    /// Answers with a document.
    #[must_use]
    pub fn json(status: u16, document: &Value) -> Self {
        Self::text(status, "application/json; charset=utf-8", document.to_string())
    }

    /// Answers with a status alone.
    #[must_use]
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), content_type: None }
    }

    /// Answers with text of another kind.
    #[must_use]
    pub fn text(status: u16, content_type: &'static str, text: String) -> Self {
        let (body, content_type) = (text.into_bytes(), Some(content_type));
        Self { status, headers: Vec::new(), body, content_type }
    }

    /// Answers with HTML, as what stands before an API does.
    #[must_use]
    pub fn html(status: u16, heading: &str) -> Self {
        Self::text(status, "text/html", format!("<html><body><h1>{heading}</h1></body></html>"))
    }

    /// Says how long to wait, where that is said.
    #[must_use]
    pub fn after(mut self, seconds: Option<u32>) -> Self {
        self.headers.extend(seconds.map(|seconds| ("retry-after", seconds.to_string())));
        self
    }

    /// Makes an HTTP response of it.
    #[must_use]
    pub fn respond(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        if let Some(kind) = self.content_type {
            response = response.header(CONTENT_TYPE, kind);
        }
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(self.body.into()).unwrap_or_else(|_| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}
