//! Reading again: the members that deliveries are about, as the provider has them now.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use uuid::Uuid;

use super::roster::ManagedAccount;
use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::clock::timeout;
use crate::domain::{Address, Entry, ListId, MemberKey, MemberStatus, Observed};
use crate::providers::{Notice, Word};
use crate::store::{LinkRow, ListRow, ObservedMember};

/// Members asked for at the same time, as far as the account's share of connections allows.
const READ_TOGETHER: usize = 50;

/// How long reading together may take before everybody is read singly.
const JOB_PATIENCE: Duration = Duration::from_secs(10);

/// Whom deliveries are about on one list.
struct Asked<'a> {
    list: &'a ManagedList,
    addresses: BTreeSet<&'a Address>,
    deliveries: BTreeSet<Uuid>,
}

impl<'a> Asked<'a> {
    const fn of(list: &'a ManagedList) -> Self {
        Self { list, addresses: BTreeSet::new(), deliveries: BTreeSet::new() }
    }
}

/// What could not be read.
#[derive(Default)]
pub(super) struct Unread {
    /// The deliveries that it is about.
    pub(super) deliveries: BTreeSet<Uuid>,
    /// Why not, of the first list.
    pub(super) failed: Option<ReconcileError>,
}

impl Reconciler {
    /// Reads the members again that deliveries are about, on every list concerned: what the provider
    /// says now counts, not what the delivery said (L17 to L19).
    ///
    /// A list that fails keeps no other from being read.
    pub(super) async fn read_again(
        &self,
        tenure: &Tenure<'_>,
        account: &ManagedAccount,
        told: &[(Uuid, Notice)],
    ) -> Unread {
        let mut asked: BTreeMap<ListId, Asked<'_>> = BTreeMap::new();
        for (delivery, notice) in told {
            let moved = match &notice.word {
                Word::Moved { to } => to.as_ref(),
                _ => None,
            };
            for (_, list) in self.roster.lists_of(account, notice) {
                let asked = asked.entry(list.row.id).or_insert_with(|| Asked::of(list));
                asked.addresses.extend(notice.address.as_ref().into_iter().chain(moved));
                asked.deliveries.insert(*delivery);
            }
        }
        let mut unread = Unread::default();
        for asked in asked.into_values() {
            if let Err(error) = self.read_on(tenure, asked.list, &asked.addresses).await {
                unread.deliveries.extend(asked.deliveries);
                unread.failed = unread.failed.or(Some(error));
            }
        }
        unread
    }

    async fn read_on(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        addresses: &BTreeSet<&Address>,
    ) -> Result<(), ReconcileError> {
        let Some(list) = self.as_it_is(list).await? else { return Ok(()) };
        let mut addresses: Vec<_> = addresses.iter().copied().collect();
        if addresses.len() > READ_TOGETHER {
            addresses = self.read_known(tenure, &list, addresses).await?;
        }
        for addresses in addresses.chunks(READ_TOGETHER) {
            tenure.prolong().await?;
            let asked_at = self.clock.now();
            let read = addresses.iter().map(|address| self.read_address(&list, address));
            let read: Vec<_> = try_join_all(read).await?.into_iter().flatten().collect();
            self.store_read(tenure, &list, &read, asked_at).await?;
        }
        Ok(())
    }

    /// Reads together, as a job where the provider has such, the members that had the addresses when
    /// they were seen last. Returns the addresses that none of them has now; all, where the job fails or
    /// takes long: one member that cannot be read, or a queue that stands, keeps nobody waiting.
    async fn read_known<'a>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        addresses: Vec<&'a Address>,
    ) -> Result<Vec<&'a Address>, ReconcileError> {
        let keys = self.store.member_keys_at(&list.row, &addresses).await?;
        let known: Vec<MemberKey> = keys.iter().flatten().cloned().collect();
        let asked_at = self.clock.now();
        let reading = tenure.beside(list.port.members(&known));
        let Ok(Ok(members)) = timeout(self.clock.as_ref(), JOB_PATIENCE, reading).await else {
            return Ok(addresses);
        };
        let (mut members, mut read, mut others) = (members.into_iter(), Vec::new(), Vec::new());
        for (address, key) in addresses.into_iter().zip(keys) {
            let member = key.and_then(|_| members.next().flatten());
            match member.filter(|member| member.address.as_ref() == Some(address)) {
                Some(member) => read.push(self.observed(list, member, asked_at)),
                None => others.push(address),
            }
        }
        self.store_read(tenure, list, &read, asked_at).await?;
        Ok(others)
    }

    async fn store_read(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        read: &[ObservedMember],
        asked_at: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let seen = self.store.members_observe(&tenure.lease, &list.row, read).await?;
        Ok(self.store.links_urgent(&tenure.lease, &list.row, &seen, asked_at).await?)
    }

    /// Reads whom an address is about: the member that has it, else the one that we know had it,
    /// by its key. Only if there is neither is the address absent; none where the list would not
    /// show what we know of it either way.
    pub(super) async fn read_address(
        &self,
        list: &ManagedList,
        address: &Address,
    ) -> Result<Option<ObservedMember>, ReconcileError> {
        let now = self.clock.now();
        if let Some(member) = list.port.member_by_address(address).await? {
            return Ok(Some(self.observed(list, member, now)));
        }
        let link = self.link_at(&list.row, address).await?;
        let known = link.and_then(|link| link.link.observed);
        let shows = list.port.capabilities().shows;
        if known.as_ref().is_some_and(|known| !shows.contains(&known.status)) {
            return Ok(None);
        }
        let key = known.and_then(|known| known.member);
        let member = match &key {
            Some(key) => list.port.members(std::slice::from_ref(key)).await?.pop().flatten(),
            None => None,
        };
        Ok(Some(match member {
            Some(member) => self.observed(list, member, now),
            None => self.absent(&list.row, address, now),
        }))
    }

    /// Finds the link of whoever had an address: a contact, or a stranger.
    async fn link_at(
        &self,
        list: &ListRow,
        address: &Address,
    ) -> Result<Option<LinkRow>, ReconcileError> {
        if let Some(contact) = self.store.contact_find(list.clinic, address).await? {
            let links = self.store.links_of_contact(list.clinic, contact.id).await?;
            return Ok(links.into_iter().find(|link| link.list_id == list.id));
        }
        let hashes = self.store.address_hashes(list.clinic, address);
        Ok(self.store.link_by_address(list, &hashes).await?)
    }

    /// What is stored of an address that is not on the list.
    fn absent(&self, list: &ListRow, address: &Address, seen_at: DateTime<Utc>) -> ObservedMember {
        ObservedMember {
            observed: Observed {
                status: MemberStatus::Absent,
                member: None,
                last_changed: None,
                signed_up_at: None,
                opted_in_at: None,
                entry: Entry::Unknown,
                complained: false,
                digest: 0,
                seen_at,
            },
            hashes: self.store.address_hashes(list.clinic, address),
            address: None,
            seen: None,
        }
    }
}
