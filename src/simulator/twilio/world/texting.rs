//! How texts come and go.

use chrono::{DateTime, Utc};

use super::account::Account;
use super::keyword::Keyword;
use super::message::Message;
use super::{Reach, World};
use crate::simulator::twilio::hooks::Event;

/// A text that an account wants to send.
#[derive(Debug, Clone)]
pub struct Order {
    /// The recipient.
    pub to: String,
    /// A number or a messaging service of the account.
    pub sender: String,
    /// What it says.
    pub body: String,
    /// Where its fate is told, unless the service says.
    pub callback: Option<String>,
}

/// Why a text is not taken: error code and what it is called.
pub type Refused = (u32, &'static str);

impl World {
    /// Takes a text to send.
    pub fn send(&mut self, account: usize, order: Order) -> Result<Message, Refused> {
        let by_service = order.sender.starts_with("MG");
        let owner = &self.accounts[account];
        let service = owner.services.iter().find(|service| service.sid == order.sender);
        if by_service && service.is_none() {
            return Err((21_701, "The Messaging Service resource does not exist"));
        }
        if !by_service && !owner.numbers.iter().any(|own| own.e164 == order.sender && own.sms) {
            return Err((21_606, "The 'From' number is not a valid, SMS-capable number"));
        }
        if !is_number(&order.to) {
            return Err((21_211, "The 'To' number is not a valid phone number"));
        }
        let landline = self.reach.get(&order.to) == Some(&Reach::Landline);
        if landline && !order.to.starts_with("+1") && !order.to.starts_with("+44") {
            return Err((21_635, "'To' number cannot be a landline"));
        }
        let blocked = owner.blocks(&order.sender, &order.to);
        if blocked && !(by_service && self.settings.late_refusals) {
            return Err((21_610, "Attempt to send to unsubscribed recipient"));
        }
        let callback = order.callback.or_else(|| service?.status_callback.clone());
        let message = Message {
            direction: "outbound-api",
            status: if by_service { "accepted" } else { "queued" },
            from: (!by_service).then(|| order.sender.clone()),
            to: order.to,
            body: order.body,
            error: blocked.then_some(21_610),
            service: by_service.then_some(order.sender),
            created: self.now,
            sent: None,
            updated: self.now,
            callback,
            due: Some(self.now + std::time::Duration::from_millis(self.settings.delivery_ms)),
            sid: self.sid("SM"),
        };
        self.accounts[account].messages.push(message.clone());
        Ok(message)
    }

    /// A person texts a number. The service acts on its keywords first, then tells.
    pub fn receive(&mut self, account: usize, from: &str, to: &str, body: &str) -> String {
        let keyword = Keyword::of(body);
        let (sid, answer_sid, now) = (self.sid("SM"), self.sid("SM"), self.now);
        let account = &mut self.accounts[account];
        match keyword {
            Some(Keyword::Stop) => account.block(to, from, true),
            Some(Keyword::Start) => account.block(to, from, false),
            Some(Keyword::Help) | None => {}
        }
        let service = account.service_of(to).cloned();
        let message = Message {
            sid: sid.clone(),
            direction: "inbound",
            status: "received",
            from: Some(from.to_owned()),
            to: to.to_owned(),
            body: body.to_owned(),
            error: None,
            service: service.as_ref().map(|service| service.sid.clone()),
            created: now,
            sent: Some(now),
            updated: now,
            callback: None,
            due: None,
        };
        let own = account.numbers.iter().find(|own| own.e164 == to);
        let on_number = own.map(|own| own.sms_url.clone());
        let url = match service {
            Some(service) if !service.use_inbound_webhook_on_number => service.inbound_request_url,
            _ => on_number,
        };
        let kind = keyword.filter(|_| self.settings.advanced_opt_out).map(Keyword::name);
        self.waiting.extend(
            url.filter(|url| !url.is_empty())
                .map(|url| Event::inbound(&account.sid, url, &message, kind)),
        );
        let answer = keyword.map(|keyword| answered(&message, &answer_sid, keyword.answer()));
        account.messages.push(message);
        account.messages.extend(answer);
        sid
    }

    /// Does what fell due since the last look: texts meet their fate.
    pub fn pass(&mut self, now: DateTime<Utc>) {
        self.now = now;
        let Self { accounts, reach, waiting, .. } = self;
        for account in accounts {
            let Account { sid, messages, services, .. } = account;
            let due = messages.iter_mut().filter(|message| message.due.is_some_and(|d| d <= now));
            for message in due {
                let service =
                    services.iter().find(|own| Some(&own.sid) == message.service.as_ref());
                if message.from.is_none() {
                    message.from = service.and_then(|service| service.numbers.first().cloned());
                }
                for status in fate(message, reach.get(&message.to).copied(), now) {
                    message.status = status;
                    waiting.extend(
                        message.callback.clone().map(|url| Event::status(sid, url, message)),
                    );
                }
            }
        }
    }
}

/// Decides how a text ends; returns the statuses it goes through.
fn fate(message: &mut Message, reach: Option<Reach>, now: DateTime<Utc>) -> Vec<&'static str> {
    let at = message.due.take().unwrap_or(now);
    (message.sent, message.updated) = (Some(message.created), at);
    if message.error.is_some() {
        return vec!["failed"];
    }
    message.error = match reach {
        None => None,
        Some(Reach::Fails(code)) => Some(code),
        Some(Reach::Landline) => Some(30_006),
    };
    vec!["sent", if message.error.is_some() { "undelivered" } else { "delivered" }]
}

/// The service's own answer to a keyword.
fn answered(heard: &Message, sid: &str, body: &str) -> Message {
    Message {
        sid: sid.to_owned(),
        direction: "outbound-reply",
        status: "delivered",
        from: Some(heard.to.clone()),
        to: heard.from.clone().unwrap_or_default(),
        body: body.to_owned(),
        ..heard.clone()
    }
}

/// Tells whether a text is a number in E.164.
pub fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    })
}
