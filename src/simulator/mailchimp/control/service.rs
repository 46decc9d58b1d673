//! Running the service: accounts, keys, audiences.

use super::ControlError;
use crate::simulator::mailchimp::Simulator;
use crate::simulator::mailchimp::audience::email;
use crate::simulator::mailchimp::world::account::ApiKey;

impl Simulator {
    /// Opens an account with one key and returns its number.
    pub fn open_account(&self, name: &str, api_key: &str) -> usize {
        self.with(|world| world.open_account(name, api_key))
    }

    /// Gives an account one more key.
    pub fn add_key(&self, account: usize, api_key: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let account = world.accounts.get_mut(account).ok_or(ControlError::NoSuchAccount)?;
            account.keys.push(ApiKey { text: api_key.to_owned(), disabled: false });
            Ok(())
        })
    }

    /// Switches a key off.
    pub fn disable_key(&self, api_key: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let mut keys = world.accounts.iter_mut().flat_map(|account| &mut account.keys);
            let key = keys.find(|key| key.text == api_key).ok_or(ControlError::NoSuchAccount)?;
            key.disabled = true;
            Ok(())
        })
    }

    /// Closes an account, or opens it again.
    pub fn deactivate(&self, account: usize, deactivated: bool) -> Result<(), ControlError> {
        self.with(|world| {
            let account = world.accounts.get_mut(account).ok_or(ControlError::NoSuchAccount)?;
            account.deactivated = deactivated;
            Ok(())
        })
    }

    /// Makes an audience and returns its list id.
    pub fn open_audience(&self, account: usize, name: &str) -> Result<String, ControlError> {
        self.with(|world| world.open_audience(account, name)).ok_or(ControlError::NoSuchAccount)
    }

    /// Switches double opt-in of the hosted form.
    pub fn set_double_optin(&self, list_id: &str, on: bool) -> Result<(), ControlError> {
        self.with(|world| {
            world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?.double_optin = on;
            Ok(())
        })
    }

    /// Switches marketing permissions.
    pub fn set_marketing_permissions(&self, list_id: &str, on: bool) -> Result<(), ControlError> {
        self.with(|world| {
            world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?.marketing_permissions = on;
            Ok(())
        })
    }

    /// Makes a merge field required, or not.
    pub fn require_merge_field(
        &self,
        list_id: &str,
        tag: &str,
        on: bool,
    ) -> Result<(), ControlError> {
        self.with(|world| {
            let audience = world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?;
            let mut fields = audience.merge_fields.iter_mut();
            let field = fields.find(|field| field.tag == tag);
            let unknown = || ControlError::Refused(format!("there is no merge field {tag}"));
            field.ok_or_else(unknown)?.required = on;
            Ok(())
        })
    }

    /// Makes Mailchimp say that an address joined too many lists of late.
    pub fn overexpose(&self, list_id: &str, address: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let audience = world.audience_mut(list_id).ok_or(ControlError::NoSuchList)?;
            audience.overexposed.insert(email::hash(address));
            Ok(())
        })
    }
}
