//! What PostgreSQL makes of every statement once the tables are large. What SQLite makes of them, whose
//! plans do not depend on that, is examined in `schema.rs`.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};

use super::STATEMENTS;
use super::Store;
use super::db::Db;
use crate::clock::{Clock, SystemClock};
use crate::domain::Channel;
use crate::keys::{Keyring, Secret};

/// Tables that grow with a clinic's people and with time.
const LARGE: &[&str] = &[
    "audit",
    "contacts",
    "holders",
    "ledger",
    "ledger_detail",
    "ledger_patients",
    "links",
    "operations",
    "patient_standings",
    "patients",
    "runs",
    "suppressions",
];

/// Statements that count, or change, all that a list or a clinic has.
const ALL_OF_IT: &[&str] = &[
    "FIGURES_LINKS",
    "LIST_CLASSES",
    "LIST_COUNTS",
    "LIST_RESET_LINKS",
    "PATIENTS_ACTIVE",
    "PERSONAL_LEFT",
    "REPORT_CLASSES",
];

/// 100,000 people on one list, a thousand runs and what they changed, and as much on record.
const FILL: &str = "
    INSERT INTO patients (clinic_id, id, source_id, origin, status, record, digest, consents, applied)
        SELECT '{clinic}', md5('p' || n)::uuid, n::text, 'source', 'active', '{}', n, '{}', '{}'
        FROM generate_series(1, 100000) n;
    INSERT INTO patient_standings (clinic_id, patient_id, channel, standing)
        SELECT '{clinic}', md5('p' || n)::uuid, 'email', '{}' FROM generate_series(1, 100000) n;
    INSERT INTO contacts (clinic_id, id, channel, address, hash, key_id, standing)
        SELECT '{clinic}', md5('c' || n)::uuid, 'email', 'x', md5('h' || n), 'k', '{}'
        FROM generate_series(1, 100000) n;
    INSERT INTO holders (clinic_id, contact_id, patient_id, holds_now)
        SELECT '{clinic}', md5('c' || n)::uuid, md5('p' || n)::uuid, TRUE
        FROM generate_series(1, 100000) n;
    INSERT INTO links (clinic_id, id, list_id, ordinal, contact_id, status, member_key, class, stale)
        SELECT '{clinic}', md5('l' || n)::uuid, '{list}', n, md5('c' || n)::uuid, 'subscribed',
            md5('m' || n), CASE WHEN n % 100 = 0 THEN 'parked' ELSE 'in_step' END, FALSE
        FROM generate_series(1, 100000) n;
    INSERT INTO ledger (clinic_id, seq, event_id, kind, contact_id, recorded_at, unique_hash, key_id,
            commitment, mac)
        SELECT '{clinic}', n, md5('e' || n)::uuid, 'granted', md5('c' || n)::uuid, n, md5('u' || n), 'k',
            'c', 'm' FROM generate_series(1, 100000) n;
    INSERT INTO ledger_patients (clinic_id, patient_id, seq)
        SELECT '{clinic}', md5('p' || n)::uuid, n FROM generate_series(1, 100000) n;
    INSERT INTO ledger_detail (clinic_id, seq, payload, salt)
        SELECT '{clinic}', n, '{}', 's' FROM generate_series(1, 100000) n;
    INSERT INTO runs (clinic_id, id, list_id, woken_by, began_at, ended_at, outcome, summary)
        SELECT '{clinic}', md5('r' || n)::uuid, '{list}', 'reconcile', n, n, 'in_step', '{}'
        FROM generate_series(1, 1000) n;
    INSERT INTO operations (clinic_id, run_id, ordinal, id, list_id, link_id, verb, reason, counted,
            from_status, state, planned_at, settled_at)
        SELECT '{clinic}', md5('r' || 1 + n / 100)::uuid, n, md5('o' || n)::uuid, '{list}',
            md5('l' || n)::uuid, 'archive', 'archived', 'removal', 'subscribed', 'acknowledged', n, n
        FROM generate_series(1, 99800) n;
    INSERT INTO suppressions (clinic_id, hash, kind, clock, key_id, event_id, at)
        SELECT '{clinic}', md5('s' || n), 'withdrawn', 'listwarden', 'k', md5('e' || n)::uuid, n
        FROM generate_series(1, 100000) n;
    INSERT INTO audit (seq, at, request_id, who, what, clinic_id, outcome, key_id, mac)
        SELECT n, n, md5('q' || n)::uuid, 'x', 'y', '{clinic}', 'done', 'k', 'm'
        FROM generate_series(1, 100000) n;
    ANALYZE";

async fn filled(url: &str) -> Store {
    let keys = Arc::new(Keyring::new(&Secret::new([1; 32]), &[]));
    let store = Store::open(url, keys, Arc::new(SystemClock)).await.unwrap();
    store.migrate().await.unwrap();
    let clinic = store.clinic_ensure("riverside").await.unwrap();
    let list = store.list_ensure(clinic, "news", Channel::Email).await.unwrap();
    let fill =
        FILL.replace("{clinic}", &clinic.0.to_string()).replace("{list}", &list.id.0.to_string());
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(pool(&store)).await.unwrap();
    store
}

fn pool(store: &Store) -> &PgPool {
    let Db::Postgres { pool, .. } = &store.db else { unreachable!() };
    pool
}

#[tokio::test]
async fn no_statement_reads_a_large_table_whole_on_postgres() {
    let server = std::env::var("LISTWARDEN_TEST_POSTGRES")
        .expect("this test needs PostgreSQL: run it by `bash .ci/test`");
    let name = format!("plans_{}", SystemClock.id().simple());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut admin)
        .await
        .unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let store = filled(&format!("{base}/{name}")).await;
    let mut connection = pool(&store).acquire().await.unwrap();
    let mut wrong = Vec::new();
    for statement in STATEMENTS.iter().copied().flatten() {
        let nothing = vec!["NULL"; statement.parameters()].join(", ");
        let given = if nothing.is_empty() { nothing } else { format!("({nothing})") };
        let text = format!("PREPARE it AS {}", statement.postgres());
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *connection).await.unwrap();
        let text = format!("EXPLAIN EXECUTE it{given}");
        let steps = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut *connection).await.unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get(0)).collect();
        let whole = |step: &String| {
            let read = step.split_once("Seq Scan on ").map(|(_, rest)| rest.split(' ').next());
            read.flatten().is_some_and(|table| LARGE.contains(&table))
        };
        if steps.iter().any(whole) && !ALL_OF_IT.contains(&statement.name) {
            wrong.push(format!("{}:\n{}", statement.name, steps.join("\n")));
        }
        sqlx::raw_sql("DEALLOCATE it").execute(&mut *connection).await.unwrap();
    }
    drop(connection);
    store.close().await;
    let text = format!("DROP DATABASE {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut admin).await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
