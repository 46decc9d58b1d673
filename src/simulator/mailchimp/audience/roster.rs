//! The members of one audience by slot, by key and in order.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::email::{self, Hash};
use super::member::{Member, Slot, Stamp, Status};

/// How many ordered snapshots an audience keeps between changes.
const SNAPSHOTS: usize = 8;

/// By which column a listing is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortField {
    /// By opt-in.
    TimestampOpt,
    /// By sign-up.
    TimestampSignup,
    /// By last change.
    LastChanged,
}

/// Which members a listing shows, and in what order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this status; without it, everyone but the archived.
    pub status: Option<Status>,
    /// Changed after this second.
    pub since_last_changed: Option<Stamp>,
    /// Changed before this second.
    pub before_last_changed: Option<Stamp>,
    /// Opted in after this second.
    pub since_timestamp_opt: Option<Stamp>,
    /// Opted in before this second.
    pub before_timestamp_opt: Option<Stamp>,
    /// Unsubscribed after this second.
    pub unsubscribed_since: Option<Stamp>,
    /// Only HTML or only text readers.
    pub html: Option<bool>,
    /// Only those marked as important.
    pub vip_only: bool,
    /// The order; without it, the order of entry.
    pub sort: Option<SortField>,
    /// From last to first.
    pub descending: bool,
}

impl Filter {
    fn admits(&self, member: &Member) -> bool {
        let after = |edge: Option<Stamp>, at: Stamp| edge.is_none_or(|edge| at > edge);
        let before = |edge: Option<Stamp>, at: Stamp| edge.is_none_or(|edge| at < edge);
        self.status.map_or(member.status != Status::Archived, |status| member.status == status)
            && after(self.since_last_changed, member.last_changed)
            && before(self.before_last_changed, member.last_changed)
            && after(self.since_timestamp_opt, member.timestamp_opt)
            && before(self.before_timestamp_opt, member.timestamp_opt)
            && (self.unsubscribed_since.is_none()
                || after(self.unsubscribed_since, member.detail.unsubscribed_at))
            && self.html.is_none_or(|html| member.detail.html == html)
            && (!self.vip_only || member.detail.vip)
    }
}

/// The members of one audience.
#[derive(Debug)]
pub struct Roster {
    slots: Vec<Option<Member>>,
    by_hash: HashMap<Hash, Slot>,
    by_legacy_id: HashMap<Hash, Slot>,
    seal: [u8; 12],
    changes: u64,
    snapshots: VecDeque<Snapshot>,
}

#[derive(Debug)]
struct Snapshot {
    filter: Filter,
    changes: u64,
    slots: Arc<[Slot]>,
}

impl Roster {
    /// Starts empty; `seal` makes the contact ids of this audience its own.
    #[must_use]
    pub fn new(seal: [u8; 12]) -> Self {
        Self {
            slots: Vec::new(),
            by_hash: HashMap::new(),
            by_legacy_id: HashMap::new(),
            seal,
            changes: 0,
            snapshots: VecDeque::new(),
        }
    }

    /// Makes room for `additional` members.
    pub fn reserve(&mut self, additional: usize) {
        self.slots.reserve(additional);
        self.by_hash.reserve(additional);
    }

    /// Returns the member in `slot`.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&Member> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Iterates over all members with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Member)> {
        self.slots.iter().zip(0..).filter_map(|(member, slot)| Some((slot, member.as_ref()?)))
    }

    /// Finds the member that has this address, in whatever case.
    #[must_use]
    pub fn by_email(&self, email: &str) -> Option<Slot> {
        self.by_hash.get(&email::hash(email)).copied()
    }

    /// Finds the member whose `id` this is.
    #[must_use]
    pub fn by_id(&self, id: &Hash) -> Option<Slot> {
        let computed = self.by_hash.get(id).copied();
        computed
            .filter(|slot| self.get(*slot).is_some_and(|member| !member.detail.legacy_id))
            .or_else(|| self.by_legacy_id.get(id).copied())
    }

    /// Finds a member by its contact id.
    #[must_use]
    pub fn by_contact_id(&self, id: &Hash) -> Option<Slot> {
        let slot = Slot::from_be_bytes([id[12], id[13], id[14], id[15]]) ^ self.mask();
        (self.contact_id(slot) == *id && self.get(slot).is_some()).then_some(slot)
    }

    /// Returns the contact id of a slot: it survives every change of address.
    #[must_use]
    pub fn contact_id(&self, slot: Slot) -> Hash {
        let mut id = Hash::default();
        id[..12].copy_from_slice(&self.seal);
        id[12..].copy_from_slice(&(slot ^ self.mask()).to_be_bytes());
        id
    }

    /// Returns the `id` of a member.
    #[must_use]
    pub fn id(member: &Member) -> Hash {
        let key = if member.detail.legacy_id { email::legacy_hash } else { email::hash };
        key(&member.detail.email)
    }

    /// Puts a new member in a fresh slot.
    pub fn insert(&mut self, member: Member) -> Slot {
        let slot = Slot::try_from(self.slots.len()).unwrap_or(Slot::MAX);
        self.index(slot, &member);
        self.slots.push(Some(member));
        self.changes += 1;
        slot
    }

    /// Replaces a member, whose address may have changed.
    pub fn replace(&mut self, slot: Slot, member: Member) {
        if let Some(old) = self.slots.get_mut(slot as usize).and_then(Option::take) {
            self.unindex(&old);
        }
        self.index(slot, &member);
        self.slots[slot as usize] = Some(member);
        self.changes += 1;
    }

    /// Takes a member out for good.
    pub fn remove(&mut self, slot: Slot) -> Option<Member> {
        let member = self.slots.get_mut(slot as usize)?.take()?;
        self.unindex(&member);
        self.changes += 1;
        Some(member)
    }

    /// Returns the slots a listing shows, in order; sorted once between two changes.
    pub fn select(&mut self, filter: &Filter) -> Arc<[Slot]> {
        self.snapshots.retain(|snapshot| snapshot.changes == self.changes);
        if let Some(found) = self.snapshots.iter().find(|snapshot| snapshot.filter == *filter) {
            return Arc::clone(&found.slots);
        }
        let slots: Arc<[Slot]> = self.ordered(filter).into();
        if self.snapshots.len() == SNAPSHOTS {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back(Snapshot {
            filter: filter.clone(),
            changes: self.changes,
            slots: Arc::clone(&slots),
        });
        slots
    }

    fn ordered(&self, filter: &Filter) -> Vec<Slot> {
        let admitted = self.iter().filter(|(_, member)| filter.admits(member));
        let mut keyed: Vec<(Stamp, Slot)> =
            admitted.map(|(slot, member)| (key(member, filter.sort), slot)).collect();
        match (filter.sort, filter.descending) {
            (None, _) => {}
            // A stable sort takes what one change left nearly in order in one pass.
            (Some(_), false) => keyed.sort(),
            (Some(_), true) => keyed.sort_by_key(|&(stamp, slot)| (Reverse(stamp), slot)),
        }
        keyed.into_iter().map(|(_, slot)| slot).collect()
    }

    fn index(&mut self, slot: Slot, member: &Member) {
        self.by_hash.insert(email::hash(&member.detail.email), slot);
        if member.detail.legacy_id {
            self.by_legacy_id.insert(email::legacy_hash(&member.detail.email), slot);
        }
    }

    fn unindex(&mut self, member: &Member) {
        self.by_hash.remove(&email::hash(&member.detail.email));
        if member.detail.legacy_id {
            self.by_legacy_id.remove(&email::legacy_hash(&member.detail.email));
        }
    }

    fn mask(&self) -> Slot {
        Slot::from_be_bytes([self.seal[0], self.seal[1], self.seal[2], self.seal[3]])
    }
}

fn key(member: &Member, sort: Option<SortField>) -> Stamp {
    match sort {
        None => Stamp::NEVER,
        Some(SortField::TimestampOpt) => member.timestamp_opt,
        Some(SortField::TimestampSignup) => member.timestamp_signup,
        Some(SortField::LastChanged) => member.last_changed,
    }
}
