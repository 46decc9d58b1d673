//! Chains of codes: how one is followed, the one over a clinic's ledger, and whether it is unbroken.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::Store;
use super::columns::{MaybeAt, args};
use super::error::{Result, StoreError};
use super::sql::statements;
use crate::domain::{ClinicId, EventId, EventKind};

/// What a verification of the chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Lines read.
    pub lines: u64,
    /// Lines whose event was erased; their place in the chain is verified all the same.
    pub erased: u64,
    /// The first line that is not what was written, or is missing.
    pub first_bad: Option<i64>,
}

/// The end of a clinic's chain.
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) mac: String,
}

#[derive(sqlx::FromRow)]
struct Line {
    seq: i64,
    event_id: EventId,
    kind: EventKind,
    recorded_at: i64,
    key_id: String,
    commitment: String,
    mac: String,
    payload: Option<String>,
    salt: Option<String>,
}

/// How many lines are verified at a time.
const PAGE: u32 = 1_000;

/// Follows a chain line by line from its first one to its head.
pub(super) struct Follower {
    prev: Head,
    end: Head,
    pub(super) verified: Verified,
}

impl Follower {
    pub(super) fn to(end: Head) -> Self {
        let prev = Head { seq: 0, mac: String::new() };
        Self { prev, end, verified: Verified::default() }
    }

    /// Returns the number of the line it has come to.
    pub(super) const fn at(&self) -> i64 {
        self.prev.seq
    }

    /// Returns the code of the line it has come to.
    pub(super) fn prev(&self) -> &str {
        &self.prev.mac
    }

    /// Takes the next line, which `is_sound` by itself; tells whether to go on. Lines after the
    /// head were appended meanwhile.
    pub(super) fn step(&mut self, seq: i64, mac: &str, is_sound: bool) -> bool {
        if seq > self.end.seq {
            return false;
        }
        self.verified.lines += 1;
        if !is_sound || seq != self.prev.seq + 1 {
            self.verified.first_bad = Some(seq);
            return false;
        }
        self.prev = Head { seq, mac: mac.to_owned() };
        true
    }

    /// Returns what was found; a chain that ends before its head lacks lines.
    pub(super) fn end(self) -> Verified {
        let whole = (self.prev.seq, &self.prev.mac) == (self.end.seq, &self.end.mac);
        let missing = (!whole).then_some(self.prev.seq + 1);
        Verified { first_bad: self.verified.first_bad.or(missing), ..self.verified }
    }
}

/// What a line's code covers.
pub(super) struct Chained<'a> {
    pub(super) prev: &'a str,
    pub(super) seq: i64,
    pub(super) event: EventId,
    pub(super) kind: EventKind,
    pub(super) recorded_at: i64,
    pub(super) commitment: &'a str,
}

statements! {
    LEDGER_HEAD = { "SELECT seq, mac FROM ledger_heads WHERE clinic_id = $1" }
    LEDGER_CODE = { "SELECT mac FROM ledger WHERE clinic_id = $1 AND seq = $2" }
    LEDGER_LAST_VERIFIED = { "SELECT ledger_verified_at FROM clinics WHERE clinic_id = $1" }
    LEDGER_VERIFIED = {
        "UPDATE clinics SET ledger_verified_at = $2, ledger_bad_line = $3 WHERE clinic_id = $1"
    }
    LEDGER_BAD = { "UPDATE clinics SET ledger_bad_line = $2 WHERE clinic_id = $1" }
    LEDGER_PAGE = {
        "SELECT l.seq, l.event_id, l.kind, l.recorded_at, l.key_id, l.commitment, l.mac,
            d.payload, d.salt
         FROM ledger l LEFT JOIN ledger_detail d ON d.clinic_id = l.clinic_id AND d.seq = l.seq
         WHERE l.clinic_id = $1 AND l.seq > $2 ORDER BY l.seq LIMIT $3"
    }
}

impl Store {
    /// Returns the code of a line; none if its key is not in the keyring.
    pub(super) fn chain(
        &self,
        clinic: ClinicId,
        key_id: &str,
        line: &Chained<'_>,
    ) -> Option<String> {
        self.keys.ledger_mac(
            key_id,
            &[
                clinic.0.as_bytes(),
                line.prev.as_bytes(),
                &line.seq.to_be_bytes(),
                line.event.0.as_bytes(),
                line.kind.word().as_bytes(),
                &line.recorded_at.to_be_bytes(),
                line.commitment.as_bytes(),
            ],
        )
    }

    /// Verifies the clinic's chain from its first line to its head.
    pub async fn ledger_verify(&self, clinic: ClinicId) -> Result<Verified> {
        let (seq, mac) = self.ledger_end(clinic).await?;
        let mut follower = Follower::to(Head { seq, mac });
        loop {
            let page: Vec<Line> =
                self.db.rows(LEDGER_PAGE, args![clinic, follower.at(), PAGE]).await?;
            let last = page.len() < PAGE as usize;
            for line in page {
                let sound = self.is_sound(clinic, follower.prev(), &line);
                let erased = line.payload.is_none() && line.seq <= seq;
                follower.verified.erased += u64::from(erased);
                if !follower.step(line.seq, &line.mac, sound) {
                    return Ok(follower.end());
                }
            }
            if last {
                return Ok(follower.end());
            }
        }
    }

    /// Returns the number of the last line of the clinic's chain, and its code.
    pub async fn ledger_end(&self, clinic: ClinicId) -> Result<(i64, String)> {
        let head: Option<(i64, String)> = self.db.row(LEDGER_HEAD, args![clinic]).await?;
        head.ok_or(StoreError::Missing { what: "clinic" })
    }

    /// Returns the code of a line as it stands there.
    pub async fn ledger_code_of(&self, clinic: ClinicId, line: i64) -> Result<Option<String>> {
        let code: Option<(String,)> = self.db.row(LEDGER_CODE, args![clinic, line]).await?;
        Ok(code.map(|(code,)| code))
    }

    /// Keeps when the clinic's chain was verified, and what came of it.
    pub async fn ledger_verified(&self, clinic: ClinicId, verified: Verified) -> Result<()> {
        let args = args![clinic, self.clock.now(), verified.first_bad];
        self.db.execute(LEDGER_VERIFIED, args).await.map(drop)
    }

    /// Keeps the first line of the clinic's chain that does not fit, found between verifications.
    pub async fn ledger_bad_from(&self, clinic: ClinicId, line: i64) -> Result<()> {
        self.db.execute(LEDGER_BAD, args![clinic, line]).await.map(drop)
    }

    /// Returns when the clinic's chain was last verified.
    pub async fn ledger_verified_at(&self, clinic: ClinicId) -> Result<Option<DateTime<Utc>>> {
        let at: Option<(MaybeAt,)> = self.db.row(LEDGER_LAST_VERIFIED, args![clinic]).await?;
        Ok(at.and_then(|(at,)| at.into()))
    }

    fn is_sound(&self, clinic: ClinicId, prev: &str, line: &Line) -> bool {
        let chained = Chained {
            prev,
            seq: line.seq,
            event: line.event_id,
            kind: line.kind,
            recorded_at: line.recorded_at,
            commitment: &line.commitment,
        };
        let detail = line.salt.as_deref().zip(line.payload.as_deref());
        self.chain(clinic, &line.key_id, &chained).as_ref() == Some(&line.mac)
            && detail.is_none_or(|(salt, text)| commitment(salt, text) == line.commitment)
    }
}

pub(super) fn commitment(salt: &str, payload: &str) -> String {
    hex::encode(Sha256::new().chain_update(salt).chain_update(payload).finalize())
}
