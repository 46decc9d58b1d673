//! Webhooks: who sent one, and what it says.
//!
//! Source: Bird's Python SDK 0.106.0 (`resources/webhooks.py`, the `Event…` types). The body is
//! `type`, `timestamp` (when it happened) and `data`; which types there are is open.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;

use super::delivery;
use super::settings::Settings;
use crate::domain::{Address, MemberKey, Origin, Personal};
use crate::providers::signatures::{self, Delivery, Forged, Signature, Verified};
use crate::providers::{Malformed, Notice, WebhookScheme, Word};

/// How deliveries are verified and read.
#[derive(Debug)]
pub(super) struct Scheme(signatures::StandardWebhooks);

impl Scheme {
    pub(super) fn new(settings: &Settings) -> Self {
        let window = TimeDelta::seconds(settings.webhook_window_seconds.into());
        Self(signatures::StandardWebhooks { window })
    }
}

impl WebhookScheme for Scheme {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        self.0.verify(delivery, secrets, now)
    }

    fn read(&self, delivery: &Delivery<'_>, _origin: Origin) -> Result<Vec<Notice>, Malformed> {
        let body: Value = serde_json::from_slice(delivery.body)
            .map_err(|_| Malformed { what: "it is no JSON" })?;
        let kind = body["type"].as_str().ok_or(Malformed { what: "it has no type" })?;
        Ok(vec![notice(kind, &body)])
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/json"]
    }
}

/// Says what a suppression means. Bird stops a sender's texts to somebody who sent a STOP or whose
/// carrier says so, or where somebody of the clinic asked for it; we never do. One that was made
/// for another reason is not known to be an opt-out.
pub(super) fn suppressed(reason: &str) -> Word {
    if !matches!(reason, "keyword_stop" | "carrier_opted_out" | "manual") {
        return Word::Other;
    }
    Word::OptedOut { complained: false, evidence: Some(format!("suppression {reason}")) }
}

fn notice(kind: &str, body: &Value) -> Notice {
    let data = &body["data"];
    let text = |name: &str| data[name].as_str().filter(|text| !text.is_empty());
    let own = |name: &str| text(name).map(str::to_owned);
    let (id, sender, number, word) = match kind {
        "sms.received" => (own("sms_id"), own("to"), text("from"), replied(text("text"))),
        "sms_suppression.created" => {
            let word = suppressed(text("reason").unwrap_or_default());
            (own("suppression_id"), own("originator"), text("destination"), word)
        }
        // A statement may be ours, and does not say: whoever it is about is read again.
        "preference.granted" | "preference.revoked" | "preference.deleted"
            if text("channel") == Some("sms") =>
        {
            (own("transition_id"), own("sender_scope"), text("handle"), Word::Changed)
        }
        _ => match kind.strip_prefix("sms.") {
            Some(status) => {
                let word = delivery::word(status, data["error"]["code"].as_str());
                let id = text("sms_id").map(|id| delivery::id(id, status));
                (id, own("from"), text("to"), word)
            }
            None => (None, None, None, Word::Other),
        },
    };
    let at = body["timestamp"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let address = number.and_then(|number| Address::mobile(number, None).ok());
    Notice {
        id,
        at: at.map(|at| at.to_utc()),
        list: None,
        sender,
        address: address.filter(|_| word != Word::Other),
        member: own("contact_id").map(MemberKey).filter(|_| word != Word::Other),
        word,
    }
}

/// What a person sent: Bird says what it says and not what it took it for. A picture says nothing.
fn replied(text: Option<&str>) -> Word {
    text.map_or(Word::Other, |text| Word::Replied { text: Personal::new(text), taken_for: None })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ANN: &str = "+447911123456";
    const OURS: &str = "+447700900001";

    fn read(body: &[u8]) -> Result<Vec<Notice>, Malformed> {
        let headers = HeaderMap::new();
        let url = "https://clinic.test/hooks";
        let delivery = Delivery { method: &Method::POST, url, headers: &headers, body };
        Scheme::new(&Settings::default()).read(&delivery, Origin::Any)
    }

    fn told(kind: &str, data: &Value) -> Notice {
        let body = json!({ "type": kind, "timestamp": "2026-01-01T00:00:00Z", "data": data });
        read(body.to_string().as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn stop_is_a_reply_and_its_suppression_an_opt_out() {
        let data = json!({ "sms_id": "sms_1", "to": OURS, "from": ANN, "text": " STOP " });
        let notice = told("sms.received", &data);
        assert_eq!(notice.word, Word::Replied { text: Personal::new("STOP"), taken_for: None });
        assert_eq!(notice.address.unwrap().expose(), ANN);
        assert_eq!((notice.id.as_deref(), notice.sender.as_deref()), (Some("sms_1"), Some(OURS)));
        assert_eq!(notice.at.unwrap().timestamp(), 1_767_225_600);

        let suppression = |reason: &str| {
            told(
                "sms_suppression.created",
                &json!({
                    "suppression_id": "ssu_1", "destination": ANN, "originator": OURS,
                    "reason": reason, "workspace_id": "ws_1",
                }),
            )
        };
        for reason in ["keyword_stop", "carrier_opted_out", "manual"] {
            let notice = suppression(reason);
            let evidence = Some(format!("suppression {reason}"));
            assert_eq!(notice.word, Word::OptedOut { complained: false, evidence });
            assert_eq!(notice.address.unwrap().expose(), ANN);
        }
        let newer = suppression("number_recycled");
        assert_eq!((newer.word, newer.address), (Word::Other, None));
    }

    #[test]
    fn a_statement_is_read_again_and_of_other_channels_passed_over() {
        let statement = |kind: &str, channel: &str| {
            told(
                kind,
                &json!({
                    "preference_id": "prf_1", "transition_id": "prt_1", "channel": channel,
                    "handle": ANN, "sender_scope": null, "topic_id": null,
                    "coverage": "non_transactional", "contact_id": "con_1",
                }),
            )
        };
        for kind in ["preference.granted", "preference.revoked", "preference.deleted"] {
            let notice = statement(kind, "sms");
            assert_eq!((notice.word, notice.sender), (Word::Changed, None));
            assert_eq!(notice.member, Some(MemberKey("con_1".to_owned())));
        }
        assert_eq!(statement("preference.revoked", "whatsapp").word, Word::Other);
    }

    #[test]
    fn what_became_of_a_text_counts_where_it_is_about_the_number() {
        let data = |code: &str| json!({ "sms_id": "sms_1", "to": ANN, "from": OURS, "error": { "code": code } });
        let notice = told("sms.undelivered", &data("unreachable"));
        assert_eq!(notice.word, Word::Undelivered { for_good: false });
        assert_eq!(notice.id.as_deref(), Some("sms_1:undelivered"));
        assert_eq!(notice.address.unwrap().expose(), ANN);
        let filtered = told("sms.failed", &data("blocked_by_carrier"));
        assert_eq!((filtered.word, filtered.address), (Word::Other, None));
        assert_eq!(told("sms.delivered", &json!({ "to": ANN })).word, Word::Delivered);
    }

    #[test]
    fn what_is_unknown_is_kept_and_what_has_no_type_refused() {
        for kind in ["email.unsubscribed", "brand.new", "sms.brand_new", "sms.received"] {
            assert_eq!(told(kind, &json!({ "to": 7, "text": null })).word, Word::Other, "{kind}");
        }
        assert_eq!(told("sms.received", &Value::Null).word, Word::Other);
        for body in ["[]", "{", "{}", r#"{"type":7}"#] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }

        #[test]
        fn reading_a_likely_body_never_panics(
            kind in "(sms|preference|sms_suppression)\\.[a-z_]{0,12}",
            from in "\\PC{0,20}",
            word in "\\PC{0,20}",
        ) {
            let data = json!({
                "sms_id": word, "from": from, "to": from, "text": word, "handle": from,
                "channel": "sms", "reason": word, "destination": from, "error": { "code": word },
            });
            let whole = json!({ "type": kind, "timestamp": word, "data": data });
            prop_assert_eq!(read(whole.to_string().as_bytes()).map(|all| all.len()), Ok(1));
        }
    }
}
