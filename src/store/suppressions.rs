//! Suppressions: "never contact" by keyed hash, outliving erasure (L28).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{At, args, from_json, json, text_rows};
use super::db::{Tx, again};
use super::error::Result;
use super::following::links_stale_of_contacts;
use super::ledger::ledger_lock;
use super::sql::statements;
use crate::domain::{
    ClinicId, ContactId, Draft, EventId, OptOut, OptOutKind, Standing, TimeSource,
};
use crate::keys::AddressHash;

/// One suppression; whose it is, only its address tells.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SuppressionRow {
    /// The keyed hash of the address.
    pub hash: String,
    /// Why nobody may be contacted there.
    pub kind: OptOutKind,
    /// Whose clock its time is by.
    pub clock: TimeSource,
    /// Since when.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
}

impl SuppressionRow {
    /// Returns the beginning of the hash, by which people name it.
    #[must_use]
    pub fn mark(&self) -> String {
        mark(&self.hash)
    }
}

/// Returns the beginning of an address's hash, by which people name it.
#[must_use]
pub fn mark(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[derive(Serialize)]
struct SuppressionPut<'a> {
    hash: &'a str,
    key_id: &'a str,
    kind: &'static str,
    clock: &'static str,
    event_id: Uuid,
    at: i64,
}

statements! {
    SUPPRESSIONS_ADD (given: hash text, key_id text, kind text, clock text, event_id uuid,
        at bigint) = {
        "INSERT INTO suppressions (clinic_id, hash, kind, clock, key_id, event_id, at)
         SELECT $2, hash, kind, clock, key_id, event_id, at FROM given WHERE TRUE
         ON CONFLICT (clinic_id, hash, kind, clock) DO UPDATE
         SET at = excluded.at, event_id = excluded.event_id WHERE suppressions.at < excluded.at"
    }
    SUPPRESSED_CONTACTS (given: text text) = {
        "SELECT c.id, c.standing FROM given g
         CROSS JOIN (SELECT 'email' AS channel UNION ALL SELECT 'sms') n
         JOIN contacts c ON c.clinic_id = $2 AND c.channel = n.channel AND c.hash = g.text"
    }
    SUPPRESSED_STRANGERS (given: text text) = {
        "UPDATE links SET suppressed = $3, seen = NULL, stale = TRUE, version = links.version + 1
         WHERE links.clinic_id = $2 AND links.contact_id IS NULL AND links.id IN (
            SELECT k.id FROM given g CROSS JOIN lists l CROSS JOIN links k
            WHERE l.clinic_id = $2 AND k.clinic_id = $2 AND k.list_id = l.id
                AND k.address_hash = g.text)"
    }
    SUPPRESSIONS_OF (given: text text) = {
        "SELECT s.hash, s.kind, s.clock, s.at FROM given g CROSS JOIN suppressions s
         WHERE s.clinic_id = $2 AND s.hash = g.text ORDER BY s.at, s.hash, s.kind, s.clock"
    }
    SUPPRESSIONS_PAGE = {
        "SELECT hash, kind, clock, at FROM suppressions
         WHERE clinic_id = $1 AND hash >= $2
            AND (SUBSTR(hash, 1, 12), kind, clock) > ($2, $3, $4)
         ORDER BY hash, kind, clock LIMIT $5"
    }
    CONTACT_STANDING = { "UPDATE contacts SET standing = $3 WHERE clinic_id = $1 AND id = $2" }
}

impl Store {
    /// Returns a page of the clinic's suppressions after that one, which its mark names: a page tells no
    /// more of a hash than that.
    pub async fn suppressions_page(
        &self,
        clinic: ClinicId,
        after: (&str, &str, &str),
        limit: u32,
    ) -> Result<Vec<SuppressionRow>> {
        let (mark, kind, clock) = after;
        self.db.rows(SUPPRESSIONS_PAGE, args![clinic, mark, kind, clock, limit]).await
    }

    /// Returns what keeps the addresses that `hashes` name from being contacted, the oldest first.
    pub async fn suppressions_of(
        &self,
        clinic: ClinicId,
        hashes: impl Iterator<Item = &AddressHash> + Send,
    ) -> Result<Vec<SuppressionRow>> {
        let rows = text_rows(hashes.map(|hash| hash.hash.as_str()))?;
        self.db.rows(SUPPRESSIONS_OF, args![rows, clinic]).await
    }

    /// Suppresses the address that `hashes` name, whether the clinic knows it or not.
    pub async fn suppress(
        &self,
        clinic: ClinicId,
        hashes: &[AddressHash],
        kind: OptOutKind,
        at: DateTime<Utc>,
        clock: TimeSource,
    ) -> Result<()> {
        let opt_out = OptOut { event: EventId(self.clock.id()), kind, at, clock, by_person: true };
        again!(self, {
            let mut tx = self.db.begin().await?;
            suppress_in(&mut tx, clinic, hashes, &opt_out).await?;
            tx.commit().await
        })
    }

    /// Suppresses an address by what an admin took down: where the clinic knows it, the ledger has what
    /// was said in the same moment, and what follows from it.
    pub async fn suppress_by_hand(
        &self,
        clinic: ClinicId,
        hashes: &[AddressHash],
        kind: OptOutKind,
        said: &Draft,
    ) -> Result<()> {
        let (event, now, clock) = (EventId(self.clock.id()), self.clock.now(), said.clock);
        let opt_out = OptOut { event, kind, at: now, clock, by_person: true };
        again!(self, {
            let mut tx = self.db.begin().await?;
            let known = suppress_in(&mut tx, clinic, hashes, &opt_out).await?;
            let ids =
                std::iter::once(event).chain(std::iter::repeat_with(|| EventId(self.clock.id())));
            let lines: Vec<_> = known
                .into_iter()
                .zip(ids)
                .map(|(contact, id)| {
                    let mut line = said.clone();
                    line.contact = Some(contact);
                    line.occurred_at = Some(now);
                    line.unique = format!("by hand/{id}");
                    line.into_event(id, now)
                })
                .collect();
            if !lines.is_empty() {
                self.append_in(&mut tx, clinic, &lines).await?;
            }
            tx.commit().await
        })
    }
}

/// Suppresses the address that `hashes` name, and returns the contacts that have it.
async fn suppress_in(
    tx: &mut Tx,
    clinic: ClinicId,
    hashes: &[AddressHash],
    opt_out: &OptOut,
) -> Result<Vec<ContactId>> {
    // The head's lock keeps a ledger line from changing the same standing meanwhile.
    ledger_lock(tx, clinic).await?;
    suppressions_add(tx, clinic, hashes, std::slice::from_ref(opt_out)).await?;
    let rows = text_rows(hashes.iter().map(|hash| hash.hash.as_str()))?;
    let known: Vec<(ContactId, String)> =
        tx.rows(SUPPRESSED_CONTACTS, args![rows.clone(), clinic]).await?;
    for (contact, standing) in &known {
        let mut standing: Standing = from_json("standing", standing)?;
        standing_suppress(&mut standing, opt_out.clone());
        tx.execute(CONTACT_STANDING, args![clinic, *contact, json(&standing)?]).await?;
    }
    let contacts = known.iter().map(|(contact, _)| contact.0).collect();
    links_stale_of_contacts(tx, clinic, &contacts).await?;
    tx.execute(SUPPRESSED_STRANGERS, args![rows, clinic, opt_out.kind]).await?;
    Ok(known.into_iter().map(|(contact, _)| contact).collect())
}

/// Adds every opt-out under every hash; of two of a kind the later stays.
pub(super) async fn suppressions_add(
    tx: &mut Tx,
    clinic: ClinicId,
    hashes: &[AddressHash],
    opt_outs: &[OptOut],
) -> Result<()> {
    // One row a kind and clock, whoever acted: a statement may not write a row twice.
    let mut newest: BTreeMap<_, &OptOut> = BTreeMap::new();
    for opt_out in opt_outs {
        let known = newest.entry((opt_out.kind, opt_out.clock)).or_insert(opt_out);
        if known.at < opt_out.at {
            *known = opt_out;
        }
    }
    let puts: Vec<_> = hashes
        .iter()
        .flat_map(|hash| newest.values().map(move |opt_out| suppression(hash, opt_out)))
        .collect();
    tx.execute(SUPPRESSIONS_ADD, args![json(&puts)?, clinic]).await.map(drop)
}

fn suppression<'a>(hash: &'a AddressHash, opt_out: &OptOut) -> SuppressionPut<'a> {
    SuppressionPut {
        hash: &hash.hash,
        key_id: &hash.key_id,
        kind: opt_out.kind.word(),
        clock: opt_out.clock.word(),
        event_id: opt_out.event.0,
        at: opt_out.at.timestamp_millis(),
    }
}

/// Takes a suppression into a standing: the newest of each kind and clock stays.
pub(super) fn standing_suppress(standing: &mut Standing, opt_out: OptOut) {
    let same = |known: &OptOut| (known.kind, known.clock) == (opt_out.kind, opt_out.clock);
    match standing.opt_outs.iter_mut().find(|known| same(known)) {
        None => standing.opt_outs.push(opt_out),
        Some(known) if known.at < opt_out.at => *known = opt_out,
        Some(_) => {}
    }
    standing.opt_outs.sort_by_key(|known| (known.kind, known.clock));
}
