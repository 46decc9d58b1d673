//! A new master key: what was sealed under another is sealed under the current one, a few at a time.
//!
//! Each value is changed only if it is still as it was read, so that this may go on beside whoever
//! writes, be ended at any time, and begun again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use super::columns::{args, json};
use super::db::again;
use super::error::Result;
use super::sql::{Sql, statements};
use crate::domain::ClinicId;

/// How many values are read and sealed anew at a time; of bodies no more than a few MiB besides.
const STEP: u32 = 500;

/// Where sealed values are: `table/column`, what reads a step of them, and what changes them.
static SEALED: &[(&str, &Sql, &Sql)] = &[
    ("endpoints/token", TOKENS_SEALED, TOKENS_RESEAL),
    ("endpoints/secret", SECRETS_SEALED, SECRETS_RESEAL),
    ("deliveries/body", BODIES_SEALED, BODIES_RESEAL),
];

/// What came of sealing anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were under another key and are under the current one now.
    pub values: u64,
    /// Values that open under no key at all, and were left.
    pub damaged: u64,
}

#[derive(Serialize)]
struct ResealPut {
    id: Uuid,
    was: String,
    sealed: String,
}

statements! {
    KEY_KEEP = { "UPDATE keys_used SET kept = $2 WHERE key_id = $1" }
    TOKENS_SEALED = {
        "SELECT id, token FROM endpoints WHERE clinic_id = $1 AND id > $2 ORDER BY id LIMIT $3"
    }
    SECRETS_SEALED = {
        "SELECT id, secret FROM endpoints
         WHERE clinic_id = $1 AND id > $2 AND secret IS NOT NULL ORDER BY id LIMIT $3"
    }
    // The first one and whatever follows it before the fourth MiB is full: whoever serves from the same
    // pod has little memory.
    BODIES_SEALED = {
        "SELECT d.id, d.body FROM (
            SELECT due.id, SUM(due.size) OVER (ORDER BY due.id) - due.size AS before
            FROM (SELECT id, OCTET_LENGTH(body) AS size FROM deliveries
                WHERE clinic_id = $1 AND id > $2 AND body IS NOT NULL ORDER BY id LIMIT $3) due) f
         CROSS JOIN deliveries d
         WHERE f.before < 4194304 AND d.clinic_id = $1 AND d.id = f.id ORDER BY d.id"
    }
    TOKENS_RESEAL (given: id uuid, was text, sealed text) = {
        "UPDATE endpoints SET token = g.sealed FROM given g
         WHERE endpoints.clinic_id = $2 AND endpoints.id = g.id AND endpoints.token = g.was"
    }
    SECRETS_RESEAL (given: id uuid, was text, sealed text) = {
        "UPDATE endpoints SET secret = g.sealed FROM given g
         WHERE endpoints.clinic_id = $2 AND endpoints.id = g.id AND endpoints.secret = g.was"
    }
    BODIES_RESEAL (given: id uuid, was text, sealed text) = {
        "UPDATE deliveries SET body = g.sealed FROM given g
         WHERE deliveries.clinic_id = $2 AND deliveries.id = g.id AND deliveries.body = g.was"
    }
}

impl Store {
    /// Keeps what is derived from every other key that the store was written with, sealed under the
    /// current one: those keys may be taken away from then on. Returns their ids.
    pub async fn keys_keep(&self) -> Result<Vec<String>> {
        let mut kept = Vec::new();
        for key in self.keys_used().await? {
            if key.key_id == self.keys.current_id() {
                continue;
            }
            let is_kept = key.kept().is_some_and(|(id, sealed)| self.keys.keeps(&id, &sealed));
            if !is_kept && let Some(sealed) = self.keys.seal_key(&key.key_id, self.nonce()) {
                let sealed = STANDARD.encode(sealed?);
                self.db.execute(KEY_KEEP, args![key.key_id.clone(), sealed]).await?;
            }
            kept.push(key.key_id);
        }
        Ok(kept)
    }

    /// Seals under the current key whatever is sealed under another, in steps; `step` is told of each.
    pub async fn reseal(&self, mut step: impl FnMut(Resealed)) -> Result<Resealed> {
        let mut all = Resealed::default();
        for clinic in self.clinics().await? {
            for (place, read, put) in SEALED.iter().copied() {
                let mut after = Some(Uuid::nil());
                while let Some(last) = after {
                    let read: Vec<(Uuid, String)> =
                        self.db.rows(read, args![clinic.id, last, STEP]).await?;
                    after = read.last().map(|(id, _)| *id);
                    self.reseal_step(clinic.id, place, put, read, &mut all).await?;
                    step(all);
                }
            }
        }
        Ok(all)
    }

    async fn reseal_step(
        &self,
        clinic: ClinicId,
        place: &str,
        put: &'static Sql,
        read: Vec<(Uuid, String)>,
        all: &mut Resealed,
    ) -> Result<()> {
        let mut puts = Vec::new();
        for (id, was) in read {
            if STANDARD.decode(&was).is_ok_and(|sealed| self.keys.is_current(&sealed)) {
                continue;
            }
            let Ok(plain) = self.open_bytes(place, id, &was) else {
                all.damaged += 1;
                continue;
            };
            puts.push(ResealPut { sealed: self.seal_bytes(place, id, &plain)?, id, was });
        }
        if puts.is_empty() {
            return Ok(());
        }
        let rows = json(&puts)?;
        let changed = again!(self, self.db.execute(put, args![rows.clone(), clinic]).await)?;
        all.values += changed;
        Ok(())
    }
}
