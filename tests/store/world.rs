//! A store with one clinic and one list, on either engine.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use listwarden::clock::{Clock, ManualClock, SystemClock, timeout};
use listwarden::domain::{
    Actor, Address, Answer, Channel, ClinicId, Consent, ContactId, Draft, Entry, Event, EventId,
    EventKind, MemberKey, MemberStatus, Observed, PatientId, PatientRecord, PatientStatus,
    Personal, TimeSource,
};
use listwarden::keys::{AddressHash, Keyring, Secret};
use listwarden::store::{
    Barrier, Lease, LinkRow, ListRow, Marks, ObservedMember, Origin, Pass, Store, StoreError,
    Upserted, Which,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

/// The engine a story is told on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Declares stories, each a test on either engine.
macro_rules! stories {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)+) => {$(
        $(#[$meta])*
        async fn $name($world: &crate::world::World) $body

        mod $name {
            #[tokio::test]
            async fn on_sqlite() {
                let world = crate::world::World::new(crate::world::Engine::Sqlite).await;
                super::$name(&world).await;
                world.end().await;
            }

            #[tokio::test]
            async fn on_postgres() {
                let world = crate::world::World::new(crate::world::Engine::Postgres).await;
                super::$name(&world).await;
                world.end().await;
            }
        }
    )+};
}

pub struct World {
    pub store: Store,
    pub clock: Arc<ManualClock>,
    pub keys: Arc<Keyring>,
    pub clinic: ClinicId,
    pub list: ListRow,
    pub lease: Lease,
    pub url: String,
    pub engine: Engine,
    dir: tempfile::TempDir,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

pub fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + minute * 60, 0).unwrap()
}

fn server() -> String {
    std::env::var("LISTWARDEN_TEST_POSTGRES").expect(
        "these tests need PostgreSQL: run `bash .ci/test` (or `just test`), which starts one, \
         or name a server in LISTWARDEN_TEST_POSTGRES",
    )
}

pub async fn postgres_database() -> String {
    let server = server();
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("listwarden_test_{}_{number}", std::process::id());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

pub fn keyring(bytes: &[u8]) -> Arc<Keyring> {
    let secrets: Vec<_> = bytes.iter().map(|byte| Secret::new([*byte; 32])).collect();
    Arc::new(Keyring::new(&secrets[0], &secrets[1..]))
}

/// A process that is killed after so many statements.
#[derive(Debug)]
pub struct Killed(AtomicI64);

impl Killed {
    pub fn after(statements: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(statements)))
    }
}

#[async_trait]
impl Barrier for Killed {
    async fn enter(&self) -> Pass {
        Box::new(())
    }

    fn allow(&self, _writes: bool) -> Result<(), sqlx::Error> {
        match self.0.fetch_sub(1, Ordering::Relaxed) {
            1.. => Ok(()),
            _ => Err(sqlx::Error::PoolClosed),
        }
    }
}

impl World {
    pub async fn new(engine: Engine) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", dir.path().join("store.db").display()),
            Engine::Postgres => postgres_database().await,
        };
        let clock = Arc::new(ManualClock::new(at(0), 7));
        let keys = keyring(&[1]);
        let store = Store::open(&url, Arc::clone(&keys), clock.clone()).await.unwrap();
        store.migrate().await.unwrap();
        let clinic = store.clinic_ensure("oak-lane").await.unwrap();
        let list = store.list_ensure(clinic, "newsletter", Channel::Email).await.unwrap();
        let day = Duration::from_hours(24);
        let lease = store.lease_acquire("account:1", clock.id(), day).await.unwrap().unwrap();
        Self { store, clock, keys, clinic, list, lease, url, engine, dir }
    }

    /// Opens the same database as another process would.
    pub async fn another_process(&self, keys: Arc<Keyring>) -> Store {
        Store::open(&self.url, keys, self.clock.clone()).await.unwrap()
    }

    /// Something is done in processes that are killed after ever more statements, until one is
    /// through: what they leave is what was there before.
    pub async fn keeps_all_or_nothing(&self, work: impl AsyncFn(Store) -> Result<(), StoreError>) {
        let before = self.dump().await;
        for statements in 0..100 {
            if work(self.store.clone().behind(Killed::after(statements))).await.is_ok() {
                return assert!(statements > 3, "{statements} statements");
            }
            let same = self.dump().await == before;
            assert!(same, "a process that was killed after {statements} statements left something");
        }
        panic!("it came to no end");
    }

    /// Waits until so many connections to PostgreSQL wait for a lock.
    pub async fn has_waiting(&self, connections: i64) {
        let waits = "SELECT COUNT(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let mut watcher = PgConnection::connect(&self.url).await.unwrap();
        loop {
            let waiting = sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut watcher).await;
            if waiting.unwrap() >= connections {
                return;
            }
            SystemClock.sleep(Duration::from_millis(10)).await;
        }
    }

    /// Two things are done on PostgreSQL that wait for the rows of one table, or for each other: the
    /// second begins when the first waits, and both go on when both wait.
    pub async fn one_after_the_other<A: Send, B: Send>(
        &self,
        table: &str,
        first: impl Future<Output = A> + Send,
        second: impl Future<Output = B> + Send,
    ) -> (A, B) {
        let mut desk = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(locks(table, "BEGIN; ")).execute(&mut desk).await.unwrap();
        let both = async {
            let second = async {
                self.has_waiting(1).await;
                second.await
            };
            let lets_go = async {
                self.has_waiting(2).await;
                sqlx::raw_sql("COMMIT").execute(&mut desk).await.unwrap();
            };
            let (first, second, ()) = tokio::join!(first, second, lets_go);
            (first, second)
        };
        timeout(&SystemClock, Duration::from_mins(1), Box::pin(both)).await.expect("both wait")
    }

    /// Does `work` on PostgreSQL while somebody has the rows of `later`, for which it comes to wait, and
    /// then wants those of `earlier`, which it has: whoever has waited for a second looks whether that
    /// is in vain, and loses.
    pub async fn loses<T: Send>(
        &self,
        earlier: &str,
        later: &str,
        work: impl Future<Output = T> + Send,
    ) -> T {
        let mut winner = PgConnection::connect(&self.url).await.unwrap();
        // It never looks itself, or it might be the one that loses.
        let begins = "BEGIN; SET LOCAL deadlock_timeout = '1h'; ";
        sqlx::raw_sql(locks(later, begins)).execute(&mut winner).await.unwrap();
        let both = async {
            let wins = async {
                self.has_waiting(1).await;
                sqlx::raw_sql(locks(earlier, "")).execute(&mut winner).await.unwrap();
                sqlx::raw_sql("COMMIT").execute(&mut winner).await.unwrap();
            };
            let (done, ()) = tokio::join!(work, wins);
            done
        };
        timeout(&SystemClock, Duration::from_mins(1), Box::pin(both)).await.expect("one loses")
    }

    pub async fn end(self) {
        if self.engine == Engine::Postgres {
            let (_, name) = self.url.rsplit_once('/').unwrap();
            let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
            let mut connection = PgConnection::connect(&server()).await.unwrap();
            sqlx::raw_sql(drop).execute(&mut connection).await.unwrap();
        }
        drop(self.dir);
    }

    pub async fn reads(&self, records: &[PatientRecord]) -> Upserted {
        self.sweeps(records, &HashMap::new()).await.0
    }

    /// Reads records, some of them from rows with digests, and marks whom the source has.
    pub async fn sweeps(
        &self,
        records: &[PatientRecord],
        digests: &HashMap<String, i64>,
    ) -> (Upserted, Marks) {
        let (lease, clinic, origin) = (&self.lease, self.clinic, Origin::Source);
        let mut marks = Marks::default();
        let read = self.store.patients_upsert(lease, clinic, origin, records, digests, &mut marks);
        (read.await.unwrap(), marks)
    }

    pub async fn patient(&self, source_id: &str) -> PatientId {
        self.store.patient_find(self.clinic, source_id).await.unwrap().unwrap().id
    }

    pub async fn contact(&self, email: &str) -> Option<ContactId> {
        let hashes = self.hashes(email);
        self.store.contact_by_hashes(self.clinic, Channel::Email, &hashes).await.unwrap()
    }

    pub fn hashes(&self, email: &str) -> Vec<AddressHash> {
        self.keys.address_hashes(self.clinic.0, "email", email)
    }

    pub fn member(&self, key: &str, email: &str, status: MemberStatus) -> ObservedMember {
        let observed = Observed {
            status,
            member: Some(MemberKey(key.to_owned())),
            last_changed: Some(at(-5)),
            signed_up_at: None,
            opted_in_at: None,
            entry: Entry::Api,
            complained: false,
            digest: 1,
            seen_at: self.clock.now(),
        };
        let address = Address::email(email).ok();
        ObservedMember { observed, hashes: self.hashes(email), address, seen: None }
    }

    pub async fn observes(&self, members: &[ObservedMember]) -> Vec<i64> {
        self.store.members_observe(&self.lease, &self.list, members).await.unwrap()
    }

    pub async fn links(&self) -> Vec<LinkRow> {
        self.store.links_page(&self.list, 0, 1_000, Which::All).await.unwrap()
    }

    pub async fn link_of(&self, email: &str) -> LinkRow {
        let links = self.links().await;
        let of = |row: &LinkRow| address_of(row).as_deref() == Some(email);
        links.into_iter().find(of).expect("a link of that address")
    }

    pub async fn stale(&self) -> Vec<i64> {
        let which = Which::Stale { now: self.clock.now() };
        let rows = self.store.links_page(&self.list, 0, 1_000, which).await.unwrap();
        rows.iter().map(|row| row.ordinal).collect()
    }

    /// Plans every link as being in step.
    pub async fn settles(&self) {
        use listwarden::domain::{Class, Reason};
        let planned: Vec<_> = self
            .links()
            .await
            .iter()
            .map(|row| listwarden::store::PlannedLink {
                link: row.link.id,
                version: row.version,
                class: Class::InStep,
                reason: Reason::InStep,
                due_at: None,
                stale: false,
            })
            .collect();
        self.store.links_planned(&self.lease, self.clinic, &planned).await.unwrap();
    }

    pub async fn appends(&self, events: Vec<Event>) -> listwarden::store::Appended {
        self.store.ledger_append(Some(&self.lease), self.clinic, events).await.unwrap()
    }

    pub fn event(&self, kind: EventKind, unique: &str) -> Event {
        let mut draft = Draft::new(kind, Actor::Person, TimeSource::Provider, "mailchimp");
        draft.channel = Some(Channel::Email);
        draft.explicit = true;
        draft.occurred_at = Some(at(-10));
        unique.clone_into(&mut draft.unique);
        draft.into_event(EventId(self.clock.id()), self.clock.now())
    }

    /// Runs a statement behind the store's back.
    pub async fn tampers(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// Returns every value of every table as text.
    pub async fn dump(&self) -> String {
        let tables = self.texts(match self.engine {
            Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'".to_owned(),
            Engine::Postgres => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'".to_owned()
            }
        });
        let mut dump = String::new();
        for table in tables.await {
            dump += &self.texts(self.rows_of(&table).await).await.join("\n");
        }
        dump
    }

    async fn rows_of(&self, table: &str) -> String {
        match self.engine {
            Engine::Postgres => format!("SELECT t::text FROM {table} t"),
            Engine::Sqlite => {
                let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                let quoted: Vec<_> =
                    self.texts(columns).await.iter().map(|name| format!("quote({name})")).collect();
                format!("SELECT {} FROM {table}", quoted.join(" || ' ' || "))
            }
        }
    }

    async fn texts(&self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        let rows: Vec<(String,)> = match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
            }
        };
        rows.into_iter().map(|(text,)| text).collect()
    }
}

fn locks(table: &str, before: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("{before}SELECT * FROM {table} FOR NO KEY UPDATE"))
}

pub fn address_of(row: &LinkRow) -> Option<String> {
    let address = row.facts.contact.as_ref()?.address.as_ref()?;
    Some(address.expose().to_owned())
}

/// A patient as the clinic has it.
pub fn record(source_id: &str, email: &str) -> PatientRecord {
    PatientRecord {
        source_id: source_id.to_owned(),
        given_name: Personal::new("Annabel"),
        family_name: Personal::new("Leevorth"),
        email: Address::email(email).ok(),
        mobile: None,
        birth_date: None,
        status: PatientStatus::Active,
        restricted: false,
        tags: BTreeSet::new(),
        privacy_policy: None,
        email_consent: Consent::default(),
        sms_consent: Consent::default(),
        updated_at: at(-60),
    }
}

pub fn saying(answer: Answer, record: PatientRecord) -> PatientRecord {
    PatientRecord { email_consent: Consent { answer, ..Consent::default() }, ..record }
}

pub fn id() -> Uuid {
    Uuid::from_u128(u128::from(DATABASES.fetch_add(1, Ordering::Relaxed)))
}
