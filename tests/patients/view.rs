//! The view contract, in the shapes that real clinics give it.

use listwarden::domain::{Actor, Answer, Channel, EventId, EventKind, NoteKind, PatientStatus};
use listwarden::patients::columns::COLUMNS;
use listwarden::patients::{Note, PatientSource, SourceCursor, SourceError};

use super::world::{ENGINES, Engine, all, database, day, ids, now};

/// A view over a table that the clinic made with types of its own.
async fn clinic(engine: Engine, types: &str, rows: &str) -> super::world::Database {
    let database = database(engine).await;
    let table = format!(
        "CREATE TABLE people ({types}); CREATE VIEW listwarden_patients AS SELECT * FROM people; INSERT INTO people VALUES {rows}"
    );
    database.run(&table).await;
    database
}

const PLAIN: &str = "id TEXT, status TEXT, email TEXT, updated_at TEXT";

#[tokio::test]
async fn pages_hold_every_patient_once_whatever_the_type_of_the_id() {
    for engine in ENGINES {
        for id_type in ["TEXT", "INTEGER", "BIGINT", "VARCHAR(20)", "NUMERIC"] {
            let rows: Vec<String> = (1..=25)
                .map(|i| {
                    format!(
                        "({}, 'active', 'p{i}@mail.test', '2026-02-01')",
                        if id_type == "TEXT" || id_type == "VARCHAR(20)" {
                            format!("'{i}'")
                        } else {
                            i.to_string()
                        }
                    )
                })
                .collect();
            let types = format!("id {id_type}, status TEXT, email TEXT, updated_at TEXT");
            let database = clinic(engine, &types, &rows.join(",")).await;
            for size in [1, 7, 25, 1000] {
                let whole = all(&database.source(size), None).await;
                let mut ids: Vec<u32> = ids(&whole).iter().map(|id| id.parse().unwrap()).collect();
                ids.sort_unstable();
                assert_eq!(ids, (1..=25).collect::<Vec<_>>(), "{engine:?} {id_type} {size}");
            }
            assert_eq!(database.source(7).count().await.unwrap(), 25);
            database.close().await;
        }
    }
}

#[tokio::test]
async fn a_uuid_is_an_id_too() {
    let row = "('018f0000-0000-7000-8000-000000000001', 'active', 'a@mail.test', now())";
    let row2 = "('018f0000-0000-7000-8000-000000000002', 'active', 'b@mail.test', now())";
    let types = "id UUID, status TEXT, email TEXT, updated_at TIMESTAMPTZ";
    let database = clinic(Engine::Postgres, types, &format!("{row}, {row2}")).await;
    assert_eq!(all(&database.source(1), None).await.records.len(), 2);
    database.close().await;
}

#[tokio::test]
async fn since_is_compared_in_every_type_that_a_time_may_have() {
    let (old, new) = (day(5).timestamp_millis(), day(20).timestamp_millis());
    let text = |sep: &str, end: &str| {
        [format!("'2026-02-05{sep}00:00:00{end}'"), format!("'2026-02-20{sep}00:00:00{end}'")]
    };
    let millis = || [old.to_string(), new.to_string()];
    let both = [
        ("TEXT", text("T", "Z")),
        ("TEXT", text(" ", "")),
        ("VARCHAR(40)", text("T", "+00:00")),
        ("BIGINT", millis()),
        ("TIMESTAMP", text(" ", "")),
    ];
    let postgres = [
        ("TIMESTAMPTZ", text(" ", "+00")),
        ("DATE", ["'2026-02-05'".to_owned(), "'2026-02-20'".to_owned()]),
        ("NUMERIC", millis()),
    ];
    let sqlite =
        [("", millis()), ("REAL", millis()), ("DATETIME", text(" ", "")), ("", text("T", "Z"))];
    for engine in ENGINES {
        let own = if engine == Engine::Postgres { postgres.to_vec() } else { sqlite.to_vec() };
        for (kind, [old, new]) in both.clone().into_iter().chain(own) {
            let types = format!("id INTEGER, status TEXT, email TEXT, updated_at {kind}");
            let rows =
                format!("(1, 'active', 'a@mail.test', {old}), (2, 'active', 'b@mail.test', {new})");
            let database = clinic(engine, &types, &rows).await;
            let source = database.source(1);
            assert_eq!(ids(&all(&source, None).await), ["1", "2"], "{engine:?} {kind}");
            assert_eq!(ids(&all(&source, Some(day(20))).await), ["2"], "{engine:?} {kind}");
            assert_eq!(ids(&all(&source, Some(day(6))).await), ["2"], "{engine:?} {kind}");
            assert!(all(&source, Some(day(21))).await.records.is_empty(), "{engine:?} {kind}");
            database.close().await;
        }
    }
}

#[tokio::test]
async fn a_sqlite_column_may_mix_types() {
    let rows = format!(
        "(1, 'active', 'a@mail.test', {}), ('x', 'active', 'b@mail.test', '2026-02-20'), (2.5, 'active', 'c@mail.test', 'soon'), (NULL, 'active', 'd@mail.test', '2026-02-20'), (x'ff00', 'active', 'e@mail.test', '2026-02-20')",
        day(20).timestamp_millis()
    );
    let database = clinic(Engine::Sqlite, "id, status, email, updated_at", &rows).await;
    let whole = all(&database.source(1), None).await;
    assert_eq!(ids(&whole), ["1", "2.5", "x"]);
    assert_eq!(whole.problems.len(), 2, "{:?}", whole.problems);
    assert!(!whole.names_everyone(), "two rows are nobody");
    assert_eq!(ids(&all(&database.source(1), Some(day(20))).await), ["1", "2.5", "x"]);
    database.close().await;
}

#[tokio::test]
async fn booleans_dates_and_tags_come_in_the_engines_own_types() {
    let types = "id BIGINT, status TEXT, email TEXT, mobile TEXT, birth_date DATE, restricted BOOLEAN, tags TEXT[], email_consent BOOLEAN, email_consent_at TIMESTAMPTZ, privacy_policy BOOLEAN, updated_at TIMESTAMP";
    let row = "(5, 'archived', 'A@Mail.test', '07400 123456', '1990-12-31', true, '{dental,\"a, b\"}', true, '2026-01-02 03:04:05+02', NULL, '2026-02-01')";
    let database = clinic(Engine::Postgres, types, row).await;
    let whole = all(&database.source(10), None).await;
    assert_eq!(whole.problems, []);
    let record = &whole.records[0];
    assert_eq!(
        (record.status, record.restricted, record.privacy_policy),
        (PatientStatus::Archived, true, None)
    );
    assert_eq!(record.tags, ["a, b".to_owned(), "dental".to_owned()].into());
    assert_eq!(record.email_consent.answer, Answer::Granted);
    assert_eq!(record.email_consent.at.unwrap().to_rfc3339(), "2026-01-02T01:04:05+00:00");
    assert_eq!(record.birth_date, Some("1990-12-31".parse().unwrap()));
    assert_eq!(record.mobile.as_ref().unwrap().expose(), "+447400123456");
    database.close().await;
}

#[tokio::test]
async fn one_bad_row_spoils_no_other() {
    for engine in ENGINES {
        let rows = "('1', 'active', 'a@mail.test', '2026-02-01'), ('2', 'gone', 'b@mail.test', '2026-02-01'), ('3', 'active', 'nonsense', '2026-02-01'), ('4', 'active', 'd@mail.test', NULL)";
        let database = clinic(engine, PLAIN, rows).await;
        let whole = all(&database.source(2), None).await;
        assert_eq!(ids(&whole), ["1", "3", "4"]);
        let seen: Vec<_> = whole
            .problems
            .iter()
            .map(|p| (p.source_id.as_deref().unwrap(), p.column, p.unreadable))
            .collect();
        assert_eq!(
            seen,
            [("2", "status", true), ("3", "email", false), ("4", "updated_at", false)]
        );
        assert_eq!(whole.records[2].updated_at, now());
        assert!(whole.names_everyone());
        database.close().await;
    }
}

#[tokio::test]
async fn text_that_is_not_utf8_spoils_its_row_alone() {
    let rows = "('1', 'active', CAST(x'ff40' AS TEXT), '2026-02-01'), ('2', 'active', 'b@mail.test', '2026-02-01')";
    let database = clinic(Engine::Sqlite, PLAIN, rows).await;
    let whole = all(&database.source(10), None).await;
    assert_eq!(ids(&whole), ["2"]);
    assert_eq!(whole.problems[0].source_id.as_deref(), Some("1"));
    assert!(whole.problems[0].unreadable);
}

#[tokio::test]
async fn two_rows_of_one_id_are_nobodys_word() {
    for engine in ENGINES {
        let rows = "('1', 'active', 'a@mail.test', '2026-02-01'), ('2', 'active', 'b@mail.test', '2026-02-01'), ('2', 'archived', 'b@mail.test', '2026-02-01'), ('3', 'active', 'c@mail.test', '2026-02-01')";
        let database = clinic(engine, PLAIN, rows).await;
        for size in [1, 2, 3, 10] {
            let whole = all(&database.source(size), None).await;
            assert_eq!(ids(&whole), ["1", "3"], "{engine:?} {size}");
            assert!(
                whole.problems.iter().all(|p| p.unreadable && p.source_id.as_deref() == Some("2"))
            );
            assert!(!whole.problems.is_empty());
        }
        database.close().await;
    }
}

#[tokio::test]
async fn a_clock_ahead_is_said_once_a_page_and_its_times_prove_nothing() {
    for engine in ENGINES {
        let types = "id TEXT, status TEXT, email TEXT, email_consent TEXT, email_consent_at TEXT, updated_at TEXT";
        let rows = "('1', 'active', 'a@mail.test', 'granted', '2026-02-01', '2026-03-01T13:00:00Z'), ('2', 'active', 'b@mail.test', 'granted', '2026-02-01', '2026-03-01T13:00:00Z'), ('3', 'active', 'c@mail.test', 'granted', '2026-02-01', '2026-03-01T12:04:00Z')";
        let database = clinic(engine, types, rows).await;
        let whole = all(&database.source(10), None).await;
        assert_eq!(whole.problems.len(), 1);
        assert!(whole.problems[0].problem.starts_with("clock ahead"));
        let times: Vec<bool> = whole.records.iter().map(|r| r.email_consent.at.is_some()).collect();
        assert_eq!(times, [false, false, true]);
        database.close().await;
    }
}

#[tokio::test]
async fn a_missing_view_is_said_with_the_page_that_explains_it() {
    for engine in ENGINES {
        let database = database(engine).await;
        database.run("CREATE TABLE other (a TEXT)").await;
        let error = database.source(10).page(None, None).await.unwrap_err();
        assert!(matches!(error, SourceError::NoView { .. }), "{error}");
        assert!(error.to_string().contains("docs/view-contract.md"));
        database.close().await;
    }
}

#[tokio::test]
async fn a_missing_required_column_is_named_and_an_optional_one_is_absent() {
    for engine in ENGINES {
        let database = clinic(engine, "id TEXT, given_name TEXT", "('1', 'Ann')").await;
        let error = database.source(10).count().await.unwrap_err().to_string();
        assert!(
            error.contains("listwarden_patients lacks status, updated_at, email or mobile"),
            "{error}"
        );
        database.close().await;
    }
}

#[tokio::test]
async fn a_type_that_cannot_be_compared_is_said_with_those_that_can() {
    let types = "id TEXT, status TEXT, email TEXT, updated_at JSONB";
    let database = clinic(Engine::Postgres, types, "('1', 'active', 'a@mail.test', '{}')").await;
    let error = database.source(10).page(None, None).await.unwrap_err().to_string();
    assert!(
        error.contains("updated_at has the type jsonb") && error.contains("timestamptz"),
        "{error}"
    );
    database.close().await;
}

#[tokio::test]
async fn a_view_that_was_mended_is_read_without_a_restart() {
    let database =
        clinic(Engine::Postgres, PLAIN, "('1', 'active', 'a@mail.test', '2026-02-01')").await;
    let source = database.source(10);
    assert_eq!(all(&source, None).await.records.len(), 1);
    database.run("DROP VIEW listwarden_patients; CREATE VIEW listwarden_patients AS SELECT id, status, email AS mobile, updated_at FROM people").await;
    assert!(source.page(None, None).await.is_err());
    assert_eq!(source.page(None, None).await.unwrap().records.len(), 1);
    database.close().await;
}

#[tokio::test]
async fn errors_repeat_nothing_from_a_row() {
    let types = "id TEXT, status TEXT, email TEXT, updated_at TEXT";
    let database = database(Engine::Postgres).await;
    database.run(&format!("CREATE TABLE people ({types}); INSERT INTO people VALUES ('1', 'active', 'ann@mail.test', 'x'); CREATE VIEW listwarden_patients AS SELECT id, status, CAST(email AS int) AS email, updated_at FROM people")).await;
    let error = database.source(10).page(None, None).await.unwrap_err();
    let whole = format!("{error} {error:?} {}", std::error::Error::source(&error).unwrap());
    assert!(!whole.contains("ann"), "{whole}");
    assert!(whole.contains("22P02"), "{whole}");
    database.close().await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_said_without_its_password() {
    let url = |text: &str| secrecy::SecretString::from(text);
    let open = |text: &str| {
        listwarden::patients::SqlSource::open(
            &url(text),
            listwarden::patients::SqlOptions::default(),
            super::world::clock(),
        )
    };
    assert!(matches!(open("mysql://root:hunter2@host/db").unwrap_err(), SourceError::Url));
    for text in ["sqlite:///nowhere/at/all.db", "postgres://u:hunter2@127.0.0.1:1/db"] {
        let error = open(text).unwrap().page(None, None).await.unwrap_err();
        assert!(matches!(error, SourceError::Connect { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_cursor_of_another_source_is_refused() {
    let database =
        clinic(Engine::Sqlite, PLAIN, "('1', 'active', 'a@mail.test', '2026-02-01')").await;
    let cursor = SourceCursor("page=2".to_owned());
    let error = database.source(10).page(None, Some(&cursor)).await.unwrap_err();
    assert!(matches!(error, SourceError::Cursor));
}

fn note(event: u128, kind: EventKind) -> Note {
    Note {
        event: EventId(uuid::Uuid::from_u128(event)),
        source_id: "1".to_owned(),
        channel: Some(Channel::Email),
        kind: NoteKind::of(kind).unwrap(),
        at: day(3),
        list: Some("news".to_owned()),
        by: Actor::Person,
    }
}

#[tokio::test]
async fn feedback_is_written_once_an_event_and_its_table_is_asked_for_with_the_statement() {
    for engine in ENGINES {
        let database = clinic(engine, PLAIN, "('1', 'active', 'a@mail.test', '2026-02-01')").await;
        let source = database.source(10);
        let error =
            source.write_back(&[note(1, EventKind::Withdrawn)]).await.unwrap_err().to_string();
        let (_, ddl) = error.split_once("in it:\n").expect("the statement");
        assert!(source.check().await.is_err());
        database.run(ddl).await;
        source.check().await.unwrap();
        let mut notes: Vec<Note> = (1..1200).map(|i| note(i, EventKind::Withdrawn)).collect();
        source.write_back(&notes).await.unwrap();
        notes.push(note(1200, EventKind::Bounced));
        notes[0].kind = NoteKind::Objected;
        source.write_back(&notes).await.unwrap();
        let count = database.count("SELECT count(*) FROM listwarden_feedback").await;
        let kept = database
            .count("SELECT count(*) FROM listwarden_feedback WHERE kind = 'withdrawn'")
            .await;
        assert_eq!((count, kept), (1200, 1199), "{engine:?}");
        database.close().await;
    }
}

#[tokio::test]
async fn feedback_fits_the_types_that_the_clinic_chose() {
    let database =
        clinic(Engine::Postgres, PLAIN, "('1', 'active', 'a@mail.test', '2026-02-01')").await;
    database.run(r#"CREATE TABLE listwarden_feedback (event_id text PRIMARY KEY, patient_id bigint, channel varchar(9), kind text, occurred_at timestamp, list text, "by" text)"#).await;
    database.source(10).write_back(&[note(1, EventKind::Confirmed)]).await.unwrap();
    assert_eq!(database.count("SELECT patient_id FROM listwarden_feedback").await, 1);
    database.close().await;
}

#[tokio::test]
async fn a_table_for_feedback_without_a_column_is_named() {
    let database =
        clinic(Engine::Sqlite, PLAIN, "('1', 'active', 'a@mail.test', '2026-02-01')").await;
    database
        .run("CREATE TABLE listwarden_feedback (event_id TEXT PRIMARY KEY, patient_id TEXT)")
        .await;
    let error = database
        .source(10)
        .write_back(&[note(1, EventKind::Bounced)])
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("lacks channel, kind, occurred_at, list, by"), "{error}");
}

#[tokio::test]
async fn a_server_has_a_clock_and_a_file_has_none() {
    let sqlite = database(Engine::Sqlite).await;
    assert_eq!(sqlite.source(10).now().await.unwrap(), None);
    let postgres = database(Engine::Postgres).await;
    assert!(postgres.source(10).now().await.unwrap().is_some());
    postgres.close().await;
}

#[tokio::test]
async fn reading_cannot_write() {
    // A view over a function that writes: the transaction that reads it refuses.
    let database = database(Engine::Postgres).await;
    database.run("CREATE TABLE seen (n int); CREATE FUNCTION touch() RETURNS text LANGUAGE sql VOLATILE AS 'INSERT INTO seen VALUES (1); SELECT ''1''::text'; CREATE VIEW listwarden_patients AS SELECT touch() AS id, 'active' AS status, 'a@mail.test' AS email, '2026-02-01' AS updated_at").await;
    assert!(database.source(10).page(None, None).await.is_err());
    assert_eq!(database.count("SELECT count(*) FROM seen").await, 0);
    database.close().await;
}

#[test]
fn every_column_is_in_the_documentation() {
    let view = include_str!("../../docs/view-contract.md");
    let csv = include_str!("../../docs/csv-import.md");
    for column in COLUMNS {
        assert!(view.contains(&format!("`{column}`")), "docs/view-contract.md lacks {column}");
    }
    for column in ["id", "status", "email", "mobile"] {
        assert!(csv.contains(&format!("`{column}`")), "docs/csv-import.md lacks {column}");
    }
    for ddl in [
        listwarden::patients::sql::feedback::SQLITE_DDL,
        listwarden::patients::sql::feedback::POSTGRES_DDL,
    ] {
        assert!(view.contains(ddl), "docs/view-contract.md lacks the statement");
    }
}
