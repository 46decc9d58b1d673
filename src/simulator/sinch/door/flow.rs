//! The way of a request through the door.

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use super::call::Call;
use super::reply::Reply;
use crate::simulator::log::Write;
use crate::simulator::server::Peer;
use crate::simulator::sinch::world::faults::Fault;
use crate::simulator::sinch::{Simulator, api};

/// The most bytes a request may carry.
const BODY_LIMIT: usize = 32 << 20;

/// The status of a response that stands for no response at all.
const NO_ANSWER: u16 = 599;

/// Whether no answer comes although the request was handled, or because it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    Unhandled,
    Handled,
}

/// Answers a request.
pub async fn answer(simulator: &Simulator, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
    let call = Call::new(&parts, body.to_vec());
    let fault = simulator.with(|world| {
        world.in_flight += 1;
        world.log.enter(world.in_flight);
        world.faults.strike(call.method.as_str(), parts.uri.path())
    });
    let outcome = handle(simulator, &call, fault).await;
    let write = Write {
        method: call.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: String::from_utf8_lossy(&call.body).into_owned(),
        status: outcome.as_ref().map_or(NO_ANSWER, |reply| reply.status),
    };
    simulator.with(|world| {
        world.in_flight = world.in_flight.saturating_sub(1);
        world.log.leave(api::route(&call), write, world.settings.remembered_writes);
    });
    match outcome {
        Ok(reply) => respond(reply),
        Err(silence) => {
            if let Some(peer) = peer {
                if silence == Silence::Handled {
                    simulator.stall().await;
                }
                peer.cut();
            }
            unanswered()
        }
    }
}

async fn handle(
    simulator: &Simulator,
    call: &Call,
    fault: Option<Fault>,
) -> Result<Reply, Silence> {
    simulator.latency().await;
    let dispatch = || simulator.with(|world| api::dispatch(world, call));
    match fault {
        None => Ok(dispatch()),
        Some(Fault::TooManyRequests { retry_after }) => {
            let headers = retry_after.map(|seconds| ("retry-after", seconds.to_string()));
            Ok(Reply { headers: headers.into_iter().collect(), ..Reply::empty(429) })
        }
        Some(Fault::Unauthorized) => Ok(Reply::empty(401)),
        Some(Fault::Refused { status, code }) => Ok(Reply::error(status, &code, "refused")),
        Some(Fault::InternalError) => Ok(Reply::empty(500)),
        Some(Fault::BadGateway) => Ok(Reply::html(502, "502 Bad Gateway")),
        Some(Fault::Unavailable) => Ok(Reply::empty(503)),
        Some(Fault::Stall) => {
            simulator.stall().await;
            Ok(Reply::html(502, "502 Bad Gateway"))
        }
        Some(Fault::Reset) => Err(Silence::Unhandled),
        Some(Fault::LostReply) => {
            dispatch();
            Err(Silence::Handled)
        }
        Some(Fault::ShortMembers { drop }) => Ok(shortened(dispatch(), drop)),
    }
}

/// Takes members off the end of a list.
fn shortened(reply: Reply, drop: usize) -> Reply {
    let mut list: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let rows = if list.is_array() { list.as_array_mut() } else { list["members"].as_array_mut() };
    match rows {
        Some(rows) => rows.truncate(rows.len().saturating_sub(drop)),
        None => return reply,
    }
    Reply { body: serde_json::to_vec(&list).unwrap_or_default(), ..reply }
}

fn respond(reply: Reply) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    if let Some(kind) = reply.content_type {
        response = response.header(CONTENT_TYPE, kind);
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body.into()).unwrap_or_else(|_| unanswered())
}

fn unanswered() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(NO_ANSWER).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}
