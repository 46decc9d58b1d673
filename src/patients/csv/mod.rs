//! Brings a CSV file in: the whole file is checked before the first row of it is used.
//!
//! The file is read twice, in a stream. Memory holds one page of rows and, to find ids that occur
//! twice, eight bytes of fingerprint and a line number a row; never the file.

mod guard;
mod header;
mod rows;

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::{Address, PatientRecord};
pub use header::HeaderError;
use rows::{Rows, Verdict};

/// Derives a former patient's id from an address.
///
/// It has to be the same for the same address in every file, so that an import made twice
/// changes nothing; and nobody may be able to find the address by trying, so it takes a key.
/// The caller holds the keys, this module does not.
pub type FormerId = Arc<dyn Fn(&Address) -> String + Send + Sync>;

/// What the file is about.
#[derive(Clone)]
pub enum Subject {
    /// The clinic's patients: with id and status.
    Patients,
    /// People who are no patients any more, of whom an address is enough. Each address becomes a
    /// record of its own, with the status `archived`.
    Former(FormerId),
}

/// How a file is read.
#[derive(Clone)]
pub struct Options {
    /// What the file is about.
    pub subject: Subject,
    /// The clinic's country (ISO 3166), for numbers in national form.
    pub country: Option<String>,
    /// Our time, which rows without `updated_at` get.
    pub now: DateTime<Utc>,
    /// Whether the sound rows are used although others are rejected.
    pub accept_partial: bool,
    /// Rejects that are kept; the others are counted.
    pub rejects_kept: usize,
}

impl Options {
    /// The usual way to read `subject`: all rows or none, up to 100 rejects shown.
    #[must_use]
    pub const fn new(subject: Subject, now: DateTime<Utc>) -> Self {
        Self { subject, country: None, now, accept_partial: false, rejects_kept: 100 }
    }
}

/// Takes the records of a file, page by page.
#[async_trait]
pub trait Sink: Send {
    /// Takes one page.
    ///
    /// # Errors
    /// Whatever keeps it from being taken; the import ends with it.
    async fn page(&mut self, records: Vec<PatientRecord>) -> Result<(), super::SourceError>;
}

#[async_trait]
impl Sink for &super::Reference {
    async fn page(&mut self, records: Vec<PatientRecord>) -> Result<(), super::SourceError> {
        self.upsert(&records).await
    }
}

/// How far an import has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whether rows are being used, or still being checked.
    pub applying: bool,
    /// Bytes read in this pass.
    pub read: u64,
    /// Bytes there are.
    pub total: u64,
}

/// Is told about progress, a page at a time.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Rows that are sound.
    pub accepted: u64,
    /// Rows that are not.
    pub rejected_rows: u64,
    /// Why rows are not sound, the first of them.
    pub rejected: Vec<Reject>,
    /// Further reasons, not kept.
    pub more_rejects: u64,
    /// Whether the accepted rows were used. Not, where rows were rejected and partial imports
    /// were not asked for.
    pub applied: bool,
}

/// Why one row cannot be used. Holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The line the row begins on.
    pub line: u64,
    /// The column at fault, where it is one.
    pub column: Option<String>,
    /// What is wrong, and how to put it right.
    pub why: String,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The first line does not name the columns as it should.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Not UTF-8.
    #[error("line {line} is not UTF-8 text: save the file as \"CSV UTF-8\" and import it again")]
    NotUtf8 {
        /// The line.
        line: u64,
    },
    /// A row without end: a quote that is opened and never closed, most often.
    #[error(
        "the row that begins on line {line} is longer than 1 MB: is a quote opened there and never closed?"
    )]
    Endless {
        /// The line.
        line: u64,
    },
    /// The file changed between the two readings.
    #[error(
        "the file changed while it was read, on or after line {line}: import it again once it is complete (rows before that line may be in)"
    )]
    Changed {
        /// The line.
        line: u64,
    },
    /// The file cannot be read.
    #[error("the file cannot be read: {}", .0.kind())]
    Read(#[source] std::io::Error),
    /// The records could not be taken.
    #[error(
        "the rows could not be written; import the file again, rows that are in stay as they are"
    )]
    Sink(#[source] super::SourceError),
}

/// Records in one page.
const PAGE: usize = 1000;

/// Checks `file` and, where every row is sound or partial imports are asked for, hands its
/// records to `sink`.
///
/// # Errors
/// [`CsvError`]: nothing has been handed over then, unless it is [`CsvError::Sink`] or
/// [`CsvError::Changed`].
pub async fn import<R: Read + Seek + Send + 'static>(
    file: R,
    options: Options,
    sink: &mut dyn Sink,
    progress: OnProgress,
) -> Result<Outcome, CsvError> {
    let (file, mut outcome) = blocking({
        let (options, progress) = (options.clone(), Arc::clone(&progress));
        move || check(file, &options, &progress)
    })
    .await?;
    if outcome.rejected_rows > 0 && !options.accept_partial {
        return Ok(outcome);
    }
    apply(file, options, &outcome, sink, progress).await?;
    outcome.applied = true;
    Ok(outcome)
}

/// Reads the whole file and keeps only what is wrong with it.
fn check<R: Read + Seek>(
    mut file: R,
    options: &Options,
    progress: &OnProgress,
) -> Result<(R, Outcome), CsvError> {
    let total = file.seek(SeekFrom::End(0)).map_err(CsvError::Read)?;
    file.rewind().map_err(CsvError::Read)?;
    let mut rows = Rows::open(file, options.clone())?;
    let mut outcome = Outcome::default();
    while let Some(verdict) = rows.next()? {
        outcome.count(verdict, options.rejects_kept);
        if (outcome.accepted + outcome.rejected_rows).is_multiple_of(PAGE as u64) {
            progress(Progress { applying: false, read: rows.bytes(), total });
        }
    }
    progress(Progress { applying: false, read: total, total });
    Ok((rows.into_file(), outcome))
}

impl Outcome {
    fn count(&mut self, verdict: Verdict, kept: usize) {
        match verdict {
            Verdict::Sound(_) => self.accepted += 1,
            Verdict::Rejected(rejects) => {
                self.rejected_rows += 1;
                for reject in rejects {
                    if self.rejected.len() < kept {
                        self.rejected.push(reject);
                    } else {
                        self.more_rejects += 1;
                    }
                }
            }
        }
    }
}

/// Reads the file once more and hands the sound rows over.
///
/// Checks on the way that it is still the same rows, as far as they count.
async fn apply<R: Read + Seek + Send + 'static>(
    mut file: R,
    options: Options,
    checked: &Outcome,
    sink: &mut dyn Sink,
    progress: OnProgress,
) -> Result<(), CsvError> {
    let total = file.seek(SeekFrom::End(0)).map_err(CsvError::Read)?;
    file.rewind().map_err(CsvError::Read)?;
    let mut rows = Rows::open(file, options)?;
    let (mut accepted, mut rejected) = (0, 0);
    loop {
        let (back, page) = blocking(move || page(rows)).await?;
        rows = back;
        accepted += page.accepted;
        rejected += page.rejected;
        let more = page.more;
        let as_checked = accepted <= checked.accepted && rejected <= checked.rejected_rows;
        let complete = more || (accepted, rejected) == (checked.accepted, checked.rejected_rows);
        if !(as_checked && complete) {
            return Err(CsvError::Changed { line: page.line });
        }
        if !page.records.is_empty() {
            sink.page(page.records).await.map_err(CsvError::Sink)?;
        }
        progress(Progress { applying: true, read: if more { rows.bytes() } else { total }, total });
        if !more {
            return Ok(());
        }
    }
}

/// Rows of one page.
struct Page {
    records: Vec<PatientRecord>,
    accepted: u64,
    rejected: u64,
    line: u64,
    more: bool,
}

fn page<R: Read>(mut rows: Rows<R>) -> Result<(Rows<R>, Page), CsvError> {
    let line = rows.line();
    let mut page = Page { records: Vec::new(), accepted: 0, rejected: 0, line, more: true };
    while page.records.len() < PAGE {
        match rows.next()? {
            None => {
                page.more = false;
                break;
            }
            Some(Verdict::Rejected(_)) => page.rejected += 1,
            Some(Verdict::Sound(records)) => {
                page.accepted += 1;
                page.records.extend(records);
            }
        }
    }
    Ok((rows, page))
}

/// Runs work that waits for a disk where it keeps no other work waiting.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CsvError> + Send + 'static,
) -> Result<T, CsvError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| {
        Err(CsvError::Read(std::io::Error::other("the reading task was stopped")))
    })
}
