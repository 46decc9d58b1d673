//! What a person may ask of a clinic about their own data, and what a clinic must answer for.
//!
//! The commands, the API and the page only ask here. Whoever is taken off a list for it is taken off
//! by the ordinary loop, under its law and its journal.

pub mod archive;
pub mod dossier;
mod page;
mod tables;

pub use archive::ArchiveError;
pub use dossier::Dossier;
