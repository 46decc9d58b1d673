//! The worker of a serving process: attends as soon as it is woken, and looks by itself meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::{Reconciler, Roster};

/// How often it looks without being woken: another replica may have taken a delivery.
const LOOK: Duration = Duration::from_millis(500);
/// How often it looks while another worker holds an account that something waits for.
const HELD: Duration = Duration::from_millis(200);
/// The pause after a failure; it doubles up to five seconds.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Reconciler {
    /// Attends to what waits until it is asked to stop, with the accounts and lists as `roster` has
    /// them at each pass. A failure is logged and tried again; what waits is in the store and is
    /// lost by none.
    pub async fn attend_until_stopped(
        &self,
        roster: watch::Receiver<Arc<Roster>>,
        wake: Arc<Notify>,
    ) {
        let mut pause = PAUSE;
        while !self.stop.is_asked() {
            let now = self.attending(roster.borrow().clone());
            let (wait, may_be_woken) = match now.attend().await {
                Ok(false) => (LOOK, true),
                // Whoever holds it looks for what is delivered meanwhile: being woken changes nothing.
                Ok(true) => (HELD, false),
                Err(error) => {
                    tracing::warn!(%error, "nothing could be attended to; it is tried again");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    (pause, true)
                }
            };
            if wait <= LOOK {
                pause = PAUSE;
            }
            let waited = self.clock.sleep(wait);
            if may_be_woken {
                futures::future::select(std::pin::pin!(wake.notified()), waited).await;
            } else {
                waited.await;
            }
        }
    }
}
