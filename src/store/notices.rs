//! Notices: what accounts told of single contacts, each once, by webhook or by log.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use super::columns::{MaybeAt, args, count, id_rows, json, millis, text_rows};
use super::error::Result;
use super::leases::Lease;
use super::sql::statements;
use super::words::Told;
use crate::domain::{ClinicId, ContactId};

/// One notice, as it is remembered: never what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// What makes it the same when it is told twice.
    pub key: String,
    /// Whom it is about, where the clinic knows the number.
    pub contact: Option<ContactId>,
    /// What kind of thing was told.
    pub told: Told,
    /// When it happened.
    pub at: DateTime<Utc>,
}

#[derive(Serialize)]
struct NoticePut {
    hash: String,
    contact: Option<Uuid>,
    word: &'static str,
    at: i64,
}

statements! {
    NOTICES_KNOWN (given: text text) = {
        "SELECT n.unique_hash FROM given g CROSS JOIN notices n
         WHERE n.clinic_id = $2 AND n.unique_hash = g.text"
    }
    NOTICES_ADD (given: hash text, contact uuid, word text, at bigint) = {
        "INSERT INTO notices (clinic_id, unique_hash, contact_id, word, at)
         SELECT $2, hash, contact, word, at FROM given WHERE TRUE
         ON CONFLICT (clinic_id, unique_hash) DO NOTHING"
    }
    NOTICES_UNDELIVERED = {
        "SELECT COUNT(*) FROM notices WHERE clinic_id = $1 AND contact_id = $2
            AND word = 'undelivered' AND at > $3
            AND at > COALESCE((SELECT MAX(d.at) FROM notices d WHERE d.clinic_id = $1
                AND d.contact_id = $2 AND d.word = 'delivered'), 0)"
    }
    NOTICES_FAILING (given: id uuid) = {
        "SELECT DISTINCT n.contact_id FROM given g CROSS JOIN notices n
         WHERE n.clinic_id = $2 AND n.contact_id = g.id AND n.word = 'undelivered'"
    }
    NOTICES_FORGET = { "DELETE FROM notices WHERE clinic_id = $1 AND at < $2" }
    NOTICES_READ_UNTIL = {
        "SELECT read_until FROM account_notices WHERE clinic_id = $1 AND account = $2"
    }
    NOTICES_READ = {
        "INSERT INTO account_notices (clinic_id, account, read_until) VALUES ($1, $2, $3)
         ON CONFLICT (clinic_id, account) DO UPDATE SET read_until = excluded.read_until"
    }
}

impl Store {
    /// Returns which of `keys` the clinic was told before.
    pub async fn notices_known(&self, clinic: ClinicId, keys: &[&str]) -> Result<BTreeSet<String>> {
        let hashes: Vec<Vec<String>> =
            keys.iter().map(|key| self.told_hashes(clinic, key)).collect();
        let rows = text_rows(hashes.iter().flatten().map(String::as_str))?;
        let known: Vec<(String,)> = self.db.rows(NOTICES_KNOWN, args![rows, clinic]).await?;
        Ok(among(keys, &hashes, known))
    }

    /// Returns the hash that a provider's id of what it told is kept as. It may be taken from a number,
    /// and there are few numbers: under a key nobody can try them out.
    pub(super) fn told_hash(&self, clinic: ClinicId, key: &str) -> String {
        self.told_hashes(clinic, key).swap_remove(0)
    }

    /// Returns the hashes that it may be known by, the current one first: under each key, and as it was
    /// kept before there was any.
    pub(super) fn told_hashes(&self, clinic: ClinicId, key: &str) -> Vec<String> {
        let keyed = self.keys.address_hashes(clinic.0, "told", key).into_iter();
        keyed.map(|hash| hash.hash).chain([hex::encode(Sha256::digest(key))]).collect()
    }

    /// Remembers notices. Fenced.
    pub async fn notices_add(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        notices: &[NoticeRow],
    ) -> Result<()> {
        for notices in notices.chunks(self.db.chunk()) {
            let put = |notice: &NoticeRow| NoticePut {
                hash: self.told_hash(clinic, &notice.key),
                contact: notice.contact.map(|id| id.0),
                word: notice.told.word(),
                at: millis(notice.at),
            };
            let puts: Vec<NoticePut> = notices.iter().map(put).collect();
            self.execute_under(lease, NOTICES_ADD, args![json(&puts)?, clinic]).await?;
        }
        Ok(())
    }

    /// Counts the messages that did not reach a contact since `since`, and none did after them.
    pub async fn undelivered_since(
        &self,
        clinic: ClinicId,
        contact: ContactId,
        since: DateTime<Utc>,
    ) -> Result<u64> {
        let found: Option<(i64,)> =
            self.db.row(NOTICES_UNDELIVERED, args![clinic, contact, since]).await?;
        Ok(found.map_or(0, |(found,)| count(found)))
    }

    /// Returns which of the contacts had messages that did not reach them.
    pub async fn contacts_failing(
        &self,
        clinic: ClinicId,
        contacts: impl Iterator<Item = ContactId> + Send,
    ) -> Result<BTreeSet<ContactId>> {
        let rows = id_rows(contacts.map(|id| id.0))?;
        let failing: Vec<(ContactId,)> = self.db.rows(NOTICES_FAILING, args![rows, clinic]).await?;
        Ok(failing.into_iter().map(|(contact,)| contact).collect())
    }

    /// Forgets what was told before `before`: longer ago than anything asks for.
    pub async fn notices_forget(&self, clinic: ClinicId, before: DateTime<Utc>) -> Result<u64> {
        self.db.execute(NOTICES_FORGET, args![clinic, before]).await
    }

    /// Returns until when what an account was told has been read.
    pub async fn notices_read_until(
        &self,
        clinic: ClinicId,
        account: &str,
    ) -> Result<Option<DateTime<Utc>>> {
        let until: Option<(MaybeAt,)> =
            self.db.row(NOTICES_READ_UNTIL, args![clinic, account]).await?;
        Ok(until.and_then(|(until,)| until.into()))
    }

    /// Records until when what an account was told has been read. Fenced.
    pub async fn notices_read(
        &self,
        lease: &Lease,
        clinic: ClinicId,
        account: &str,
        until: DateTime<Utc>,
    ) -> Result<()> {
        self.execute_under(lease, NOTICES_READ, args![clinic, account, until]).await.map(drop)
    }
}

/// Returns those of `keys` one of whose hashes is known.
pub(super) fn among(
    keys: &[&str],
    hashes: &[Vec<String>],
    known: Vec<(String,)>,
) -> BTreeSet<String> {
    let known: BTreeSet<String> = known.into_iter().map(|(hash,)| hash).collect();
    let of_known = keys.iter().zip(hashes);
    let of_known = of_known.filter(|(_, hashes)| hashes.iter().any(|hash| known.contains(hash)));
    of_known.map(|(key, _)| (*key).to_owned()).collect()
}
