//! What an answer means: HTTP status first, then content type, then the problem's title.
//!
//! A problem's detail is read here to tell refusals apart and goes no further: it holds addresses.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::providers::{ProviderError, Refusal, TransportError};

/// Why a request did not work.
#[derive(Debug)]
pub enum Setback {
    /// It will not work, however often it is sent.
    Failed(Failure),
    /// It may work later.
    Trouble(Trouble),
}

/// Why a request will not work.
#[derive(Debug)]
pub enum Failure {
    /// There is no such thing, in the provider's own words; what, is for the caller to know.
    NotFound,
    /// A refusal of one member, or of the request where it is about none.
    Refused {
        /// Why.
        refusal: Refusal,
        /// HTTP status.
        status: u16,
        /// The problem's title.
        title: String,
    },
    /// Nothing else will work either.
    Error(ProviderError),
}

impl Failure {
    /// Returns the error for a request that is about the list itself.
    pub fn of_list(self) -> ProviderError {
        match self {
            Self::NotFound => ProviderError::ListGone,
            other => other.of_account(),
        }
    }

    /// Returns the error for a request that is about neither a member nor a list.
    pub fn of_account(self) -> ProviderError {
        match self {
            Self::NotFound => {
                ProviderError::Rejected { status: 404, title: "Resource Not Found".to_owned() }
            }
            Self::Refused { status, title, .. } => ProviderError::Rejected { status, title },
            Self::Error(error) => error,
        }
    }
}

/// Why a request did not work for now.
#[derive(Debug)]
pub enum Trouble {
    /// Turned away before anything was done.
    Throttled(Option<Duration>),
    /// Never reached the provider.
    Unreachable(TransportError),
    /// Cut off, or failed within the provider: it may have taken effect.
    Broken(Option<TransportError>),
}

impl Trouble {
    /// Tells whether the request may have taken effect.
    pub const fn is_doubtful(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Returns how long the provider asked us to wait.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled(after) => *after,
            _ => None,
        }
    }

    /// Returns the error once no try is left; `writes` tells whether the request changes anything.
    pub fn into_error(self, writes: bool) -> ProviderError {
        match self {
            Self::Throttled(retry_after) => ProviderError::Throttled { retry_after },
            Self::Unreachable(error) => ProviderError::Unavailable(Some(error)),
            Self::Broken(error) if writes => ProviderError::Doubtful(error),
            Self::Broken(error) => ProviderError::Unavailable(error),
        }
    }
}

impl From<TransportError> for Trouble {
    fn from(error: TransportError) -> Self {
        if error.is_doubtful() { Self::Broken(Some(error)) } else { Self::Unreachable(error) }
    }
}

/// A problem document (RFC 7807). `type` is missing from many and has changed thrice: not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: String,
    detail: String,
    errors: Vec<FieldError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldError {
    field: Option<String>,
}

/// Judges an answer by its status, by whether its body is JSON, and by the problem in it.
///
/// A failure without a problem document is the network's word, not the provider's: its 403 is a
/// block for too much traffic, and its 404 is no absence.
pub fn judge(
    status: StatusCode,
    json: bool,
    body: &[u8],
    after: Option<Duration>,
) -> Result<(), Setback> {
    let problem = json.then(|| serde_json::from_slice::<Problem>(body).ok()).flatten();
    let setback = match (status.as_u16(), problem) {
        (200..=299, _) => return Ok(()),
        (401, _) => Failure::Error(ProviderError::Unauthorized),
        (429, _) | (403, None) => return Err(Setback::Trouble(Trouble::Throttled(after))),
        (500..=599, _) => return Err(Setback::Trouble(Trouble::Broken(None))),
        (code, Some(problem)) => failure(code, &problem),
        (_, None) => {
            let what = "a failure without a problem document";
            Failure::Error(ProviderError::Unreadable { what })
        }
    };
    Err(Setback::Failed(setback))
}

/// The table of problems, each as seen in recorded answers or the errors guide.
fn failure(status: u16, problem: &Problem) -> Failure {
    let title = plain(&problem.title);
    let refusal = match (status, title.as_str()) {
        (403, _) => return Failure::Error(ProviderError::AccountDisabled { title }),
        (404, _) => return Failure::NotFound,
        (400, "Member Exists") => Refusal::WrongState,
        (400, "Member In Compliance State") => Refusal::OptedOut,
        (400, "Forgotten Email Not Subscribed") => Refusal::Forgotten,
        (400, "Invalid Resource") => invalid(problem).unwrap_or_else(|| other(status, &title)),
        (405, _) if problem.detail.contains("cannot be removed") => Refusal::WrongState,
        (400, _) => refusal_in(&problem.detail).unwrap_or_else(|| other(status, &title)),
        // 405, 414, 422, 426 and whatever comes: a request that the API does not take.
        _ => return Failure::Error(ProviderError::Rejected { status, title }),
    };
    Failure::Refused { refusal, status, title }
}

fn invalid(problem: &Problem) -> Option<Refusal> {
    let merge_field = problem.detail.contains("merge fields were invalid");
    let field = problem.errors.iter().find_map(|error| error.field.as_deref());
    match field {
        Some(field) if merge_field => Some(Refusal::Field { field: plain(field) }),
        _ => refusal_in(&problem.detail),
    }
}

/// Reads a refusal out of free text: the only place where a batch item tells its reason.
pub fn refusal_in(text: &str) -> Option<Refusal> {
    const PHRASES: &[(&str, Refusal)] = &[
        ("compliance state", Refusal::OptedOut),
        ("permanently deleted", Refusal::Forgotten),
        ("was previously removed from this audience", Refusal::Forgotten),
        ("looks fake or invalid", Refusal::InvalidAddress),
        ("provide a valid email address", Refusal::InvalidAddress),
        ("signed up to a lot of lists", Refusal::TooManySignUps),
        ("already a list member", Refusal::WrongState),
    ];
    PHRASES.iter().find(|(phrase, _)| text.contains(phrase)).map(|(_, refusal)| refusal.clone())
}

/// A refusal known by its title only.
pub fn other(status: u16, title: &str) -> Refusal {
    Refusal::Other { status, title: plain(title) }
}

/// Returns a provider's title or field name if it can be nothing else.
pub fn plain(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || " _-/".contains(c);
    if !text.is_empty() && text.len() <= 60 && text.chars().all(harmless) {
        text.to_owned()
    } else {
        "untitled".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(status: u16, title: &str, detail: &str, field: Option<&str>) -> String {
        let body = json!({
            "title": title, "status": status, "detail": detail,
            "errors": [{"field": field, "message": "Please enter a value"}],
        });
        let status = StatusCode::from_u16(status).unwrap();
        match judge(status, true, body.to_string().as_bytes(), None) {
            Err(Setback::Failed(Failure::Refused { refusal, .. })) => format!("{refusal:?}"),
            Err(Setback::Failed(Failure::Error(error))) => format!("{error:?}"),
            Err(Setback::Failed(Failure::NotFound)) => "NotFound".to_owned(),
            Err(Setback::Trouble(trouble)) => format!("{trouble:?}"),
            Ok(()) => "Good".to_owned(),
        }
    }

    #[test]
    fn every_known_problem_has_its_meaning() {
        for (status, title, detail, expected) in [
            (400, "Member Exists", "x is already a list member. Use PUT", "WrongState"),
            (400, "Member In Compliance State", "x is in a compliance state due to", "OptedOut"),
            (400, "Forgotten Email Not Subscribed", "x was permanently deleted", "Forgotten"),
            (400, "Invalid Resource", "x looks fake or invalid, please enter", "InvalidAddress"),
            (400, "Invalid Resource", "Please provide a valid email address.", "InvalidAddress"),
            (400, "Invalid Resource", "x has signed up to a lot of lists very", "TooManySignUps"),
            (
                400,
                "Invalid Resource",
                "Your merge fields were invalid.",
                r#"Field { field: "LTV" }"#,
            ),
            (
                400,
                "Invalid Resource",
                "The resource submitted could not be validated. For field-specific details",
                r#"Other { status: 400, title: "Invalid Resource" }"#,
            ),
            (400, "Bad Request", "", r#"Other { status: 400, title: "Bad Request" }"#),
            (400, "Invalid Action", "", r#"Other { status: 400, title: "Invalid Action" }"#),
            (
                400,
                "JSON Parse Exception",
                "",
                r#"Other { status: 400, title: "JSON Parse Exception" }"#,
            ),
            (401, "API Key Invalid", "Your API key may be invalid", "Unauthorized"),
            (401, "API Key Missing", "", "Unauthorized"),
            (403, "Forbidden", "", r#"AccountDisabled { title: "Forbidden" }"#),
            (403, "User Disabled", "", r#"AccountDisabled { title: "User Disabled" }"#),
            (404, "Resource Not Found", "The requested resource could not be found.", "NotFound"),
            (405, "Method Not Allowed", "This list member cannot be removed.", "WrongState"),
            (
                405,
                "Method Not Allowed",
                "",
                r#"Rejected { status: 405, title: "Method Not Allowed" }"#,
            ),
            (
                422,
                "InvalidMethodOverride",
                "",
                r#"Rejected { status: 422, title: "InvalidMethodOverride" }"#,
            ),
            (429, "Too Many Requests", "You have exceeded the limit of 10", "Throttled(None)"),
            (500, "InternalServerError", "A deep, internal error", "Broken(None)"),
        ] {
            assert_eq!(verdict(status, title, detail, Some("LTV")), expected, "{title}: {detail}");
        }
    }

    #[test]
    fn a_failure_without_a_problem_document_is_never_the_providers_word() {
        let html = |status| {
            judge(
                StatusCode::from_u16(status).unwrap(),
                false,
                b"<html>",
                Some(Duration::from_secs(7)),
            )
        };
        assert!(matches!(html(403), Err(Setback::Trouble(Trouble::Throttled(Some(_))))));
        assert!(matches!(html(502), Err(Setback::Trouble(Trouble::Broken(None)))));
        assert!(matches!(
            html(404),
            Err(Setback::Failed(Failure::Error(ProviderError::Unreadable { .. })))
        ));
    }

    #[test]
    fn a_title_that_could_hold_an_address_is_left_out() {
        assert_eq!(plain("Member Exists"), "Member Exists");
        assert_eq!(plain("ann@mail.test exists"), "untitled");
    }
}
