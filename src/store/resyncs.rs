//! Resyncs: somebody pressed the button. Kept, so that whichever worker is free takes them up.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Store;
use super::columns::{At, MaybeAt, args};
use super::error::{Result, StoreError};
use super::sql::statements;
use crate::domain::ClinicId;

/// How long a worker may say nothing before another one takes up what it had in hand.
const SILENT: TimeDelta = TimeDelta::minutes(2);

/// One resync.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ResyncRow {
    /// Its id.
    pub id: Uuid,
    /// Of which clinic.
    #[sqlx(rename = "clinic_id")]
    pub clinic: ClinicId,
    /// Of which list, by its short name; empty for all of the clinic.
    #[sqlx(rename = "list_slug")]
    pub list: String,
    /// Whether both sides are read whole.
    pub whole: bool,
    /// When it was asked for.
    #[sqlx(try_from = "At")]
    pub asked_at: DateTime<Utc>,
    /// When a worker took it up.
    #[sqlx(try_from = "MaybeAt")]
    pub begun_at: Option<DateTime<Utc>>,
    /// When it was through.
    #[sqlx(try_from = "MaybeAt")]
    pub ended_at: Option<DateTime<Utc>>,
    /// What came of it, in a word.
    pub outcome: Option<String>,
}

macro_rules! resync_columns {
    () => {
        "SELECT clinic_id, id, list_slug, whole, asked_at, begun_at, ended_at, outcome FROM resyncs "
    };
}

statements! {
    RESYNC_ASK = {
        "INSERT INTO resyncs (clinic_id, id, list_slug, whole, asked_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (clinic_id, list_slug) WHERE ended_at IS NULL
         DO UPDATE SET whole = resyncs.whole OR excluded.whole RETURNING id"
    }
    RESYNC = { resync_columns!(), "WHERE clinic_id = $1 AND id = $2" }
    RESYNC_NEXT = {
        resync_columns!(),
        "WHERE ended_at IS NULL AND (alive_at IS NULL OR alive_at < $1) ORDER BY asked_at LIMIT 1"
    }
    RESYNC_TAKE = {
        "UPDATE resyncs SET begun_at = $3, alive_at = $3
         WHERE clinic_id = $1 AND id = $2 AND ended_at IS NULL
            AND (alive_at IS NULL OR alive_at < $4)"
    }
    RESYNC_ALIVE = {
        "UPDATE resyncs SET alive_at = $3
         WHERE clinic_id = $1 AND id = $2 AND begun_at = $4 AND ended_at IS NULL"
    }
    // One that was asked to read more meanwhile is not through.
    RESYNC_END = {
        "UPDATE resyncs SET ended_at = CASE WHEN whole = $3 THEN CAST($4 AS BIGINT) END,
            begun_at = CASE WHEN whole = $3 THEN begun_at END, alive_at = NULL, outcome = $5
         WHERE clinic_id = $1 AND id = $2 AND begun_at = $6"
    }
}

impl Store {
    /// Asks for a resync of one list, or of all of the clinic; returns the one that waits or is
    /// under way already, if there is one.
    pub async fn resync_ask(
        &self,
        clinic: ClinicId,
        list: Option<&str>,
        whole: bool,
    ) -> Result<Uuid> {
        let args =
            args![clinic, self.clock.id(), list.unwrap_or_default(), whole, self.clock.now()];
        let asked: Option<(Uuid,)> = self.db.returning(RESYNC_ASK, args).await?;
        asked.map(|(id,)| id).ok_or(StoreError::Missing { what: "resync" })
    }

    /// Returns the resync.
    pub async fn resync(&self, clinic: ClinicId, id: Uuid) -> Result<ResyncRow> {
        let found = self.db.row(RESYNC, args![clinic, id]).await?;
        found.ok_or(StoreError::Missing { what: "resync" })
    }

    /// Takes up the resync that waits longest, if any does and no other worker was quicker.
    pub async fn resync_take(&self) -> Result<Option<ResyncRow>> {
        let now = self.clock.now();
        let next: Option<ResyncRow> = self.db.row(RESYNC_NEXT, args![now - SILENT]).await?;
        let Some(next) = next else { return Ok(None) };
        let args = args![next.clinic, next.id, now, now - SILENT];
        let taken = self.db.execute(RESYNC_TAKE, args).await? > 0;
        Ok(taken.then_some(ResyncRow { begun_at: Some(now), ..next }))
    }

    /// Says that the resync is still in hand, unless another worker took it up meanwhile.
    pub async fn resync_alive(&self, resync: &ResyncRow) -> Result<()> {
        let args = args![resync.clinic, resync.id, self.clock.now(), resync.begun_at];
        self.db.execute(RESYNC_ALIVE, args).await.map(drop)
    }

    /// Leaves the resync to whichever worker is free after `pause`.
    pub async fn resync_leave(&self, resync: &ResyncRow, pause: TimeDelta) -> Result<()> {
        // A worker that fell silent so long ago that its silence is over by then.
        let silent_since = self.clock.now() + pause - SILENT;
        let args = args![resync.clinic, resync.id, silent_since, resync.begun_at];
        self.db.execute(RESYNC_ALIVE, args).await.map(drop)
    }

    /// Ends the resync, unless another worker took it up meanwhile, or it was asked to read more: then
    /// it waits again.
    pub async fn resync_end(&self, resync: &ResyncRow, outcome: &str) -> Result<()> {
        let now = self.clock.now();
        let args = args![resync.clinic, resync.id, resync.whole, now, outcome, resync.begun_at];
        self.db.execute(RESYNC_END, args).await.map(drop)
    }
}
