//! Reads a clinic's own `SQLite` or PostgreSQL database through the view `listwarden_patients`.
//!
//! Pages go by `id`, with `since` as a filter: ids do not move while rows change, so nobody is
//! skipped when a row is updated during a sweep, and a row changed behind the cursor is found by
//! the next delta. Every row comes as one JSON text, so both engines and all column types read
//! alike. Reading happens in read-only transactions; the only write is to `listwarden_feedback`.

pub mod feedback;
mod layout;
mod pool;
mod statement;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::RwLock;

use super::reading::Context;
use super::{Note, PatientSource, RowProblem, SourceCursor, SourceError, SourcePage};
use crate::clock::SharedClock;
use crate::domain::PatientRecord;
use layout::Layout;
pub(super) use pool::Pool;
use statement::{After, Fetched};

/// How a clinic's database is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlOptions {
    /// Rows a page.
    pub page_size: u32,
    /// The clinic's country (ISO 3166), for numbers in national form.
    pub country: Option<String>,
}

impl Default for SqlOptions {
    fn default() -> Self {
        Self { page_size: 1000, country: None }
    }
}

/// A clinic's own database, read through its view.
#[derive(Debug)]
pub struct SqlSource {
    pool: Pool,
    options: SqlOptions,
    clock: SharedClock,
    /// The view's columns, read once, and again after a statement failed.
    layout: RwLock<Option<Arc<Layout>>>,
}

impl SqlSource {
    /// Prepares to read the database at `url`; connects when first asked.
    ///
    /// # Errors
    /// [`SourceError::Url`] when the URL names neither engine or cannot be read.
    pub fn open(
        url: &SecretString,
        options: SqlOptions,
        clock: SharedClock,
    ) -> Result<Self, SourceError> {
        let pool = Pool::open(url.expose_secret())?;
        Ok(Self::over(pool, options, clock))
    }

    pub(super) fn over(pool: Pool, options: SqlOptions, clock: SharedClock) -> Self {
        Self { pool, options, clock, layout: RwLock::new(None) }
    }

    /// Reads one record of a source whose ids are text, its times untouched by our clock.
    pub(super) async fn record(&self, id: &str) -> Result<Option<PatientRecord>, SourceError> {
        let layout = self.layout().await?;
        let row = statement::one(&self.pool, &layout, id).await?;
        let now = DateTime::from_timestamp_millis(LATEST).unwrap_or_default();
        let context = Context { country: None, now };
        Ok(row.and_then(|row| row.row.read(context).record))
    }

    async fn layout(&self) -> Result<Arc<Layout>, SourceError> {
        if let Some(layout) = self.layout.read().await.as_ref() {
            return Ok(Arc::clone(layout));
        }
        let layout = Arc::new(Layout::read(&self.pool).await?);
        *self.layout.write().await = Some(Arc::clone(&layout));
        Ok(layout)
    }

    async fn fetch(
        &self,
        since: Option<DateTime<Utc>>,
        after: Option<&After>,
    ) -> Result<Vec<Fetched>, SourceError> {
        let layout = self.layout().await?;
        let rows = statement::fetch(&self.pool, &layout, since, after, self.limit() + 1).await;
        if rows.is_err() {
            *self.layout.write().await = None;
        }
        rows
    }

    fn limit(&self) -> usize {
        self.options.page_size.max(1) as usize
    }

    /// Makes a page of fetched rows, of which the last may belong to the next page.
    fn paged(&self, mut rows: Vec<Fetched>, since: Option<DateTime<Utc>>) -> SourcePage {
        let limit = self.limit();
        let next = (rows.len() > limit).then(|| rows[limit - 1].cursor());
        let problems: Vec<_> =
            (0..rows.len().min(limit)).filter_map(|i| duplicate(&rows, i)).collect();
        let twice: Vec<bool> = (0..rows.len()).map(|i| twice(&rows, i)).collect();
        rows.truncate(limit);
        let single = rows.into_iter().zip(twice).filter(|(_, twice)| !twice);
        SourcePage {
            rows: single.map(|(row, _)| row.row).collect(),
            problems,
            next,
            country: self.options.country.clone(),
            now: self.clock.now(),
            since,
        }
    }
}

/// The end of the year 9999: no row is ahead of it.
const LATEST: i64 = 253_402_300_799_000;

/// Tells whether the row shares its id with a neighbour: the view gives several rows a patient.
fn twice(rows: &[Fetched], i: usize) -> bool {
    let same = |j: usize| rows.get(j).is_some_and(|other| other.row.id == rows[i].row.id);
    same(i + 1) || i.checked_sub(1).is_some_and(same)
}

/// One problem for all rows of the same id.
fn duplicate(rows: &[Fetched], i: usize) -> Option<RowProblem> {
    let first = i.checked_sub(1).is_none_or(|before| rows[before].row.id != rows[i].row.id);
    (first && twice(rows, i)).then(|| RowProblem {
        source_id: Some(rows[i].row.id.clone()),
        column: "id",
        problem: "the view gives several rows for this id, and they may contradict each other: make it one row a patient".to_owned(),
        unreadable: true,
    })
}

#[async_trait]
impl PatientSource for SqlSource {
    /// Checks that the view, its columns and the table for write-backs are as the contract says;
    /// the error holds the statement that creates what is missing.
    async fn check(&self) -> Result<(), SourceError> {
        self.layout().await?;
        feedback::columns(&self.pool).await.map(drop)
    }

    async fn rows(
        &self,
        since: Option<DateTime<Utc>>,
        after: Option<&SourceCursor>,
    ) -> Result<SourcePage, SourceError> {
        let after = after.map(After::read).transpose()?;
        let rows = self.fetch(since, after.as_ref()).await?;
        let mut page = self.paged(rows, since);
        if page.next.is_none() && since.is_none() {
            page.problems.extend(statement::without_id(&self.pool).await?);
        }
        Ok(page)
    }

    async fn count(&self) -> Result<u64, SourceError> {
        self.layout().await?;
        statement::count(&self.pool).await
    }

    async fn write_back(&self, notes: &[Note]) -> Result<(), SourceError> {
        feedback::write(&self.pool, notes).await
    }

    async fn now(&self) -> Result<Option<DateTime<Utc>>, SourceError> {
        statement::now(&self.pool).await
    }
}
