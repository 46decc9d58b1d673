//! What befalls a request: an answer, or a fault.

use http::request::Parts;

use super::call::Call;
use super::key::{self, Caller};
use super::reply::{error, too_many, unauthenticated};
use crate::simulator::door::{Reply, TransportFailure};
use crate::simulator::twilio::world::faults::Fault;
use crate::simulator::twilio::{Simulator, api};

/// Handles a request: credential, fault, resource.
pub fn handle(
    simulator: &Simulator,
    parts: &Parts,
    call: &Call,
) -> Result<Reply, TransportFailure> {
    simulator.with(|world| {
        let Some(caller) = key::caller(world, &parts.headers) else {
            return Ok(unauthenticated());
        };
        let done = |world, caller: Caller| api::dispatch(world, caller, call);
        match world.faults.strike(call.method.as_str(), &call.path) {
            None => Ok(done(world, caller)),
            Some(Fault::TooManyRequests { retry_after }) => Ok(too_many(retry_after)),
            Some(Fault::InternalError) => {
                Ok(error(500, 20_500, "An internal server error has occurred"))
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
