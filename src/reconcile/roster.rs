//! What a process keeps: practices with their lists, and the accounts that tell of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::SecretString;

use super::told::is_opt_out;
use super::{ManagedList, Practice};
use crate::domain::{Channel, ClinicId};
use crate::providers::{ListAccount, Notice, WebhookScheme};

/// Every practice and account in hand, read by whoever attends to what was told.
#[derive(Debug, Default)]
pub struct Roster {
    /// The practices with their lists.
    pub practices: Vec<Practice>,
    /// The accounts of all of them.
    pub accounts: Vec<ManagedAccount>,
}

/// One provider account of one clinic.
#[derive(Debug, Clone)]
pub struct ManagedAccount {
    /// Whose it is.
    pub clinic: ClinicId,
    /// Its name in the clinic's file.
    pub name: String,
    /// What its lease is called after, as with its lists (see [`ManagedList::account`]).
    pub account: String,
    /// The channel of its lists.
    pub channel: Channel,
    /// How its webhooks are verified and read.
    pub scheme: Option<Arc<dyn WebhookScheme>>,
    /// The secrets its webhooks are signed with, where an admin agreed on them with the provider.
    pub webhook_secrets: Vec<SecretString>,
    /// What answers HELP, where the provider does not.
    pub help: Option<String>,
    /// The provider.
    pub port: Arc<dyn ListAccount>,
}

impl Roster {
    /// Takes a clinic over as it is in `other`, if it is there.
    pub fn keep(&mut self, other: &Self, slug: &str) {
        let Some(practice) = other.practices.iter().find(|practice| practice.slug == slug) else {
            return;
        };
        let accounts = other.accounts.iter().filter(|account| account.clinic == practice.id);
        self.accounts.extend(accounts.cloned());
        self.practices.push(practice.clone());
    }

    /// Returns the account of a clinic by its name in the clinic's file.
    #[must_use]
    pub fn account(&self, clinic: ClinicId, name: &str) -> Option<&ManagedAccount> {
        self.accounts.iter().find(|account| account.clinic == clinic && account.name == name)
    }

    /// Returns the lists that a notice is about: those with the audience it names, else all of the
    /// account's, in whatever clinic (L27); of one that names a sender, only those that send from it.
    ///
    /// An opt-out from any sender is one from all of a clinic's, where it has the account for itself.
    pub fn lists_of<'a>(
        &'a self,
        account: &'a ManagedAccount,
        notice: &'a Notice,
    ) -> impl Iterator<Item = (&'a Practice, &'a ManagedList)> {
        let of_account = |list: &ManagedList| list.account == account.account;
        let alone =
            self.lists().all(|(practice, list)| !of_account(list) || practice.id == account.clinic);
        let everywhere = alone && account.channel == Channel::Sms && is_opt_out(notice);
        self.lists().filter(move |(_, list)| {
            of_account(list)
                && (everywhere || notice.is_about(&list.audience, list.sender.as_deref()))
        })
    }

    /// Returns the clinics that a provider account concerns.
    pub(super) fn clinics_of(&self, account: &str) -> BTreeSet<ClinicId> {
        let accounts = self.accounts.iter().filter(|a| a.account == account);
        let lists = self.lists().filter(|(_, list)| list.account == account);
        accounts.map(|a| a.clinic).chain(lists.map(|(practice, _)| practice.id)).collect()
    }

    /// Returns every list with its practice.
    pub fn lists(&self) -> impl Iterator<Item = (&Practice, &ManagedList)> {
        self.practices
            .iter()
            .flat_map(|practice| practice.lists.iter().map(move |list| (practice, list)))
    }
}
