//! Opt-outs that stand on a provider's own lists: what tells one that is there still from one that
//! is there again.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, json, text_rows};
use super::error::Result;
use super::leases::Lease;
use super::notices::hash;
use super::sql::statements;
use crate::domain::{ClinicId, ContactId};

/// One opt-out that was read, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// What the provider names it, the same each time.
    pub key: String,
    /// Whose it is.
    pub contact: Option<ContactId>,
}

#[derive(Serialize)]
struct HeldPut {
    hash: String,
    contact: Option<Uuid>,
}

statements! {
    HELD_KNOWN (given: text text) = {
        "SELECT h.unique_hash FROM given g CROSS JOIN held_opt_outs h
         WHERE h.clinic_id = $2 AND h.reader = $3 AND h.unique_hash = g.text"
    }
    HELD_SEEN (given: hash text, contact uuid) = {
        "INSERT INTO held_opt_outs (clinic_id, reader, unique_hash, contact_id, seen_at)
         SELECT $2, $3, hash, contact, $4 FROM given WHERE TRUE
         ON CONFLICT (clinic_id, reader, unique_hash) DO UPDATE SET seen_at = excluded.seen_at"
    }
    HELD_GONE = {
        "DELETE FROM held_opt_outs WHERE clinic_id = $1 AND reader = $2 AND seen_at < $3"
    }
}

impl Store {
    /// Returns which of `keys` the reader saw the last time.
    pub async fn held_known(
        &self,
        clinic: ClinicId,
        reader: &str,
        keys: &[&str],
    ) -> Result<BTreeSet<String>> {
        let hashes: Vec<String> = keys.iter().map(|key| hash(key)).collect();
        let rows = text_rows(hashes.iter().map(String::as_str))?;
        let known: Vec<(String,)> = self.db.rows(HELD_KNOWN, args![rows, clinic, reader]).await?;
        let known: BTreeSet<String> = known.into_iter().map(|(hash,)| hash).collect();
        let of_known = keys.iter().zip(&hashes).filter(|(_, hash)| known.contains(*hash));
        Ok(of_known.map(|(key, _)| (*key).to_owned()).collect())
    }

    /// Records that the reader saw these now. Fenced.
    pub async fn held_seen(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        reader: &str,
        held: &[HeldRow],
    ) -> Result<()> {
        let now = self.clock.now();
        for held in held.chunks(self.db.chunk()) {
            let puts: Vec<HeldPut> = held.iter().map(put).collect();
            let args = args![json(&puts)?, clinic, reader, now];
            self.execute_under(lease, HELD_SEEN, args).await?;
        }
        Ok(())
    }

    /// Forgets what the reader, who has read everything since `begun`, did not see any more. Fenced.
    pub async fn held_gone(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        reader: &str,
        begun: DateTime<Utc>,
    ) -> Result<()> {
        self.execute_under(lease, HELD_GONE, args![clinic, reader, begun]).await.map(drop)
    }
}

fn put(held: &HeldRow) -> HeldPut {
    HeldPut { hash: hash(&held.key), contact: held.contact.map(|id| id.0) }
}
