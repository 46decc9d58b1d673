//! Reading: the account, its groups, and who is in one.
//!
//! A group's members come in one answer, numbers and nothing else: no page, no date, no way to ask
//! for a single one. So a page is the whole group, and a member is found in it.

use std::collections::{BTreeMap, BTreeSet};

use super::api::Call;
use super::wire;
use super::{Connection, Sinch, numbers};
use crate::domain::{Entry, MemberKey, MemberStatus};
use crate::providers::http::Failure;
use crate::providers::{Account, Audience, Member, MemberPage, PageCursor, ProviderError, Scope};

/// The most groups on one page.
const PAGE: u64 = 100;

impl Connection {
    /// Reads one group, to see that the credential opens the account.
    pub(super) async fn read_account(&self) -> Result<Account, ProviderError> {
        let call = Call::get(&["groups"]).with("page_size", "1");
        self.read::<wire::Groups>(&call).await.map_err(Failure::of_account)?;
        let region = self.settings().region.word().to_owned();
        Ok(Account { id: self.settings().id().to_owned(), region: Some(region) })
    }

    pub(super) async fn read_groups(&self) -> Result<Vec<(String, String)>, ProviderError> {
        let mut groups = BTreeMap::new();
        for page in 0_u64.. {
            let call = Call::get(&["groups"])
                .with("page", page.to_string())
                .with("page_size", PAGE.to_string());
            let read: wire::Groups = self.read(&call).await.map_err(Failure::of_account)?;
            let last = read.groups.is_empty() || (page + 1) * PAGE >= read.count;
            groups.extend(read.groups.into_iter().map(named));
            if last {
                break;
            }
        }
        Ok(groups.into_iter().collect())
    }
}

impl Sinch {
    /// Sinch has no forms, and a keyword that joins a group asks for no confirmation.
    pub(super) async fn read_audience(&self) -> Result<Audience, ProviderError> {
        let (id, name) = named(self.read_group().await?);
        Ok(Audience { id, name, double_opt_in: false, fields: Vec::new() })
    }

    /// Returns the whole group as one page. Nobody is archived here, and of what changed only the
    /// group as a whole can say: if it did, everybody is shown.
    pub(super) async fn read_page(
        &self,
        scope: &Scope,
        cursor: Option<&PageCursor>,
    ) -> Result<MemberPage, ProviderError> {
        let none = MemberPage { members: Vec::new(), total: 0, next: Vec::new() };
        if cursor.is_some() {
            return Err(ProviderError::Unreadable { what: "a cursor of another provider" });
        }
        if scope.archived {
            return Ok(none);
        }
        if let Some(since) = scope.changed_since {
            let changed = self.read_group().await?.modified_at;
            if changed.is_some_and(|changed| changed < since) {
                return Ok(none);
            }
        }
        let members: Vec<Member> = self.read_numbers().await?.iter().map(|n| member(n)).collect();
        Ok(MemberPage { total: members.len() as u64, members, next: Vec::new() })
    }

    /// Looks members up among all of them: there is no way to ask for one.
    pub(super) async fn read_members(
        &self,
        keys: &[MemberKey],
    ) -> Result<Vec<Option<Member>>, ProviderError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = self.read_numbers().await?;
        let found: BTreeMap<MemberKey, &String> =
            numbers.iter().map(|number| (numbers::key_of(number), number)).collect();
        Ok(keys.iter().map(|key| found.get(key).map(|number| member(number))).collect())
    }

    /// Reads who is in the group, by key.
    pub(super) async fn read_keys(&self) -> Result<BTreeSet<MemberKey>, ProviderError> {
        Ok(self.read_numbers().await?.iter().map(|number| numbers::key_of(number)).collect())
    }

    async fn read_group(&self) -> Result<wire::Group, ProviderError> {
        let call = Call::get(&["groups", &self.group]);
        self.connection.read(&call).await.map_err(Failure::of_list)
    }

    async fn read_numbers(&self) -> Result<Vec<String>, ProviderError> {
        let call = Call::get(&["groups", &self.group, "members"]);
        let members: wire::Members = self.connection.read(&call).await.map_err(Failure::of_list)?;
        Ok(members.numbers())
    }
}

fn named(group: wire::Group) -> (String, String) {
    let name = group.name.unwrap_or_else(|| group.id.clone());
    (group.id, name)
}

/// A number as a member. What is no number to us is a member without an address.
fn member(number: &str) -> Member {
    let address = numbers::address(number);
    Member {
        key: address.as_ref().map_or_else(|| numbers::key_of(number), numbers::key),
        address,
        status: MemberStatus::Subscribed,
        last_changed: None,
        signed_up_at: None,
        opted_in_at: None,
        entry: Entry::Unknown,
        complained: false,
        fields: BTreeMap::new(),
        tags: BTreeSet::new(),
    }
}
