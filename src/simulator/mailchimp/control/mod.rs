//! Acting as everyone but the API's caller, and looking on.

pub mod contact;
pub mod inspect;
pub mod routes;
pub mod service;
pub mod staff;

use super::audience::refusal::Refusal;
use super::door::problem::Problem;

/// Why an act did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The list id is wrong.
    #[error("there is no such list")]
    NoSuchList,
    /// Nobody in the list has this address.
    #[error("there is no such member")]
    NoSuchMember,
    /// The account number or key is wrong.
    #[error("there is no such account")]
    NoSuchAccount,
    /// Mailchimp would say no.
    #[error("refused: {0}")]
    Refused(String),
}

impl From<Refusal> for ControlError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NoSuchMember,
            other => Self::Refused(Problem::from(other).detail.into()),
        }
    }
}
