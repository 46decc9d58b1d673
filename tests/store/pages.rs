//! Long lists are read page by page, by key. On SQLite the plan of every statement is examined beside
//! the store (`store/schema.rs`); PostgreSQL plans by what is in a table, and counts how it reads.

use listwarden::domain::RunId;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::world::{Engine, World};

/// Whole readings of a table, and readings by an index.
async fn readings(connection: &mut PgConnection, table: &str) -> (i64, i64) {
    let counted =
        "SELECT seq_scan, COALESCE(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = $1";
    sqlx::query_as(counted).bind(table).fetch_one(connection).await.unwrap()
}

/// Waits until all sessions have told what they read, which each does before it ends.
async fn settled(connection: &mut PgConnection, table: &str, at_least: i64) -> (i64, i64) {
    for _ in 0..200 {
        let counted = readings(connection, table).await;
        if counted.1 >= at_least {
            return counted;
        }
        sqlx::raw_sql("SELECT pg_sleep(0.05)").execute(&mut *connection).await.unwrap();
    }
    panic!("{table}: not read by an index {at_least} times");
}

#[tokio::test]
async fn thousands_of_runs_and_lines_are_paged_by_key_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    let fill = format!(
        "INSERT INTO runs (clinic_id, id, list_id, woken_by, began_at)
            SELECT '{clinic}', gen_random_uuid(), '{list}', 'reconcile', n FROM generate_series(1, 5000) n;
         INSERT INTO audit (seq, at, request_id, who, what, clinic_id, outcome, key_id, mac)
            SELECT n, n, gen_random_uuid(), 'x', 'y', '{clinic}', 'done', 'k', 'm'
            FROM generate_series(1, 5000) n;
         INSERT INTO suppressions (clinic_id, hash, kind, clock, key_id, event_id, at)
            SELECT '{clinic}', md5(n::text), 'withdrawn', 'listwarden', 'k', gen_random_uuid(), n
            FROM generate_series(1, 5000) n;
         ANALYZE",
        clinic = world.clinic.0,
        list = world.list.id.0,
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
    let tables = ["runs", "audit", "suppressions"];
    let mut before = Vec::new();
    for table in tables {
        before.push(settled(&mut connection, table, 0).await);
    }

    let reader = world.another_process(world.keys.clone()).await;
    let (mut last, mut pages) = (RunId(Uuid::max()), 0);
    while let Some(run) = reader.runs_page(world.clinic, None, last, 51).await.unwrap().pop() {
        (last, pages) = (run.id, pages + 1);
    }
    last = RunId(Uuid::max());
    let list = Some(world.list.id);
    while let Some(run) = reader.runs_page(world.clinic, list, last, 51).await.unwrap().pop() {
        (last, pages) = (run.id, pages + 1);
    }
    assert_eq!(pages, 2 * 99, "each page was full, and the last one not");
    let mut line = i64::MAX;
    while let Some(row) = reader.audit_page(Some(world.clinic), line, 51).await.unwrap().pop() {
        line = row.seq;
    }
    line = i64::MAX;
    while let Some(row) = reader.audit_page(None, line, 51).await.unwrap().pop() {
        line = row.seq;
    }
    let (mut hash, mut found) = (String::new(), 0);
    loop {
        let after = (hash.as_str(), "withdrawn", "listwarden");
        let page = reader.suppressions_page(world.clinic, after, 51).await.unwrap();
        found += page.len();
        let Some(row) = page.into_iter().next_back() else { break };
        hash = row.hash;
    }
    assert_eq!(found, 5_000);
    reader.close().await;

    for ((table, (whole, by_key)), at_least) in tables.into_iter().zip(before).zip([198, 198, 99]) {
        let after = settled(&mut connection, table, by_key + at_least).await;
        assert_eq!(after.0, whole, "{table} was read whole");
    }
    connection.close().await.unwrap();
    world.end().await;
}
