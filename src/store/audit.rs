//! The audit log: every act of an admin and every one refused, in one chain, for the deployment.
//!
//! It names a token, a clinic, a list, a run or a contact by its id, and no person.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Store;
use super::chain::{Follower, Head, Verified};
use super::columns::{At, args, millis};
use super::db::again;
use super::error::{Result, StoreError};
use super::sql::statements;
use super::words::AuditOutcome;
use crate::domain::{Because, ClinicId};

/// What is to be put on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAudit {
    /// The request, or the command, that the lines of one act share.
    pub request: Uuid,
    /// The token; none where there was none, or on the command line.
    pub token: Option<Uuid>,
    /// The token's name, or who typed the command.
    pub who: String,
    /// What was asked for.
    pub what: String,
    /// Of which clinic.
    pub clinic: Option<ClinicId>,
    /// Of which list, run, contact or token: a short name or an id.
    pub subject: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// The reason given, or why it was refused.
    pub reason: Option<Because>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AuditRow {
    /// Its number.
    pub seq: i64,
    /// When.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
    /// The request, or the command, that the lines of one act share.
    #[sqlx(rename = "request_id")]
    pub request: Uuid,
    /// The token.
    #[sqlx(rename = "token_id")]
    pub token: Option<Uuid>,
    /// Who.
    pub who: String,
    /// What was asked for.
    pub what: String,
    /// Of which clinic.
    #[sqlx(rename = "clinic_id")]
    pub clinic: Option<ClinicId>,
    /// Of which list, run, contact or token.
    pub subject: Option<String>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Why.
    pub reason: Option<String>,
    key_id: String,
    mac: String,
}

/// How many lines are verified at a time.
const PAGE: u32 = 1_000;

macro_rules! audit_columns {
    () => {
        "SELECT seq, at, request_id, token_id, who, what, clinic_id, subject, outcome, reason, key_id,
            mac
         FROM audit "
    };
}

statements! {
    AUDIT_LOCK = { "UPDATE audit_head SET seq = seq WHERE one = 1 RETURNING seq, mac" }
    AUDIT_HEAD = { "SELECT seq, mac FROM audit_head WHERE one = 1" }
    AUDIT_CODE = { "SELECT mac FROM audit WHERE seq = $1" }
    AUDIT_BAD = { "UPDATE audit_head SET bad_line = $1 WHERE one = 1" }
    AUDIT_IS_BAD = { "SELECT bad_line FROM audit_head WHERE one = 1" }
    AUDIT_MOVE = { "UPDATE audit_head SET seq = $1, mac = $2 WHERE one = 1" }
    AUDIT_ADD = {
        "INSERT INTO audit (seq, at, request_id, token_id, who, what, clinic_id, subject, outcome,
            reason, key_id, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    }
    AUDIT_AFTER = { audit_columns!(), "WHERE seq > $1 ORDER BY seq LIMIT $2" }
    AUDIT_BEFORE = { audit_columns!(), "WHERE seq < $1 ORDER BY seq DESC LIMIT $2" }
    AUDIT_OF_CLINIC = {
        audit_columns!(), "WHERE clinic_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3"
    }
}

impl Store {
    /// Puts a line on record.
    pub async fn audit(&self, new: &NewAudit) -> Result<()> {
        let (at, key_id) = (self.clock.now(), self.keys.current_id().to_owned());
        again!(self, {
            let mut tx = self.db.begin().await?;
            let head: Option<(i64, String)> = tx.row(AUDIT_LOCK, args![]).await?;
            let (seq, mac) = head.ok_or(StoreError::Missing { what: "audit log" })?;
            let mut line = AuditRow {
                seq: seq + 1,
                at,
                request: new.request,
                token: new.token,
                who: new.who.clone(),
                what: new.what.clone(),
                clinic: new.clinic,
                subject: new.subject.clone(),
                outcome: new.outcome,
                reason: new.reason.as_ref().map(|reason| reason.text().to_owned()),
                key_id: key_id.clone(),
                mac: String::new(),
            };
            let code = self.audit_code(&mac, &line);
            line.mac = code.ok_or(StoreError::Corrupt { what: "key id" })?;
            tx.execute(AUDIT_MOVE, args![line.seq, line.mac.clone()]).await?;
            tx.execute(AUDIT_ADD, line.into_args()).await?;
            tx.commit().await
        })
    }

    /// Returns lines before `before`, the newest first; of all clinics, or of one.
    pub async fn audit_page(
        &self,
        clinic: Option<ClinicId>,
        before: i64,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        match clinic {
            None => self.db.rows(AUDIT_BEFORE, args![before, limit]).await,
            Some(clinic) => self.db.rows(AUDIT_OF_CLINIC, args![clinic, before, limit]).await,
        }
    }

    /// Verifies the chain from its first line to its head.
    pub async fn audit_verify(&self) -> Result<Verified> {
        let (seq, mac) = self.audit_end().await?;
        let mut follower = Follower::to(Head { seq, mac });
        loop {
            let page: Vec<AuditRow> = self.db.rows(AUDIT_AFTER, args![follower.at(), PAGE]).await?;
            let last = page.len() < PAGE as usize;
            for line in page {
                let code = self.audit_code(follower.prev(), &line);
                if !follower.step(line.seq, &line.mac, code.as_ref() == Some(&line.mac)) {
                    return Ok(follower.end());
                }
            }
            if last {
                return Ok(follower.end());
            }
        }
    }

    /// Keeps the first line that did not fit when somebody looked, or that all did.
    pub async fn audit_bad_from(&self, line: Option<i64>) -> Result<()> {
        self.db.execute(AUDIT_BAD, args![line]).await.map(drop)
    }

    /// Returns the first line that did not fit when somebody last looked.
    pub async fn audit_bad_line(&self) -> Result<Option<i64>> {
        let kept: Option<(Option<i64>,)> = self.db.row(AUDIT_IS_BAD, args![]).await?;
        Ok(kept.and_then(|(line,)| line))
    }

    /// Returns the number of the last line, and its code.
    pub async fn audit_end(&self) -> Result<(i64, String)> {
        let head: Option<(i64, String)> = self.db.row(AUDIT_HEAD, args![]).await?;
        head.ok_or(StoreError::Missing { what: "audit log" })
    }

    /// Returns the code of a line as it stands there.
    pub async fn audit_code_of(&self, line: i64) -> Result<Option<String>> {
        let code: Option<(String,)> = self.db.row(AUDIT_CODE, args![line]).await?;
        Ok(code.map(|(code,)| code))
    }

    /// Returns the code of a line after `prev`; none if its key is not in the keyring.
    fn audit_code(&self, prev: &str, line: &AuditRow) -> Option<String> {
        let id = |id: Option<Uuid>| id.map(|id| id.into_bytes().to_vec()).unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default().into_bytes();
        let parts: [&[u8]; 12] = [
            b"audit",
            prev.as_bytes(),
            &line.seq.to_be_bytes(),
            &millis(line.at).to_be_bytes(),
            line.request.as_bytes(),
            &id(line.token),
            line.who.as_bytes(),
            line.what.as_bytes(),
            &id(line.clinic.map(|clinic| clinic.0)),
            &text(&line.subject),
            line.outcome.word().as_bytes(),
            &text(&line.reason),
        ];
        self.keys.ledger_mac(&line.key_id, &parts)
    }
}

impl AuditRow {
    fn into_args(self) -> Vec<super::columns::Arg> {
        args![
            self.seq,
            self.at,
            self.request,
            self.token,
            self.who,
            self.what,
            self.clinic,
            self.subject,
            self.outcome,
            self.reason,
            self.key_id,
            self.mac,
        ]
    }
}
