//! Following: links go after their contacts, and are planned again.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Store;
use super::arguments::Write;
use super::columns::{args, id_rows};
use super::db::Tx;
use super::error::Result;
use super::links::{Repointed, lists_lock};
use super::sql::statements;
use crate::domain::{ClinicId, ContactId, LinkId, ListId};

#[derive(sqlx::FromRow)]
struct MovedTo {
    link: LinkId,
    blank: LinkId,
    contact: ContactId,
    old: Option<ContactId>,
}

statements! {
    LINKS_STALE_OF_PATIENTS (given: id uuid) = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE links.clinic_id = $2 AND links.contact_id IN (
            SELECT h.contact_id FROM given g CROSS JOIN holders h
            WHERE h.clinic_id = $2 AND h.patient_id = g.id)"
    }
    LINKS_STALE_OF_CONTACTS (given: id uuid) = {
        "UPDATE links SET stale = TRUE, version = links.version + 1
         WHERE links.clinic_id = $2 AND links.contact_id IN (SELECT g.id FROM given g)"
    }
    LINKS_URGENT (given: id uuid) = {
        "UPDATE links SET urgent = TRUE, stale = TRUE, version = links.version + 1
         WHERE links.clinic_id = $2 AND links.contact_id IN (SELECT g.id FROM given g)
            AND EXISTS (SELECT 1 FROM lists l WHERE l.clinic_id = $2 AND l.id = links.list_id
                AND l.retired_at IS NULL)"
    }
    LINKS_LOCK (given: id uuid) ["" | " FOR NO KEY UPDATE OF k"] = {
        "SELECT k.id FROM given g CROSS JOIN links k
         WHERE k.clinic_id = $2 AND k.contact_id = g.id ORDER BY k.list_id, k.ordinal"
    }
    // `= TRUE` keeps SQLite from finding strangers by their lack of a contact: all of them, each time.
    LINKS_OF_STRANGERS (given: contact uuid, channel text, hash text) = {
        "SELECT k.id, k.list_id, g.contact
         FROM given g CROSS JOIN lists l CROSS JOIN links k
         WHERE l.clinic_id = $2 AND l.channel = g.channel
            AND k.clinic_id = l.clinic_id AND k.list_id = l.id AND k.address_hash = g.hash
            AND (k.contact_id IS NULL) = TRUE AND NOT EXISTS (SELECT 1 FROM links o
            WHERE o.clinic_id = $2 AND o.contact_id = g.contact AND o.list_id = l.id)
         ORDER BY k.list_id, k.ordinal"
    }
    LINKS_LACKING (given: id uuid) = {
        "SELECT l.id, c.id FROM given g
         JOIN contacts c ON c.clinic_id = $2 AND c.id = g.id
         JOIN lists l ON l.clinic_id = c.clinic_id AND l.channel = c.channel
            AND l.retired_at IS NULL
         WHERE NOT EXISTS (SELECT 1 FROM links o
            WHERE o.clinic_id = $2 AND o.contact_id = c.id AND o.list_id = l.id)
         ORDER BY l.id, c.id"
    }
    // Links whose member moved to an address that is now a contact of ours, which is blank there.
    LINKS_MOVED_TO (given: contact uuid, channel text, hash text) = {
        "SELECT k.id AS link, b.id AS blank, g.contact, k.contact_id AS old
         FROM given g CROSS JOIN lists l CROSS JOIN links k CROSS JOIN links b
         WHERE l.clinic_id = $2 AND l.channel = g.channel
            AND k.clinic_id = l.clinic_id AND k.list_id = l.id AND k.moved_hash = g.hash
            AND b.clinic_id = l.clinic_id AND b.contact_id = g.contact AND b.list_id = l.id
            AND k.id <> b.id AND b.member_key IS NULL AND b.status IS NULL
            AND b.base_status IS NULL
         ORDER BY k.list_id, k.ordinal"
    }
}

impl Store {
    /// Gives the `touched` contacts their links: strangers with the same hash become theirs, lists
    /// without them get a new link, and a member that moved to their address is adopted (L19).
    pub(super) async fn links_follow(
        &self,
        tx: &mut Tx,
        clinic: ClinicId,
        touched: &BTreeSet<Uuid>,
        hashes: String,
    ) -> Result<()> {
        lists_lock(tx, clinic).await?;
        let strangers: Vec<(LinkId, ListId, ContactId)> =
            tx.rows(LINKS_OF_STRANGERS, args![hashes.clone(), clinic]).await?;
        let mut taken = BTreeSet::new();
        let attached: Vec<_> = strangers
            .into_iter()
            .filter(|(_, list, contact)| taken.insert((*list, *contact)))
            .map(|(link, _, contact)| Repointed::new(link, Some(contact)))
            .collect();
        self.links_repoint(tx, clinic, &attached).await?;
        let rows = id_rows(touched.iter().copied())?;
        let lacking: Vec<(ListId, ContactId)> = tx.rows(LINKS_LACKING, args![rows, clinic]).await?;
        self.links_add(tx, clinic, &lacking).await?;
        let moved: Vec<MovedTo> = tx.rows(LINKS_MOVED_TO, args![hashes, clinic]).await?;
        let mut filled = BTreeSet::new();
        for moved in moved.into_iter().filter(|moved| filled.insert(moved.blank)) {
            self.links_exchange(tx, clinic, moved.link, moved.blank, moved.contact, moved.old)
                .await?;
        }
        links_stale_of_contacts(tx, clinic, touched).await
    }
}

/// Has the links of the contacts planned again.
pub(super) async fn links_stale_of_contacts(
    tx: &mut Tx,
    clinic: ClinicId,
    contacts: &BTreeSet<Uuid>,
) -> Result<()> {
    let writes = links_stale_or_urgent(tx, clinic, contacts, &BTreeSet::new()).await?;
    tx.execute_together(writes).await
}

/// Returns what has the links of the `stale` contacts planned again, and those of the `urgent` ones
/// at once.
///
/// All of them are locked first, in the order that runs write them: by list and ordinal. Contacts
/// go before links, so that no two transactions wait for each other.
pub(super) async fn links_stale_or_urgent(
    tx: &mut Tx,
    clinic: ClinicId,
    stale: &BTreeSet<Uuid>,
    urgent: &BTreeSet<Uuid>,
) -> Result<Vec<Write>> {
    if tx.locks_rows() {
        let rows = id_rows(stale.union(urgent).copied())?;
        let _: Vec<(LinkId,)> = tx.rows(LINKS_LOCK, args![rows, clinic]).await?;
    }
    let mut writes = Vec::new();
    let stale: Vec<Uuid> = stale.difference(urgent).copied().collect();
    if !stale.is_empty() {
        writes.push((LINKS_STALE_OF_CONTACTS, args![id_rows(stale)?, clinic]));
    }
    if !urgent.is_empty() {
        writes.push((LINKS_URGENT, args![id_rows(urgent.iter().copied())?, clinic]));
    }
    Ok(writes)
}
