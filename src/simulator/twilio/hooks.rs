//! Webhooks: what is told, signed and delivered, with loss, duplicates and disorder.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha1::Sha1;
use sha2::Sha256;
use url::Url;
use url::form_urlencoded::Serializer;

use super::settings::{DeliveryRules, Port};
use super::world::account::Account;
use super::world::message::Message;
use crate::simulator::hooks::Attempt;

/// An event on its way.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// The account it is of.
    pub account: String,
    /// Where it goes.
    pub url: String,
    /// The parameters, in order.
    pub fields: Vec<(&'static str, String)>,
    /// Whether it was tried before.
    pub tried: bool,
}

impl Event {
    /// A text came in; `kind` is what the service took it for.
    #[must_use]
    pub fn inbound(account: &str, url: String, message: &Message, kind: Option<&str>) -> Self {
        let from = message.from.clone().unwrap_or_default();
        let mut fields = vec![
            ("ToCountry", "GB".to_owned()),
            ("ToState", String::new()),
            ("SmsMessageSid", message.sid.clone()),
            ("NumMedia", "0".to_owned()),
            ("ToCity", String::new()),
            ("FromZip", String::new()),
            ("SmsSid", message.sid.clone()),
            ("FromState", String::new()),
            ("SmsStatus", "received".to_owned()),
            ("FromCity", String::new()),
            ("Body", message.body.clone()),
            ("FromCountry", "GB".to_owned()),
            ("To", message.to.clone()),
            ("ToZip", String::new()),
            ("NumSegments", "1".to_owned()),
            ("MessageSid", message.sid.clone()),
            ("AccountSid", account.to_owned()),
            ("From", from),
            ("ApiVersion", "2010-04-01".to_owned()),
        ];
        fields.extend(message.service.clone().map(|sid| ("MessagingServiceSid", sid)));
        fields.extend(kind.map(|kind| ("OptOutType", kind.to_owned())));
        Self { account: account.to_owned(), url, fields, tried: false }
    }

    /// A text met its fate, or came nearer to it.
    #[must_use]
    pub fn status(account: &str, url: String, message: &Message) -> Self {
        let mut fields = vec![
            ("SmsSid", message.sid.clone()),
            ("SmsStatus", message.status.to_owned()),
            ("MessageStatus", message.status.to_owned()),
            ("To", message.to.clone()),
            ("MessageSid", message.sid.clone()),
            ("AccountSid", account.to_owned()),
            ("From", message.from.clone().unwrap_or_default()),
            ("ApiVersion", "2010-04-01".to_owned()),
        ];
        let failed = matches!(message.status, "failed" | "undelivered");
        let code = message.error.filter(|_| failed);
        fields.extend(code.map(|code| ("ErrorCode", code.to_string())));
        fields.extend(message.service.clone().map(|sid| ("MessagingServiceSid", sid)));
        Self { account: account.to_owned(), url, fields, tried: false }
    }

    /// Signs it as the account does now.
    #[must_use]
    pub fn attempt(&self, account: &Account, rules: DeliveryRules) -> Attempt {
        let mut fields = self.fields.clone();
        if rules.novelty {
            fields.push(("AddedWithoutNotice", "ä+ b".to_owned()));
        }
        let body = Serializer::new(String::new()).extend_pairs(&fields).finish();
        let text = signed(&ported(&self.url, rules.port), &fields);
        let token = account.auth_tokens.first().map_or("", String::as_str);
        let mut headers = vec![
            ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8".to_owned()),
            ("User-Agent", "TwilioProxy/1.1".to_owned()),
        ];
        match &account.shared_key {
            None => headers.push(("X-Twilio-Signature", sha1(token, &text))),
            Some((sid, secret)) => headers.extend([
                ("X-Twilio-Signature", sha256(secret, &text)),
                (
                    "X-Twilio-Webhooks-Signature-Settings",
                    format!("key={sid},algorithm=HMAC_SHA256"),
                ),
            ]),
        }
        Attempt { url: self.url.clone(), body, headers }
    }
}

/// The text that is signed: the URL, then each parameter once, sorted, name and value.
fn signed(url: &str, fields: &[(&'static str, String)]) -> String {
    let mut fields = fields.to_vec();
    fields.sort();
    fields.dedup();
    fields.into_iter().fold(url.to_owned(), |text, (name, value)| text + name + &value)
}

fn ported(url: &str, port: Port) -> String {
    let Ok(parsed) = Url::parse(url) else { return url.to_owned() };
    let (Some(host), usual) = (parsed.host_str(), parsed.port_or_known_default()) else {
        return url.to_owned();
    };
    let number = match port {
        Port::AsGiven => return url.to_owned(),
        Port::LeftOut => String::new(),
        Port::Added => format!(":{}", usual.unwrap_or(443)),
    };
    let rest = &parsed[url::Position::BeforePath..];
    format!("{}://{host}{number}{rest}", parsed.scheme())
}

fn sha1(key: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn sha256(key: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}
