//! Running the service and looking on: accounts, senders, texts, consents.

pub mod person;
pub mod routes;
mod signing;

use chrono::NaiveDate;
use serde::Serialize;

use super::Simulator;
use super::world::World;
use super::world::account::{Account, ApiKey, Consent, Number, Service};

/// Why an act did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The account's id is wrong.
    #[error("there is no such account")]
    NoSuchAccount,
    /// No account holds this number.
    #[error("there is no such number")]
    NoSuchNumber,
}

/// A text that was taken for sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Its id.
    pub sid: String,
    /// The messaging service or the number it is of.
    pub sender: String,
    /// The recipient.
    pub to: String,
    /// What it says.
    pub body: String,
    /// Where it stands.
    pub status: &'static str,
}

impl Simulator {
    /// Opens an account with an auth token and returns its id (`AC…`).
    #[must_use]
    pub fn open_account(&self, name: &str, auth_token: &str) -> String {
        self.with(|world| {
            let sid = world.sid("AC");
            let tokens = vec![auth_token.to_owned()];
            world.accounts.push(Account::new(sid.clone(), name.to_owned(), tokens));
            sid
        })
    }

    /// Makes an API key and returns it as `SK…:secret`. Only a `main` one may read the account.
    pub fn add_key(&self, account: &str, main: bool) -> Result<String, ControlError> {
        self.with(|world| {
            let (sid, secret) = (world.sid("SK"), world.secret());
            let owner = world.account(account).ok_or(ControlError::NoSuchAccount)?;
            owner.keys.push(ApiKey { sid: sid.clone(), secret: secret.clone(), main });
            Ok(format!("{sid}:{secret}"))
        })
    }

    /// Buys a number (E.164) that takes texts and returns its id (`PN…`).
    pub fn add_number(&self, account: &str, number: &str) -> Result<String, ControlError> {
        self.with(|world| {
            let sid = world.sid("PN");
            let owner = world.account(account).ok_or(ControlError::NoSuchAccount)?;
            let (e164, sms_url) = (number.to_owned(), String::new());
            owner.numbers.push(Number { sid: sid.clone(), e164, sms: true, sms_url });
            Ok(sid)
        })
    }

    /// Switches whether a number takes texts.
    pub fn set_texting(&self, number: &str, on: bool) -> Result<(), ControlError> {
        self.with(|world| {
            let mut numbers = world.accounts.iter_mut().flat_map(|owner| &mut owner.numbers);
            let own = numbers.find(|own| own.e164 == number).ok_or(ControlError::NoSuchNumber)?;
            own.sms = on;
            Ok(())
        })
    }

    /// Makes a messaging service of numbers the account holds and returns its id (`MG…`).
    pub fn add_service(
        &self,
        account: &str,
        name: &str,
        numbers: &[&str],
    ) -> Result<String, ControlError> {
        self.with(|world| {
            let sid = world.sid("MG");
            let owner = world.account(account).ok_or(ControlError::NoSuchAccount)?;
            owner.services.push(Service {
                sid: sid.clone(),
                name: name.to_owned(),
                numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
                inbound_request_url: None,
                status_callback: None,
                use_inbound_webhook_on_number: false,
            });
            Ok(sid)
        })
    }

    /// Suspends an account, or lets it work again.
    pub fn suspend(&self, account: &str, suspended: bool) -> Result<(), ControlError> {
        self.with(|world| {
            world.account(account).ok_or(ControlError::NoSuchAccount)?.suspended = suspended;
            Ok(())
        })
    }

    /// Says which numbers carriers took out of use on a day.
    pub fn deactivate(&self, date: NaiveDate, numbers: &[&str]) {
        let numbers = numbers.iter().map(|number| (*number).to_owned()).collect();
        self.with(|world| world.deactivated.insert(date, numbers));
    }

    /// Tells whether a person said STOP to a number or messaging service of the account.
    #[must_use]
    pub fn blocks(&self, account: &str, sender: &str, person: &str) -> bool {
        self.with(|world| world.account(account).is_some_and(|own| own.blocks(sender, person)))
    }

    /// Lists the texts that were taken for sending, those of keywords left out.
    #[must_use]
    pub fn outbox(&self) -> Vec<Text> {
        self.with(|world| world.texts())
    }

    /// Lists the consents the account told of; the API never shows them.
    #[must_use]
    pub fn consents(&self, account: &str) -> Vec<Consent> {
        self.with(|world| world.account(account).map_or_else(Vec::new, |own| own.consents.clone()))
    }
}

impl World {
    /// Lists the texts that were taken for sending, those of keywords left out.
    pub fn texts(&self) -> Vec<Text> {
        let messages = self.accounts.iter().flat_map(|owner| &owner.messages);
        messages
            .filter(|message| message.direction == "outbound-api")
            .map(|message| Text {
                sid: message.sid.clone(),
                sender: message.service.clone().or(message.from.clone()).unwrap_or_default(),
                to: message.to.clone(),
                body: message.body.clone(),
                status: message.status,
            })
            .collect()
    }
}
