//! Matching: which link a member belongs to. Pure; `members` reads and writes around it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::columns::millis;
use super::members::{ObservedMember, UNNUMBERED};
use crate::domain::{ContactId, Entry, LinkId, MemberStatus, Observed, OptOutKind};
use crate::keys::AddressHash;

/// A link as stored, or as it shall be.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Known {
    id: LinkId,
    ordinal: i64,
    contact_id: Option<ContactId>,
    contact_hash: Option<String>,
    address_hash: Option<String>,
    suppressed: Option<OptOutKind>,
    status: Option<MemberStatus>,
    member_key: Option<String>,
    last_changed: Option<i64>,
    signed_up_at: Option<i64>,
    opted_in_at: Option<i64>,
    entry: Option<Entry>,
    complained: bool,
    digest: i64,
    seen_at: Option<i64>,
    moved_there: Option<i64>,
    moved_hash: Option<String>,
    has_base: bool,
    seen: Option<i64>,
    in_doubt: bool,
}

impl Known {
    /// Returns the provider's key of the member that it holds.
    pub(super) fn member_key(&self) -> Option<&str> {
        self.member_key.as_deref()
    }

    /// Tells whether it is the link of the contact with one of these hashes.
    pub(super) fn is_of_contact_at(&self, hashes: &[AddressHash]) -> bool {
        self.contact_hash.as_ref().is_some_and(|own| has(hashes, own))
    }
}

/// The columns of a link to be written.
#[derive(Serialize)]
pub(super) struct Put {
    id: Uuid,
    ordinal: i64,
    contact_id: Option<Uuid>,
    address_hash: Option<String>,
    suppressed: Option<&'static str>,
    status: Option<&'static str>,
    member_key: Option<String>,
    last_changed: Option<i64>,
    signed_up_at: Option<i64>,
    opted_in_at: Option<i64>,
    entry: Option<&'static str>,
    complained: bool,
    digest: i64,
    seen_at: Option<i64>,
    moved_there: Option<i64>,
    moved_hash: Option<String>,
    seen: Option<i64>,
}

/// A link that is as it was, and the digest of what was read of it now.
#[derive(Serialize)]
pub(super) struct Seen {
    id: Uuid,
    seen: Option<i64>,
}

/// One link in the making.
struct Entryway {
    before: Option<Known>,
    now: Known,
}

/// The links that a batch of members may touch, and what becomes of them.
pub(super) struct Matching {
    links: Vec<Entryway>,
    by_key: BTreeMap<String, usize>,
    by_hash: BTreeMap<String, usize>,
    contacts: BTreeMap<String, ContactId>,
    suppressed: BTreeMap<String, OptOutKind>,
    exchanges: Vec<(LinkId, LinkId, ContactId)>,
    observed: Vec<usize>,
    now: i64,
}

impl Matching {
    pub(super) fn new(
        now: DateTime<Utc>,
        known: Vec<Known>,
        contacts: BTreeMap<String, ContactId>,
        suppressed: BTreeMap<String, OptOutKind>,
    ) -> Self {
        let mut matching = Self {
            links: Vec::new(),
            by_key: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            contacts,
            suppressed,
            exchanges: Vec::new(),
            observed: Vec::new(),
            now: millis(now),
        };
        // A link that was found by its key and by a hash counts once, and links go by ordinal.
        let known: BTreeMap<i64, Known> =
            known.into_iter().map(|link| (link.ordinal, link)).collect();
        for link in known.into_values() {
            matching.add(Entryway { before: Some(link.clone()), now: link });
        }
        matching
    }

    fn add(&mut self, link: Entryway) -> usize {
        let at = self.links.len();
        if let Some(key) = &link.now.member_key {
            self.by_key.insert(key.clone(), at);
        }
        if let Some(hash) = &link.now.contact_hash {
            // The contact's own link goes before a stranger's with the same hash.
            self.by_hash.insert(hash.clone(), at);
        } else if let Some(hash) = &link.now.address_hash {
            self.by_hash.entry(hash.clone()).or_insert(at);
        }
        self.links.push(link);
        at
    }

    /// Takes one member into account.
    pub(super) fn observe(&mut self, member: &ObservedMember) {
        let at = match self.find(member) {
            Some(at) => {
                self.part(at, member);
                at
            }
            None if member.observed.status.is_present() => self.add(stranger(member)),
            None => return,
        };
        self.observed.push(at);
        if self.is_older(at, &member.observed) {
            return;
        }
        self.see(at, &member.observed);
        if member.observed.status.is_present() {
            self.name(at, member);
        }
        // Of anybody else more than the member itself decides what becomes of the link.
        let link = &mut self.links[at].now;
        let settled = link.is_of_contact_at(&member.hashes) && !link.in_doubt;
        link.seen = member.seen.filter(|_| settled);
    }

    /// Tells whether the link shows what was asked for later than this. A time to come, left by a
    /// clock that was ahead, outdates nothing.
    fn is_older(&self, at: usize, observed: &Observed) -> bool {
        let known = self.links[at].now.seen_at;
        known.is_some_and(|known| known > millis(observed.seen_at) && known <= self.now)
    }

    /// Finds the member's link: by key, else by hash where that link is free for it.
    ///
    /// Whoever was taken for a stranger beside the member that a contact still had is the contact's
    /// once that one is gone.
    fn find(&mut self, member: &ObservedMember) -> Option<usize> {
        let key = member.observed.member.as_ref().map(|key| key.0.as_str());
        let by_key = key.and_then(|key| self.by_key.get(key)).copied();
        let by_hash =
            || member.hashes.iter().find_map(|hash| self.by_hash.get(&hash.hash)).copied();
        let Some(at) = by_key else {
            return by_hash().filter(|at| self.links[*at].takes(&member.observed));
        };
        let own = by_hash().filter(|own| self.links[*own].is_left());
        let Some(own) = own.filter(|_| self.links[at].is_free_stranger()) else { return Some(at) };
        let stranger = &mut self.links[at].now;
        (stranger.member_key, stranger.status) = (None, Some(MemberStatus::Absent));
        Some(own)
    }

    /// Parts a link from the member that it held, where another has come to the address: whoever moved
    /// away is a stranger where they went.
    fn part(&mut self, at: usize, member: &ObservedMember) {
        let link = &mut self.links[at].now;
        let came = member.observed.member.as_ref().map(|key| &key.0);
        let Some(left) = link.member_key.clone().filter(|left| came.is_some_and(|key| key != left))
        else {
            return;
        };
        self.by_key.remove(&left);
        let (suppressed, moved_hash) = (link.suppressed, link.moved_hash.take());
        link.moved_there = None;
        if let Some(moved_hash) =
            moved_hash.filter(|_| link.status.is_some_and(MemberStatus::is_present))
        {
            link.suppressed = None;
            let went = Known {
                id: UNNUMBERED,
                ordinal: 0,
                contact_id: None,
                contact_hash: None,
                address_hash: Some(moved_hash),
                suppressed,
                has_base: false,
                seen: None,
                in_doubt: false,
                ..link.clone()
            };
            self.add(Entryway { before: None, now: went });
        }
    }

    fn see(&mut self, at: usize, observed: &Observed) {
        let link = &mut self.links[at].now;
        link.status = Some(observed.status);
        link.last_changed = observed.last_changed.map(millis);
        link.signed_up_at = observed.signed_up_at.map(millis);
        link.opted_in_at = observed.opted_in_at.map(millis);
        link.entry = Some(observed.entry);
        link.complained = observed.complained;
        link.digest = observed.digest;
        link.seen_at = Some(millis(observed.seen_at));
        if let Some(key) = &observed.member {
            link.member_key = Some(key.0.clone());
            self.by_key.insert(key.0.clone(), at);
        }
    }

    /// Settles whose the member's address is: the link's contact's, another's, or a stranger's.
    fn name(&mut self, at: usize, member: &ObservedMember) {
        let Some(current) = member.hashes.first() else { return };
        let link = &mut self.links[at].now;
        if let Some(own) = &link.contact_hash {
            if has(&member.hashes, own) {
                if link.moved_hash.is_some() {
                    link.suppressed = None;
                }
                (link.moved_there, link.moved_hash) = (None, None);
                return;
            }
            // Whoever has the new address may have said no (L19).
            let kinds = member.hashes.iter().filter_map(|hash| self.suppressed.get(&hash.hash));
            link.suppressed = kinds.max().copied();
            if link.moved_hash.as_ref().is_none_or(|moved| !has(&member.hashes, moved)) {
                link.moved_there = link.last_changed.or(link.seen_at);
                link.moved_hash = Some(current.hash.clone());
            }
            return;
        }
        let kinds = member.hashes.iter().filter_map(|hash| self.suppressed.get(&hash.hash));
        link.suppressed = kinds.max().copied();
        if link.address_hash.as_ref().is_none_or(|known| !has(&member.hashes, known)) {
            link.address_hash = Some(current.hash.clone());
        }
        self.attach(at, &member.hashes);
    }

    /// Gives a stranger's link to the contact with the same hash, unless another member has it.
    fn attach(&mut self, at: usize, hashes: &[AddressHash]) {
        let Some((hash, contact)) =
            hashes.iter().find_map(|hash| Some((&hash.hash, *self.contacts.get(&hash.hash)?)))
        else {
            self.by_hash.entry(hashes[0].hash.clone()).or_insert(at);
            return;
        };
        let own = self.links.iter().position(|link| link.now.contact_id == Some(contact));
        match own {
            Some(own) if !self.links[own].is_blank() => return,
            Some(own) => {
                let blank = self.links[own].now.id;
                let link = self.links[at].now.id;
                if link == UNNUMBERED {
                    return;
                }
                self.exchanges.push((link, blank, contact));
                self.links[own].now.contact_id = None;
                self.links[own].now.contact_hash = None;
                self.links[own].before = Some(self.links[own].now.clone());
            }
            None => {}
        }
        let link = &mut self.links[at].now;
        link.contact_id = Some(contact);
        link.contact_hash = Some(hash.clone());
        (link.address_hash, link.suppressed) = (None, None);
        self.by_hash.insert(hash.clone(), at);
    }

    /// Returns (link, blank link, contact): the contact's blank link gives way to the member's.
    pub(super) fn exchanges(&self) -> Vec<(LinkId, LinkId, ContactId)> {
        self.exchanges.clone()
    }

    /// Returns the stored links that differ now, by more than when they were seen: those without a
    /// member, whose key another may have now, and those with one.
    pub(super) fn changed(&self) -> [Vec<Put>; 2] {
        let changed = self.links.iter().filter(|link| link.differs()).map(|link| put(&link.now));
        let (without, with) = changed.partition(|link| link.member_key.is_none());
        [without, with]
    }

    /// Returns the stored links that are as before, but for the digest of what was read of them.
    pub(super) fn same(&self) -> impl Iterator<Item = Seen> {
        let same = self.links.iter().filter(|link| !link.differs());
        let read =
            same.filter(|link| link.before.as_ref().is_some_and(|b| b.seen != link.now.seen));
        read.map(|link| Seen { id: link.now.id.0, seen: link.now.seen })
    }

    pub(super) fn has_new(&self) -> bool {
        self.links.iter().any(|link| link.before.is_none())
    }

    /// Numbers the new links from `first` on and returns them.
    pub(super) fn number_new(&mut self, first: i64, mut id: impl FnMut() -> LinkId) -> Vec<Put> {
        let new = self.links.iter_mut().filter(|link| link.before.is_none());
        (first..)
            .zip(new)
            .map(|(ordinal, link)| {
                link.now.id = id();
                link.now.ordinal = ordinal;
                put(&link.now)
            })
            .collect()
    }

    /// Returns the ordinals of the links of the observed members, in their order.
    pub(super) fn ordinals(&self) -> Vec<i64> {
        self.observed.iter().map(|at| self.links[*at].now.ordinal).collect()
    }
}

impl Entryway {
    /// Tells whether a member may take this link: it has no other, or one that is gone.
    fn takes(&self, observed: &Observed) -> bool {
        match (&self.now.member_key, &observed.member) {
            (Some(known), Some(key)) if *known != key.0 => {
                self.now.status.is_none_or(|status| !status.is_held()) || self.gave_way(observed)
            }
            _ => true,
        }
    }

    /// An address has one member at a time: whoever comes to it once another has moved away, or after
    /// that one was seen there, has taken its place.
    fn gave_way(&self, observed: &Observed) -> bool {
        let came = observed.last_changed.map(millis);
        let came_after = |seen: i64| came.is_some_and(|came| came > seen);
        self.now.moved_there.is_some() || self.now.seen_at.is_some_and(came_after)
    }

    /// Tells whether it is a contact's, and the member that it held is gone or has moved away.
    fn is_left(&self) -> bool {
        let is_gone = self.now.status.is_some_and(|status| !status.is_present());
        self.now.contact_id.is_some() && (is_gone || self.now.moved_there.is_some())
    }

    /// Tells whether it is a stored stranger's, and nothing about it is in doubt.
    fn is_free_stranger(&self) -> bool {
        self.before.is_some() && self.now.contact_id.is_none() && !self.now.in_doubt
    }

    fn is_blank(&self) -> bool {
        self.now.member_key.is_none() && self.now.status.is_none() && !self.now.has_base
    }

    /// When a member was seen matters only while a change to it is in doubt: that it is as before
    /// settles the doubt (L17).
    fn differs(&self) -> bool {
        self.before.as_ref().is_some_and(|before| {
            let seen_at = if before.in_doubt { before.seen_at } else { self.now.seen_at };
            Known { seen_at, seen: self.now.seen, ..before.clone() } != self.now
        })
    }
}

fn has(hashes: &[AddressHash], hash: &str) -> bool {
    hashes.iter().any(|known| known.hash == hash)
}

fn stranger(member: &ObservedMember) -> Entryway {
    let now = Known {
        id: UNNUMBERED,
        ordinal: 0,
        contact_id: None,
        contact_hash: None,
        address_hash: None,
        suppressed: None,
        status: Some(member.observed.status),
        member_key: member.observed.member.as_ref().map(|key| key.0.clone()),
        last_changed: None,
        signed_up_at: None,
        opted_in_at: None,
        entry: None,
        complained: false,
        digest: 0,
        seen_at: None,
        moved_there: None,
        moved_hash: None,
        has_base: false,
        seen: None,
        in_doubt: false,
    };
    Entryway { before: None, now }
}

fn put(link: &Known) -> Put {
    Put {
        id: link.id.0,
        ordinal: link.ordinal,
        contact_id: link.contact_id.map(|id| id.0),
        address_hash: link.address_hash.clone(),
        suppressed: link.suppressed.map(OptOutKind::word),
        status: link.status.map(MemberStatus::word),
        member_key: link.member_key.clone(),
        last_changed: link.last_changed,
        signed_up_at: link.signed_up_at,
        opted_in_at: link.opted_in_at,
        entry: link.entry.map(Entry::word),
        complained: link.complained,
        digest: link.digest,
        seen_at: link.seen_at,
        moved_there: link.moved_there,
        moved_hash: link.moved_hash.clone(),
        seen: link.seen,
    }
}
