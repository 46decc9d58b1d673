//! Why an audience says no; `door::problem` gives each its exact wording.

use serde::{Deserialize, Serialize};

use super::member::Status;

/// One field of a submitted body that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field, as Mailchimp names it.
    pub field: String,
    /// What was wrong with it.
    pub message: String,
}

impl FieldError {
    /// Names a field and what was wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why an audience refuses a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such audience, member, tag, batch or webhook.
    NotFound,
    /// The address is a member already.
    MemberExists(String),
    /// The contact opted out or bounced, and only the contact can come back.
    Compliance(String),
    /// The address was deleted permanently.
    Forgotten(String),
    /// The address is one of those people type into forms to be left alone.
    Fake(String),
    /// The text is no address.
    InvalidEmail,
    /// The address joined too many audiences of late.
    TooManySignups(String),
    /// Merge fields that their definitions do not allow.
    MergeFields(Vec<FieldError>),
    /// A body that the schema does not allow.
    Schema(Vec<FieldError>),
    /// Only a subscribed member may change address.
    AddressOfStatus(Status),
    /// The new address belongs to a contact that was deleted permanently.
    AddressOfDeleted(String),
    /// Bounced, pending and archived members cannot be archived.
    CannotArchive,
    /// Anything else, in words.
    BadRequest(String),
    /// A resource that is refused, in words.
    InvalidResource(String),
}
