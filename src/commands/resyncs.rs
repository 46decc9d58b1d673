//! What `serve` does when somebody pressed *Resync*: takes it up, and says that it is still at it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{Either, select};
use tokio::sync::{Notify, watch};

use super::{Deployment, Exit};
use crate::reconcile::{ClinicOutcome, ListState, Roster, Scope, SourceState};
use crate::store::ResyncRow;

/// How often it looks without being woken: another replica may have been asked.
const LOOK: Duration = Duration::from_secs(1);
/// How often a worker says that it is still at it.
const ALIVE: Duration = Duration::from_secs(20);
/// How long it waits while another worker has patients or a list in hand.
const BUSY: TimeDelta = TimeDelta::seconds(15);

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
    let alive = std::pin::pin!(say_alive(deployment, resync));
    let came_to = match select(done, alive).await {
        Either::Left((came_to, _)) => came_to,
        Either::Right((never, _)) => match never {},
    };
    let came_to = came_to.unwrap_or_else(|error| {
        let error = format!("{error:#}");
        tracing::error!(resync = %resync.id, error, "a resync failed");
        CameTo::End("failed")
    });
    let noted = match came_to {
        CameTo::End(outcome) => deployment.store.resync_end(resync, outcome).await,
        CameTo::Later(pause) => deployment.store.resync_leave(resync, pause).await,
    };
    if let Err(error) = noted {
        tracing::warn!(%error, "what a resync came to could not be noted; it is done again");
    }
}

/// Says again and again that a worker is at it. A failure shows in the work itself.
async fn say_alive(deployment: &Deployment, resync: &ResyncRow) -> Infallible {
    loop {
        deployment.clock().sleep(ALIVE).await;
        drop(deployment.store.resync_alive(resync).await);
    }
}

/// What a turn for a resync came to.
#[derive(Debug, PartialEq, Eq)]
enum CameTo {
    /// It is through.
    End(&'static str),
    /// Somebody takes it up again after a pause.
    Later(TimeDelta),
}

async fn reconcile(
    deployment: &Deployment,
    roster: Arc<Roster>,
    resync: &ResyncRow,
) -> anyhow::Result<CameTo> {
    let clinic = deployment.store.clinic(resync.clinic).await?;
    let clinic = deployment.expect_clinic(&clinic.slug)?;
    let mut practice = deployment.practice(clinic).await?;
    let list = Some(resync.list.clone()).filter(|list| !list.is_empty());
    let scope = Scope { list, full: resync.whole };
    let reconciler = deployment.reconciler().attending(roster);
    let outcome = reconciler.reconcile(&mut practice, &scope).await?;
    Ok(came_to(&outcome))
}

/// A run that was under way may have read things before what the admin changed: it is waited for.
fn came_to(outcome: &ClinicOutcome) -> CameTo {
    let any = |state| outcome.lists.iter().any(|list| list.state == state);
    if any(ListState::Interrupted) {
        return CameTo::Later(TimeDelta::zero());
    }
    if outcome.source.state == SourceState::Busy || any(ListState::Busy) {
        return CameTo::Later(BUSY);
    }
    CameTo::End(match Exit::after(outcome) {
        Exit::InStep | Exit::Busy => "in_step",
        Exit::Waiting => "waiting",
        Exit::ParkedRemovals => "parked_removals",
        Exit::Usage | Exit::Error => "failed",
    })
}
