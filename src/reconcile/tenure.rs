//! Holding a lease: only its holder calls the account, and only under a live epoch is anything
//! recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ReconcileError, Reconciler};
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
}

impl<'a> Tenure<'a> {
    /// Takes the lease, unless another worker holds it.
    pub(super) async fn take(
        reconciler: &'a Reconciler,
        name: &str,
    ) -> Result<Option<Self>, ReconcileError> {
        let holder = reconciler.clock.id();
        let ttl = reconciler.settings.lease;
        let lease = reconciler.store.lease_acquire(name, holder, ttl).await?;
        Ok(lease.map(|lease| Self { reconciler, lease }))
    }

    /// Renews the lease; called between pages and operations.
    pub(super) async fn renew(&self) -> Result<(), ReconcileError> {
        let kept =
            self.reconciler.store.lease_renew(&self.lease, self.reconciler.settings.lease).await?;
        if kept {
            Ok(())
        } else {
            Err(StoreError::LeaseLost { name: self.lease.name.clone() }.into())
        }
    }

    /// Gives the lease back at once, so that nobody waits for it to run out.
    pub(super) async fn release(self) -> Result<(), ReconcileError> {
        Ok(self.reconciler.store.lease_release(&self.lease).await?)
    }
}
