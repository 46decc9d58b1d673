//! Twilio in the world. It keeps no list: who is on it the program knows, and nobody else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use http::Request;
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

use super::{Deed, HELP, Setup, Stage, Standing, sender, simulated};
use crate::clock::SharedClock;
use crate::domain::Channel;
use crate::rehearsal::faults::Kind;
use crate::simulator::twilio::{Fault, Rule, Simulator};

/// Twilio.
pub struct Twilio {
    simulator: Simulator,
    /// Ids of accounts and of their numbers, by place.
    accounts: Mutex<BTreeMap<usize, (String, String)>>,
}

impl Twilio {
    /// Starts without accounts.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { simulator: Simulator::new(clock), accounts: Mutex::default() }
    }
}

#[async_trait]
impl Stage for Twilio {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn host(&self) -> &'static str {
        "twilio.test"
    }

    fn opens(&self, place: usize, _more: Option<&Setup>) -> Setup {
        let token = format!("{place:032x}");
        let sid = self.simulator.open_account(&format!("Clinic {place}"), &token);
        let number = self.simulator.add_number(&sid, &sender(place)).unwrap_or_default();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.insert(place, (sid.clone(), number));
        let settings = format!(
            "account_sid = \"{sid}\"\nsender = \"{}\"\nbase_url = \"http://twilio.test\"\n\
             messaging_url = \"http://twilio.test\"\nwebhook_secrets = [\"sms\"]",
            sender(place)
        );
        let secrets = vec![("sms".to_owned(), token)];
        Setup { provider: "twilio", settings, audience: sender(place), secrets }
    }

    fn strikes(&self, kind: Kind) -> bool {
        let fault = match kind {
            Kind::Throttled => Fault::TooManyRequests { retry_after: Some(2) },
            Kind::ServerError => Fault::InternalError,
            Kind::BadGateway => Fault::BadGateway,
            Kind::Reset => Fault::Reset,
            Kind::LostReply => Fault::LostReply,
            _ => return false,
        };
        self.simulator.script(Rule::next(fault));
        true
    }

    fn does(&self, audience: &str, address: &str, deed: Deed) -> bool {
        let person = self.simulator.person(address);
        let says = |words: &str| person.texts(audience, words).is_ok();
        match deed {
            Deed::Agrees => says("YES"),
            Deed::Refuses => says("STOP"),
            Deed::RefusesInOwnWords => says("please stop texting me"),
            Deed::Starts => says("START"),
            Deed::SignsUp => says("HELP"),
            Deed::Bounces => {
                person.is_out_of_reach(30_003);
                true
            }
            _ => false,
        }
    }

    fn was_there(&self, _audience: &str, _address: &str, _as: Standing, _at: DateTime<Utc>) {}

    fn holds(&self, _audience: &str) -> BTreeMap<String, Standing> {
        BTreeMap::new()
    }

    fn asked(&self) -> Vec<(Option<String>, String)> {
        let texts = self.simulator.outbox().into_iter();
        let asking = texts.filter(|text| text.body != HELP);
        asking.map(|text| (Some(text.sender), text.to)).collect()
    }

    fn writes(&self) -> usize {
        self.simulator.writes().len()
    }

    async fn is_told_where(&self, place: usize, url: &str) {
        let known = {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.get(&place).cloned()
        };
        let Some((sid, number)) = known else { return };
        let path = format!("/2010-04-01/Accounts/{sid}/IncomingPhoneNumbers/{number}.json");
        let credential = STANDARD.encode(format!("{sid}:{place:032x}"));
        let form = Serializer::new(String::new()).append_pair("SmsUrl", url).finish();
        let request = Request::post(path)
            .header("authorization", format!("Basic {credential}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form));
        if let Ok(request) = request {
            drop(self.simulator.router().oneshot(request).await);
        }
    }

    simulated!();
}
