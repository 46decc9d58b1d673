//! The first line of a file: which column is which.

use crate::patients::columns::{self, COLUMNS};
use crate::patients::nearest::nearest;

/// Why the first line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is no first line.
    #[error("the file is empty: its first line names the columns, as docs/csv-import.md shows")]
    Empty,
    /// The file is UTF-16, as some spreadsheet programs write it.
    #[error("the file is UTF-16: save it as \"CSV UTF-8\" and import it again")]
    Utf16,
    /// The first line is not UTF-8.
    #[error("line 1 is not UTF-8 text: save the file as \"CSV UTF-8\" and import it again")]
    NotUtf8,
    /// A column that means nothing here.
    #[error(
        "line 1, column {place}: there is no column of that name{}; the names are in docs/csv-import.md",
        meant.map(|meant| format!(", did you mean {meant}?")).unwrap_or_default()
    )]
    Unknown {
        /// Its place, from 1. The name is not repeated: without a header it is a person's data.
        place: usize,
        /// What was probably meant.
        meant: Option<&'static str>,
    },
    /// A column that stands there twice.
    #[error("line 1, column {place}: {column} stands there twice: keep one of them")]
    Twice {
        /// The place of the second, from 1.
        place: usize,
        /// Its name.
        column: &'static str,
    },
    /// Columns are missing that nothing works without.
    #[error("line 1: the columns {} are missing", columns.join(", "))]
    Missing {
        /// Their names.
        columns: Vec<String>,
    },
}

/// Reads the names, in any letter case.
pub(super) fn columns(
    names: &csv::ByteRecord,
    required: &[&str],
) -> Result<Vec<&'static str>, HeaderError> {
    if names.iter().all(<[u8]>::is_empty) {
        return Err(HeaderError::Empty);
    }
    let mut found: Vec<&'static str> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let name = std::str::from_utf8(name).map_err(|_| HeaderError::NotUtf8)?;
        let name = name.trim().to_lowercase();
        let Some(column) = COLUMNS.iter().find(|column| **column == name) else {
            let meant = nearest(&name, COLUMNS.iter().copied());
            return Err(HeaderError::Unknown { place: i + 1, meant });
        };
        if found.contains(column) {
            return Err(HeaderError::Twice { place: i + 1, column });
        }
        found.push(column);
    }
    let columns = columns::missing(required, |name| found.contains(&name));
    if columns.is_empty() { Ok(found) } else { Err(HeaderError::Missing { columns }) }
}

/// Guesses what stands between the columns: a comma, a semicolon or a tab.
pub(super) fn delimiter(start: &[u8]) -> u8 {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |byte: u8| line.split(|b| *b == byte).count();
    // Of equals the last wins: a comma, where there is nothing to go by.
    [b'\t', b';', b','].into_iter().max_by_key(|byte| count(*byte)).unwrap_or(b',')
}
