//! Holding a lease: only its holder calls the account, and only under a live epoch is anything
//! recorded.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{Either, select};

use super::{ReconcileError, Reconciler};
use crate::providers::ProviderError;
use crate::store::{Lease, StoreError};

/// Asks a run to stop between operations; what is left is done by the next run.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A lease held for the length of one turn.
#[derive(Debug)]
pub(super) struct Tenure<'a> {
    reconciler: &'a Reconciler,
    pub(super) lease: Lease,
    /// When it was last asked whether somebody waits; none while it attends, or if it
    /// never does.
    asked_at: Mutex<Option<DateTime<Utc>>>,
    /// When it is to be given back, whatever waits still; none for a run.
    until: Option<DateTime<Utc>>,
    prolonged_at: Mutex<DateTime<Utc>>,
}

/// How often a holder looks whether somebody waits (DESIGN §4).
const LOOK_EVERY: TimeDelta = TimeDelta::milliseconds(200);
/// Renewed when this part of its time has passed.
const RENEWED_IN: u32 = 5;
/// How long a run waits for a lease: whoever only attends gives it back within that.
const IN_TURN: TimeDelta = TimeDelta::seconds(10);
/// How often it tries meanwhile.
const TRY_EVERY: Duration = Duration::from_millis(250);

impl<'a> Tenure<'a> {
    /// Takes the lease, unless another worker holds it; whoever finds it held writes nothing, because a
    /// serving process asks several times a second.
    pub(super) async fn take_if_free(
        reconciler: &'a Reconciler,
        name: &str,
    ) -> Result<Option<Self>, ReconcileError> {
        if reconciler.store.lease_is_held(name).await? {
            return Ok(None);
        }
        Self::take(reconciler, name).await
    }

    async fn take(reconciler: &'a Reconciler, name: &str) -> Result<Option<Self>, ReconcileError> {
        let holder = reconciler.clock.id();
        let ttl = reconciler.settings.lease;
        let lease = reconciler.store.lease_acquire(name, holder, ttl).await?;
        let now = reconciler.clock.now();
        let (asked_at, prolonged_at) = (Mutex::new(Some(now)), Mutex::new(now));
        Ok(lease.map(|lease| Self { reconciler, lease, asked_at, until: None, prolonged_at }))
    }

    /// Takes the lease as soon as a worker that only attends has given it back; none where somebody
    /// holds it for longer, or it is asked to stop.
    pub(super) async fn take_in_turn(
        reconciler: &'a Reconciler,
        name: &str,
    ) -> Result<Option<Self>, ReconcileError> {
        let until = reconciler.clock.now() + IN_TURN;
        loop {
            let tenure = Self::take(reconciler, name).await?;
            if tenure.is_some() || reconciler.stop.is_asked() || reconciler.clock.now() >= until {
                return Ok(tenure);
            }
            reconciler.clock.sleep(TRY_EVERY).await;
        }
    }

    /// Attends to nobody: for whoever may change nothing.
    pub(super) fn without_attending(self) -> Self {
        *self.asked() = None;
        self
    }

    /// Begins nothing more after `until` but what is urgent: for whoever only attends.
    pub(super) fn until(self, until: DateTime<Utc>) -> Self {
        Self { until: Some(until), ..self }
    }

    /// Tells whether it is time to give the lease back.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| self.reconciler.clock.now() >= until)
    }

    /// Renews the lease, if that was not done lately, and attends to whoever waits;
    /// called between pages and operations.
    pub(super) async fn renew(&self) -> Result<(), ReconcileError> {
        self.prolong().await?;
        self.attend().await
    }

    /// Attends to what waits for the account, unless that is what it is doing.
    pub(super) async fn attend(&self) -> Result<(), ReconcileError> {
        let Some(account) = self.lease.name.strip_prefix("account:") else { return Ok(()) };
        let now = self.reconciler.clock.now();
        let is_time = |asked: DateTime<Utc>| now - asked >= LOOK_EVERY;
        if !self.asked().is_some_and(is_time) {
            return Ok(());
        }
        self.attend_to(account).await
    }

    /// Attends to what waits for the account, however lately it was looked for.
    pub(super) async fn attend_at_once(&self) -> Result<(), ReconcileError> {
        match self.lease.name.strip_prefix("account:") {
            Some(account) => self.attend_to(account).await,
            None => Ok(()),
        }
    }

    async fn attend_to(&self, account: &str) -> Result<(), ReconcileError> {
        *self.asked() = None;
        let done = self.attend_now(account).await;
        *self.asked() = Some(self.reconciler.clock.now());
        match done {
            // What waits is tried again; it must not end the sweep that it interrupted.
            Err(error) if !error.is_lost_lease() => {
                tracing::warn!(
                    account,
                    error = error.chain(),
                    "what was told could not be attended to"
                );
                Ok(())
            }
            done => done,
        }
    }

    async fn attend_now(&self, account: &str) -> Result<(), ReconcileError> {
        let clinics = self.reconciler.roster.clinics_of(account);
        if clinics.is_empty() || !self.reconciler.store.is_any_waiting(&clinics).await? {
            return Ok(());
        }
        self.reconciler.attend_account(self, account).await.map(drop)
    }

    fn asked(&self) -> MutexGuard<'_, Option<DateTime<Utc>>> {
        self.asked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease, unless that was done lately.
    pub(super) async fn prolong(&self) -> Result<(), ReconcileError> {
        let now = self.reconciler.clock.now();
        let lately = *self.prolonged_at.lock().unwrap_or_else(PoisonError::into_inner);
        let ttl = self.reconciler.settings.lease;
        // Not where the clock was set back: nobody knows then how long ago it was.
        if (lately..lately + ttl / RENEWED_IN).contains(&now) {
            return Ok(());
        }
        if !self.reconciler.store.lease_renew(&self.lease, ttl).await? {
            return Err(StoreError::LeaseLost { name: self.lease.name.clone() }.into());
        }
        *self.prolonged_at.lock().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    /// Waits for what the provider takes its time for, and keeps the lease meanwhile.
    pub(super) async fn beside<T>(
        &self,
        work: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ReconcileError> {
        let mut work = pin!(work);
        let clock = &self.reconciler.clock;
        loop {
            let due = clock.deadline(self.reconciler.settings.lease / RENEWED_IN);
            match select(work.as_mut(), due).await {
                Either::Left((done, _)) => return Ok(done?),
                Either::Right(((), _)) => self.prolong().await?,
            }
        }
    }

    /// Gives the lease back at once, so that nobody waits for it to run out.
    pub(super) async fn release(self) -> Result<(), ReconcileError> {
        Ok(self.reconciler.store.lease_release(&self.lease).await?)
    }
}
