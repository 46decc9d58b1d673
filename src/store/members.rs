//! Members: what a provider says of a list, matched to links and written where it differs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, count, from_json, id_rows, json};
use super::db::{Tx, again};
use super::error::Result;
use super::leases::Lease;
use super::links::{list_lock, ordinals_reserve};
use super::lists::ListRow;
use super::marks::Marks;
use super::matching::{Known, Matching, Seen};
use super::sql::statements;
use crate::domain::{
    Address, ContactId, LinkId, MemberKey, MemberStatus, Observed, OptOutKind, Standing,
};
use crate::keys::AddressHash;

/// A member as a provider gave it.
#[derive(Debug, Clone)]
pub struct ObservedMember {
    /// What it said.
    pub observed: Observed,
    /// Hashes of the address under every live key, the current one first; empty where the text is
    /// no address.
    pub hashes: Vec<AddressHash>,
    /// The address; not stored of members whom the clinic never knew.
    pub address: Option<Address>,
    /// Digest of all that was read, by which the same is known again.
    pub seen: Option<i64>,
}

/// How many links of a list stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListCounts {
    /// Held in readable form, archived ones not counted.
    pub present: u64,
    /// Archived.
    pub archived: u64,
    /// Reached by marketing, now or after one click.
    pub listed: u64,
}

#[derive(Serialize)]
struct Lookup<'a> {
    key: Option<&'a str>,
    hash: Option<&'a str>,
}

impl<'a> Lookup<'a> {
    fn of_hash(hash: &'a AddressHash) -> Self {
        Self { key: None, hash: Some(&hash.hash) }
    }
}

statements! {
    MEMBERS_KNOWN (given: key text, hash text) = {
        "SELECT k.id, k.ordinal, k.contact_id, c.hash AS contact_hash, k.address_hash,
            k.suppressed, k.status, k.member_key, k.last_changed, k.signed_up_at, k.opted_in_at,
            k.entry, k.complained, k.digest, k.seen_at, k.moved_there, k.moved_hash,
            k.base_status IS NOT NULL AS has_base, k.seen,
            k.intent_verb IS NOT NULL AS in_doubt
         FROM (SELECT m.id FROM given g CROSS JOIN links m
                WHERE m.clinic_id = $2 AND m.list_id = $3 AND m.member_key = g.key
            UNION SELECT m.id FROM given g CROSS JOIN links m
                WHERE m.clinic_id = $2 AND m.list_id = $3 AND m.address_hash = g.hash
            UNION SELECT m.id FROM given g CROSS JOIN contacts d CROSS JOIN links m
                WHERE d.clinic_id = $2 AND d.channel = $4 AND d.hash = g.hash
                    AND m.clinic_id = $2 AND m.contact_id = d.id AND m.list_id = $3
         ) AS f
         CROSS JOIN links k
         LEFT JOIN contacts c ON c.clinic_id = $2 AND c.id = k.contact_id
         WHERE k.clinic_id = $2 AND k.id = f.id
         ORDER BY k.ordinal"
    }
    MEMBERS_AT (given: key text, hash text) = {
        "SELECT g.hash, k.member_key FROM given g CROSS JOIN contacts d CROSS JOIN links k
         WHERE d.clinic_id = $2 AND d.channel = $4 AND d.hash = g.hash
            AND k.clinic_id = $2 AND k.contact_id = d.id AND k.list_id = $3
            AND k.member_key IS NOT NULL
         UNION ALL SELECT g.hash, k.member_key FROM given g CROSS JOIN links k
         WHERE k.clinic_id = $2 AND k.list_id = $3 AND k.address_hash = g.hash
            AND k.member_key IS NOT NULL"
    }
    MEMBERS_CONTACTS (given: key text, hash text) = {
        "SELECT c.hash, c.id, c.standing FROM given g
         JOIN contacts c ON c.clinic_id = $2 AND c.channel = $3 AND c.hash = g.hash"
    }
    MEMBERS_SUPPRESSED (given: key text, hash text) = {
        "SELECT s.hash, s.kind FROM given g CROSS JOIN suppressions s
         WHERE s.clinic_id = $2 AND s.hash = g.hash"
    }
    MEMBERS_ADD (given: id uuid, ordinal bigint, contact_id uuid, address_hash text,
        suppressed text, status text, member_key text, last_changed bigint, signed_up_at bigint,
        opted_in_at bigint, entry text, complained boolean, digest bigint, seen_at bigint,
        seen bigint) = {
        "INSERT INTO links (clinic_id, id, list_id, ordinal, contact_id, address_hash, suppressed,
            status, member_key, last_changed, signed_up_at, opted_in_at, entry, complained, digest,
            seen_at, seen)
         SELECT $2, id, $3, ordinal, contact_id, address_hash, suppressed, status, member_key,
            last_changed, signed_up_at, opted_in_at, entry, complained, digest, seen_at, seen
         FROM given"
    }
    MEMBERS_CHANGE (given: id uuid, contact_id uuid, address_hash text, suppressed text,
        status text, member_key text, last_changed bigint, signed_up_at bigint,
        opted_in_at bigint, entry text, complained boolean, digest bigint, seen_at bigint,
        moved_there bigint, moved_hash text, seen bigint) = {
        "UPDATE links SET contact_id = g.contact_id, address_hash = g.address_hash,
            suppressed = g.suppressed, status = g.status, member_key = g.member_key,
            last_changed = g.last_changed, signed_up_at = g.signed_up_at,
            opted_in_at = g.opted_in_at, entry = g.entry, complained = g.complained,
            digest = g.digest, seen_at = g.seen_at, moved_there = g.moved_there,
            moved_hash = g.moved_hash, seen = g.seen, stale = TRUE, version = links.version + 1
         FROM given g WHERE links.clinic_id = $2 AND links.id = g.id"
    }
    MEMBERS_SEEN (given: id uuid, seen bigint) = {
        "UPDATE links SET seen = g.seen
         FROM given g WHERE links.clinic_id = $2 AND links.id = g.id"
    }
    LINKS_UNSEEN (given: low bigint, high bigint) = {
        "SELECT k.ordinal, k.id, k.member_key, k.status FROM given g CROSS JOIN links k
         WHERE k.clinic_id = $2 AND k.list_id = $3 AND k.ordinal >= g.low AND k.ordinal <= g.high
            AND k.member_key IS NOT NULL AND k.status IS NOT NULL
            AND k.status NOT IN ('absent', 'forgotten')
         ORDER BY k.ordinal"
    }
    LINKS_TAKEN_AS (given: id uuid) = {
        "UPDATE links SET status = $6, seen_at = $4, seen = NULL, stale = TRUE,
            version = links.version + 1
         FROM given g
         WHERE links.clinic_id = $2 AND links.list_id = $3 AND links.id = g.id
            AND (COALESCE(links.seen_at, 0) <= $4 OR links.seen_at > $5)"
    }
    LIST_COUNTS = {
        "SELECT COUNT(CASE WHEN status NOT IN ('archived', 'absent', 'forgotten') THEN 1 END),
            COUNT(CASE WHEN status = 'archived' THEN 1 END),
            COUNT(CASE WHEN status IN ('pending', 'subscribed') THEN 1 END)
         FROM links WHERE clinic_id = $1 AND list_id = $2"
    }
}

impl Store {
    /// Stores what a provider said of members, and returns the ordinals of their links. Fenced.
    ///
    /// Matched by the provider's key, else by address hash. What was asked for later stays: an
    /// answer that was long on its way replaces nothing newer. Only rows that differ are written, and
    /// planned again. A member absent there and unknown here leaves no row and no ordinal.
    pub async fn members_observe(
        &self,
        lease: &Lease,
        list: &ListRow,
        members: &[ObservedMember],
    ) -> Result<Vec<i64>> {
        let mut ordinals = Vec::with_capacity(members.len());
        for members in members.chunks(self.db.chunk()) {
            ordinals.extend(again!(self, {
                let mut tx = self.begin_under(lease).await?;
                let seen = self.observe_chunk(&mut tx, list, members).await?;
                tx.commit().await?;
                Ok(seen)
            })?);
        }
        Ok(ordinals)
    }

    async fn observe_chunk(
        &self,
        tx: &mut Tx,
        list: &ListRow,
        members: &[ObservedMember],
    ) -> Result<Vec<i64>> {
        let mut matching = matching_load(tx, self.clock.now(), list, members).await?;
        for member in members {
            matching.observe(member);
        }
        for exchange in matching.exchanges() {
            let (link, blank, contact) = exchange;
            self.links_exchange(tx, list.clinic, link, blank, contact, None).await?;
        }
        for changed in matching.changed().iter().filter(|changed| !changed.is_empty()) {
            tx.execute(MEMBERS_CHANGE, args![json(changed)?, list.clinic]).await?;
        }
        let same: Vec<Seen> = matching.same().collect();
        if !same.is_empty() {
            tx.execute(MEMBERS_SEEN, args![json(&same)?, list.clinic]).await?;
        }
        if matching.has_new() {
            let first = ordinals_reserve(tx, list.clinic, list.id).await?;
            let added = matching.number_new(first, || LinkId(self.clock.id()));
            tx.execute(MEMBERS_ADD, args![json(&added)?, list.clinic, list.id]).await?;
        }
        Ok(matching.ordinals())
    }

    /// Returns the keys of the members that had the addresses when they were seen last, in the order of
    /// the addresses; none of one that nobody is known to have had.
    pub async fn member_keys_at(
        &self,
        list: &ListRow,
        addresses: &[&Address],
    ) -> Result<Vec<Option<MemberKey>>> {
        let hash = |address: &&Address| self.address_hashes(list.clinic, address);
        let hashed: Vec<Vec<AddressHash>> = addresses.iter().map(hash).collect();
        let lookups: Vec<_> = hashed.iter().flatten().map(Lookup::of_hash).collect();
        let args = args![json(&lookups)?, list.clinic, list.id, list.channel];
        let found: Vec<(String, MemberKey)> = self.db.rows(MEMBERS_AT, args).await?;
        let found: BTreeMap<String, MemberKey> = found.into_iter().collect();
        let key =
            |hashes: &Vec<AddressHash>| hashes.iter().find_map(|h| found.get(&h.hash).cloned());
        Ok(hashed.iter().map(key).collect())
    }

    /// Returns members present on the list (archived ones too) whom `seen` has not marked, by ordinal.
    pub async fn links_unseen(
        &self,
        list: &ListRow,
        seen: &Marks,
    ) -> Result<Vec<(i64, LinkId, MemberKey, MemberStatus)>> {
        let gaps: Vec<_> = seen.gaps(self.ordinals_end(list).await?).collect();
        let mut unseen = Vec::new();
        for gaps in gaps.chunks(self.db.chunk()) {
            let args = args![json(gaps)?, list.clinic, list.id];
            unseen.extend(
                self.db.rows::<(i64, LinkId, MemberKey, MemberStatus)>(LINKS_UNSEEN, args).await?,
            );
        }
        Ok(unseen)
    }

    /// Records what the members are taken as that the list did not show when it was asked: absent,
    /// or what the last change made them where the provider keeps no such status; unless they were
    /// seen since. Fenced.
    pub async fn links_taken_as(
        &self,
        lease: &Lease,
        list: &ListRow,
        links: &[LinkId],
        status: MemberStatus,
        asked_at: DateTime<Utc>,
    ) -> Result<()> {
        for links in links.chunks(self.db.chunk()) {
            let rows = id_rows(links.iter().map(|id| id.0))?;
            let now = self.clock.now();
            let args = args![rows, list.clinic, list.id, asked_at, now, status];
            self.execute_under(lease, LINKS_TAKEN_AS, args).await?;
        }
        Ok(())
    }

    /// Counts the list's members as last seen.
    pub async fn list_counts(&self, list: &ListRow) -> Result<ListCounts> {
        let counts: Option<(i64, i64, i64)> =
            self.db.row(LIST_COUNTS, args![list.clinic, list.id]).await?;
        let (present, archived, listed) = counts.unwrap_or_default();
        Ok(ListCounts { present: count(present), archived: count(archived), listed: count(listed) })
    }
}

/// Reads all that the matching of `members` may touch.
///
/// Most are where they were, at the address they had: the provider's key finds those, and only the
/// others are looked for by address.
async fn matching_load(
    tx: &mut Tx,
    now: DateTime<Utc>,
    list: &ListRow,
    members: &[ObservedMember],
) -> Result<Matching> {
    let keys: Vec<_> = members.iter().filter_map(by_key).collect();
    let mut known = known_load(tx, list, &keys).await?;
    let settled: BTreeMap<&str, &Known> =
        known.iter().filter_map(|link| Some((link.member_key()?, link))).collect();
    let others = members.iter().filter(|member| {
        let link = member.observed.member.as_ref().and_then(|key| settled.get(key.0.as_str()));
        link.is_none_or(|link| !link.is_of_contact_at(&member.hashes))
    });
    let hashes: Vec<_> = others.flat_map(by_hash).collect();
    if hashes.is_empty() {
        return Ok(Matching::new(now, known, BTreeMap::new(), BTreeMap::new()));
    }
    list_lock(tx, list.clinic, list.id).await?;
    known.extend(known_load(tx, list, &hashes).await?);
    let rows = json(&hashes)?;
    let args = args![rows.clone(), list.clinic, list.channel];
    let contacts: Vec<(String, ContactId, String)> = tx.rows(MEMBERS_CONTACTS, args).await?;
    let kinds: Vec<(String, OptOutKind)> =
        tx.rows(MEMBERS_SUPPRESSED, args![rows, list.clinic]).await?;
    let mut suppressed: BTreeMap<String, OptOutKind> = BTreeMap::new();
    let mut said_no = |hash: String, kind: OptOutKind| {
        let strongest = suppressed.entry(hash).or_insert(kind);
        *strongest = kind.max(*strongest);
    };
    for (hash, kind) in kinds {
        said_no(hash, kind);
    }
    for (hash, _, standing) in &contacts {
        let standing: Standing = from_json("standing", standing)?;
        for opt_out in &standing.opt_outs {
            said_no(hash.clone(), opt_out.kind);
        }
    }
    let contacts = contacts.into_iter().map(|(hash, id, _)| (hash, id)).collect();
    Ok(Matching::new(now, known, contacts, suppressed))
}

async fn known_load(tx: &mut Tx, list: &ListRow, lookups: &[Lookup<'_>]) -> Result<Vec<Known>> {
    tx.rows(MEMBERS_KNOWN, args![json(lookups)?, list.clinic, list.id, list.channel]).await
}

fn by_key(member: &ObservedMember) -> Option<Lookup<'_>> {
    member.observed.member.as_ref().map(|key| Lookup { key: Some(&key.0), hash: None })
}

fn by_hash(member: &ObservedMember) -> impl Iterator<Item = Lookup<'_>> {
    member.hashes.iter().map(Lookup::of_hash)
}

/// The nil id stands for a link that has none yet.
pub(super) const UNNUMBERED: LinkId = LinkId(Uuid::nil());
