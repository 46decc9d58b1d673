//! Reading the account and the sender.

use super::api::Connection;
use super::wire;
use crate::providers::http::Failure;
use crate::providers::{Account, Audience, ProviderError};

impl Connection {
    /// Reads the account.
    ///
    /// An API key of the standard kind may not read it; that it may read the account's messages
    /// shows as well whose it is, as Twilio refuses a key in the path of another account.
    pub(super) async fn read_account(&self) -> Result<Account, ProviderError> {
        let found: Result<wire::Account, Failure> = self.read(&self.own(".json", &[])).await;
        let account = match found {
            Err(Failure::Error(ProviderError::Unauthorized)) if self.is_by_key() => {
                let one = self.own("/Messages.json", &[("PageSize", "1")]);
                self.read::<wire::Messages>(&one).await.map_err(Failure::of_account)?;
                return Ok(Account { id: self.settings().account_sid.clone(), region: None });
            }
            found => found.map_err(Failure::of_account)?,
        };
        if account.status != "active" {
            let title = "the account is suspended or closed".to_owned();
            return Err(ProviderError::AccountDisabled { title });
        }
        Ok(Account { id: account.sid, region: None })
    }

    /// Reads the sender: a messaging service, or a number that takes texts.
    pub(super) async fn read_audience(&self) -> Result<Audience, ProviderError> {
        let name = if self.settings().sends_by_service() {
            let service: wire::Service = self.read_service().await.map_err(Failure::of_list)?;
            service.friendly_name
        } else {
            let number = self.read_number().await?;
            if !number.capabilities.sms {
                let title = "the sender takes no text messages".to_owned();
                return Err(ProviderError::Rejected { status: 200, title });
            }
            number.friendly_name
        };
        let id = self.settings().sender.clone();
        Ok(Audience { id, name, double_opt_in: false, fields: Vec::new() })
    }

    /// Reads the number that sends; Twilio finds by any part of a number, so it is compared.
    pub(super) async fn read_number(&self) -> Result<wire::Number, ProviderError> {
        let sender = &self.settings().sender;
        let asked = self.own("/IncomingPhoneNumbers.json", &[("PhoneNumber", sender)]);
        let found: wire::Numbers = self.read(&asked).await.map_err(Failure::of_account)?;
        let mut numbers = found.incoming_phone_numbers.into_iter();
        numbers.find(|number| number.e164 == *sender).ok_or(ProviderError::ListGone)
    }
}
