//! Where patients come from: one trait, and an adapter for each kind of source.
//!
//! - [`sql`] reads the view `listwarden_patients` that a clinic makes in its own database.
//! - [`reference`](mod@reference) is a small clinic database of our own, for clinics without one, for
//!   demonstrations and for tests. It is read through the same view.
//! - [`csv`] brings a file into the reference clinic, or names former patients.
//!
//! Nothing here decides who may be listed. A source says what the clinic has on record, and
//! where it could not be read; it never guesses in favour of listing somebody.

pub mod columns;
pub mod csv;
pub mod error;
pub mod nearest;
pub mod reading;
pub mod reference;
pub mod rows;
pub mod source;
pub mod sql;

pub use error::{Cause, SourceError};
pub use reading::withdrawn;
pub use reference::Reference;
pub use rows::{SourcePage, SourceRow};
pub use source::{Note, PatientPage, PatientSource, RowProblem, SourceCursor};
pub use sql::{SqlOptions, SqlSource};
