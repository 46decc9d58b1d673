//! Running the service: accounts, groups, settings, faults, callbacks.

use std::sync::{Arc, PoisonError};

use super::ControlError;
use crate::simulator::sinch::Simulator;
use crate::simulator::sinch::hooks::{Callback, WebhookSender};
use crate::simulator::sinch::settings::Settings;
use crate::simulator::sinch::world::account::{Account, Credentials};
use crate::simulator::sinch::world::faults::{Risk, Rule};
use crate::simulator::sinch::world::group::{AutoUpdate, Group};
use crate::simulator::sinch::world::number::msisdn;

impl Simulator {
    /// Opens an account and returns its number.
    #[expect(clippy::must_use_candidate, reason = "a lone account is number 0")]
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

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        self.with(|world| change(&mut world.settings));
    }

    /// Returns the settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.with(|world| world.settings.clone())
    }

    /// Scripts a fault.
    pub fn script(&self, rule: Rule) {
        self.with(|world| world.faults.script(rule));
    }

    /// Replaces the faults that strike by chance; the same seed strikes alike.
    pub fn risk(&self, risks: Vec<Risk>, seed: u64) {
        self.with(|world| world.faults.risk(risks, seed));
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.with(|world| world.faults.clear());
    }

    /// Connects callbacks to a receiver.
    pub fn connect_webhooks(&self, sender: Arc<dyn WebhookSender>) {
        *self.shared.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
    }

    /// Delivers every event that is due, and returns how many attempts were made.
    ///
    /// Without a connected sender events stay where they are. What was answered with 5xx or 429
    /// comes due again after 5, 10, 20 … 81,920 s of the clock's time; what was answered with any
    /// other 4xx never does.
    pub async fn deliver_webhooks(&self) -> usize {
        let Some(sender) = self.sender() else { return 0 };
        let due: Vec<_> = self.with(|world| {
            let (now, rules) = (world.now, world.settings.delivery);
            let mut hooks: Vec<_> = world
                .accounts
                .iter_mut()
                .map(|account| std::mem::take(&mut account.hooks))
                .collect();
            let mut due = Vec::new();
            for (place, hooks) in hooks.iter_mut().enumerate() {
                let taken = hooks.take_due(now, rules, || world.id());
                due.extend(taken.into_iter().map(|pair| (place, pair)));
            }
            for (account, hooks) in world.accounts.iter_mut().zip(hooks) {
                account.hooks = hooks;
            }
            due
        });
        let attempts = due.len();
        for (place, (event, attempt)) in due {
            let answer = sender.post(&attempt).await;
            self.with(|world| {
                let now = world.now;
                if let Some(account) = world.accounts.get_mut(place) {
                    account.hooks.settle(event, answer, now);
                }
            });
        }
        attempts
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
