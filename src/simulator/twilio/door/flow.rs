//! The way of a request: credential, latency, fault, handler, log.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use http::header::HOST;
use http::request::Parts;

use super::call::Call;
use super::key::{self, Caller};
use super::reply::Reply;
use crate::simulator::server::Peer;
use crate::simulator::twilio::world::faults::Fault;
use crate::simulator::twilio::world::log::Write;
use crate::simulator::twilio::{Simulator, api};

/// The most bytes a request may carry.
const BODY_LIMIT: usize = 1 << 20;

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

/// Answers a request to one of the APIs.
pub async fn answer(simulator: &Simulator, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
    let call = read(&parts, &body);
    simulator.with(|world| world.log.enter());
    simulator.latency().await;
    let outcome = handle(simulator, &parts, &call);
    let write = Write {
        method: call.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: outcome.as_ref().map_or(NO_ANSWER, |reply| reply.status),
    };
    simulator.with(|world| {
        world.log.leave(api::route(&call.path), write, world.settings.remembered_writes);
    });
    match (outcome, peer) {
        (Ok(reply), _) => reply.respond(),
        (Err(failure), None) => failed(failure),
        (Err(failure), Some(peer)) => {
            if failure == TransportFailure::TimedOut {
                simulator.stall().await;
            }
            peer.cut();
            failed(failure)
        }
    }
}

fn read(parts: &Parts, body: &[u8]) -> Call {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = header.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
    let base_url = format!("http://{}", host.unwrap_or("twilio.test"));
    let query = parts.uri.query().unwrap_or_default();
    Call::new(parts.method.clone(), parts.uri.path(), query, body, base_url)
}

fn handle(simulator: &Simulator, parts: &Parts, call: &Call) -> Result<Reply, TransportFailure> {
    simulator.with(|world| {
        let Some(caller) = key::caller(world, &parts.headers) else {
            return Ok(Reply::unauthenticated());
        };
        let done = |world, caller: Caller| api::dispatch(world, caller, call);
        match world.faults.strike(call.method.as_str(), &call.path) {
            None => Ok(done(world, caller)),
            Some(Fault::TooManyRequests { retry_after }) => Ok(Reply::too_many(retry_after)),
            Some(Fault::InternalError) => {
                Ok(Reply::error(500, 20_500, "An internal server error has occurred"))
            }
            Some(Fault::BadGateway) => Ok(Reply::html(502, "502 Bad Gateway")),
            Some(Fault::Reset) => Err(TransportFailure::Reset),
            Some(Fault::LostReply) => {
                done(world, caller);
                Err(TransportFailure::TimedOut)
            }
        }
    })
}

fn failed(failure: TransportFailure) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(NO_ANSWER).unwrap_or(StatusCode::BAD_GATEWAY);
    response.extensions_mut().insert(failure);
    response
}
