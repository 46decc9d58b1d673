//! A person with a telephone.

use super::ControlError;
use crate::simulator::twilio::Simulator;
use crate::simulator::twilio::world::Reach;

/// A person, known by a number.
#[derive(Debug, Clone)]
pub struct Person {
    simulator: Simulator,
    number: String,
}

impl Simulator {
    /// Returns whoever has this number (E.164).
    #[must_use]
    pub fn person(&self, number: &str) -> Person {
        Person { simulator: self.clone(), number: number.to_owned() }
    }
}

impl Person {
    /// Texts a number that some account holds, and returns the message's id. STOP, START and HELP
    /// act there before the account is told.
    pub fn texts(&self, to: &str, body: &str) -> Result<String, ControlError> {
        self.simulator.with(|world| {
            let holds = |number: &str| number == to;
            let owner = world
                .accounts
                .iter()
                .position(|owner| owner.numbers.iter().any(|own| holds(&own.e164)))
                .ok_or(ControlError::NoSuchNumber)?;
            Ok(world.receive(owner, &self.number, to, body))
        })
    }

    /// Cannot be reached from now on; texts end with this error, such as 30003 for a telephone that
    /// is switched off.
    pub fn is_out_of_reach(&self, error: u32) {
        self.reached_as(Some(Reach::Fails(error)));
    }

    /// Turns out to have a landline.
    pub fn has_a_landline(&self) {
        self.reached_as(Some(Reach::Landline));
    }

    /// Can be reached again.
    pub fn is_in_reach(&self) {
        self.reached_as(None);
    }

    fn reached_as(&self, reach: Option<Reach>) {
        self.simulator.with(|world| match reach {
            Some(reach) => drop(world.reach.insert(self.number.clone(), reach)),
            None => drop(world.reach.remove(&self.number)),
        });
    }
}
