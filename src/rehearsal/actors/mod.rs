//! Who does what: patients and the clinic's staff, people at the providers, admins, and the program
//! itself.

mod admins;
mod backups;
mod contacts;
mod patients;
mod program;
mod records;

use std::sync::Arc;

pub use admins::accepts;
pub use program::Ran;
pub use records::id;

use super::history::{Step, What};
use super::world::World;

impl World {
    /// Does what a step says; what came of it goes into the journal.
    pub async fn does(self: Arc<Self>, step: Step) {
        let said = match step.what {
            What::Enters { clinic, says, shares, age } => {
                self.enters(clinic, says, shares, age).await
            }
            What::Says { clinic, patient, channel, says } => {
                self.says(clinic, patient, channel, says).await
            }
            What::Becomes { clinic, patient, status } => {
                self.becomes(clinic, patient, status).await
            }
            What::Record { clinic, patient, change } => {
                self.record_changes(clinic, patient, change).await
            }
            What::FlagsInBulk { clinic } => self.flags_in_bulk(clinic).await,
            What::Does { clinic, list, patient, deed } => {
                Ok(self.patient_does(clinic, list, patient, deed))
            }
            What::MovesThere { clinic, list, patient } => {
                Ok(self.moves_there(clinic, list, patient))
            }
            What::Stranger { clinic, list, number, deed } => {
                Ok(self.stranger_does(clinic, list, number, deed))
            }
            What::Runs { worker, full, .. } => self.runs(worker, full).await,
            What::Delivers => self.delivers().await,
            What::Restarts => self.restarts().await,
            What::Admin(admin) => self.admin(admin).await,
            What::TakesDown { clinic, patient, channel, lifts } => {
                self.takes_down_in_person(clinic, patient, channel, lifts).await
            }
            What::Weather { kind, minutes, one_in } => {
                Ok(self.weather_comes(kind, minutes, one_in))
            }
            What::ClockJumps { seconds } => Ok(self.clock_jumps(seconds)),
            What::Stalls { seconds } => Ok(self.stalls(seconds)),
            What::BackedUp => self.backs_up().await,
            What::PutBack => self.puts_back().await,
        };
        let said = said.unwrap_or_else(|error| {
            let error = format!("{error:#}");
            self.said.hear(&error);
            error
        });
        self.note(format!("#{} {said}", step.number));
    }
}
