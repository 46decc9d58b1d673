//! Links: one contact on one list, from its first ordinal to what was last planned for it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, id_rows, json, millis};
use super::db::{Tx, again};
use super::error::Result;
use super::invited::invited_add;
use super::leases::Lease;
use super::lists::ListRow;
use super::sql::statements;
use crate::domain::{
    Base, Channel, Class, ClinicId, ContactId, Invitation, LinkId, ListId, Reason, RunId,
};

/// What the planner decided about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLink {
    /// The link.
    pub link: LinkId,
    /// [`LinkRow::version`](super::LinkRow::version) of the row it was planned from: if the facts
    /// changed since, the link stays stale.
    pub version: i64,
    /// Where it stands.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// When to look at it again, if nothing happens before.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether it is still to be planned.
    pub stale: bool,
}

/// What clinic and list turned out to agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The link.
    pub link: LinkId,
    /// The base, where it moves.
    pub base: Option<Base>,
    /// When somebody else removed it there (L16), where that was just seen.
    pub removed_there: Option<DateTime<Utc>>,
    /// An invitation found open, confirmed or voided.
    pub invitation: Option<Invitation>,
    /// Whether the operation in doubt is settled by it.
    pub settles_intent: bool,
    /// The change of address that the ledger now has (L19).
    pub moved_told: Option<DateTime<Utc>>,
}

impl Adopted {
    /// Leaves everything of a link as it is.
    #[must_use]
    pub const fn of(link: LinkId) -> Self {
        Self {
            link,
            base: None,
            removed_there: None,
            invitation: None,
            settles_intent: false,
            moved_told: None,
        }
    }
}

/// A link that another contact takes over, or nobody.
#[derive(Serialize)]
pub(super) struct Repointed {
    link: Uuid,
    contact: Option<Uuid>,
}

impl Repointed {
    pub(super) fn new(link: LinkId, contact: Option<ContactId>) -> Self {
        Self { link: link.0, contact: contact.map(|id| id.0) }
    }
}

#[derive(Serialize)]
struct LinkPut {
    id: Uuid,
    list: Uuid,
    ordinal: i64,
    contact: Uuid,
}

#[derive(Serialize)]
struct PlannedPut {
    link: Uuid,
    version: i64,
    class: &'static str,
    reason: &'static str,
    due_at: Option<i64>,
    stale: bool,
}

#[derive(Serialize)]
struct AdoptedPut {
    link: Uuid,
    base_status: Option<&'static str>,
    base_by: Option<&'static str>,
    base_at: Option<i64>,
    removed_there: Option<i64>,
    invitation_key: Option<String>,
    invitation_at: Option<i64>,
    invitation_voided: Option<bool>,
    invitation_confirmed: Option<bool>,
    invitation_wording: Option<String>,
    settles_intent: bool,
    moved_told: Option<i64>,
}

statements! {
    LISTS_LOCK ["" | " FOR NO KEY UPDATE"] = {
        "SELECT id FROM lists WHERE clinic_id = $1 ORDER BY id"
    }
    LIST_LOCK ["" | " FOR NO KEY UPDATE"] = {
        "SELECT id FROM lists WHERE clinic_id = $1 AND id = $2"
    }
    LINKS_END = {
        "SELECT COALESCE(MAX(ordinal), 0) + 1 FROM links WHERE clinic_id = $1 AND list_id = $2"
    }
    LINKS_ADD (given: id uuid, list uuid, ordinal bigint, contact uuid) = {
        "INSERT INTO links (clinic_id, id, list_id, ordinal, contact_id)
         SELECT $2, id, list, ordinal, contact FROM given WHERE TRUE
         ON CONFLICT (clinic_id, contact_id, list_id) DO NOTHING"
    }
    LINKS_LACKING_ON = {
        "SELECT c.id FROM contacts c
         WHERE c.clinic_id = $1 AND c.channel = $3 AND c.address IS NOT NULL AND c.id > $4
            AND NOT EXISTS (SELECT 1 FROM links o
                WHERE o.clinic_id = $1 AND o.contact_id = c.id AND o.list_id = $2)
         ORDER BY c.id LIMIT $5"
    }
    LINKS_REPOINT (given: link uuid, contact uuid) = {
        "UPDATE links SET contact_id = g.contact, address_hash = NULL, suppressed = NULL,
            moved_there = NULL, moved_hash = NULL, moved_told = NULL, seen = NULL, stale = TRUE,
            version = links.version + 1
         FROM given g WHERE links.clinic_id = $2 AND links.id = g.link"
    }
    LINK_DROP_BLANK = {
        "DELETE FROM links WHERE clinic_id = $1 AND id = $2 AND contact_id IS NULL
            AND member_key IS NULL AND status IS NULL
            AND NOT EXISTS (SELECT 1 FROM operations o
                WHERE o.clinic_id = $1 AND o.link_id = $2)
            AND NOT EXISTS (SELECT 1 FROM parked p WHERE p.clinic_id = $1 AND p.link_id = $2)"
    }
    LINKS_PLANNED (given: link uuid, version bigint, class text, reason text, due_at bigint,
        stale boolean) = {
        "UPDATE links SET class = g.class, reason = g.reason, due_at = g.due_at,
            stale = CASE WHEN links.version = g.version THEN g.stale ELSE TRUE END,
            urgent = links.urgent AND CASE WHEN links.version = g.version THEN g.stale ELSE TRUE END
         FROM given g WHERE links.clinic_id = $2 AND links.id = g.link"
    }
    LINKS_ADOPT (given: link uuid, base_status text, base_by text, base_at bigint,
        removed_there bigint, invitation_key text, invitation_at bigint,
        invitation_voided boolean, invitation_confirmed boolean, invitation_wording text,
        settles_intent boolean, moved_told bigint) = {
        "UPDATE links SET base_status = COALESCE(g.base_status, links.base_status),
            base_by = COALESCE(g.base_by, links.base_by),
            base_at = COALESCE(g.base_at, links.base_at),
            removed_there = COALESCE(g.removed_there, links.removed_there),
            invitation_key = COALESCE(g.invitation_key, links.invitation_key),
            invitation_at = COALESCE(g.invitation_at, links.invitation_at),
            invitation_voided = COALESCE(g.invitation_voided, links.invitation_voided),
            invitation_confirmed = COALESCE(g.invitation_confirmed, links.invitation_confirmed),
            invitation_wording = COALESCE(g.invitation_wording, links.invitation_wording),
            intent_verb = CASE WHEN g.settles_intent THEN NULL ELSE links.intent_verb END,
            intent_from = CASE WHEN g.settles_intent THEN NULL ELSE links.intent_from END,
            intent_at = CASE WHEN g.settles_intent THEN NULL ELSE links.intent_at END,
            moved_told = COALESCE(g.moved_told, links.moved_told),
            stale = TRUE, version = links.version + 1
         FROM given g WHERE links.clinic_id = $2 AND links.id = g.link"
    }
    LINKS_WITHHELD = {
        "UPDATE links SET class = o.state FROM operations o
         WHERE o.clinic_id = $1 AND o.run_id = $2 AND o.list_id = $3
            AND o.state IN ('waiting', 'braked') AND o.ordinal > $4 AND o.ordinal <= $5
            AND links.clinic_id = $1 AND links.id = o.link_id"
    }
    LINKS_STALE (given: id uuid) = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE links.clinic_id = $2 AND links.contact_id IN (SELECT g.id FROM given g)
            AND EXISTS (SELECT 1 FROM lists l WHERE l.clinic_id = $2 AND l.id = links.list_id
                AND l.channel = COALESCE($3, l.channel))"
    }
}

impl Store {
    /// Returns the ordinal after the last one given on the list: the size of a bitset of its links.
    /// The first is 1.
    pub async fn ordinals_end(&self, list: &ListRow) -> Result<i64> {
        let end: Option<(i64,)> = self.db.row(LINKS_END, args![list.clinic, list.id]).await?;
        Ok(end.map_or(1, |(end,)| end))
    }

    /// Gives every contact of the list's channel a link on it. Fenced.
    pub async fn links_ensure(&self, lease: &Lease, list: &ListRow) -> Result<()> {
        let mut after = Uuid::nil();
        loop {
            let mut tx = self.begin_under(lease).await?;
            let limit = self.db.chunk_i64();
            let args = args![list.clinic, list.id, list.channel, after, limit];
            let lacking: Vec<(ContactId,)> = tx.rows(LINKS_LACKING_ON, args).await?;
            let Some((last,)) = lacking.last() else { return Ok(()) };
            after = last.0;
            let pairs: Vec<_> = lacking.iter().map(|(contact,)| (list.id, *contact)).collect();
            self.links_add(&mut tx, list.clinic, &pairs).await?;
            tx.commit().await?;
        }
    }

    /// Stores what was planned. Fenced.
    pub async fn links_planned(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        planned: &[PlannedLink],
    ) -> Result<()> {
        for planned in planned.chunks(self.db.chunk()) {
            let puts: Vec<_> = planned.iter().map(planned_put).collect();
            self.execute_under(lease, LINKS_PLANNED, args![json(&puts)?, clinic]).await?;
        }
        Ok(())
    }

    /// Stores what clinic and list turned out to agree on; the links are planned again. Fenced.
    pub async fn links_adopt(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        adopted: &[Adopted],
    ) -> Result<()> {
        for adopted in adopted.chunks(self.db.chunk()) {
            let puts: Vec<_> = adopted.iter().map(adopted_put).collect();
            let rows = json(&puts)?;
            if !adopted.iter().any(|adopted| sent(adopted).is_some()) {
                self.execute_under(lease, LINKS_ADOPT, args![rows, clinic]).await?;
                continue;
            }
            again!(self, {
                let mut tx = self.begin_under(lease).await?;
                tx.execute(LINKS_ADOPT, args![rows.clone(), clinic]).await?;
                invited_add(&mut tx, clinic, adopted.iter().filter_map(sent)).await?;
                tx.commit().await
            })?;
        }
        Ok(())
    }

    /// Shows the links whose change is held back as waiting or braked. Fenced.
    pub async fn links_withheld(&self, lease: &Lease, run: RunId, list: &ListRow) -> Result<u64> {
        let end = self.operations_end(run).await?;
        let args = args![list.clinic, run, list.id];
        self.execute_in_stretches(lease, LINKS_WITHHELD, &args, end).await
    }

    /// Has the links of `contacts` planned again, on one channel's lists or on all.
    pub async fn links_stale(
        &self,
        clinic: ClinicId,
        contacts: &[ContactId],
        channel: Option<Channel>,
    ) -> Result<()> {
        for contacts in contacts.chunks(self.db.chunk() / 4) {
            let rows = id_rows(contacts.iter().map(|id| id.0))?;
            self.db.execute(LINKS_STALE, args![rows, clinic, channel]).await?;
        }
        Ok(())
    }

    /// Adds links, numbering them after the last of their list.
    pub(super) async fn links_add(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        pairs: &[(ListId, ContactId)],
    ) -> Result<()> {
        let mut by_list: BTreeMap<ListId, Vec<ContactId>> = BTreeMap::new();
        for (list, contact) in pairs {
            by_list.entry(*list).or_default().push(*contact);
        }
        for (list, contacts) in by_list {
            let first = ordinals_reserve(tx, clinic, list).await?;
            let puts: Vec<_> = (first..)
                .zip(contacts)
                .map(|(ordinal, contact)| LinkPut {
                    id: self.clock.id(),
                    list: list.0,
                    ordinal,
                    contact: contact.0,
                })
                .collect();
            tx.execute(LINKS_ADD, args![json(&puts)?, clinic]).await?;
        }
        Ok(())
    }

    /// Makes the links those of other contacts.
    pub(super) async fn links_repoint(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        repointed: &[Repointed],
    ) -> Result<()> {
        if repointed.is_empty() {
            return Ok(());
        }
        tx.execute(LINKS_REPOINT, args![json(repointed)?, clinic]).await.map(drop)
    }

    /// Gives `link`, which holds the member, to `contact`, whose own link `blank` goes to the
    /// contact that had it before, or away.
    pub(super) async fn links_exchange(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        link: LinkId,
        blank: LinkId,
        contact: ContactId,
        old: Option<ContactId>,
    ) -> Result<()> {
        // One at a time: a contact has at most one link on a list, at every moment.
        self.links_repoint(tx, clinic, &[Repointed::new(blank, None)]).await?;
        self.links_repoint(tx, clinic, &[Repointed::new(link, Some(contact))]).await?;
        match old {
            Some(_) => self.links_repoint(tx, clinic, &[Repointed::new(blank, old)]).await,
            None => tx.execute(LINK_DROP_BLANK, args![clinic, blank]).await.map(drop),
        }
    }
}

/// Keeps whoever takes members for strangers on the clinic's lists waiting: they shall see the contacts
/// that this transaction adds, or it their strangers. Nothing needs to wait where one writes at a time.
pub(super) async fn lists_lock(tx: &mut Tx, clinic: ClinicId) -> Result<()> {
    if tx.locks_rows() {
        tx.rows::<(ListId,)>(LISTS_LOCK, args![clinic]).await?;
    }
    Ok(())
}

/// The same for whoever may find strangers on one list.
pub(super) async fn list_lock(tx: &mut Tx, clinic: ClinicId, list: ListId) -> Result<()> {
    if tx.locks_rows() {
        tx.row::<(ListId,)>(LIST_LOCK, args![clinic, list]).await?;
    }
    Ok(())
}

/// Locks the list against other writers of ordinals and returns the next one.
pub(super) async fn ordinals_reserve(tx: &mut Tx, clinic: ClinicId, list: ListId) -> Result<i64> {
    tx.row::<(ListId,)>(LIST_LOCK, args![clinic, list]).await?;
    let end: Option<(i64,)> = tx.row(LINKS_END, args![clinic, list]).await?;
    Ok(end.map_or(1, |(end,)| end))
}

fn planned_put(planned: &PlannedLink) -> PlannedPut {
    PlannedPut {
        link: planned.link.0,
        version: planned.version,
        class: planned.class.word(),
        reason: planned.reason.word(),
        due_at: planned.due_at.map(millis),
        stale: planned.stale,
    }
}

/// An invitation that was in doubt and is found to have gone out.
fn sent(adopted: &Adopted) -> Option<(LinkId, &Invitation)> {
    let open = adopted.invitation.as_ref().filter(|invitation| !invitation.voided)?;
    adopted.settles_intent.then_some((adopted.link, open))
}

fn adopted_put(adopted: &Adopted) -> AdoptedPut {
    let invitation = adopted.invitation.as_ref();
    AdoptedPut {
        link: adopted.link.0,
        base_status: adopted.base.map(|base| base.status.word()),
        base_by: adopted.base.map(|base| base.by.word()),
        base_at: adopted.base.map(|base| millis(base.at)),
        removed_there: adopted.removed_there.map(millis),
        invitation_key: invitation.map(|invitation| invitation.key.clone()),
        invitation_at: invitation.map(|invitation| millis(invitation.sent_at)),
        invitation_voided: invitation.map(|invitation| invitation.voided),
        invitation_confirmed: invitation.map(|invitation| invitation.confirmed),
        invitation_wording: invitation.and_then(|invitation| invitation.wording.clone()),
        settles_intent: adopted.settles_intent,
        moved_told: adopted.moved_told.map(millis),
    }
}
