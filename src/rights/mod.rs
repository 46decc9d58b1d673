//! What a person may ask of a clinic about their own data, and what a clinic must answer for.
//!
//! The commands, the API and the page only ask here. Whoever is taken off a list for it is taken off
//! by the ordinary loop, under its law and its journal.

pub mod archive;
mod desk;
pub mod dossier;
pub mod effect;
pub mod erase;
pub mod exposure;
mod gather;
pub mod offboard;
mod page;
pub mod replay;
mod shared;
mod tables;
pub mod wishes;

pub use archive::ArchiveError;
pub use desk::{Desk, RightsError, confirmed};
pub use dossier::Dossier;
pub use effect::Idle;
pub use erase::{AtProvider, Erased, Receipt, Remains, receipt};
pub use exposure::{Exposed, Exposure, Window};
pub use offboard::{Exported, Left, OffboardError};
pub use replay::Stretch;
pub use wishes::{Effect, TakenDown, Wish, Written};
