//! Looking on: members, texts, counts, events on their way.

use super::ControlError;
use crate::simulator::sinch::Simulator;
use crate::simulator::sinch::world::account::{Inbound, Text};
use crate::simulator::sinch::world::number::msisdn;

impl Simulator {
    /// Lists the members of a group: numbers without `+`, in the order of entry.
    pub fn members(&self, group: &str) -> Result<Vec<String>, ControlError> {
        self.with(|world| {
            let group = world.group_mut(group).ok_or(ControlError::NoSuchGroup)?;
            Ok(group.members.clone())
        })
    }

    /// Tells whether a number, in any form, is a member of a group.
    #[must_use]
    pub fn has(&self, group: &str, number: &str) -> bool {
        let number = msisdn(number);
        self.members(group).is_ok_and(|members| members.into_iter().any(|m| Some(m) == number))
    }

    /// Lists the texts that all accounts sent, in order.
    #[must_use]
    pub fn outbox(&self) -> Vec<Text> {
        self.with(|world| world.accounts.iter().flat_map(|a| a.texts.clone()).collect())
    }

    /// Lists the texts that people sent to all accounts, in order.
    #[must_use]
    pub fn inbox(&self) -> Vec<Inbound> {
        self.with(|world| world.accounts.iter().flat_map(|a| a.inbounds.clone()).collect())
    }
}
