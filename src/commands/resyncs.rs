//! What `serve` does when somebody pressed *Resync*: takes it up, and says that it is still at it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::{Notify, watch};

use super::{Deployment, Exit};
use crate::reconcile::{Roster, Scope};
use crate::store::ResyncRow;

/// How often it looks without being woken: another replica may have been asked.
const LOOK: Duration = Duration::from_secs(1);
/// How often a worker says that it is still at it.
const ALIVE: Duration = Duration::from_secs(20);

/// Takes up one resync after the other until it is asked to stop.
pub(super) async fn work(
    current: watch::Receiver<Arc<Deployment>>,
    roster: watch::Receiver<Arc<Roster>>,
    woken: Arc<Notify>,
) {
    let stop = current.borrow().reconciler().stop.clone();
    while !stop.is_asked() {
        let deployment = current.borrow().clone();
        match deployment.store.resync_take().await {
            Ok(Some(resync)) => {
                let roster = roster.borrow().clone();
                take_up(&deployment, roster, &resync).await;
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "no resync could be taken up; it is tried again"),
        }
        let slept = deployment.clock().sleep(LOOK);
        select(std::pin::pin!(woken.notified()), slept).await;
    }
}

async fn take_up(deployment: &Deployment, roster: Arc<Roster>, resync: &ResyncRow) {
    let done = std::pin::pin!(reconcile(deployment, roster, resync));
    let mut done = done;
    let outcome = loop {
        let still = deployment.clock().sleep(ALIVE);
        match select(done.as_mut(), still).await {
            Either::Left((outcome, _)) => break outcome,
            Either::Right(_) => drop(deployment.store.resync_alive(resync).await),
        }
    };
    let outcome = outcome.unwrap_or_else(|error| {
        let error = format!("{error:#}");
        tracing::error!(resync = %resync.id, error, "a resync failed");
        "failed"
    });
    if let Err(error) = deployment.store.resync_end(resync, outcome).await {
        tracing::warn!(%error, "a resync could not be ended; it is done again");
    }
}

async fn reconcile(
    deployment: &Deployment,
    roster: Arc<Roster>,
    resync: &ResyncRow,
) -> anyhow::Result<&'static str> {
    let clinic = deployment.store.clinic(resync.clinic).await?;
    let clinic = deployment.expect_clinic(&clinic.slug)?;
    let mut practice = deployment.practice(clinic).await?;
    let list = Some(resync.list.clone()).filter(|list| !list.is_empty());
    let scope = Scope { list, full: resync.whole };
    let reconciler = deployment.reconciler().attending(roster);
    let outcome = reconciler.reconcile(&mut practice, &scope).await?;
    Ok(match Exit::after(&outcome) {
        Exit::InStep => "in_step",
        Exit::Busy => "busy",
        Exit::Waiting => "waiting",
        Exit::ParkedRemovals => "parked_removals",
        Exit::Usage | Exit::Error => "failed",
    })
}
