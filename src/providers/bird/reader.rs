//! Reading: the workspace, its audiences, and who is on one.
//!
//! A contact that is read by its id does not say where it is a member; one that is looked up by
//! number or address does. So who is asked for by id is read first and looked up then.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;

use super::api::{Call, ROWS};
use super::lots::NUMBERS;
use super::wire::{Audience as Shown, Contact, Joined, Membership, Page, Workspace};
use super::{Bird, Connection};
use crate::domain::{Address, Entry, MemberKey, MemberStatus};
use crate::providers::http::Failure;
use crate::providers::{Account, Audience, Member, MemberPage, PageCursor, ProviderError, Scope};

impl Connection {
    pub(super) async fn read_account(&self) -> Result<Account, ProviderError> {
        let read: Workspace =
            self.read(&Call::get(&["workspace"])).await.map_err(Failure::of_account)?;
        Ok(Account { id: read.id, region: Some(self.region().to_owned()) })
    }

    pub(super) async fn read_audiences(&self) -> Result<Vec<(String, String)>, ProviderError> {
        let all: Vec<Shown> =
            self.read_all(&Call::get(&["audiences"])).await.map_err(Failure::of_account)?;
        Ok(all.into_iter().map(|audience| (audience.id, audience.name)).collect())
    }

    /// Looks contacts up by number.
    pub(super) async fn look_up(&self, numbers: &[&str]) -> Result<Vec<Contact>, Failure> {
        let pages = numbers.chunks(NUMBERS).map(async |numbers| {
            let call = Call::get(&["contacts"]).with("limit", ROWS);
            let call = numbers.iter().fold(call, |call, number| call.with("phone_number", *number));
            self.read::<Page<Contact>>(&call).await
        });
        let pages = try_join_all(pages).await?;
        Ok(pages.into_iter().flat_map(|page| page.data).collect())
    }

    /// Reads one contact by its id; none where there is none.
    pub(super) async fn contact(&self, id: &str) -> Result<Option<Contact>, Failure> {
        match self.read(&Call::get(&["contacts", id])).await {
            Ok(contact) => Ok(Some(contact)),
            Err(Failure::NotFound) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

impl Bird {
    /// Bird has no forms for texts that would ask for a confirmation.
    pub(super) async fn read_audience(&self) -> Result<Audience, ProviderError> {
        let call = Call::get(&["audiences", &self.audience]);
        let Shown { id, name } = self.connection.read(&call).await.map_err(Failure::of_list)?;
        Ok(Audience { id, name, double_opt_in: false, fields: Vec::new() })
    }

    /// Reads one page, who joined last first. Nobody is archived here, and of changes only joining
    /// shows: a page that begins to reach back before the start is the last.
    pub(super) async fn read_page(
        &self,
        scope: &Scope,
        cursor: Option<&PageCursor>,
    ) -> Result<MemberPage, ProviderError> {
        if scope.archived {
            return Ok(MemberPage { members: Vec::new(), total: 0, next: Vec::new() });
        }
        let call = Call::get(&["audiences", &self.audience, "contacts"]).with("limit", ROWS);
        let call = match cursor {
            Some(PageCursor(cursor)) => call.with("starting_after", cursor),
            None => call,
        };
        let page: Page<Joined> = self.connection.read(&call).await.map_err(Failure::of_list)?;
        let reached = scope.changed_since.is_some_and(|since| {
            page.data.last().and_then(|last| last.joined_at).is_some_and(|last| last < since)
        });
        let next: Vec<PageCursor> =
            page.next_cursor.filter(|_| !reached).map(PageCursor).into_iter().collect();
        let members: Vec<Member> = page.data.into_iter().map(joined).collect();
        // The count is asked for once, with the last page: whoever left or came meanwhile is in it.
        let total = match (&scope.changed_since, next.is_empty()) {
            (None, true) => self.count().await?,
            _ => members.len() as u64,
        };
        Ok(MemberPage { members, total, next })
    }

    /// Counts who is on the audience. Bird may have no count; that is no 0, and without it no
    /// reading is known to be whole.
    async fn count(&self) -> Result<u64, ProviderError> {
        let call = Call::get(&["audiences", &self.audience, "membership"]);
        let read: Membership = self.connection.read(&call).await.map_err(Failure::of_list)?;
        read.membership.map(|count| count.total).ok_or(ProviderError::Unavailable(None))
    }

    pub(super) async fn read_members(
        &self,
        keys: &[MemberKey],
    ) -> Result<Vec<Option<Member>>, ProviderError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let own = |failure: Failure| failure.of_account();
        let read = keys.iter().map(async |MemberKey(id)| self.connection.contact(id).await);
        let contacts: Vec<Contact> =
            try_join_all(read).await.map_err(own)?.into_iter().flatten().collect();
        let mut found: BTreeMap<String, Member> = BTreeMap::new();
        for contact in self.placed(&contacts).await.map_err(own)? {
            found.extend(self.on_it(contact).map(|member| (member.key.0.clone(), member)));
        }
        let members: Vec<_> = keys.iter().map(|MemberKey(id)| found.remove(id)).collect();
        self.unless_gone(members).await
    }

    pub(super) async fn read_by_address(
        &self,
        address: &Address,
    ) -> Result<Option<Member>, ProviderError> {
        let found = self.connection.look_up(&[address.expose()]).await;
        let mut found = found.map_err(Failure::of_account)?.into_iter();
        let member = found.find_map(|contact| self.on_it(contact));
        Ok(self.unless_gone(vec![member]).await?.pop().flatten())
    }

    /// Looks contacts up again, to see where they are members.
    async fn placed(&self, contacts: &[Contact]) -> Result<Vec<Contact>, Failure> {
        let numbers: Vec<&str> =
            contacts.iter().filter_map(|c| c.phone_number.as_deref()).collect();
        let mut placed = self.connection.look_up(&numbers).await?;
        let others = contacts.iter().filter(|contact| contact.phone_number.is_none());
        for email in others.filter_map(|contact| contact.email.as_deref()) {
            let call = Call::get(&["contacts"]).with("email", email);
            placed.extend(self.connection.read::<Page<Contact>>(&call).await?.data);
        }
        Ok(placed)
    }

    /// Nobody is on an audience that is gone, and nobody is absent from it either.
    async fn unless_gone(
        &self,
        members: Vec<Option<Member>>,
    ) -> Result<Vec<Option<Member>>, ProviderError> {
        if members.iter().any(Option::is_none) {
            self.read_audience().await?;
        }
        Ok(members)
    }

    /// Returns the contact as a member, if it is on this audience.
    pub(super) fn on_it(&self, contact: Contact) -> Option<Member> {
        contact
            .audiences
            .iter()
            .any(|audience| audience.id == self.audience)
            .then(|| member(contact))
    }
}

fn joined(joined: Joined) -> Member {
    Member { last_changed: joined.joined_at, ..member(joined.contact) }
}

/// A contact as a member. Without a number that is one to us it has no address.
fn member(contact: Contact) -> Member {
    let number = contact.phone_number.as_deref();
    Member {
        key: MemberKey(contact.id),
        address: number.and_then(|number| Address::mobile(number, None).ok()),
        status: MemberStatus::Subscribed,
        last_changed: contact.updated_at,
        signed_up_at: None,
        opted_in_at: None,
        entry: Entry::Unknown,
        complained: false,
        fields: BTreeMap::new(),
        tags: BTreeSet::new(),
    }
}
