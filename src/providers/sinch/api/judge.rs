//! What an answer means: HTTP status first, then the error's code.
//!
//! Source: Sinch docs, SMS REST API, HTTP status codes and errors. An error's text is not read: it
//! may hold a number.

use serde::Deserialize;

use crate::providers::http::{Answer, Failure, Setback, Trouble, plain};
use crate::providers::{ProviderError, Refusal};

/// An error document; only answers with 400 and 403 have one.
#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// Judges an answer. A 404 without a body is the API's own; one with a page is the network's.
///
/// 500 is documented as "not processed" and taken for a doubt all the same: nobody can know.
pub fn judge(answer: &Answer<'_>) -> Result<(), Setback> {
    let problem =
        answer.json.then(|| serde_json::from_slice::<Problem>(answer.body).ok()).flatten();
    let code = problem.map_or_else(|| "untitled".to_owned(), |problem| plain(&problem.code));
    let own = answer.json || answer.body.is_empty();
    let failure = match answer.status {
        200..=299 => return Ok(()),
        429 => return Err(Setback::Trouble(Trouble::Throttled(answer.retry_after))),
        500..=599 => return Err(Setback::Trouble(Trouble::Broken(None))),
        401 => Failure::Error(ProviderError::Unauthorized),
        _ if !own => {
            let what = "a failure without an error document";
            Failure::Error(ProviderError::Unreadable { what })
        }
        404 => Failure::NotFound,
        402 => Failure::Error(ProviderError::AccountDisabled { title: code }),
        403 if code == "untitled" => {
            Failure::Error(ProviderError::AccountDisabled { title: "Forbidden".to_owned() })
        }
        400 if code == "syntax_invalid_parameter_format" => {
            Failure::Refused { refusal: Refusal::InvalidAddress, status: 400, title: code }
        }
        status => Failure::Error(ProviderError::Rejected { status, title: code }),
    };
    Err(Setback::Failed(failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, json: bool, body: &str) -> String {
        let answer = Answer { status, json, body: body.as_bytes(), retry_after: None };
        match judge(&answer) {
            Ok(()) => "good".to_owned(),
            Err(Setback::Trouble(trouble)) => format!("{trouble:?}"),
            Err(Setback::Failed(Failure::NotFound)) => "not found".to_owned(),
            Err(Setback::Failed(Failure::Refused { refusal, .. })) => format!("{refusal:?}"),
            Err(Setback::Failed(Failure::Error(error))) => format!("{error:?}"),
        }
    }

    #[test]
    fn every_answer_has_its_meaning() {
        let format = r#"{"code":"syntax_invalid_parameter_format","text":"+447911123456"}"#;
        let many = r#"{"code":"syntax_constraint_violation"}"#;
        for (status, json, body, said) in [
            (201, true, "{}", "good"),
            (401, false, "", "Unauthorized"),
            (404, false, "", "not found"),
            (404, true, "{}", "not found"),
            (404, false, "<html>", r#"Unreadable { what: "a failure without an error document" }"#),
            (429, false, "", "Throttled(None)"),
            (500, false, "", "Broken(None)"),
            (503, true, "{}", "Broken(None)"),
            (400, true, format, "InvalidAddress"),
            (400, true, many, r#"Rejected { status: 400, title: "syntax_constraint_violation" }"#),
            (
                403,
                true,
                r#"{"code":"unknown_group"}"#,
                r#"Rejected { status: 403, title: "unknown_group" }"#,
            ),
            (403, false, "", r#"AccountDisabled { title: "Forbidden" }"#),
            (415, false, "", r#"Rejected { status: 415, title: "untitled" }"#),
        ] {
            assert_eq!(judged(status, json, body), said, "{status} {body}");
        }
    }
}
