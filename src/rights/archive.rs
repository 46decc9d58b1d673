//! A dossier as one file: JSON for machines, tables for a spreadsheet, a page for people.

use std::fs::{self, OpenOptions};
use std::io::{self, Cursor, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime as ZipTime, ZipWriter};

use super::dossier::Dossier;
use super::{page, tables};

/// Why a dossier could not be written. Names nobody.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file is there already.
    #[error("`{path}` is there already, and is not written over: name another file")]
    Exists {
        /// Where.
        path: String,
    },
    /// The file cannot be written.
    #[error("`{path}` cannot be written: check that the folder is there, and yours to write to")]
    File {
        /// Where.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A part of it could not be put together.
    #[error("a part of the file could not be put together: report this")]
    Write(#[source] io::Error),
}

impl From<csv::Error> for ArchiveError {
    fn from(error: csv::Error) -> Self {
        Self::Write(io::Error::other(error.to_string()))
    }
}

impl From<zip::result::ZipError> for ArchiveError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Write(io::Error::other(error.to_string()))
    }
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl Dossier {
    /// Packs everything into one zip file.
    pub fn zip(&self) -> Result<Vec<u8>, ArchiveError> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|_| ArchiveError::Write(io::Error::other("JSON")))?;
        let parts = [
            ("index.html", page::page(self).into_bytes()),
            ("everything.json", json),
            ("lists.csv", tables::lists(self)?),
            ("ledger.csv", tables::ledger(self)?),
            ("changes.csv", tables::changes(self)?),
        ];
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(ZipTime::default());
        for (name, bytes) in parts {
            zip.start_file(name, options)?;
            zip.write_all(&bytes)?;
        }
        Ok(zip.finish()?.into_inner())
    }
}

/// Writes a file that only its owner may read, and that must not be there yet; half a file is
/// taken away again.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    let named = path.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => ArchiveError::Exists { path: named.clone() },
        _ => ArchiveError::File { path: named.clone(), cause },
    })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|cause| {
        let _ = fs::remove_file(path);
        ArchiveError::File { path: named, cause }
    })
}
