//! The result file of a job: a gzipped tar of JSON arrays, read within bounds.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::Archive;

use super::{Answer, Report};
use crate::providers::ProviderError;

/// The most that a file may unpack to, in bytes.
const LARGEST: u64 = 512 << 20;

/// Reads all answers of a result file.
///
/// It starts with a `./` directory and holds one or more `.json` files (a client in the field). Some
/// HTTP clients unpack gzip on the way, so both forms are read.
pub fn answers(bytes: &[u8]) -> Result<Report, ProviderError> {
    let unreadable = |_| ProviderError::Unreadable { what: "the result file of a job" };
    let packed = bytes.starts_with(&[0x1f, 0x8b]);
    let answers = if packed { unpack(GzDecoder::new(bytes)) } else { unpack(bytes) };
    let answers = answers.map_err(unreadable)?;
    Ok(answers.into_iter().map(|answer| (answer.operation_id.clone(), answer)).collect())
}

fn unpack(from: impl Read) -> io::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for entry in Archive::new(from.take(LARGEST)).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() {
            answers.extend(serde_json::from_reader::<_, Vec<Answer>>(io::BufReader::new(entry))?);
        }
    }
    Ok(answers)
}

#[cfg(test)]
pub(super) mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn tar(files: &[&str]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut folder = tar::Header::new_gnu();
        folder.set_entry_type(tar::EntryType::Directory);
        folder.set_size(0);
        folder.set_mode(0o755);
        tar.append_data(&mut folder, "./", io::empty()).unwrap();
        for (at, text) in files.iter().enumerate() {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("./{at:x}.json"), text.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        io::Write::write_all(&mut gzip, bytes).unwrap();
        gzip.finish().unwrap()
    }

    /// Packs `files` as a result file.
    pub(in super::super) fn result(files: &[&str]) -> Vec<u8> {
        gzip(&tar(files))
    }

    const ONE: &str = r#"[{"status_code":204,"operation_id":"a","response":""}]"#;
    const TWO: &str = r#"[{"status_code":404,"operation_id":"b","response":"{\"title\":\"Resource Not Found\",\"status\":404}"},
                          {"status_code":500,"operation_id":"c","response":null}]"#;

    #[test]
    fn all_files_of_a_result_are_read_packed_or_not() {
        for bytes in [tar(&[ONE, TWO]), gzip(&tar(&[ONE, TWO]))] {
            let report = answers(&bytes).unwrap();
            assert_eq!(report.len(), 3);
            assert!(report["a"].outcome().is_ok());
            assert!(matches!(report["b"].outcome(), Err(Some(super::super::Failure::NotFound))));
            assert!(matches!(report["c"].outcome(), Err(None)));
        }
    }

    #[test]
    fn a_cut_or_foreign_file_is_unreadable() {
        let whole = gzip(&tar(&[ONE]));
        assert!(answers(&whole[..whole.len() / 2]).is_err());
        assert!(answers(b"<html>").is_err());
        assert!(answers(&gzip(&tar(&["{}"]))).is_err());
    }
}
