//! What an answer means: HTTP status first, then content type, then the problem's title.
//!
//! A problem's detail is read here to tell refusals apart and goes no further: it holds addresses.

use serde::Deserialize;

use crate::providers::http::{Answer, Failure, Setback, Trouble, plain};
use crate::providers::{ProviderError, Refusal};

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
pub fn judge(answer: &Answer<'_>) -> Result<(), Setback> {
    let after = answer.retry_after;
    let problem =
        answer.json.then(|| serde_json::from_slice::<Problem>(answer.body).ok()).flatten();
    let setback = match (answer.status, problem) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn verdict(status: u16, title: &str, detail: &str, field: Option<&str>) -> String {
        let body = json!({
            "title": title, "status": status, "detail": detail,
            "errors": [{"field": field, "message": "Please enter a value"}],
        });
        let body = body.to_string();
        let answer = Answer { status, json: true, body: body.as_bytes(), retry_after: None };
        match judge(&answer) {
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
            let retry_after = Some(Duration::from_secs(7));
            judge(&Answer { status, json: false, body: b"<html>", retry_after })
        };
        assert!(matches!(html(403), Err(Setback::Trouble(Trouble::Throttled(Some(_))))));
        assert!(matches!(html(502), Err(Setback::Trouble(Trouble::Broken(None)))));
        assert!(matches!(
            html(404),
            Err(Setback::Failed(Failure::Error(ProviderError::Unreadable { .. })))
        ));
    }
}
