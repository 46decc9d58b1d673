//! A clean database on each engine, and a few people.

use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use listwarden::clock::ManualClock;
use listwarden::domain::{
    Address, Answer, Channel, Consent, PatientRecord, PatientStatus, Personal,
};
use listwarden::patients::{PatientPage, PatientSource, Reference, SqlOptions, SqlSource};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, Executor};

pub const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A database of one test; its folder or schema goes with it.
pub struct Database {
    pub engine: Engine,
    url: String,
    clean_up: Option<(String, String)>,
    _dir: tempfile::TempDir,
}

pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

pub fn day(day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, day, 0, 0, 0).unwrap()
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(now(), 1))
}

pub async fn database(engine: Engine) -> Database {
    let dir = tempfile::tempdir().unwrap();
    if engine == Engine::Sqlite {
        let url = format!("sqlite://{}/clinic.db", dir.path().display());
        return Database { engine, url, clean_up: None, _dir: dir };
    }
    let server = std::env::var("LISTWARDEN_TEST_POSTGRES").expect(
        "LISTWARDEN_TEST_POSTGRES must name a PostgreSQL server (run .ci/test, which starts one)",
    );
    let name = dir.path().file_name().unwrap().to_string_lossy().to_lowercase();
    let schema = format!("patients_{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
    run_on(&server, &format!("CREATE SCHEMA {schema}")).await;
    let join = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{join}options=-c%20search_path%3D{schema}");
    let clean_up = Some((server, format!("DROP SCHEMA {schema} CASCADE")));
    Database { engine, url, clean_up, _dir: dir }
}

async fn run_on(url: &str, sql: &str) {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
}

impl Database {
    /// Runs statements as the clinic's own administrator.
    pub async fn run(&self, sql: &str) {
        match self.engine {
            Engine::Postgres => run_on(&self.url, sql).await,
            Engine::Sqlite => {
                let url = format!("{}?mode=rwc", self.url);
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
            }
        }
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        match self.engine {
            Engine::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Engine::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    pub fn secret(&self) -> SecretString {
        SecretString::from(self.url.clone())
    }

    pub fn source(&self, page_size: u32) -> SqlSource {
        let options = SqlOptions { page_size, country: Some("GB".to_owned()) };
        SqlSource::open(&self.secret(), options, clock()).unwrap()
    }

    pub async fn reference(&self) -> Reference {
        let options = SqlOptions { page_size: 1000, country: Some("GB".to_owned()) };
        let reference = Reference::open(&self.secret(), options, clock()).unwrap();
        reference.migrate().await.unwrap();
        reference
    }

    /// Removes what the test made; a test that failed leaves it to be looked at.
    pub async fn close(self) {
        if let Some((server, sql)) = self.clean_up {
            run_on(&server, &sql).await;
        }
    }
}

/// Reads every page, and checks on the way that each goes on behind the one before.
pub async fn all(source: &dyn PatientSource, since: Option<DateTime<Utc>>) -> PatientPage {
    let mut whole = PatientPage::default();
    let mut after = None;
    for _ in 0..10_000 {
        let page = source.page(since, after.as_ref()).await.unwrap();
        whole.records.extend(page.records);
        whole.problems.extend(page.problems);
        match page.next {
            None => return whole,
            next => after = next,
        }
    }
    panic!("the pages do not end");
}

pub fn ids(page: &PatientPage) -> Vec<&str> {
    page.records.iter().map(|record| record.source_id.as_str()).collect()
}

pub fn patient(id: &str) -> PatientRecord {
    let consent = Consent {
        answer: Answer::Granted,
        at: Some(day(1)),
        method: Some("form".to_owned()),
        wording: Some("v2".to_owned()),
        actor: Some("desk".to_owned()),
        ..Consent::default()
    };
    PatientRecord {
        source_id: id.to_owned(),
        given_name: Personal::new("Ann"),
        family_name: Personal::new("O'Lee \"x\" ü"),
        email: Some(Address::parse(Channel::Email, &format!("{id}@mail.test"), None).unwrap()),
        mobile: Some(Address::mobile("+447400123456", None).unwrap()),
        birth_date: Some("1990-12-31".parse().unwrap()),
        status: PatientStatus::Active,
        restricted: false,
        tags: ["dental".to_owned()].into(),
        privacy_policy: Some(true),
        email_consent: consent.clone(),
        sms_consent: Consent { answer: Answer::NotAsked, ..Consent::default() },
        updated_at: day(2),
    }
}
