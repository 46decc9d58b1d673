//! Webhooks: what a delivery says.
//!
//! Source: Twilio docs, Messaging webhooks. Twilio acts on its keywords before it tells us, and
//! says so in `OptOutType` where Advanced Opt-Out is on; only its STOP is an opt-out beyond doubt.
//! Any other text is judged by us. A delivery has no time of its own.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{Settings, delivery};
use crate::domain::{Address, Origin, Personal};
use crate::providers::form::Form;
use crate::providers::signatures::{self, Delivery, Forged, Signature, Verified};
use crate::providers::{Keyword, Malformed, Notice, WebhookScheme, Word};

/// How deliveries are verified and read.
#[derive(Debug)]
pub struct Scheme {
    signature: signatures::Twilio,
    account: String,
    sender: String,
}

impl Scheme {
    pub fn new(settings: &Settings) -> Self {
        Self {
            signature: settings.webhook_signing.scheme(),
            account: settings.account_sid.clone(),
            sender: settings.sender.clone(),
        }
    }

    /// Names the sender as the settings do, where it is the one of the settings.
    fn sender(&self, form: &Form, ours: &str) -> Option<String> {
        let service = form.get("MessagingServiceSid");
        let own = service == Some(&self.sender) || form.get(ours) == Some(&self.sender);
        if own { Some(self.sender.clone()) } else { service.or(form.get(ours)).map(str::to_owned) }
    }
}

impl WebhookScheme for Scheme {
    fn verify(
        &self,
        delivery: &Delivery<'_>,
        secrets: &[SecretString],
        now: DateTime<Utc>,
    ) -> Result<Verified, Forged> {
        self.signature.verify(delivery, secrets, now)
    }

    fn read(&self, delivery: &Delivery<'_>, _origin: Origin) -> Result<Vec<Notice>, Malformed> {
        let form = Form::decode_each_once(delivery.body)?;
        let message = ["MessageSid", "SmsMessageSid", "SmsSid"].iter().find_map(|n| form.get(n));
        let Some(message) = message else {
            return Ok(vec![about(None, None, None, Word::Other)]);
        };
        let status = form.get("MessageStatus").or(form.get("SmsStatus")).unwrap_or_default();
        let is_text =
            status.is_empty() && ["Body", "OptOutType"].iter().any(|n| form.get(n).is_some());
        let inbound = is_text || (form.get("MessageStatus").is_none() && status == "received");
        let (id, word) = if inbound {
            (message.to_owned(), reply(&form, message))
        } else {
            let code = form.get("ErrorCode").and_then(|code| code.parse().ok());
            (delivery::id(message, status), delivery::word(status, code, message))
        };
        let (ours, theirs) = if inbound { ("To", "From") } else { ("From", "To") };
        // A subaccount's messages come with its own id: they are not this account's.
        if form.get("AccountSid") != Some(&self.account) || word == Word::Other {
            return Ok(vec![about(Some(id), None, None, Word::Other)]);
        }
        let address = form.get(theirs).and_then(|text| Address::mobile(text, None).ok());
        Ok(vec![about(Some(id), self.sender(&form, ours), address, word)])
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/x-www-form-urlencoded"]
    }

    /// Nothing to say: Twilio answers keywords itself.
    fn answer(&self) -> (&'static str, &'static str) {
        ("text/xml", "<Response></Response>")
    }
}

fn about(
    id: Option<String>,
    sender: Option<String>,
    address: Option<Address>,
    word: Word,
) -> Notice {
    Notice { id, at: None, list: None, sender, address, member: None, word }
}

/// What a text message to us says; an `OptOutType` of a later day is read as none.
fn reply(form: &Form, message: &str) -> Word {
    let kind = form.get("OptOutType").unwrap_or_default().to_ascii_uppercase();
    let taken_for = match kind.as_str() {
        "STOP" => {
            let evidence = Some(format!("text message {message}"));
            return Word::OptedOut { complained: false, evidence };
        }
        "START" => Some(Keyword::Start),
        "HELP" => Some(Keyword::Help),
        _ => None,
    };
    Word::Replied { text: Personal::new(form.get("Body").unwrap_or_default()), taken_for }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use proptest::prelude::*;

    use super::*;

    const ACCOUNT: &str = "AC00000000000000000000000000000001";

    fn scheme() -> Scheme {
        Scheme {
            signature: signatures::Twilio::AuthToken,
            account: ACCOUNT.to_owned(),
            sender: "+447700900001".to_owned(),
        }
    }

    fn read(body: &[u8]) -> Result<Vec<Notice>, Malformed> {
        let url = "https://lists.test/hooks/1";
        let headers = HeaderMap::new();
        let delivery = Delivery { method: &Method::POST, url, headers: &headers, body };
        scheme().read(&delivery, Origin::Any)
    }

    fn told(fields: &str) -> Notice {
        let body = format!("MessageSid=SM1&AccountSid={ACCOUNT}&{fields}");
        let mut notices = read(body.as_bytes()).unwrap();
        assert_eq!(notices.len(), 1);
        notices.remove(0)
    }

    const FROM: &str = "From=%2B447911123456&To=%2B447700900001&SmsStatus=received";

    #[test]
    fn only_twilios_own_stop_is_an_opt_out_beyond_doubt() {
        let stop = told(&format!("{FROM}&Body=STOP&OptOutType=STOP&NewThing=1"));
        let evidence = Some("text message SM1".to_owned());
        assert_eq!(stop.word, Word::OptedOut { complained: false, evidence });
        assert_eq!(stop.id.as_deref(), Some("SM1"));
        assert_eq!(stop.sender.as_deref(), Some("+447700900001"));
        assert_eq!(stop.address.unwrap().expose(), "+447911123456");
        for (more, expected) in [
            ("&Body=STOP", None),
            ("&Body=YES&OptOutType=START", Some(Keyword::Start)),
            ("&Body=help&OptOutType=HELP", Some(Keyword::Help)),
            ("&Body=hi&OptOutType=SOMETHING", None),
        ] {
            let Word::Replied { taken_for, .. } = told(&format!("{FROM}{more}")).word else {
                panic!("{more}")
            };
            assert_eq!(taken_for, expected, "{more}");
        }
    }

    #[test]
    fn a_delivery_report_is_about_whom_we_wrote_to() {
        let to = "To=%2B447911123456&From=%2B447700900001";
        let failed = told(&format!("{to}&MessageStatus=undelivered&ErrorCode=30005"));
        assert_eq!(failed.word, Word::Undelivered { for_good: true });
        assert_eq!(failed.id.as_deref(), Some("SM1:undelivered"));
        assert_eq!(failed.address.unwrap().expose(), "+447911123456");
        assert_eq!(told(&format!("{to}&MessageStatus=delivered")).word, Word::Delivered);
        let sent = told(&format!("{to}&MessageStatus=sent&SmsStatus=sent"));
        assert_eq!((sent.word, sent.address), (Word::Other, None));
    }

    #[test]
    fn a_text_is_one_also_without_its_status() {
        let stop = told("From=%2B447911123456&To=%2B447700900001&Body=STOP&OptOutType=STOP");
        assert!(matches!(stop.word, Word::OptedOut { .. }));
        assert_eq!(stop.address.unwrap().expose(), "+447911123456");
    }

    #[test]
    fn a_text_to_another_sender_names_that_sender() {
        let other = "From=%2B447911123456&To=%2B447700900002&SmsStatus=received&Body=YES";
        assert_eq!(told(other).sender.as_deref(), Some("+447700900002"));
        let service = format!("{other}&MessagingServiceSid=MG1");
        assert_eq!(told(&service).sender.as_deref(), Some("MG1"));
        // A number of ours is named as such, though it is in a service as well.
        let both = told(&format!("{FROM}&Body=YES&MessagingServiceSid=MG1"));
        assert_eq!(both.sender.as_deref(), Some("+447700900001"));
    }

    #[test]
    fn what_is_of_another_account_or_unknown_is_kept_and_not_acted_on() {
        let body = format!("MessageSid=SM1&AccountSid=AC2&{FROM}&OptOutType=STOP");
        assert_eq!(read(body.as_bytes()).unwrap()[0].word, Word::Other);
        assert_eq!(told("SomethingNew=1").word, Word::Other);
        assert_eq!(read(b"Body=STOP").unwrap()[0].word, Word::Other);
    }

    proptest! {
        #[test]
        fn no_body_whatever_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            drop(read(&body));
        }

        #[test]
        fn no_field_whatever_makes_it_panic(
            fields in proptest::collection::vec(
                (
                    "(MessageSid|From|To|Body|OptOutType|MessageStatus|SmsStatus|ErrorCode|.{0,9})",
                    "(received|failed|undelivered|STOP|30003|\\+447911123456|.{0,40})",
                ),
                0..12,
            ),
        ) {
            let body = url::form_urlencoded::Serializer::new(format!("AccountSid={ACCOUNT}"))
                .extend_pairs(&fields)
                .finish();
            drop(read(body.as_bytes()));
        }
    }
}
