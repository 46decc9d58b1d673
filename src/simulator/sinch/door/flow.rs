//! What befalls a request: an answer, or a fault.

use serde_json::Value;

use super::call::Call;
use super::reply::error;
use crate::simulator::door::{Reply, TransportFailure};
use crate::simulator::sinch::world::faults::Fault;
use crate::simulator::sinch::{Simulator, api};

/// Handles a request: latency, fault, resource.
pub async fn handle(simulator: &Simulator, call: &Call) -> Result<Reply, TransportFailure> {
    let fault = simulator.with(|world| world.faults.strike(call.method.as_str(), &call.target));
    simulator.latency().await;
    let dispatch = || simulator.with(|world| api::dispatch(world, call));
    match fault {
        None => Ok(dispatch()),
        Some(Fault::TooManyRequests { retry_after }) => Ok(Reply::empty(429).after(retry_after)),
        Some(Fault::Unauthorized) => Ok(Reply::empty(401)),
        Some(Fault::Refused { status, code }) => Ok(error(status, &code, "refused")),
        Some(Fault::InternalError) => Ok(Reply::empty(500)),
        Some(Fault::BadGateway) => Ok(Reply::html(502, "502 Bad Gateway")),
        Some(Fault::Unavailable) => Ok(Reply::empty(503)),
        Some(Fault::Stall) => {
            simulator.stall().await;
            Ok(Reply::html(502, "502 Bad Gateway"))
        }
        Some(Fault::Reset) => Err(TransportFailure::Reset),
        Some(Fault::LostReply) => {
            dispatch();
            Err(TransportFailure::TimedOut)
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
