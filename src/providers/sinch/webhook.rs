//! Callbacks: who sent one, and what it says.
//!
//! Source: Sinch docs, SMS REST API, Webhooks. STOP arrives as a message like any other and is
//! judged by us; nothing that comes here is an opt-out by Sinch's own word.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::settings::{Settings, WebhookAuth};
use super::{numbers, report};
use crate::domain::{Origin, Personal};
use crate::providers::signatures::{self, Delivery, Forged, Signature, Verified};
use crate::providers::{Malformed, Notice, WebhookScheme, Word};

/// How callbacks are verified and read.
#[derive(Debug)]
pub(super) struct Scheme {
    proof: Proof,
    sender: String,
}

#[derive(Debug)]
enum Proof {
    Signed(signatures::Sinch),
    Basic { user: String },
}

impl Scheme {
    pub(super) fn new(settings: &Settings) -> Self {
        let window = TimeDelta::seconds(settings.webhook_window_seconds.into());
        let proof = match settings.webhook_auth {
            WebhookAuth::Signed => Proof::Signed(signatures::Sinch { window }),
            WebhookAuth::Basic => Proof::Basic { user: settings.webhook_user.clone() },
        };
        Self { proof, sender: settings.sender.clone() }
    }
}

impl WebhookScheme for Scheme {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        match &self.proof {
            Proof::Signed(signature) => signature.verify(delivery, secrets, now),
            Proof::Basic { user } => basic(delivery, user, secrets),
        }
    }

    fn read(&self, delivery: &Delivery<'_>, _origin: Origin) -> Result<Vec<Notice>, Malformed> {
        let body: Value = serde_json::from_slice(delivery.body)
            .map_err(|_| Malformed { what: "it is no JSON" })?;
        if !body.is_object() {
            return Err(Malformed { what: "it is no JSON object" });
        }
        Ok(vec![notice(&body, &self.sender)])
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/json"]
    }
}

/// Compares user and password; any of the secrets may be the password.
fn basic(
    delivery: &Delivery<'_>,
    user: &str,
    secrets: &[SecretString],
) -> Result<Verified, Forged> {
    let mut headers = delivery.headers.get_all(AUTHORIZATION).iter();
    let theirs = headers.next().ok_or(Forged::Missing)?;
    if headers.next().is_some() {
        return Err(Forged::Repeated);
    }
    if secrets.iter().all(|secret| secret.expose_secret().is_empty()) {
        return Err(Forged::Secret);
    }
    let matches = |secret: &&SecretString| {
        let credential = STANDARD.encode(format!("{user}:{}", secret.expose_secret()));
        let ours = format!("Basic {credential}");
        !secret.expose_secret().is_empty() && bool::from(ours.as_bytes().ct_eq(theirs.as_bytes()))
    };
    secrets.iter().find(matches).map(|_| Verified::default()).ok_or(Forged::Mismatch)
}

/// Reads a text or a report, from a callback or from a list.
pub(super) fn notice(body: &Value, sender: &str) -> Notice {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let instant = |name: &str| DateTime::parse_from_rfc3339(text(name)?).ok();
    let own = |name: &str| text(name).map(|to| numbers::ours(sender, to));
    let kind = text("type").unwrap_or_default();
    let is_report = kind.starts_with("recipient_delivery_report_");
    let (number, id, at, ours, word) = if is_report {
        let (status, code) = (text("status").unwrap_or_default(), code(&body["code"]));
        (
            text("recipient"),
            report_id(body),
            instant("at"),
            own("applied_originator"),
            report::word(status, code),
        )
    } else {
        let word = said(kind, &body["body"]);
        (text("from"), text("id").map(str::to_owned), instant("received_at"), own("to"), word)
    };
    let address = number.and_then(numbers::address).filter(|_| word != Word::Other);
    Notice {
        id,
        at: at.map(|at| at.to_utc()),
        list: None,
        sender: ours,
        member: address.as_ref().map(numbers::key),
        address,
        word,
    }
}

/// What a person said: a text, or the text beside a picture.
fn said(kind: &str, body: &Value) -> Word {
    let text = match kind {
        "mo_text" => body.as_str(),
        "mo_media" => body["message"].as_str(),
        _ => None,
    };
    text.map_or(Word::Other, |text| Word::Replied { text: Personal::new(text), taken_for: None })
}

/// A report has no id of its own: batch, number, status and code tell it from the others. The
/// number goes in as its key.
fn report_id(body: &Value) -> Option<String> {
    let batch = body["batch_id"].as_str()?;
    let number = numbers::key_of(body["recipient"].as_str()?).0;
    let status = body["status"].as_str().unwrap_or_default().to_ascii_lowercase();
    let code = code(&body["code"]).map(|code| code.to_string()).unwrap_or_default();
    Some(format!("{batch}/{number}/{status}/{code}"))
}

/// A code is a number by the documentation and a text in its example.
fn code(value: &Value) -> Option<u16> {
    let number = value.as_u64().and_then(|code| u16::try_from(code).ok());
    number.or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SENDER: &str = "+447911000001";

    fn scheme(auth: WebhookAuth) -> Scheme {
        Scheme::new(&Settings {
            sender: SENDER.to_owned(),
            webhook_auth: auth,
            ..Settings::default()
        })
    }

    fn delivery<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Delivery<'a> {
        Delivery { method: &Method::POST, url: "https://clinic.test/hooks", headers, body }
    }

    fn read(body: &[u8]) -> Result<Vec<Notice>, Malformed> {
        let headers = HeaderMap::new();
        scheme(WebhookAuth::Signed).read(&delivery(&headers, body), Origin::Any)
    }

    fn one(body: &Value) -> Notice {
        read(body.to_string().as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn stop_is_a_reply_that_we_judge() {
        let notice = one(&json!({
            "type": "mo_text", "id": "01FC", "from": "447911123456", "to": "447911000001",
            "body": " STOP ", "received_at": "2026-01-01T00:00:00.000Z",
        }));
        let text = Personal::new("STOP");
        assert_eq!(notice.word, Word::Replied { text, taken_for: None });
        assert_eq!(notice.address.as_ref().unwrap().expose(), "+447911123456");
        assert_eq!((notice.id.as_deref(), notice.sender.as_deref()), (Some("01FC"), Some(SENDER)));
        assert_eq!(notice.at.unwrap().timestamp(), 1_767_225_600);
    }

    #[test]
    fn words_beside_a_picture_count_and_bytes_do_not() {
        let media =
            json!({"type": "mo_media", "from": "447911123456", "body": {"message": "stop"}});
        assert!(matches!(one(&media).word, Word::Replied { .. }));
        let binary = json!({"type": "mo_binary", "from": "447911123456", "body": "U1RPUA=="});
        assert_eq!(one(&binary).word, Word::Other);
    }

    #[test]
    fn a_report_is_about_a_number_only_where_it_says_something_of_it() {
        let report = |status: &str, code: Value| {
            one(&json!({
                "type": "recipient_delivery_report_sms", "batch_id": "b1",
                "recipient": "447911123456", "status": status, "code": code,
                "at": "2026-01-01T00:00:00Z",
            }))
        };
        let unknown = report("Failed", json!("150"));
        assert_eq!(unknown.word, Word::Undelivered { for_good: true });
        let id = unknown.id.unwrap();
        assert!(id.starts_with("b1/") && id.ends_with("/failed/150") && !id.contains("7911"));
        assert!(unknown.address.is_some());
        let queued = report("Queued", json!(400));
        assert_eq!((queued.word, queued.address), (Word::Other, None));
    }

    #[test]
    fn what_is_unknown_is_kept_and_what_is_no_object_refused() {
        for body in [
            json!({"type": "delivery_report_sms", "batch_id": "b1"}),
            json!({"type": "brand_new", "from": "447911123456"}),
            json!({"app_id": "a", "opt_out_notification": {"channel": "VIBER"}}),
            json!({"type": "mo_text", "from": 7, "body": 7}),
            json!({"type": 7}),
        ] {
            assert_eq!(one(&body).word, Word::Other, "{body}");
        }
        assert!(read(b"[]").is_err());
        assert!(read(b"{").is_err());
    }

    #[test]
    fn without_signatures_the_password_must_be_one_of_ours() {
        let secrets = ["old", "new"].map(SecretString::from);
        let verify = |credentials: &[&str], secrets: &[SecretString]| {
            let mut headers = HeaderMap::new();
            for credential in credentials {
                let text = format!("Basic {}", STANDARD.encode(credential));
                headers.append(AUTHORIZATION, text.parse().unwrap());
            }
            scheme(WebhookAuth::Basic).verify(
                &delivery(&headers, b"{}"),
                secrets,
                DateTime::UNIX_EPOCH,
            )
        };
        assert!(verify(&["listwarden:new"], &secrets).is_ok());
        assert!(verify(&["listwarden:old"], &secrets).is_ok());
        assert_eq!(verify(&["listwarden:other"], &secrets), Err(Forged::Mismatch));
        assert_eq!(verify(&["someone:new"], &secrets), Err(Forged::Mismatch));
        assert_eq!(verify(&[], &secrets), Err(Forged::Missing));
        assert_eq!(verify(&["listwarden:new"; 2], &secrets), Err(Forged::Repeated));
        assert_eq!(verify(&["listwarden:"], &[SecretString::from("")]), Err(Forged::Secret));
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }

        #[test]
        fn reading_a_likely_body_never_panics(
            kind in "(mo_text|mo_media|mo_binary|recipient_delivery_report_sms|[a-z_]{0,9})",
            from in "\\PC{0,20}",
            body in "\\PC{0,20}",
            code in any::<i64>(),
        ) {
            let whole = json!({
                "type": kind, "from": from, "recipient": from, "body": body, "code": code,
                "to": body, "status": body, "at": from, "received_at": from, "batch_id": body,
            });
            prop_assert_eq!(read(whole.to_string().as_bytes()).map(|all| all.len()), Ok(1));
        }
    }
}
