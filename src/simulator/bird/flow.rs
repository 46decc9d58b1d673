//! What befalls a request: an answer, or a fault.

use serde_json::Value;

use super::api::{self, Call, error};
use super::world::faults::Fault;
use super::{Simulator, TransportFailure};
use crate::simulator::door::Reply;

/// Handles a request: latency, fault, resource.
pub async fn handle(simulator: &Simulator, call: &Call) -> Result<Reply, TransportFailure> {
    let fault = simulator.with(|world| world.faults.strike(call.method.as_str(), &call.target));
    simulator.latency().await;
    let dispatch = || simulator.with(|world| api::dispatch(world, call));
    match fault {
        None => Ok(dispatch()),
        Some(Fault::TooManyRequests { retry_after }) => {
            Ok(error(429, "rate_limit_error", "too many requests").after(retry_after))
        }
        Some(Fault::Refused { status, category }) => Ok(error(status, &category, "refused")),
        Some(Fault::InternalError) => Ok(error(500, "internal_error", "something broke")),
        Some(Fault::BadGateway) => Ok(Reply::html(502, "502 Bad Gateway")),
        Some(Fault::Stall) => {
            simulator.stall().await;
            Ok(Reply::html(502, "502 Bad Gateway"))
        }
        Some(Fault::Reset) => Err(TransportFailure::Reset),
        Some(Fault::LostReply) => {
            dispatch();
            Err(TransportFailure::TimedOut)
        }
        Some(Fault::ShortPage { drop }) => Ok(shortened(dispatch(), drop)),
    }
}

/// Takes rows off the end of a page.
fn shortened(reply: Reply, drop: usize) -> Reply {
    let mut page: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match page["data"].as_array_mut() {
        Some(rows) => rows.truncate(rows.len().saturating_sub(drop)),
        None => return reply,
    }
    Reply { body: serde_json::to_vec(&page).unwrap_or_default(), ..reply }
}
