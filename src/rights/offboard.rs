//! A clinic that leaves: everything is exported, then everybody is erased, by the ordinary loop, so that
//! the law and the journal hold; what remains is keyed hashes and commitments.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::archive::ArchiveError;
use super::dossier::Dossier;
use super::tables;
use crate::config::ClinicConfig;
use crate::domain::{ClinicId, PatientId};
use crate::reconcile::{ReconcileError, Reconciler};
use crate::store::{AskedBy, Store, StoreError, Which};

/// Patients and members taken at a time.
const PAGE: u32 = 500;

/// Why a clinic could not be taken off.
#[derive(Debug, thiserror::Error)]
pub enum OffboardError {
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] ArchiveError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The loop failed.
    #[error(transparent)]
    Loop(#[from] ReconcileError),
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Exported {
    /// Patients, each a zip file.
    pub patients: u64,
    /// Lists, each a table.
    pub lists: u64,
}

/// What became of a clinic that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The clinic's short name.
    pub clinic: String,
    /// When this was told.
    pub at: DateTime<Utc>,
    /// What was exported, now or by an earlier try.
    pub exported: Exported,
    /// Lists that ended.
    pub lists_ended: u64,
    /// Lists that have not ended yet.
    pub lists_left: u64,
    /// Patients whose data is still here.
    pub patients_left: u64,
    /// Addresses that are still here.
    pub addresses_left: u64,
}

impl Left {
    /// Tells whether nothing is left to do.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.lists_left + self.patients_left + self.addresses_left == 0
    }
}

/// Writes everything that is held of a clinic's patients, and its lists as tables. What an earlier try
/// wrote stays as it is.
pub async fn export(
    store: &Store,
    clinic: &ClinicConfig,
    folder: &Path,
    now: DateTime<Utc>,
) -> Result<Exported, OffboardError> {
    let id = store.clinic_ensure(&clinic.slug).await?;
    for folder in [folder.join("patients"), folder.join("lists")] {
        fs::create_dir_all(&folder).map_err(|cause| not_written(&folder, cause))?;
    }
    let mut exported = Exported::default();
    let mut after: Option<PatientId> = None;
    loop {
        let page = store.patients_page(id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for patient in &page {
            exported.patients += 1;
            let path = zip_of(folder, patient.id);
            let far = store.erasure_of(id, patient.id).await?;
            let ordered = far.is_some_and(|far| far.asked_at.or(far.erased_at).is_some());
            // What is left of whoever was ordered to be erased tells less than an earlier try did.
            if path.exists() && ordered {
                continue;
            }
            let key = patient.id.to_string();
            if let Some(dossier) = Dossier::gather(store, clinic, &key, now).await? {
                written_whole(&path, &dossier.zip()?)?;
            }
        }
    }
    for list in store.lists(id).await? {
        exported.lists += 1;
        let path = folder.join("lists").join(format!("{}.csv", list.slug));
        if path.exists() {
            continue;
        }
        let part = Part::of(&path)?;
        let mut table = tables::members(&part.file)?;
        let mut after = -1;
        loop {
            let page = store.links_page(&list, after, PAGE, Which::All).await?;
            let Some(last) = page.last() else { break };
            after = last.ordinal;
            for row in &page {
                table.row(&tables::member(row))?;
            }
        }
        table.end()?;
        part.end()?;
    }
    Ok(exported)
}

fn zip_of(folder: &Path, patient: PatientId) -> PathBuf {
    folder.join("patients").join(format!("{patient}.zip"))
}

/// Orders every patient's erasure who was exported and is not erased yet; returns how many are new.
pub async fn order(
    reconciler: &Reconciler,
    clinic: &ClinicConfig,
    folder: &Path,
    by: &str,
) -> Result<u64, OffboardError> {
    let store = &reconciler.store;
    let id = store.clinic_ensure(&clinic.slug).await?;
    let asked = AskedBy { by, reason: "the clinic leaves" };
    let (mut after, mut new) = (None, 0);
    loop {
        let page = store.patients_page(id, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(new) };
        after = Some(last.id);
        for patient in page.iter().filter(|patient| zip_of(folder, patient.id).exists()) {
            let row = store.erasure_of(id, patient.id).await?;
            if row.is_some_and(|row| row.asked_at.is_none() && row.erased_at.is_none())
                && reconciler.erasure_ask(id, &clinic.slug, patient.id, asked).await?
            {
                new += 1;
            }
        }
    }
}

/// Says what is left of a clinic, once what needs no provider any more is wiped.
pub async fn left(
    store: &Store,
    clinic: &ClinicConfig,
    exported: Exported,
    now: DateTime<Utc>,
) -> Result<Left, OffboardError> {
    let id: ClinicId = store.clinic_ensure(&clinic.slug).await?;
    let lists = store.lists(id).await?;
    let ended = lists.iter().filter(|list| list.retired_at.is_some()).count() as u64;
    if ended == lists.len() as u64 {
        store.strangers_wipe(id).await?;
        store.deliveries_empty(id, now).await?;
    }
    let (patients_left, addresses_left) = store.personal_left(id).await?;
    Ok(Left {
        clinic: clinic.slug.clone(),
        at: now,
        exported,
        lists_ended: ended,
        lists_left: lists.len() as u64 - ended,
        patients_left,
        addresses_left,
    })
}

/// Writes a file that is there whole or not at all, and that only its owner may read.
pub fn written_whole(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    let mut part = Part::of(path)?;
    part.file.write_all(bytes).map_err(|cause| not_written(path, cause))?;
    part.end()
}

/// A file that is not there before it is whole, and that only its owner may read.
struct Part<'a> {
    file: File,
    name: PathBuf,
    whole: &'a Path,
}

impl<'a> Part<'a> {
    fn of(whole: &'a Path) -> Result<Self, ArchiveError> {
        let mut name: PathBuf = whole.to_owned();
        name.as_mut_os_string().push(".part");
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&name).map_err(|cause| not_written(whole, cause))?;
        Ok(Self { file, name, whole })
    }

    fn end(self) -> Result<(), ArchiveError> {
        let done = self.file.sync_all().and_then(|()| fs::rename(&self.name, self.whole));
        done.map_err(|cause| not_written(self.whole, cause))
    }
}

fn not_written(path: &Path, cause: io::Error) -> ArchiveError {
    ArchiveError::File { path: path.display().to_string(), cause }
}
