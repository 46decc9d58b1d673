//! The register: what must outlive the store, in a folder that the store's backups do not hold. By it
//! a store that was put back to an older state is recognised, and whoever was erased since is erased
//! again.
//!
//! It names nobody: people stand in it by keyed hashes and by ids of ours.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{PatientId, RunId};
use crate::keys::AddressHash;

/// Why the register could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "the register `{}` cannot be {doing}: make its folder, by [store] register, one that this process may write",
    path.display()
)]
pub struct RegisterError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

/// Somebody's erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Erasure {
    /// An address, by its keyed hashes.
    Address {
        /// Key ids and hashes.
        hashes: Vec<(String, String)>,
        /// When.
        at: DateTime<Utc>,
    },
    /// A patient, by our id.
    Patient(PatientId),
    /// A patient whose erasure was asked for here, whatever the clinic's records go on to say.
    Asked {
        /// The patient, by our id.
        patient: PatientId,
        /// When.
        at: DateTime<Utc>,
    },
}

impl Erasure {
    /// The erasure of an address.
    #[must_use]
    pub fn of_address(hashes: Vec<AddressHash>, at: DateTime<Utc>) -> Self {
        let hashes = hashes.into_iter().map(|hash| (hash.key_id, hash.hash)).collect();
        Self::Address { hashes, at }
    }
}

/// Where a chain of codes ended once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnd {
    /// The number of its last line then.
    pub line: i64,
    /// That line's code.
    pub code: String,
}

/// A folder with three files a clinic: its last run, its erasures, and the end of its ledger; and one
/// with the end of the audit log.
#[derive(Debug, Clone)]
pub struct Register {
    folder: PathBuf,
}

impl Register {
    /// Keeps the register in `folder`, which is made when it is first written.
    #[must_use]
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn last_run_file(&self, clinic: &str) -> PathBuf {
        self.folder.join(format!("{clinic}.run"))
    }

    fn erasures_file(&self, clinic: &str) -> PathBuf {
        self.folder.join(format!("{clinic}.erased"))
    }

    /// Returns the run that the clinic's store began last, as far as it was written.
    pub fn last_run(&self, clinic: &str) -> Result<Option<RunId>, RegisterError> {
        let text = read(&self.last_run_file(clinic))?;
        Ok(text.trim().parse().ok().map(RunId))
    }

    /// Writes which run the clinic's store began last.
    pub fn run_began(&self, clinic: &str, run: RunId) -> Result<(), RegisterError> {
        self.replace(&self.last_run_file(clinic), &run.to_string())
    }

    fn end_file(&self, chain: &str) -> PathBuf {
        self.folder.join(format!("{chain}.end"))
    }

    /// Returns where a chain ended when that was last written.
    pub fn end(&self, chain: &str) -> Result<Option<ChainEnd>, RegisterError> {
        Ok(serde_json::from_str(&read(&self.end_file(chain))?).ok())
    }

    /// Writes where a chain ends.
    pub fn ends(&self, chain: &str, end: &ChainEnd) -> Result<(), RegisterError> {
        let path = self.end_file(chain);
        let text = serde_json::to_string(end).map_err(io::Error::from);
        self.replace(&path, &text.map_err(failed(&path, "written"))?)
    }

    /// Forgets where a chain ended: the store was taken as it is.
    pub fn ends_anew(&self, chain: &str) -> Result<(), RegisterError> {
        remove(&self.end_file(chain))
    }

    /// Replaces a file, so that whoever reads it finds the one before or the new one.
    fn replace(&self, path: &Path, line: &str) -> Result<(), RegisterError> {
        let write = || {
            fs::create_dir_all(&self.folder)?;
            let (new, mut file) = beside(path)?;
            let written = file.write_all(format!("{line}\n").as_bytes());
            let put = written.and_then(|()| file.sync_all()).and_then(|()| fs::rename(&new, path));
            put.inspect_err(|_| drop(fs::remove_file(&new)))
        };
        write().map_err(failed(path, "written"))
    }

    /// Adds erasures; they are on the disk when this returns.
    pub fn erased(&self, clinic: &str, erasures: &[Erasure]) -> Result<(), RegisterError> {
        if erasures.is_empty() {
            return Ok(());
        }
        let path = self.erasures_file(clinic);
        let write = || {
            fs::create_dir_all(&self.folder)?;
            // Ends a line that a process was killed in.
            let mut text = String::from("\n");
            for erasure in erasures {
                text += &serde_json::to_string(erasure)?;
                text.push('\n');
            }
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(failed(&path, "written"))
    }

    /// Returns every erasure of the clinic. A line that a process was killed in is none: what it
    /// announced was not done yet.
    pub fn erasures(&self, clinic: &str) -> Result<Vec<Erasure>, RegisterError> {
        let text = read(&self.erasures_file(clinic))?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

fn remove(path: &Path) -> Result<(), RegisterError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed(path, "written")(error))
        }
        _ => Ok(()),
    }
}

/// Reads a file; nothing where there is none.
fn read(path: &Path) -> Result<String, RegisterError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(failed(path, "read")),
    }
}

/// Makes a file beside that one which no other process or pod writes to.
fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut number = 0_u32;
    loop {
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return Ok((PathBuf::from(new), made?)),
        }
    }
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> RegisterError {
    let path = path.to_owned();
    move |source| RegisterError { path, doing, source }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_line_cut_short_loses_nothing_that_comes_after() {
        let folder = tempfile::tempdir().unwrap();
        let register = Register::at(folder.path().join("register"));
        let (one, other) =
            (Erasure::Patient(PatientId(Uuid::nil())), Erasure::Patient(PatientId(Uuid::max())));
        register.erased("clinic", std::slice::from_ref(&one)).unwrap();
        let path = folder.path().join("register/clinic.erased");
        let cut = fs::read_to_string(&path).unwrap() + "{\"patient\":\"1234";
        fs::write(&path, cut).unwrap();
        register.erased("clinic", std::slice::from_ref(&other)).unwrap();
        assert_eq!(register.erasures("clinic").unwrap(), [one, other]);
        assert!(register.erasures("another").unwrap().is_empty());
    }

    #[test]
    fn the_last_run_is_the_one_written_last() {
        let folder = tempfile::tempdir().unwrap();
        let register = Register::at(folder.path().to_owned());
        assert_eq!(register.last_run("clinic").unwrap(), None);
        register.run_began("clinic", RunId(Uuid::nil())).unwrap();
        register.run_began("clinic", RunId(Uuid::max())).unwrap();
        assert_eq!(register.last_run("clinic").unwrap(), Some(RunId(Uuid::max())));
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "and leaves nothing else behind"
        );
    }
}
