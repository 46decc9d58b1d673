//! Runs: one turn of the loop each, and its journal.

use chrono::{DateTime, Utc};

use super::Store;
use super::columns::{At, MaybeAt, args};
use super::db::again;
use super::error::{Result, StoreError};
use super::lists::ListRow;
use super::sql::statements;
use super::words::{Counter, OpState};
use crate::domain::{ClinicId, LinkId, ListId, Reason, RunId, Verb};

/// One turn of the loop.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The clinic.
    #[sqlx(rename = "clinic_id")]
    pub clinic: ClinicId,
    /// The list whose turn it was.
    #[sqlx(rename = "list_id")]
    pub list: Option<ListId>,
    /// What woke the loop.
    #[sqlx(rename = "woken_by")]
    pub trigger: String,
    /// When it began.
    #[sqlx(try_from = "At")]
    pub began_at: DateTime<Utc>,
    /// When it ended.
    #[sqlx(try_from = "MaybeAt")]
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Option<String>,
    /// What it did, as JSON.
    pub summary: Option<String>,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct JournalRow {
    /// Its place in the run's plan.
    pub ordinal: i64,
    /// The list.
    #[sqlx(rename = "list_id")]
    pub list: ListId,
    /// The link.
    #[sqlx(rename = "link_id")]
    pub link: LinkId,
    /// What was done.
    pub verb: Verb,
    /// Why.
    pub reason: Reason,
    /// How far it got.
    pub state: OpState,
    /// When it got there.
    #[sqlx(try_from = "At")]
    pub at: DateTime<Utc>,
}

/// What woke the loop where a webhook did.
pub const BY_WEBHOOK: &str = "webhook";
/// The outcome of a run that brought its list in step.
pub const IN_STEP: &str = "in_step";
/// The outcome of a run whose plan waits for the list's first approval.
pub(super) const WAITING: &str = "waiting";

#[derive(sqlx::FromRow)]
struct RunEnded {
    clinic_id: ClinicId,
    list_id: Option<ListId>,
    woken_by: String,
    #[sqlx(try_from = "At")]
    began_at: DateTime<Utc>,
}

macro_rules! run_columns {
    () => {
        "SELECT id, clinic_id, list_id, woken_by, began_at, ended_at, outcome, summary FROM runs "
    };
}

statements! {
    RUN_BEGIN = {
        "INSERT INTO runs (clinic_id, id, list_id, woken_by, began_at) VALUES ($1, $2, $3, $4, $5)"
    }
    RUN_END = {
        "UPDATE runs SET ended_at = $2, outcome = $3, summary = $4 WHERE id = $1
         RETURNING clinic_id, list_id, woken_by, began_at"
    }
    LIST_TURNED = {
        "UPDATE lists SET turned_at = $3, in_step_at = COALESCE($4, in_step_at)
         WHERE clinic_id = $1 AND id = $2"
    }
    RUNS = { run_columns!(), "WHERE clinic_id = $1 ORDER BY id DESC LIMIT $2" }
    RUNS_BEFORE = { run_columns!(), "WHERE clinic_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3" }
    RUNS_OF_LIST = {
        run_columns!(), "WHERE clinic_id = $1 AND list_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
    }
    RUNS_AFTER = { run_columns!(), "WHERE clinic_id = $1 AND id > $2 ORDER BY id LIMIT $3" }
    RUN = { run_columns!(), "WHERE id = $1" }
    RUN_OF_CLINIC = { run_columns!(), "WHERE clinic_id = $1 AND id = $2" }
    JOURNAL = {
        "SELECT ordinal, list_id, link_id, verb, reason, state,
            COALESCE(settled_at, submitted_at, planned_at) AS at
         FROM operations
         WHERE clinic_id = (SELECT clinic_id FROM runs WHERE id = $1) AND run_id = $1
            AND ordinal > $2
         ORDER BY ordinal LIMIT $3"
    }
}

impl Store {
    /// Begins a list's run.
    pub async fn run_begin(&self, list: &ListRow, trigger: &str) -> Result<RunId> {
        let id = RunId(self.clock.id());
        let args = args![list.clinic, id, list.id, trigger, self.clock.now()];
        self.db.execute(RUN_BEGIN, args).await?;
        Ok(id)
    }

    /// Ends a run; those that webhooks made necessary are not counted.
    pub async fn run_end(&self, run: RunId, outcome: &str, summary_json: &str) -> Result<()> {
        let now = self.clock.now();
        let args = args![run, now, outcome, summary_json];
        let ended: Option<RunEnded> = again!(self, {
            let mut tx = self.db.begin().await?;
            let ended: Option<RunEnded> = tx.row(RUN_END, args.clone()).await?;
            if let Some(run) = &ended {
                let in_step = (outcome == IN_STEP && run.woken_by != BY_WEBHOOK).then_some(now);
                tx.execute(LIST_TURNED, args![run.clinic_id, run.list_id, now, in_step]).await?;
            }
            tx.commit().await?;
            Ok(ended)
        })?;
        for run in ended.iter().filter(|run| run.woken_by != BY_WEBHOOK) {
            let took = (now - run.began_at).to_std().unwrap_or_default();
            self.counts(|tally| {
                tally.add(Counter::Runs, outcome, "", 1);
                tally.observe(Counter::RunTime, "", took);
            });
        }
        Ok(())
    }

    /// Returns the clinic's runs, the newest first.
    pub async fn runs(&self, clinic: ClinicId, limit: u32) -> Result<Vec<RunRow>> {
        self.db.rows(RUNS, args![clinic, limit]).await
    }

    /// Returns runs before `before`, the newest first; of the whole clinic, or of one list.
    pub async fn runs_page(
        &self,
        clinic: ClinicId,
        list: Option<ListId>,
        before: RunId,
        limit: u32,
    ) -> Result<Vec<RunRow>> {
        match list {
            None => self.db.rows(RUNS_BEFORE, args![clinic, before, limit]).await,
            Some(list) => self.db.rows(RUNS_OF_LIST, args![clinic, list, before, limit]).await,
        }
    }

    /// Returns the clinic's runs that began after `after`, the oldest first.
    pub async fn runs_after(
        &self,
        clinic: ClinicId,
        after: RunId,
        limit: u32,
    ) -> Result<Vec<RunRow>> {
        self.db.rows(RUNS_AFTER, args![clinic, after, limit]).await
    }

    /// Returns the run, if it is the clinic's.
    pub async fn run_of_clinic(&self, clinic: ClinicId, run: RunId) -> Result<RunRow> {
        let found = self.db.row(RUN_OF_CLINIC, args![clinic, run]).await?;
        found.ok_or(StoreError::Missing { what: "run" })
    }

    /// Returns the run.
    pub async fn run(&self, run: RunId) -> Result<RunRow> {
        self.db.row(RUN, args![run]).await?.ok_or(StoreError::Missing { what: "run" })
    }

    /// Returns a page of the run's journal, by ordinal.
    pub async fn journal(&self, run: RunId, after: i64, limit: u32) -> Result<Vec<JournalRow>> {
        self.db.rows(JOURNAL, args![run, after, limit]).await
    }
}
