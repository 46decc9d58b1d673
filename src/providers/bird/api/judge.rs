//! What an answer means: good, passing, or an error document's word.
//!
//! Source: Bird's Python SDK 0.106.0 (`_exceptions.py`, `_base_client.py`), made of its `OpenAPI`
//! file. An error has a category in `type`, a number in `code`, and in places a `name`; of a
//! `validation_error`, `details` names the fields.

use serde::Deserialize;

use crate::providers::http::{Answer, Failure, Setback, Trouble, plain};
use crate::providers::{ProviderError, Refusal};

/// An error document.
#[derive(Deserialize)]
struct Document {
    error: Problem,
}

/// What was wrong.
#[derive(Deserialize)]
pub struct Problem {
    #[serde(rename = "type")]
    category: String,
    code: Option<String>,
    name: Option<String>,
    param: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    param: String,
}

impl Problem {
    /// Names the problem by the most telling of its words; never by its message.
    pub fn title(&self) -> String {
        plain(self.name.as_ref().or(self.code.as_ref()).unwrap_or(&self.category))
    }

    /// Says what it means for the one it is about.
    pub fn refusal(&self, status: u16) -> Refusal {
        let number = ["phone_number", "handle", "to"].iter().any(|field| self.is_about(field));
        if number || self.name.as_deref() == Some("SMSInvalidRecipient") {
            return Refusal::InvalidAddress;
        }
        if self.is_about("consented_at") {
            // Consent that would have to outdate a stored opt-out, and does not.
            return Refusal::OptedOut;
        }
        Refusal::Other { status, title: self.title() }
    }

    /// Tells whether a field is what is wrong; of a list, any of its elements.
    fn is_about(&self, field: &str) -> bool {
        let params = self.param.iter().chain(self.details.iter().map(|detail| &detail.param));
        params.into_iter().any(|param| param.split(['[', '.']).next() == Some(field))
    }
}

/// Judges an answer. A failure without an error document is the network's word, not Bird's.
pub fn judge(answer: &Answer<'_>) -> Result<(), Setback> {
    let document =
        answer.json.then(|| serde_json::from_slice::<Document>(answer.body).ok()).flatten();
    let failure = match (answer.status, document) {
        (200..=299, _) => return Ok(()),
        (429, _) => return Err(Setback::Trouble(Trouble::Throttled(answer.retry_after))),
        (501, _) => rejected(501, "not implemented"),
        (408 | 500..=599, _) => return Err(Setback::Trouble(Trouble::Broken(None))),
        (401, _) => Failure::Error(ProviderError::Unauthorized),
        (_, None) => {
            let what = "a failure without an error document";
            Failure::Error(ProviderError::Unreadable { what })
        }
        (402 | 403, Some(Document { error })) => {
            Failure::Error(ProviderError::AccountDisabled { title: error.title() })
        }
        (404, Some(_)) => Failure::NotFound,
        // A batch refuses an audience that is gone before it reads anybody.
        (422, Some(Document { error })) if error.is_about("audience_ids") => Failure::NotFound,
        (status @ (400 | 409 | 412 | 422), Some(Document { error })) => {
            Failure::Refused { refusal: error.refusal(status), status, title: error.title() }
        }
        (status, Some(Document { error })) => rejected(status, &error.title()),
    };
    Err(Setback::Failed(failure))
}

fn rejected(status: u16, title: &str) -> Failure {
    Failure::Error(ProviderError::Rejected { status, title: title.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, json: bool, error: &str) -> String {
        let body = format!(r#"{{"error":{{"message":"+447911123456",{error}}}}}"#);
        match judge(&Answer { status, json, body: body.as_bytes(), retry_after: None }) {
            Ok(()) => "good".to_owned(),
            Err(Setback::Trouble(trouble)) => format!("{trouble:?}"),
            Err(Setback::Failed(Failure::NotFound)) => "not found".to_owned(),
            Err(Setback::Failed(Failure::Refused { refusal, .. })) => format!("{refusal:?}"),
            Err(Setback::Failed(Failure::Error(error))) => format!("{error:?}"),
        }
    }

    #[test]
    fn every_answer_has_its_meaning() {
        let code = r#""type":"validation_error","code":"E04001""#;
        let about = |param: &str| format!(r#"{code},"details":[{{"param":"{param}"}}]"#);
        let other = |status: u16| format!(r#"Other {{ status: {status}, title: "E04001" }}"#);
        let page = r#"Unreadable { what: "a failure without an error document" }"#;
        for (status, error, said) in [
            (201, code, "good"),
            (401, code, "Unauthorized"),
            (402, code, r#"AccountDisabled { title: "E04001" }"#),
            (
                403,
                r#""type":"permission_error""#,
                r#"AccountDisabled { title: "permission_error" }"#,
            ),
            (404, code, "not found"),
            (408, code, "Broken(None)"),
            (409, code, &other(409)),
            (413, code, r#"Rejected { status: 413, title: "E04001" }"#),
            (422, code, &other(422)),
            (422, &about("phone_number"), "InvalidAddress"),
            (422, &about("handle"), "InvalidAddress"),
            (422, &about("consented_at"), "OptedOut"),
            (422, &about("audience_ids[0]"), "not found"),
            (422, &format!(r#"{code},"name":"SMSInvalidRecipient""#), "InvalidAddress"),
            (
                422,
                &format!(r#"{code},"name":"SMSSenderNotConfigured""#),
                r#"Other { status: 422, title: "SMSSenderNotConfigured" }"#,
            ),
            (429, code, "Throttled(None)"),
            (500, code, "Broken(None)"),
            (501, code, r#"Rejected { status: 501, title: "not implemented" }"#),
            (503, code, "Broken(None)"),
        ] {
            assert_eq!(judged(status, true, error), said, "{status} {error}");
        }
        assert_eq!(judged(404, false, code), page);
        assert_eq!(judged(422, true, "1"), page);
    }
}
