//! Acting as everyone but the API's caller, and looking on.

pub mod inspect;
pub mod person;
pub mod routes;
pub mod service;

/// Why an act did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The group's id is wrong.
    #[error("there is no such group")]
    NoSuchGroup,
    /// The account's number is wrong.
    #[error("there is no such account")]
    NoSuchAccount,
    /// No text of that batch went to that number.
    #[error("there is no such text")]
    NoSuchText,
    /// Not a number in international form.
    #[error("not a phone number")]
    NoNumber,
    /// Not a status that Sinch documents.
    #[error("there is no such delivery status")]
    NoSuchStatus,
}
