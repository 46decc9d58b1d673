//! The provider's side: pages of members into the store, absences confirmed.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use futures::future::try_join;
use tokio::sync::mpsc;
use tracing::{Instrument, info_span};

use super::tenure::Tenure;
use super::under_way::UnderWay;
use super::{ManagedList, ReconcileError, Reconciler, seen};
use crate::clock::Clock;
use crate::domain::{ClinicId, Link, LinkId, MemberKey, MemberStatus, Observed};
use crate::keys::Digests;
use crate::plan::{brake, payload};
use crate::providers::{ListReader, Member, MemberPage, PageCursor, Scope as Pages};
use crate::store::{Acceptable, LinkRow, Marks, ObservedMember};

/// Pages that wait to be stored while further ones are on their way: more would only cost memory.
const WAITING_PAGES: usize = 2;
/// How often a sweep that does not add up is made again, because the list moved under it.
const TRIES: usize = 3;

/// A provider's answer that nobody is dropped for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    /// Members that were not shown.
    pub(super) missing: u64,
    /// Of how many.
    pub(super) total: u64,
    /// Whether the answer agrees with itself, so that an admin can accept it: not so where the
    /// provider counts members that it does not show.
    pub(super) consistent: bool,
}

impl Reconciler {
    /// Observes the list: whole where a sweep is due, else what changed. Returns what was short, if
    /// anything; else absences are confirmed.
    pub(super) async fn observe<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &mut ManagedList<L>,
        full: bool,
    ) -> Result<Option<Short>, ReconcileError> {
        if self.was_judged_long_ago(list) {
            self.store.links_ensure(&tenure.lease, &list.row).await?;
        }
        let now = self.clock.now();
        let due = list.row.swept_at.is_none_or(|at| now - at >= self.settings.full_sweep_every);
        let sweep = full || due;
        if sweep {
            if let Some(short) = self.sweep(tenure, list).await? {
                return Ok(Some(short));
            }
        } else {
            let since =
                list.row.cursor.map(|cursor| cursor - list.port.capabilities().delta_overlap);
            let listed = &*list;
            let read = |archived| Box::pin(self.read_pages(tenure, listed, archived, since));
            try_join(read(false), read(true)).await?;
        }
        let swept_at = sweep.then_some(now);
        list.row = self.store.list_observed(&tenure.lease, &list.row, now, swept_at).await?;
        Ok(None)
    }

    /// Pages through everything, then confirms who is gone.
    async fn sweep<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
    ) -> Result<Option<Short>, ReconcileError> {
        // Who moves from one to the other meanwhile may be in neither, and is read singly then.
        let read = |archived| Box::pin(self.read_all(tenure, list, archived));
        let both = try_join(read(false), read(true));
        let (mut marks, archived) = match both.await? {
            ((Some(short), _), _) | (_, (Some(short), _)) => return Ok(Some(short)),
            ((None, listed), (None, archived)) => (listed, archived),
        };
        marks.merge(&archived);
        let unseen = self.unseen(list, &marks).await?;
        let total = marks.count() + unseen.len() as u64;
        let members = Acceptable::Members(list.row.id);
        let accepted = self.accepted(list.row.clinic, members).await?;
        let missing = unseen.len() as u64;
        if brake::shrank(total, missing, &list.policy.brake) && !accepted {
            return Ok(Some(Short { missing, total, consistent: true }));
        }
        self.confirm_absent(tenure, list, unseen).await?;
        if accepted {
            // It was said of what this sweep shows, not of the next.
            let now = self.clock.now();
            self.store.acceptance_close(&tenure.lease, list.row.clinic, members, now).await?;
        }
        Ok(None)
    }

    /// Reads one scope until the pages add up to the total the provider states: rows that leave
    /// the filter in mid-sweep shift later ones past us. Returns what is still short after that, and
    /// who was seen.
    async fn read_all<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        archived: bool,
    ) -> Result<(Option<Short>, Marks), ReconcileError> {
        let (mut short, mut marks) = (None, Marks::default());
        for _ in 0..TRIES {
            let (total, pass) = self.read_pages(tenure, list, archived, None).await?;
            let seen = pass.count();
            marks.merge(&pass);
            if seen >= total {
                return Ok((None, marks));
            }
            short = Some(Short { missing: total - seen, total, consistent: false });
        }
        Ok((short, marks))
    }

    /// Reads the pages of one scope, storing each as it comes while further ones are on their way.
    /// Returns the total the provider stated last, and who was seen.
    async fn read_pages<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        archived: bool,
        changed_since: Option<DateTime<Utc>>,
    ) -> Result<(u64, Marks), ReconcileError> {
        let scope = Pages {
            archived,
            changed_since,
            fields: list.policy.fields.iter().map(|mapping| mapping.field.clone()).collect(),
            tags: !list.policy.tags.is_empty(),
        };
        let digests = seen::of_members(&self.store, list);
        let (arriving, mut arrived) = mpsc::channel(WAITING_PAGES);
        let store = async {
            let (mut total, mut marks) = (0, Marks::default());
            while let Some((asked_at, page)) = arrived.recv().await {
                let MemberPage { members, total: stated, .. } = page;
                total = stated;
                tenure.renew().await?;
                marks.extend(self.take_members(tenure, list, members, &digests, asked_at).await?);
                self.store.upkeep().await;
                self.progress.at(&list.row.slug, "members read", marks.count(), Some(total));
            }
            Ok((total, marks))
        };
        let fetch = fetch_pages(list.port.as_ref(), &scope, self.clock.as_ref(), arriving);
        try_join(Box::pin(fetch), Box::pin(store)).await.map(|((), read)| read)
    }

    /// Stores a page of members and returns their ordinals; those that are as they were are known by
    /// their digests alone.
    async fn take_members<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        members: Vec<Member>,
        digests: &Digests,
        asked_at: DateTime<Utc>,
    ) -> Result<Vec<i64>, ReconcileError> {
        let read: Vec<i64> = members.iter().map(|m| seen::member_digest(digests, m)).collect();
        let same = self.store.members_same(&list.row, &read).await?;
        let mut ordinals: Vec<i64> =
            read.iter().filter_map(|seen| same.get(seen).copied()).collect();
        let others = members.into_iter().zip(read).filter(|(_, seen)| !same.contains_key(seen));
        let others: Vec<ObservedMember> = others
            .map(|(member, seen)| ObservedMember {
                seen: Some(seen),
                ..self.observed(list, member, asked_at)
            })
            .collect();
        ordinals.extend(self.store.members_observe(&tenure.lease, &list.row, &others).await?);
        Ok(ordinals)
    }

    pub(super) async fn store_members<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        members: Vec<Member>,
        asked_at: DateTime<Utc>,
    ) -> Result<Vec<i64>, ReconcileError> {
        let rows: Vec<ObservedMember> =
            members.into_iter().map(|member| self.observed(list, member, asked_at)).collect();
        Ok(self.store.members_observe(&tenure.lease, &list.row, &rows).await?)
    }

    pub(super) fn observed<L: ListReader + ?Sized>(
        &self,
        list: &ManagedList<L>,
        member: Member,
        asked_at: DateTime<Utc>,
    ) -> ObservedMember {
        let clinic: ClinicId = list.row.clinic;
        let hashes = member
            .address
            .as_ref()
            .map(|address| self.store.address_hashes(clinic, address))
            .unwrap_or_default();
        let digest = payload::digest_shown(&member.fields, &member.tags, &list.policy);
        let observed = Observed {
            status: member.status,
            member: Some(member.key),
            last_changed: member.last_changed,
            signed_up_at: member.signed_up_at,
            opted_in_at: member.opted_in_at,
            entry: member.entry,
            complained: member.complained,
            digest,
            seen_at: asked_at,
        };
        ObservedMember { observed, hashes, address: member.address, seen: None }
    }

    /// Returns who was present, in a status that the provider shows, and is in no page of the sweep.
    async fn unseen<L: ListReader + ?Sized>(
        &self,
        list: &ManagedList<L>,
        marks: &Marks,
    ) -> Result<Vec<(LinkId, MemberKey)>, ReconcileError> {
        let shows = list.port.capabilities().shows;
        let unseen = self.store.links_unseen(&list.row, marks).await?;
        let shown = unseen.into_iter().filter(|(_, _, _, status)| shows.contains(status));
        Ok(shown.map(|(_, link, key, _)| (link, key)).collect())
    }

    /// Absent from a sweep is a hint: each is read by itself before it counts as gone.
    async fn confirm_absent<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        unseen: Vec<(LinkId, MemberKey)>,
    ) -> Result<(), ReconcileError> {
        if unseen.is_empty() {
            return Ok(());
        }
        let keys: Vec<MemberKey> = unseen.iter().map(|(_, key)| key.clone()).collect();
        let asked_at = self.clock.now();
        let members = tenure.beside(list.port.members(&keys)).await?;
        let mut gone = Vec::new();
        let mut found = Vec::new();
        for ((link, _), member) in unseen.into_iter().zip(members) {
            match member {
                Some(member) => found.push(member),
                None => gone.push(link),
            }
        }
        self.store_members(tenure, list, found, asked_at).await?;
        self.taken_as(tenure, list, &gone, MemberStatus::Absent, asked_at).await
    }

    /// Reads members again whose last change is in doubt, before anything is decided (L17).
    pub(super) async fn read_doubtful<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
    ) -> Result<(), ReconcileError> {
        let mut after = -1;
        loop {
            let page = self.store.links_in_doubt(&list.row, after, 500).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.ordinal;
            tenure.renew().await?;
            let asked_at = self.clock.now();
            let found = self.read_by_key(tenure, list, &page).await?;
            let mut there = Vec::new();
            for (row, found) in page.into_iter().zip(found) {
                let address = row.facts.contact.as_ref().and_then(|c| c.address.as_ref());
                let member = match (found, address) {
                    (Some(by_key), _) => by_key,
                    (None, Some(address)) => list.port.member_by_address(address).await?,
                    (None, None) => None,
                };
                if let Some(member) = member {
                    there.push(member);
                } else {
                    let status = unshown(list, &row.link);
                    self.taken_as(tenure, list, &[row.link.id], status, asked_at).await?;
                }
            }
            self.store_members(tenure, list, there, asked_at).await?;
        }
    }

    /// Reads the members whose key is known; none where it is not.
    async fn read_by_key<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        rows: &[LinkRow],
    ) -> Result<Vec<Option<Option<Member>>>, ReconcileError> {
        let key = |row: &LinkRow| row.link.observed.as_ref().and_then(|seen| seen.member.clone());
        let keys: Vec<MemberKey> = rows.iter().filter_map(key).collect();
        let mut members = tenure.beside(list.port.members(&keys)).await?.into_iter();
        Ok(rows.iter().map(|row| key(row).and_then(|_| members.next())).collect())
    }

    async fn taken_as<L: ListReader + ?Sized>(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList<L>,
        links: &[LinkId],
        status: MemberStatus,
        asked_at: DateTime<Utc>,
    ) -> Result<(), ReconcileError> {
        let store = &self.store;
        Ok(store.links_taken_as(&tenure.lease, &list.row, links, status, asked_at).await?)
    }
}

/// What a member is taken as that is not shown after a change in doubt: where the provider keeps no
/// such status the change counts as made, so that a text which may have gone out is not sent again.
fn unshown<L: ListReader + ?Sized>(list: &ManagedList<L>, link: &Link) -> MemberStatus {
    let shows = list.port.capabilities().shows;
    let led_to = link.intent.as_ref().and_then(|intent| intent.verb.leads_to());
    led_to.filter(|status| !shows.contains(status)).unwrap_or(MemberStatus::Absent)
}

/// Reads pages, as many at a time as the provider allows, and hands them over as they come, with the
/// time each was asked for.
///
/// Where they come faster than they are stored, as many wait as may be under way, and no more are
/// asked for: memory does not grow with the list.
async fn fetch_pages<L: ListReader + ?Sized>(
    port: &L,
    scope: &Pages,
    clock: &dyn Clock,
    arriving: mpsc::Sender<(DateTime<Utc>, MemberPage)>,
) -> Result<(), ReconcileError> {
    let read = |cursor: Option<PageCursor>| async move {
        let asked_at = clock.now();
        let page = port.page(scope, cursor.as_ref()).instrument(info_span!("page of members"));
        page.await.map(|page| (asked_at, page))
    };
    let mut waiting = VecDeque::from([None]);
    let mut under_way = UnderWay::new();
    loop {
        while under_way.count() < port.capabilities().in_flight {
            let Some(cursor) = waiting.pop_front() else { break };
            under_way.begin(read(cursor));
        }
        let Some(page) = under_way.next().await else { return Ok(()) };
        let (asked_at, mut page) = page?;
        waiting.extend(page.next.drain(..).map(Some));
        if under_way.beside(arriving.send((asked_at, page))).await.is_err() {
            return Ok(());
        }
    }
}
