//! The columns of the view contract, which are also the headers of a CSV file.
//!
//! `docs/view-contract.md` explains each; a test holds the two together.

/// The name of the view a clinic makes in its own database.
pub const VIEW: &str = "listwarden_patients";

/// The table a clinic makes for what comes back.
pub const FEEDBACK: &str = "listwarden_feedback";

/// Every column that is read.
pub const COLUMNS: &[&str] = &[
    "id",
    "given_name",
    "family_name",
    "email",
    "mobile",
    "birth_date",
    "status",
    "restricted",
    "tags",
    "privacy_policy",
    "email_consent",
    "email_consent_at",
    "email_consent_method",
    "email_consent_wording",
    "email_consent_by",
    "email_consent_purpose",
    "sms_consent",
    "sms_consent_at",
    "sms_consent_method",
    "sms_consent_wording",
    "sms_consent_by",
    "sms_consent_purpose",
    "obtained_in_course_of_sale",
    "own_similar_services",
    "chance_to_refuse",
    "email_obtained_in_course_of_sale",
    "email_own_similar_services",
    "email_chance_to_refuse",
    "sms_obtained_in_course_of_sale",
    "sms_own_similar_services",
    "sms_chance_to_refuse",
    "updated_at",
];

/// The columns that a view must have; one of [`ADDRESSES`] comes on top.
pub const REQUIRED: &[&str] = &["id", "status", "updated_at"];

/// The columns of which there must be at least one.
pub const ADDRESSES: &[&str] = &["email", "mobile"];

/// Returns the required columns that `has` does not know.
#[must_use]
pub fn missing(required: &[&str], has: impl Fn(&str) -> bool) -> Vec<String> {
    let mut missing: Vec<String> =
        required.iter().filter(|name| !has(name)).map(|name| (*name).to_owned()).collect();
    if !ADDRESSES.iter().any(|name| has(name)) {
        missing.push("email or mobile".to_owned());
    }
    missing
}
