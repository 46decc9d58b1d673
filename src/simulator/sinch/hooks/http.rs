//! Callbacks over real HTTP, as they fall due.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::{Answer, Attempt, WebhookSender};
use crate::simulator::sinch::Simulator;

/// How long a callback waits for an answer; Sinch does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often callbacks that fell due are looked for.
const LOOK: Duration = Duration::from_millis(5);

/// Posts callbacks with a client of its own.
#[derive(Debug, Clone)]
pub struct HttpSender(reqwest::Client);

impl HttpSender {
    /// Makes the client; it speaks plain HTTP only, since everything here is on loopback.
    ///
    /// # Errors
    /// When the client cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        // The client wants a provider of cryptography although it never speaks TLS here; another
        // one that is installed already does as well.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self(client))
    }
}

#[async_trait]
impl WebhookSender for HttpSender {
    async fn post(&self, attempt: &Attempt) -> Answer {
        let mut request = self.0.post(&attempt.url).body(attempt.body.clone());
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        match request.send().await {
            Ok(answer) => Answer::Status(answer.status().as_u16()),
            Err(_) => Answer::Silence,
        }
    }
}

/// Deliveries under way; dropping it ends them.
#[derive(Debug)]
pub struct Deliveries(JoinHandle<()>);

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Simulator {
    /// Delivers callbacks over HTTP from now on, each as soon as it falls due, by a clock that
    /// really waits.
    #[must_use]
    pub fn deliver_over_http(&self, sender: HttpSender) -> Deliveries {
        self.connect_webhooks(Arc::new(sender));
        let simulator = self.clone();
        Deliveries(tokio::spawn(async move {
            loop {
                simulator.deliver_webhooks().await;
                simulator.shared.clock.sleep(LOOK).await;
            }
        }))
    }
}
