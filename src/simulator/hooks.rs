//! Deliveries: what goes to a receiver, how it gets there, and what comes back. What is told, how
//! it is signed and when it is told again, each provider says for itself.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tokio::task::JoinHandle;

/// How long a delivery waits for an answer; no provider that says how long waits longer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Carries requests from a simulator to a receiver; without one, events only queue up.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Posts a delivery and tells the answer.
    async fn post(&self, attempt: &Attempt) -> Answer;

    /// Gets a URL as a provider does that looks at it first, and tells the answer.
    async fn check(&self, _url: &str, _user_agent: &str) -> Answer {
        Answer::Status(200)
    }
}

/// What a receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// An HTTP status.
    Status(u16),
    /// Nothing in time.
    Silence,
}

/// One attempt to deliver one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Where to.
    pub url: String,
    /// The headers, the content type and what proves who sent it among them.
    pub headers: Vec<(&'static str, String)>,
    /// The raw body.
    pub body: String,
}

impl Attempt {
    /// Finds a header by its name as it is written here.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Delivers twice, or the newest first, where that is asked for.
pub fn disturbed<T: Clone>(due: Vec<T>, duplicate: bool, reverse: bool) -> Vec<T> {
    let mut due = due;
    if duplicate {
        due = due.into_iter().flat_map(|one| [one.clone(), one]).collect();
    }
    if reverse {
        due.reverse();
    }
    due
}

/// Posts deliveries with a client of its own.
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
        answer(request).await
    }

    async fn check(&self, url: &str, user_agent: &str) -> Answer {
        answer(self.0.get(url).header("user-agent", user_agent)).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    match request.send().await {
        Ok(answer) => Answer::Status(answer.status().as_u16()),
        Err(_) => Answer::Silence,
    }
}

/// Deliveries under way; dropping it ends them.
#[derive(Debug)]
pub struct Deliveries(pub(super) JoinHandle<()>);

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.0.abort();
    }
}
