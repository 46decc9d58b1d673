//! What an answer means: HTTP status first, then content type, then Twilio's error code.
//!
//! An error's message is never read: it holds numbers. Source of the codes: Twilio docs, Error and
//! warning dictionary.

use serde::Deserialize;

use crate::providers::http::{Answer, Failure, Setback, Trouble};
use crate::providers::{ProviderError, Refusal};

/// The recipient answered STOP to this sender: nothing was sent.
pub const OPTED_OUT: u32 = 21_610;
/// Not a number; not a mobile; a landline.
const NO_MOBILE: [u32; 3] = [21_211, 21_614, 21_635];
/// Too many requests.
const THROTTLED: u32 = 20_429;
/// The account is suspended or closed.
const INACTIVE: u32 = 20_005;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: Option<u32>,
}

/// Judges an answer.
pub fn judge(answer: &Answer<'_>) -> Result<(), Setback> {
    let problem = answer.json.then(|| serde_json::from_slice::<Problem>(answer.body).ok());
    let code = problem.flatten().map(|problem| problem.code);
    let failure = match (answer.status, code) {
        (200..=299, _) => return Ok(()),
        (429, _) | (403, None) | (_, Some(Some(THROTTLED))) => {
            return Err(Setback::Trouble(Trouble::Throttled(answer.retry_after)));
        }
        (500..=599, _) => return Err(Setback::Trouble(Trouble::Broken(None))),
        (401 | 403, Some(Some(INACTIVE))) => disabled(INACTIVE),
        (401, _) => Failure::Error(ProviderError::Unauthorized),
        (403, Some(code)) => disabled(code.unwrap_or_default()),
        (404, Some(_)) => Failure::NotFound,
        (400, Some(code)) => refused(code),
        (status, Some(code)) => {
            Failure::Error(ProviderError::Rejected { status, title: title(code) })
        }
        (_, None) => {
            let what = "a failure without an error document";
            Failure::Error(ProviderError::Unreadable { what })
        }
    };
    Err(Setback::Failed(failure))
}

fn disabled(code: u32) -> Failure {
    Failure::Error(ProviderError::AccountDisabled { title: title(Some(code)) })
}

fn refused(code: Option<u32>) -> Failure {
    let title = title(code);
    let refusal = match code {
        Some(OPTED_OUT) => Refusal::OptedOut,
        Some(code) if NO_MOBILE.contains(&code) => Refusal::InvalidAddress,
        _ => Refusal::Other { status: 400, title: title.clone() },
    };
    Failure::Refused { refusal, status: 400, title }
}

/// The code is all that is told: it is what Twilio's dictionary is sorted by.
fn title(code: Option<u32>) -> String {
    code.map_or_else(|| "without an error code".to_owned(), |code| format!("error {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, json: bool, body: &str) -> String {
        match judge(&Answer { status, json, body: body.as_bytes(), retry_after: None }) {
            Err(Setback::Failed(Failure::Refused { refusal, .. })) => format!("{refusal:?}"),
            Err(Setback::Failed(Failure::Error(error))) => format!("{error:?}"),
            Err(Setback::Failed(Failure::NotFound)) => "NotFound".to_owned(),
            Err(Setback::Trouble(trouble)) => format!("{trouble:?}"),
            Ok(()) => "Good".to_owned(),
        }
    }

    #[test]
    fn every_known_code_has_its_meaning() {
        for (status, code, expected) in [
            (201, 0, "Good"),
            (400, 21_610, "OptedOut"),
            (400, 21_211, "InvalidAddress"),
            (400, 21_614, "InvalidAddress"),
            (400, 21_635, "InvalidAddress"),
            (400, 21_606, r#"Other { status: 400, title: "error 21606" }"#),
            (401, 20_003, "Unauthorized"),
            (401, 20_005, r#"AccountDisabled { title: "error 20005" }"#),
            (403, 20_006, r#"AccountDisabled { title: "error 20006" }"#),
            (404, 20_404, "NotFound"),
            (405, 20_004, r#"Rejected { status: 405, title: "error 20004" }"#),
            (429, 20_429, "Throttled(None)"),
            (400, 20_429, "Throttled(None)"),
            (500, 20_500, "Broken(None)"),
            (503, 20_503, "Broken(None)"),
        ] {
            let body =
                format!(r#"{{"code":{code},"message":"to +447700900123","status":{status}}}"#);
            assert_eq!(verdict(status, true, &body), expected, "{status} {code}");
        }
        let other = r#"Other { status: 400, title: "without an error code" }"#;
        assert_eq!(verdict(400, true, r#"{"message":"x"}"#), other);
    }

    #[test]
    fn a_failure_without_an_error_document_is_never_the_providers_word() {
        assert_eq!(verdict(403, false, "<html>"), "Throttled(None)");
        assert_eq!(verdict(502, false, "<html>"), "Broken(None)");
        let unreadable = r#"Unreadable { what: "a failure without an error document" }"#;
        assert_eq!(verdict(404, false, "<html>"), unreadable);
        assert_eq!(verdict(400, true, "\"no\""), unreadable);
    }
}
