//! Reads row after row and says of each whether it can be used.

use std::collections::HashMap;
use std::io::{Chain, Cursor, Read};

use chrono::SecondsFormat;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::guard::{Allowance, Guarded};
use super::{CsvError, HeaderError, Options, Reject, Subject, header};
use crate::domain::{Address, PatientRecord};
use crate::patients::columns::{ADDRESSES, COLUMNS};
use crate::patients::reading::{self, Context, Row};

/// What is to be said of one row.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It can be used: the records it makes.
    Sound(Vec<PatientRecord>),
    /// It cannot.
    Rejected(Vec<Reject>),
}

/// The rows of a file.
pub(super) struct Rows<R> {
    reader: csv::Reader<Guarded<Chain<Cursor<Vec<u8>>, R>>>,
    allowance: Allowance,
    columns: Vec<&'static str>,
    options: Options,
    /// Fingerprint of an id -> the line it stands on.
    seen: HashMap<u64, u32>,
    record: csv::ByteRecord,
}

impl<R: Read> Rows<R> {
    pub(super) fn open(mut file: R, options: Options) -> Result<Self, CsvError> {
        let start = start(&mut file)?;
        let delimiter = header::delimiter(&start);
        let (guarded, allowance) = Guarded::new(Cursor::new(start).chain(file));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .flexible(true)
            .has_headers(true)
            .from_reader(guarded);
        let required: &[&str] = match options.subject {
            Subject::Patients => &["id", "status"],
            Subject::Former(_) => &[],
        };
        let names = reader.byte_headers().map_err(|error| failed(error, &allowance, 1))?;
        let columns = header::columns(names, required)?;
        let record = csv::ByteRecord::new();
        Ok(Self { reader, allowance, columns, options, seen: HashMap::new(), record })
    }

    /// Reads one row; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Verdict>, CsvError> {
        self.allowance.renew();
        let begins = self.line();
        let more = self.reader.read_byte_record(&mut self.record);
        if !more.map_err(|error| failed(error, &self.allowance, begins))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(begins, csv::Position::line);
        let mut row = match self.row(line)? {
            Ok(row) => row,
            Err(reject) => return Ok(Some(Verdict::Rejected(vec![reject]))),
        };
        Ok(Some(match self.options.subject.clone() {
            Subject::Patients => self.patient(&mut row, line),
            Subject::Former(id) => self.former(&mut row, line, &*id),
        }))
    }

    /// Returns the line that comes next.
    pub(super) fn line(&self) -> u64 {
        self.reader.position().line()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    pub(super) fn into_file(self) -> R {
        self.reader.into_inner().into_inner().into_inner().1
    }

    /// Pairs the fields with their columns. Blank fields are absent.
    fn row(&self, line: u64) -> Result<Result<Row, Reject>, CsvError> {
        let (fields, columns) = (self.record.len(), self.columns.len());
        if fields != columns {
            let why = format!(
                "has {fields} fields where the first line names {columns} columns: is a quote or a delimiter amiss?"
            );
            return Ok(Err(Reject { line, column: None, why }));
        }
        let mut row = Row::new();
        for (field, column) in self.record.iter().zip(&self.columns) {
            let field = std::str::from_utf8(field).map_err(|_| CsvError::NotUtf8 { line })?;
            if !field.trim().is_empty() {
                row.insert((*column).to_owned(), Value::String(field.to_owned()));
            }
        }
        Ok(Ok(row))
    }

    fn context(&self) -> Context<'_> {
        Context { country: self.options.country.as_deref(), now: self.options.now }
    }

    /// A row without `updated_at` counts as changed now; one from the future is refused.
    fn patient(&mut self, row: &mut Row, line: u64) -> Verdict {
        if !row.contains_key("updated_at") {
            row.insert("updated_at".to_owned(), Value::String(self.now()));
        }
        let read = reading::read(row, self.context());
        let mut rejects: Vec<Reject> = read
            .problems
            .iter()
            .map(|problem| reject(line, problem.column, &problem.problem))
            .collect();
        if read.ahead {
            rejects.push(reject(
                line,
                "updated_at",
                "lies in the future: correct it, or leave it empty",
            ));
        }
        if let Some(id) = row.get("id").and_then(Value::as_str)
            && let Some(first) = self.repeated(id.trim(), line)
        {
            let why = format!("stands on line {first} already: keep one row a patient");
            rejects.push(reject(line, "id", &why));
        }
        match read.record {
            Some(record) if rejects.is_empty() => Verdict::Sound(vec![record]),
            _ => Verdict::Rejected(rejects),
        }
    }

    /// Remembers an id; returns the line it was seen on before.
    fn repeated(&mut self, id: &str, line: u64) -> Option<u32> {
        let digest = Sha256::digest(id.as_bytes());
        let mut key = [0_u8; 8];
        key.copy_from_slice(&digest[..8]);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        match self.seen.entry(u64::from_le_bytes(key)) {
            std::collections::hash_map::Entry::Occupied(first) => Some(*first.get()),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(line);
                None
            }
        }
    }

    /// One record an address, so that a person listed twice with two numbers loses neither.
    fn former(&self, row: &mut Row, line: u64, id: &dyn Fn(&Address) -> String) -> Verdict {
        row.retain(|column, _| ADDRESSES.contains(&column.as_str()));
        if row.is_empty() {
            let why = "neither an e-mail address nor a mobile number is given";
            return Verdict::Rejected(vec![Reject { line, column: None, why: why.to_owned() }]);
        }
        row.insert("id".to_owned(), Value::String("former".to_owned()));
        row.insert("status".to_owned(), Value::String("archived".to_owned()));
        row.insert("updated_at".to_owned(), Value::String(self.now()));
        let read = reading::read(row, self.context());
        let rejects: Vec<Reject> = read
            .problems
            .iter()
            .map(|problem| reject(line, problem.column, &problem.problem))
            .collect();
        let Some(record) = read.record.filter(|_| rejects.is_empty()) else {
            return Verdict::Rejected(rejects);
        };
        let alone = |email: Option<Address>, mobile: Option<Address>| {
            let source_id = email.as_ref().or(mobile.as_ref()).map(id).unwrap_or_default();
            PatientRecord { source_id, email, mobile, ..record.clone() }
        };
        let email = record.email.clone().map(|email| alone(Some(email), None));
        let mobile = record.mobile.clone().map(|mobile| alone(None, Some(mobile)));
        Verdict::Sound(email.into_iter().chain(mobile).collect())
    }

    fn now(&self) -> String {
        self.options.now.to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

fn reject(line: u64, column: &'static str, why: &str) -> Reject {
    debug_assert!(COLUMNS.contains(&column));
    Reject { line, column: Some(column.to_owned()), why: why.to_owned() }
}

/// Takes the first bytes off, to see what kind of file it is, without a UTF-8 mark.
fn start<R: Read>(file: &mut R) -> Result<Vec<u8>, CsvError> {
    let mut start = Vec::new();
    file.by_ref().take(8192).read_to_end(&mut start).map_err(CsvError::Read)?;
    if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
        return Err(HeaderError::Utf16.into());
    }
    if start.starts_with(&[0xEF, 0xBB, 0xBF]) {
        start.drain(..3);
    }
    Ok(start)
}

fn failed(error: csv::Error, allowance: &Allowance, line: u64) -> CsvError {
    if allowance.is_spent() {
        return CsvError::Endless { line };
    }
    match error.into_kind() {
        csv::ErrorKind::Io(error) => CsvError::Read(error),
        _ => CsvError::Read(std::io::Error::other("malformed")),
    }
}
