//! `/inbounds`: what people sent.
//!
//! Source: Sinch docs, SMS REST API, Inbounds.

use super::Answer;
use super::fields::{instant, page, since};
use crate::simulator::door::Reply;
use crate::simulator::sinch::door::call::Call;
use crate::simulator::sinch::world::World;
use crate::simulator::sinch::world::account::Inbound;
use crate::simulator::sinch::world::number::msisdn;

/// Lists texts, newest first; of the last day, unless more is asked for.
pub fn index(world: &World, account: usize, call: &Call) -> Answer {
    let (since, until) = (since(call, world.now)?, instant(call, "end_date")?);
    let to: Option<Vec<String>> =
        call.param("to").map(|to| to.split(',').filter_map(msisdn).collect());
    let rows = world.accounts[account].inbounds.iter().filter(|inbound| {
        inbound.received_at >= since
            && until.is_none_or(|until| inbound.received_at < until)
            && to.as_ref().is_none_or(|to| to.contains(&inbound.to))
    });
    page(call, "inbounds", rows.map(Inbound::json).collect())
}

/// Shows a text.
pub fn read(world: &World, account: usize, id: &str) -> Answer {
    let mut inbounds = world.accounts[account].inbounds.iter();
    let inbound = inbounds.find(|inbound| inbound.id == id).ok_or_else(|| Reply::empty(404))?;
    Ok(Reply::json(200, &inbound.json()))
}
