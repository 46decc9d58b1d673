//! Running the service: accounts, groups, consent lists, callbacks.

use super::ControlError;
use crate::simulator::sinch::Simulator;
use crate::simulator::sinch::hooks::Callback;
use crate::simulator::sinch::world::account::{Account, Credentials};
use crate::simulator::sinch::world::group::{AutoUpdate, Group};
use crate::simulator::sinch::world::number::msisdn;

impl Simulator {
    /// Opens an account and returns its number.
    pub fn open_account(&self, credentials: Credentials) -> usize {
        self.with(|world| world.open_account(credentials))
    }

    /// Makes an empty group and returns its id.
    pub fn open_group(&self, account: usize, name: &str) -> Result<String, ControlError> {
        self.with(|world| {
            let mut group = Group::new(world.id(), world.now);
            let account = world.accounts.get_mut(account).ok_or(ControlError::NoSuchAccount)?;
            group.name = Some(name.to_owned());
            let id = group.id.clone();
            account.groups.push(group);
            Ok(id)
        })
    }

    /// Deletes a group, as staff may in the dashboard.
    pub fn delete_group(&self, group: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let groups = world.accounts.iter_mut().map(|account| &mut account.groups);
            let mut found = groups.filter(|groups| groups.iter().any(|known| known.id == group));
            let groups = found.next().ok_or(ControlError::NoSuchGroup)?;
            groups.retain(|known| known.id != group);
            Ok(())
        })
    }

    /// Puts numbers into a group, as staff may; numbers in any form.
    pub fn add_members(
        &self,
        group: &str,
        numbers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), ControlError> {
        self.change(group, numbers, true)
    }

    /// Takes numbers off a group, as staff may.
    pub fn remove_members(
        &self,
        group: &str,
        numbers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), ControlError> {
        self.change(group, numbers, false)
    }

    /// Puts a text into a group as it is, past every check, as an old import may have left it.
    pub fn plant_member(&self, group: &str, text: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let group = world.group_mut(group).ok_or(ControlError::NoSuchGroup)?;
            group.members.push(text.to_owned());
            Ok(())
        })
    }

    /// Lets people leave a group by texting `keyword` to `to`.
    pub fn leave_by(&self, group: &str, to: &str, keyword: &str) -> Result<(), ControlError> {
        self.with(|world| {
            let group = world.group_mut(group).ok_or(ControlError::NoSuchGroup)?;
            let to = msisdn(to).ok_or(ControlError::NoNumber)?;
            group.auto_update = Some(AutoUpdate { to, add: None, remove: Some(keyword.into()) });
            Ok(())
        })
    }

    /// Makes an app of the Conversation API, which has consent lists.
    pub fn open_app(&self, account: usize, app: &str) -> Result<(), ControlError> {
        self.account(account, |account| account.apps.push(app.to_owned()))
    }

    /// Puts a number on a consent list, such as `OPT_OUT_ALL`.
    pub fn opt_out(
        &self,
        account: usize,
        (app, list): (&str, &str),
        number: &str,
    ) -> Result<(), ControlError> {
        let number = msisdn(number).ok_or(ControlError::NoNumber)?;
        self.account(account, |account| {
            let numbers = account.consents.entry((app.to_owned(), list.to_owned())).or_default();
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        })
    }

    /// Takes a number off a consent list.
    pub fn opt_in(
        &self,
        account: usize,
        (app, list): (&str, &str),
        number: &str,
    ) -> Result<(), ControlError> {
        let number = msisdn(number).ok_or(ControlError::NoNumber)?;
        self.account(account, |account| {
            let list = (app.to_owned(), list.to_owned());
            if let Some(numbers) = account.consents.get_mut(&list) {
                numbers.retain(|known| *known != number);
            }
        })
    }

    /// Sends an account's callbacks somewhere, or nowhere.
    pub fn set_callback(
        &self,
        account: usize,
        callback: Option<Callback>,
    ) -> Result<(), ControlError> {
        self.account(account, |account| account.hooks.callback = callback)
    }

    /// Ends every token that was given out, before its time.
    pub fn revoke_tokens(&self, account: usize) -> Result<(), ControlError> {
        self.account(account, |account| account.tokens.clear())
    }

    /// Closes an account, or opens it again: its keys and tokens are refused.
    pub fn close(&self, account: usize, closed: bool) -> Result<(), ControlError> {
        self.account(account, |account| account.closed = closed)
    }

    /// Works on one account.
    pub(super) fn account<T>(
        &self,
        account: usize,
        work: impl FnOnce(&mut Account) -> T,
    ) -> Result<T, ControlError> {
        self.with(|world| world.accounts.get_mut(account).map(work))
            .ok_or(ControlError::NoSuchAccount)
    }

    fn change(
        &self,
        group: &str,
        numbers: impl IntoIterator<Item = impl AsRef<str>>,
        add: bool,
    ) -> Result<(), ControlError> {
        let numbers: Option<Vec<String>> =
            numbers.into_iter().map(|number| msisdn(number.as_ref())).collect();
        let numbers = numbers.ok_or(ControlError::NoNumber)?;
        self.with(|world| {
            let now = world.now;
            let group = world.group_mut(group).ok_or(ControlError::NoSuchGroup)?;
            let (add, remove) = if add { (numbers, Vec::new()) } else { (Vec::new(), numbers) };
            group.update(&add, &remove, now);
            Ok(())
        })
    }
}
