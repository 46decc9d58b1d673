//! Everything the simulated service knows, behind one lock.

pub mod audience;
pub mod contact;
pub mod faults;
mod people;
pub mod preference;
pub mod suppression;
pub mod text;
mod workspace;

use chrono::{DateTime, SecondsFormat, Utc};
use rand::Rng;
use rand::rngs::StdRng;

use self::faults::Faults;
use super::settings::Settings;
use crate::simulator::log::RequestLog;

pub use self::workspace::{Said, Workspace};

/// The alphabet of Bird's ids.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The whole service.
#[derive(Debug)]
pub struct World {
    /// The present instant, as of the last look.
    pub now: DateTime<Utc>,
    /// The knobs.
    pub settings: Settings,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// What was asked.
    pub log: RequestLog,
    /// The workspaces.
    pub workspaces: Vec<Workspace>,
    /// Ids come from here.
    pub rng: StdRng,
}

impl World {
    /// Makes an id of a kind: `con_` and 26 characters.
    pub fn id(&mut self, kind: &str) -> String {
        let mut id = format!("{kind}_01");
        for _ in 0..24 {
            let place = self.rng.next_u32() as usize % ALPHABET.len();
            id.push(char::from(ALPHABET[place]));
        }
        id
    }

    /// Makes a signing secret.
    pub fn secret(&mut self) -> String {
        use base64::Engine;
        let mut bytes = [0; 24];
        self.rng.fill_bytes(&mut bytes);
        format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(bytes))
    }
}

/// Writes an instant as the API does: UTC with milliseconds.
#[must_use]
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
