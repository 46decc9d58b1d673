//! Requests answered by a simulator's router in process, without a socket.

use std::fmt;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Request, Response};
use tower::ServiceExt;

use crate::providers::{Transport, TransportError};

/// The status by which a simulator says that no answer goes out.
const NO_ANSWER: u16 = 599;

/// A transport to one router.
#[derive(Clone)]
pub struct RouterTransport {
    router: Router,
}

impl fmt::Debug for RouterTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouterTransport")
    }
}

impl RouterTransport {
    /// Sends to `router` whatever the host.
    #[must_use]
    pub const fn new(router: Router) -> Self {
        Self { router }
    }
}

#[async_trait]
impl Transport for RouterTransport {
    /// A connection that breaks looks the same from here whether or not the request was handled.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let request = request.map(Body::from);
        let answer = match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        if answer.status().as_u16() == NO_ANSWER {
            return Err(TransportError::Broken(None));
        }
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await;
        let body = body.map_err(|error| TransportError::Broken(Some(Box::new(error))))?;
        Ok(Response::from_parts(parts, body))
    }
}
