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
use super::notices::among;
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
         SELECT $2, $3, g.hash, g.contact, $4 FROM given g
         WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.clinic_id = $2 AND c.id = g.contact
            AND c.erased_at IS NOT NULL)
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
        let hashes: Vec<Vec<String>> =
            keys.iter().map(|key| self.told_hashes(clinic, key)).collect();
        let rows = text_rows(hashes.iter().flatten().map(String::as_str))?;
        let known: Vec<(String,)> = self.db.rows(HELD_KNOWN, args![rows, clinic, reader]).await?;
        Ok(among(keys, &hashes, known))
    }

    /// Records that the reader saw these now; those of erased contacts it is to see anew. Fenced.
    pub async fn held_seen(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        reader: &str,
        held: &[HeldRow],
    ) -> Result<()> {
        let now = self.clock.now();
        for held in held.chunks(self.db.chunk()) {
            let put = |held: &HeldRow| HeldPut {
                hash: self.told_hash(clinic, &held.key),
                contact: held.contact.map(|id| id.0),
            };
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
