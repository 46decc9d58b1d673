//! Whether the clinic's records are read: a list is observed meanwhile, and judged after.

use std::time::Duration;

use tokio::sync::watch;

use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler, Refused};
use crate::clock::timeout;

/// How often a list that waits looks after its lease, and after whoever waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How far the reading of a clinic's records is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    UnderWay,
    Done,
    Failed,
}

/// Tells when a clinic's records are read.
#[derive(Debug)]
pub(super) struct Records(watch::Sender<Reading>);

impl Records {
    /// They are being read.
    pub(super) fn under_way() -> Self {
        Self(watch::Sender::new(Reading::UnderWay))
    }

    /// They were read before.
    pub(super) fn read() -> Self {
        Self(watch::Sender::new(Reading::Done))
    }

    /// Tells those who wait that it is over.
    pub(super) fn end(&self, well: bool) {
        self.0.send_replace(if well { Reading::Done } else { Reading::Failed });
    }

    pub(super) fn have_failed(&self) -> bool {
        *self.0.borrow() == Reading::Failed
    }
}

impl Reconciler {
    /// Waits for the records; refuses to go on where they could not be read.
    pub(super) async fn wait_for(
        &self,
        records: &Records,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let mut told = records.0.subscribe();
        loop {
            let over = async { told.wait_for(|now| *now != Reading::UnderWay).await.is_ok() };
            match timeout(self.clock.as_ref(), LOOK_EVERY, over).await {
                Ok(_) if records.have_failed() => {
                    return Err(Refused::NoRecords { clinic: list.clinic.clone() }.into());
                }
                Ok(_) => return Ok(()),
                Err(_) => tenure.renew().await?,
            }
        }
    }
}
