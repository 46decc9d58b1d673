//! The words of `docs/words.md` as types: parsed at the door, valid ever after.
//!
//! Nothing here does I/O, knows a provider or asks the time. Personal data redacts itself in
//! `Debug` and `Display`; the full text comes only from `expose()`.

pub mod access;
pub mod address;
pub mod endpoint;
pub mod event;
pub mod ids;
pub mod link;
pub mod member;
pub mod operation;
pub mod patient;
pub mod personal;
pub mod policy;
pub mod reason;
pub mod standing;
pub mod text;

pub use access::{Act, Because, Clinics, Role, names_somebody};
pub use address::{Address, AddressError, Channel};
pub use endpoint::Origin;
pub use event::{Actor, Draft, Event, EventKind, NoteKind, TimeSource};
pub use ids::{ClinicId, ContactId, EventId, LinkId, ListId, PatientId, RunId};
pub use link::{
    Base, By, Class, Contact, ContactFacts, Holder, Intent, Invitation, Link, Observed,
};
pub use member::{Entry, MemberKey, MemberStatus};
pub use operation::{Operation, Verb};
pub use patient::{Answer, Consent, Contacts, Left, Patient, PatientRecord, PatientStatus, Said};
pub use personal::Personal;
pub use policy::{Policy, Selector};
pub use reason::{Law, Reason};
pub use standing::{
    Grant, GrantKind, OptOut, OptOutKind, Preference, Proof, ProofKind, Restriction, Standing,
};
