//! Where a world's databases lie: SQLite files in memory, or databases of a PostgreSQL server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use secrecy::SecretString;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tokio::sync::OnceCell;

use crate::clock::{Clock, SystemClock};
use crate::keys::Keyring;
use crate::patients::{Reference, SqlOptions};
use crate::store::Store;

/// Where worlds get their databases from.
#[derive(Debug)]
pub struct Ground {
    folder: PathBuf,
    server: Option<String>,
    laid: AtomicUsize,
    template: OnceCell<()>,
}

/// The master key of every world.
pub const MASTER_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// Where a store is, and how often it was put back.
#[derive(Debug, Default)]
struct Stored {
    url: String,
    backed_up: bool,
    put_back: usize,
}

/// One world's databases and files, gone when it is lifted.
#[derive(Debug)]
pub struct Plot {
    /// Its own folder.
    pub folder: PathBuf,
    store: Mutex<Stored>,
    /// Where each clinic's records are.
    pub clinics: Vec<String>,
    server: Option<String>,
    databases: Vec<String>,
}

impl Ground {
    /// Prepares SQLite files in memory, or databases on the PostgreSQL server at `server`.
    pub fn new(server: Option<String>) -> anyhow::Result<Self> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Self::under(&base, server)
    }

    /// Prepares SQLite files in a folder, or databases on the PostgreSQL server at `server`.
    pub fn under(base: &Path, server: Option<String>) -> anyhow::Result<Self> {
        let folder = base.join(format!("listwarden-rehearsal-{}", SystemClock.id().simple()));
        fs::create_dir_all(&folder)
            .with_context(|| format!("`{}` cannot be made", folder.display()))?;
        let (laid, template) = (AtomicUsize::new(0), OnceCell::new());
        Ok(Self { folder, server, laid, template })
    }

    /// Reads where databases are to lie: `sqlite`, or the URL of a PostgreSQL server.
    pub fn server_of(database: &str) -> anyhow::Result<Option<String>> {
        match database {
            "sqlite" => Ok(None),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Some(url.to_owned()))
            }
            _ => anyhow::bail!(
                "--database is neither `sqlite` nor the URL of a PostgreSQL server, such as postgres://USER@HOST/postgres"
            ),
        }
    }

    /// Names the engine.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        if self.server.is_some() { "postgres" } else { "sqlite" }
    }

    fn name(&self) -> String {
        let folder = self.folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let id = folder.unwrap_or_default();
        format!("rehearsal_{}", id.rsplit('-').next().unwrap_or_default())
    }

    /// Lays a world's databases, with every table in them.
    pub async fn lay(&self, clinics: usize) -> anyhow::Result<Plot> {
        self.template.get_or_try_init(|| self.make_template()).await?;
        let number = self.laid.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("world-{number}"));
        fs::create_dir_all(folder.join("clinics"))?;
        let mut plot = Plot {
            folder,
            store: Mutex::default(),
            clinics: Vec::new(),
            server: self.server.clone(),
            databases: Vec::new(),
        };
        for place in 0..=clinics {
            let url = self.copy(&mut plot, number, place).await?;
            if place == 0 { plot.stored().url = url } else { plot.clinics.push(url) }
        }
        Ok(plot)
    }

    async fn copy(&self, plot: &mut Plot, number: usize, place: usize) -> anyhow::Result<String> {
        let Some(server) = &self.server else {
            let from = if place == 0 { "store.db" } else { "clinic.db" };
            let to = plot.folder.join(format!("{place}.db"));
            fs::copy(self.folder.join(from), &to)?;
            return Ok(format!("sqlite://{}", to.display()));
        };
        let (template, name) = (self.name(), format!("{}_{number}_{place}", self.name()));
        let mut connection = PgConnection::connect(server).await?;
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        plot.databases.push(name.clone());
        database(server, &name)
    }

    async fn make_template(&self) -> anyhow::Result<()> {
        let (store, clinic) = match &self.server {
            None => {
                let file = |name| format!("sqlite://{}", self.folder.join(name).display());
                (file("store.db"), file("clinic.db"))
            }
            Some(server) => {
                let mut connection = PgConnection::connect(server).await.context(
                    "the server of --database does not answer; is it up, and the URL right?",
                )?;
                run(&mut connection, format!("CREATE DATABASE {}", self.name()))
                    .await
                    .context("the user of --database may not make databases there")?;
                let shared = database(server, &self.name())?;
                (shared.clone(), shared)
            }
        };
        let clock = Arc::new(SystemClock);
        let keys = Arc::new(Keyring::parse(&SecretString::from(MASTER_KEY))?);
        let opened = Store::open(&store, keys, clock.clone()).await?;
        opened.migrate().await?;
        opened.close().await;
        let options = SqlOptions { page_size: 1000, country: None };
        let reference = Reference::open(&SecretString::from(clinic.as_str()), options, clock)?;
        reference.migrate().await?;
        reference.close().await;
        if self.server.is_none() {
            // Closing is done by other threads, at their own time; what is copied must be whole.
            for url in [&store, &clinic] {
                let mut connection = SqliteConnection::connect(url).await?;
                sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
            }
        }
        Ok(())
    }

    /// Removes everything.
    pub async fn clear(self) -> anyhow::Result<()> {
        if let Some(server) = &self.server {
            drop_database(server, &self.name()).await?;
        }
        Ok(fs::remove_dir_all(&self.folder)?)
    }
}

impl Plot {
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns where the store is.
    #[must_use]
    pub fn store(&self) -> String {
        self.stored().url.clone()
    }

    /// Tells whether there is a backup of the store.
    #[must_use]
    pub fn is_backed_up(&self) -> bool {
        self.stored().backed_up
    }

    /// Backs the store up; false on PostgreSQL, which copies no database that somebody works on.
    pub async fn back_up(&self) -> anyhow::Result<bool> {
        if self.server.is_some() {
            return Ok(false);
        }
        let backup = self.folder.join("backup.db");
        if backup.exists() {
            fs::remove_file(&backup)?;
        }
        let mut connection = SqliteConnection::connect(&self.store()).await?;
        let sql = format!("VACUUM INTO '{}'", backup.display());
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
        self.stored().backed_up = true;
        Ok(true)
    }

    /// Puts the store back, as a file of another name: whoever still has the old one open does
    /// nothing to the new one when it closes. Returns where it is.
    pub fn put_back(&self) -> anyhow::Result<String> {
        let mut stored = self.stored();
        stored.put_back += 1;
        let file = self.folder.join(format!("0-{}.db", stored.put_back));
        fs::copy(self.folder.join("backup.db"), &file)?;
        stored.url = format!("sqlite://{}", file.display());
        Ok(stored.url.clone())
    }

    /// Counts the rows of a table of the store.
    pub async fn rows_of(&self, table: &'static str) -> anyhow::Result<usize> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let count: i64 = if self.server.is_some() {
            let mut connection = PgConnection::connect(&self.store()).await?;
            sqlx::query_scalar(sql()).fetch_one(&mut connection).await?
        } else {
            let mut connection = SqliteConnection::connect(&self.store()).await?;
            sqlx::query_scalar(sql()).fetch_one(&mut connection).await?
        };
        Ok(usize::try_from(count)?)
    }

    /// Changes the store past the program.
    pub async fn spoil(&self, sql: &'static str) -> anyhow::Result<()> {
        if self.server.is_some() {
            let mut connection = PgConnection::connect(&self.store()).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        } else {
            let mut connection = SqliteConnection::connect(&self.store()).await?;
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        }
        Ok(())
    }

    /// Gives databases and files back.
    pub async fn lift(self) -> anyhow::Result<()> {
        for name in &self.databases {
            drop_database(self.server.as_deref().unwrap_or_default(), name).await?;
        }
        Ok(fs::remove_dir_all(&self.folder)?)
    }
}

fn database(server: &str, name: &str) -> anyhow::Result<String> {
    let mut url = url::Url::parse(server).context("the URL of the server cannot be read")?;
    url.set_path(name);
    Ok(url.into())
}

async fn run(connection: &mut PgConnection, sql: String) -> anyhow::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

async fn drop_database(server: &str, name: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(server).await?;
    run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
}
