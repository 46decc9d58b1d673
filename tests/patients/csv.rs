//! Importing CSV files: everything or nothing, and every reason.

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use listwarden::domain::{PatientRecord, PatientStatus};
use listwarden::patients::SourceError;
use listwarden::patients::csv::{CsvError, HeaderError, Options, Outcome, Sink, Subject, import};
use proptest::prelude::*;

use super::world::{Engine, all, database, ids, now};

#[derive(Debug, Default)]
struct Taken(Vec<PatientRecord>);

#[async_trait]
impl Sink for Taken {
    async fn page(&mut self, records: Vec<PatientRecord>) -> Result<(), SourceError> {
        assert!(records.len() <= 1001, "pages are bounded");
        self.0.extend(records);
        Ok(())
    }
}

fn options() -> Options {
    Options { country: Some("GB".to_owned()), ..Options::new(Subject::Patients, now()) }
}

fn partial() -> Options {
    Options { accept_partial: true, ..options() }
}

async fn run(
    text: impl AsRef<[u8]>,
    options: Options,
) -> (Result<Outcome, CsvError>, Vec<PatientRecord>) {
    let mut taken = Taken::default();
    let file = Cursor::new(text.as_ref().to_vec());
    let outcome = import(file, options, &mut taken, Arc::new(|_| ())).await;
    (outcome, taken.0)
}

async fn refused(text: impl AsRef<[u8]>) -> String {
    let (outcome, taken) = run(text, partial()).await;
    assert!(taken.is_empty());
    outcome.unwrap_err().to_string()
}

/// The only reject of a file of one row.
async fn reject(row: &str) -> (u64, Option<String>, String) {
    let (outcome, taken) = run(format!("id,status,email,restricted\n{row}\n"), options()).await;
    let outcome = outcome.unwrap();
    assert!(taken.is_empty() && !outcome.applied);
    let reject = outcome.rejected.into_iter().next().expect("a reject");
    (reject.line, reject.column, reject.why)
}

#[tokio::test]
async fn sound_rows_are_taken() {
    let text = "id,status,email,mobile,tags,email_consent\n1,active,Ann@Mail.test,,\"a, b\",yes\n2,archived,,07400 123456,,\n";
    let (outcome, taken) = run(text, options()).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.accepted, outcome.applied, outcome.rejected), (2, true, vec![]));
    assert_eq!(taken[0].email.as_ref().unwrap().expose(), "ann@mail.test");
    assert_eq!(taken[0].tags.len(), 2);
    assert_eq!((taken[1].status, taken[1].updated_at), (PatientStatus::Archived, now()));
}

#[tokio::test]
async fn semicolons_tabs_a_mark_and_windows_line_ends_are_understood() {
    for text in [
        "\u{feff}ID;Status;Email\r\n1;active;a@mail.test\r\n",
        "id\tstatus\temail\n1\tactive\ta@mail.test",
    ] {
        assert_eq!(run(text, options()).await.1.len(), 1, "{text:?}");
    }
}

#[tokio::test]
async fn one_bad_row_stops_the_file_unless_partial_imports_are_asked_for() {
    let text = "id,status,email\n1,active,a@mail.test\n2,gone,b@mail.test\n3,active,nonsense\n";
    let (outcome, taken) = run(text, options()).await;
    let outcome = outcome.unwrap();
    assert!(!outcome.applied && taken.is_empty());
    let seen: Vec<_> = outcome.rejected.iter().map(|r| (r.line, r.column.as_deref())).collect();
    assert_eq!(seen, [(3, Some("status")), (4, Some("email"))]);
    let (outcome, taken) = run(text, partial()).await;
    assert!(outcome.unwrap().applied);
    assert_eq!(taken.len(), 1);
}

#[tokio::test]
async fn an_address_with_a_line_break_is_refused() {
    let (line, column, why) = reject("1,active,\"a@mail.test\nBcc: b@mail.test\",").await;
    assert_eq!((line, column.as_deref()), (2, Some("email")));
    assert!(why.contains("control character"), "{why}");
    let (_, column, _) = reject("1,active,\"a@mail.test\n\",").await;
    assert_eq!(column.as_deref(), Some("email"));
}

#[tokio::test]
async fn an_id_that_stands_twice_is_refused_with_the_first_line() {
    let (outcome, taken) =
        run("id,status,email\n1,active,a@mail.test\n1,active,b@mail.test\n", partial()).await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.rejected[0].line, taken.len()), (3, 1));
    assert!(outcome.rejected[0].why.contains("line 2"));
}

#[tokio::test]
async fn a_row_with_too_few_or_many_fields_is_refused() {
    assert!(reject("1,active").await.2.contains("2 fields"));
    assert!(reject("1,active,a@mail.test,0,x").await.2.contains("5 fields"));
}

#[tokio::test]
async fn a_row_without_id_or_with_an_unreadable_flag_is_refused() {
    assert_eq!(reject(",active,a@mail.test,").await.1.as_deref(), Some("id"));
    assert_eq!(reject("1,active,a@mail.test,perhaps").await.1.as_deref(), Some("restricted"));
}

#[tokio::test]
async fn a_time_in_the_future_is_refused() {
    let (outcome, _) =
        run("id,status,email,updated_at\n1,active,a@mail.test,2030-01-01\n", options()).await;
    assert_eq!(outcome.unwrap().rejected[0].column.as_deref(), Some("updated_at"));
}

#[tokio::test]
async fn a_column_nobody_knows_is_refused_with_what_was_meant() {
    let why = refused("id,status,e-mail\n").await;
    assert!(why.contains("column 3") && why.contains("did you mean email?"), "{why}");
    assert!(!refused("ann@mail.test,active\n").await.contains("ann"), "a file without a header");
}

#[tokio::test]
async fn a_column_that_is_missing_or_stands_twice_is_refused() {
    assert!(refused("id,given_name\n").await.contains("status, email or mobile"));
    assert!(refused("id,status,email,email\n").await.contains("twice"));
}

#[tokio::test]
async fn an_empty_file_a_utf16_file_and_a_latin1_file_are_refused() {
    assert!(refused("").await.contains("empty"));
    assert!(refused(b"\xff\xfei\0d\0").await.contains("UTF-16"));
    let why = refused(
        b"id,status,email,given_name\n1,active,a@mail.test,Ann\n2,active,b@mail.test,J\xfcrgen\n",
    )
    .await;
    assert!(why.starts_with("line 3 is not UTF-8"), "{why}");
    assert!(matches!(
        run(b"id,stat\xfcs\n", options()).await.0,
        Err(CsvError::Header(HeaderError::NotUtf8))
    ));
}

#[tokio::test]
async fn a_quote_that_never_closes_does_not_fill_the_memory() {
    let mut text = "id,status,email\n1,active,a@mail.test\n2,active,\"".to_owned();
    text.push_str(&"x,y,z\n".repeat(1_000_000));
    let why = refused(text).await;
    assert!(why.contains("line 3"), "{why}");
}

#[tokio::test]
async fn rejects_are_counted_beyond_those_kept() {
    let rows = "1,gone,a@mail.test\n".repeat(250);
    let outcome = run(format!("id,status,email\n{rows}"), options()).await.0.unwrap();
    assert_eq!(
        (outcome.rejected.len(), outcome.more_rejects, outcome.rejected_rows),
        (100, 399, 250)
    );
}

#[tokio::test]
async fn former_patients_need_an_address_and_get_the_same_id_every_time() {
    let id = Arc::new(|address: &listwarden::domain::Address| {
        format!("former:{}", address.expose().len())
    });
    let options = Options { subject: Subject::Former(id), ..options() };
    let text =
        "mobile,email,given_name\n,a@mail.test,Ann\n07400 123456,bb@mail.test,Bo\n,a@mail.test,\n";
    let (outcome, taken) = run(text, options.clone()).await;
    assert_eq!(outcome.unwrap().accepted, 3);
    let seen: Vec<_> = taken.iter().map(|r| (r.source_id.as_str(), r.status)).collect();
    let archived = PatientStatus::Archived;
    assert_eq!(
        seen,
        [
            ("former:11", archived),
            ("former:12", archived),
            ("former:13", archived),
            ("former:11", archived)
        ]
    );
    assert!(taken.iter().all(|r| r.given_name.is_empty()), "no more than an address is kept");
    let (outcome, _) = run("email,mobile\n,\n1\n", options).await;
    assert_eq!(outcome.unwrap().rejected_rows, 2);
}

#[tokio::test]
async fn progress_is_told_and_ends_at_the_end() {
    let rows: Vec<String> = (0..2500).map(|i| format!("{i},active,p{i}@mail.test\n")).collect();
    let text = format!("id,status,email\n{}", rows.concat());
    let total = text.len() as u64;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let mut taken = Taken::default();
    let outcome = import(
        Cursor::new(text),
        options(),
        &mut taken,
        Arc::new(move |p| tell.lock().unwrap().push(p)),
    )
    .await;
    assert_eq!((outcome.unwrap().accepted, taken.0.len()), (2500, 2500));
    let told = told.lock().unwrap();
    assert!(told.iter().all(|p| p.read <= p.total && p.total == total));
    assert!(told.last().unwrap().applying && told.last().unwrap().read == total);
    assert!(told.iter().filter(|p| !p.applying).count() >= 3);
}

#[tokio::test]
async fn an_import_made_twice_changes_nothing() {
    let database = database(Engine::Sqlite).await;
    let clinic = database.reference().await;
    for days in [0, 5] {
        let options = Options { now: now() + chrono::TimeDelta::days(days), ..options() };
        let file = Cursor::new("id,status,email\n1,active,a@mail.test\n");
        import(file, options, &mut &clinic, Arc::new(|_| ())).await.unwrap();
    }
    let whole = all(&clinic, None).await;
    assert_eq!((ids(&whole), whole.records[0].updated_at), (vec!["1"], now()));
}

/// Pieces that files are made of, sound and broken.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(b"\n".to_vec()),
        3 => Just(b",".to_vec()),
        1 => Just(b"\"".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => Just(vec![0xff]),
        1 => Just(b";".to_vec()),
        3 => "[0-9]{1,2}".prop_map(String::into_bytes),
        3 => Just(b"active".to_vec()),
        3 => Just(b"a@mail.test".to_vec()),
        2 => Just(b"\n7,active,c@mail.test\n".to_vec()),
        1 => any::<Vec<u8>>(),
    ];
    (any::<bool>(), prop::collection::vec(piece, 0..40)).prop_map(|(header, pieces)| {
        let mut text = if header { b"id,status,email\n".to_vec() } else { Vec::new() };
        text.extend(pieces.concat());
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_makes_it_panic_or_apply_by_half(text in pieces(), accept_partial: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let options = Options { accept_partial, ..options() };
        let (outcome, taken) = runtime.block_on(run(&text, options));
        match outcome {
            Err(_) => prop_assert!(taken.is_empty()),
            Ok(outcome) if outcome.applied => {
                prop_assert_eq!(outcome.accepted, taken.len() as u64);
                prop_assert!(accept_partial || outcome.rejected_rows == 0);
            }
            Ok(outcome) => {
                prop_assert!(taken.is_empty());
                prop_assert!(outcome.rejected_rows > 0 && !outcome.rejected.is_empty());
            }
        }
    }
}
