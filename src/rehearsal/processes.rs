//! The program's processes: those that make runs, and the one that serves.

use std::sync::{Arc, PoisonError};

use axum::Router;
use tokio::sync::watch;

use super::turnstile::WorldClock;
use super::wire::{Gate, Records};
use super::world::World;
use crate::clock::SharedClock;
use crate::commands::{Deployment, keyring};
use crate::config::{Config, Environment};
use crate::patients::PatientSource;
use crate::reconcile::{Practice, Roster};
use crate::store::Store;

/// A process that makes runs.
#[derive(Default, Clone)]
pub(super) struct Worker {
    pub(super) deployment: Option<Arc<Deployment>>,
    at_work: bool,
}

/// A process that takes webhooks.
pub struct Server {
    /// Its deployment.
    pub deployment: Arc<Deployment>,
    /// Where it is told which accounts there are.
    pub announce: watch::Sender<Arc<Roster>>,
}

impl World {
    /// Starts another process: its own connections, its own clients.
    pub async fn process(&self) -> anyhow::Result<Deployment> {
        let config = self.config()?;
        let clock: SharedClock = WorldClock::ours(&self.turnstile);
        let keys = Arc::new(keyring(&config)?);
        let store = Store::open(&self.plot.store(), keys, clock.clone()).await?;
        let gate: Arc<Gate> = self.gate.clone();
        Deployment::over(config, store.behind(gate), clock, self.wire.clone())
    }

    fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.plot.folder.join("listwarden.toml"), &Environment::default())?)
    }

    /// Takes a worker to work; none while it is at work already.
    pub async fn hires(&self, worker: usize) -> anyhow::Result<Option<Arc<Deployment>>> {
        let known = {
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            if workers.len() <= worker {
                workers.resize(worker + 1, Worker::default());
            }
            if std::mem::replace(&mut workers[worker].at_work, true) {
                return Ok(None);
            }
            workers[worker].deployment.clone()
        };
        if let Some(deployment) = known {
            return Ok(Some(deployment));
        }
        let deployment = Arc::new(self.process().await?);
        self.with_worker(worker, |known| known.deployment = Some(deployment.clone()));
        Ok(Some(deployment))
    }

    /// Lets a worker go; a killed one starts anew the next time.
    pub fn lets_go(&self, worker: usize, killed: bool) {
        self.with_worker(worker, |known| {
            known.at_work = false;
            if killed {
                known.deployment = None;
            }
        });
    }

    fn with_worker(&self, worker: usize, work: impl FnOnce(&mut Worker)) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = workers.get_mut(worker) {
            work(known);
        }
    }

    /// Tells whether any other worker is at work.
    #[must_use]
    pub fn others_work(&self, worker: usize) -> bool {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.iter().enumerate().any(|(place, other)| place != worker && other.at_work)
    }

    /// Has webhooks go to these routes, or nowhere.
    pub fn serves(&self, routes: Option<Router>, server: Option<Arc<Server>>) {
        *self.routes.lock().unwrap_or_else(PoisonError::into_inner) = routes;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = server;
    }

    /// Puts the weather between a practice and its records.
    pub fn disturbed(&self, mut practice: Practice) -> Practice {
        practice.source = self.records(practice.source);
        practice
    }

    fn records(&self, inner: Arc<dyn PatientSource>) -> Arc<dyn PatientSource> {
        let (turnstile, weather) = (self.turnstile.clone(), self.weather.clone());
        Arc::new(Records { inner, turnstile, weather })
    }

    /// Takes every clinic of a process in hand, the weather in between.
    pub async fn roster(&self, deployment: &Deployment) -> Arc<Roster> {
        let mut roster = deployment.roster().await;
        if let Some(roster) = Arc::get_mut(&mut roster) {
            for practice in &mut roster.practices {
                practice.source = self.records(practice.source.clone());
            }
        }
        roster
    }
}
