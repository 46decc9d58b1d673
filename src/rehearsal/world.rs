//! A world: clinics with their records, providers with their lists, and the real program between
//! them, on one store.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::books::Books;
use super::faults::Weather;
use super::files::{clinic_file, secret};
use super::ground::{Ground, MASTER_KEY, Plot};
use super::history::{ClinicSetting, History, ListSetting};
use super::journal::Journal;
use super::laws::output::Said;
use super::laws::{Breach, Lookout};
use super::processes::{Server, Worker};
use super::stages::{self, Setup, Stage};
use super::turnstile::{Turnstile, WorldClock};
use super::wire::{Gate, Post, Watch, Wire};
use crate::clock::SharedClock;
use crate::domain::Channel;
use crate::patients::{Reference, SqlOptions};

/// When every world begins: a Monday morning.
pub const BEGIN: &str = "2026-03-02T09:00:00Z";
/// How providers reach the serving process.
pub const PUBLIC: &str = "http://hooks.test";

/// How long jobs take where they are used: long enough to be killed meanwhile.
const JOB_MS: u64 = 20_000;

/// A world.
pub struct World {
    /// What it was made from.
    pub history: Arc<History>,
    /// Time and turns.
    pub turnstile: Arc<Turnstile>,
    /// What is in the air.
    pub weather: Arc<Weather>,
    /// The providers.
    pub stages: Vec<Arc<dyn Stage>>,
    /// Each clinic's lists at the providers.
    pub setups: Vec<Vec<Setup>>,
    /// Each clinic's records.
    pub clinics: Vec<Reference>,
    /// What everybody did.
    pub books: Arc<Mutex<Books>>,
    /// Who looks at every change.
    pub lookout: Arc<Lookout>,
    /// Everything the program said.
    pub said: Said,
    /// What is told of it.
    pub journal: Mutex<Journal>,
    /// The serving process.
    pub server: Mutex<Option<Arc<Server>>>,
    pub(super) routes: Arc<Mutex<Option<Router>>>,
    pub(super) workers: Mutex<Vec<Worker>>,
    pub(super) wire: Arc<Wire>,
    pub(super) gate: Arc<Gate>,
    pub(super) plot: Plot,
}

impl World {
    /// Makes the world of a history on its own plot of `ground`.
    pub async fn of(history: Arc<History>, ground: &Ground) -> anyhow::Result<Self> {
        let begin: DateTime<Utc> = BEGIN.parse()?;
        let turnstile = Turnstile::new(begin, history.seed);
        let weather = Weather::new(&turnstile);
        let theirs: SharedClock = WorldClock::theirs(&turnstile);
        let stages = stages::all(&theirs);
        if history.clinics.iter().any(|clinic| clinic.job_from < 200) {
            for stage in &stages {
                stage.jobs_take(JOB_MS);
            }
        }
        let plot = ground.lay(history.clinics.len()).await?;
        let setups: Vec<Vec<Setup>> = (history.clinics.iter().enumerate())
            .map(|(place, clinic)| open_accounts(&stages, place, clinic))
            .collect();
        let books = Arc::new(Mutex::new(Books::default()));
        let lookout = Lookout::new(&history, &turnstile, &books, &stages, &setups);
        let watch: Arc<dyn Watch> = lookout.clone();
        let routes = Arc::new(Mutex::new(None));
        for stage in &stages {
            let (weather, routes, watch) =
                (weather.clone(), routes.clone(), Arc::downgrade(&watch));
            stage.connects(Arc::new(Post { weather, routes, watch }));
        }
        let wire = Wire {
            turnstile: turnstile.clone(),
            stages: stages.clone(),
            weather: weather.clone(),
            watch,
        };
        let clinics = open_clinics(&plot, &theirs)?;
        let world = Self {
            gate: Arc::new(Gate::new(&turnstile, &weather)),
            history,
            turnstile,
            weather,
            stages,
            setups,
            clinics,
            books,
            said: Said::new(&lookout),
            lookout,
            journal: Mutex::default(),
            server: Mutex::default(),
            routes,
            workers: Mutex::default(),
            wire: Arc::new(wire),
            plot,
        };
        world.write_configuration()?;
        Ok(world)
    }

    /// Returns the true time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.turnstile.now()
    }

    /// Opens the books.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line into the journal.
    pub fn note(&self, line: impl Into<String>) {
        let now = self.now();
        let line = line.into();
        self.said.hear(&line);
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).note(now, &line);
    }

    /// Takes down that a law was broken.
    pub fn breach(&self, law: &'static str, what: String) {
        self.lookout.breach(Breach { law, what });
    }

    /// Returns a list's provider, its setting, and its setup there.
    #[must_use]
    pub fn list(&self, clinic: usize, list: usize) -> (&dyn Stage, &ListSetting, &Setup) {
        let setting = &self.history.clinics[clinic].lists[list];
        (self.stages[setting.stage].as_ref(), setting, &self.setups[clinic][list])
    }

    /// Counts the rows of a table of the store, past everything that the program may believe.
    pub async fn rows_of(&self, table: &'static str) -> anyhow::Result<usize> {
        self.plot.rows_of(table).await
    }

    /// Changes the store past the program.
    pub async fn spoil(&self, sql: &'static str) -> anyhow::Result<()> {
        self.plot.spoil(sql).await
    }

    /// Has whoever next asks the store stand still before.
    pub fn hold_up(&self, wait: Duration) {
        self.gate.hold_up(wait);
    }

    /// Tells whether there is a backup of the store.
    #[must_use]
    pub fn is_backed_up(&self) -> bool {
        self.plot.is_backed_up()
    }

    /// Backs the store up; false where the engine cannot.
    pub async fn backs_store_up(&self) -> anyhow::Result<bool> {
        self.plot.back_up().await
    }

    /// Puts the store back; whoever works from now on starts anew on it.
    pub fn puts_store_back(&self) -> anyhow::Result<()> {
        let url = self.plot.put_back()?;
        secret(&self.plot.folder.join("secrets/store"), &url)?;
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// Gives everything back.
    pub async fn ends(self) -> anyhow::Result<()> {
        self.serves(None, None);
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for deployment in workers.into_iter().filter_map(|worker| worker.deployment) {
            deployment.store.close().await;
        }
        for clinic in &self.clinics {
            clinic.close().await;
        }
        self.plot.lift().await
    }

    fn write_configuration(&self) -> anyhow::Result<()> {
        let folder = &self.plot.folder;
        let deployment = format!(
            "[store]\nurl_secret = \"store\"\nregister = \"register\"\n[serve]\npublic_url = \"{PUBLIC}\"\n\
             [run]\nsettings_every = \"6h\"\n"
        );
        fs::write(folder.join("listwarden.toml"), deployment)?;
        secret(&folder.join("secrets/master_key"), MASTER_KEY)?;
        secret(&folder.join("secrets/store"), &self.plot.store())?;
        for (place, clinic) in self.history.clinics.iter().enumerate() {
            let setups = &self.setups[place];
            let text = clinic_file(place, clinic, setups);
            fs::write(folder.join(format!("clinics/c{place}.toml")), text)?;
            let secrets = folder.join(format!("secrets/c{place}"));
            secret(&secrets.join("source"), &self.plot.clinics[place])?;
            for (name, text) in setups.iter().flat_map(|setup| &setup.secrets) {
                secret(&secrets.join(name), text)?;
            }
        }
        Ok(())
    }
}

fn open_accounts(stages: &[Arc<dyn Stage>], place: usize, clinic: &ClinicSetting) -> Vec<Setup> {
    let mut opened: Vec<Setup> = Vec::new();
    for (number, list) in clinic.lists.iter().enumerate() {
        let same = clinic.lists[..number].iter().position(|other| other.stage == list.stage);
        let setup = stages[list.stage].opens(place, same.map(|other| &opened[other]));
        opened.push(setup);
    }
    opened
}

fn open_clinics(plot: &Plot, clock: &SharedClock) -> anyhow::Result<Vec<Reference>> {
    let open = |url: &String| {
        let options = SqlOptions { page_size: 1000, country: Some("GB".to_owned()) };
        let reference = Reference::open(&SecretString::from(url.as_str()), options, clock.clone());
        reference.context("a clinic's records do not open")
    };
    plot.clinics.iter().map(open).collect()
}

/// The address that somebody has at first.
#[must_use]
pub fn address(clinic: usize, patient: usize, channel: Channel) -> String {
    match channel {
        Channel::Email => format!("q{clinic}x{patient}@post.test"),
        Channel::Sms => format!("+4479111{:05}", clinic * 1000 + patient),
    }
}

/// An hour before now.
#[must_use]
pub fn a_while_ago(now: DateTime<Utc>) -> DateTime<Utc> {
    now - TimeDelta::days(40)
}
