//! Sending: where the API is, the key, and what answers mean.

mod call;
mod judge;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

pub use self::call::Call;
pub use self::judge::Problem;
use self::judge::judge;
use super::settings::{Settings, SettingsError, region};
use super::wire::Page;
use crate::clock::SharedClock;
pub use crate::providers::http::parse;
use crate::providers::http::{Client, Failure, bearer, unbuilt};
use crate::providers::{ProviderError, Transport};

/// The most rows asked for on one page; Bird does not say how many it gives.
pub const ROWS: &str = "100";
/// More pages than any list of hooks or audiences has.
const MOST_PAGES: usize = 1_000;

/// One workspace: its key and its share of requests, for all of its audiences.
#[derive(Clone)]
pub struct Connection(Arc<Account>);

struct Account {
    client: Client,
    settings: Settings,
    key: HeaderValue,
    region: String,
    base: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("region", &self.0.region).finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens the workspace that `key` belongs to; nothing is sent yet.
    ///
    /// # Errors
    /// When the settings contradict themselves or the key is none.
    pub fn new(
        settings: Settings,
        key: &SecretString,
        transport: Arc<dyn Transport>,
        clock: SharedClock,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let region = region(key)?;
        Ok(Self(Arc::new(Account {
            key: bearer(key).ok_or(SettingsError::Key)?,
            base: settings.api_base(&region)?,
            client: Client::new(transport, clock, settings.in_flight, settings.tries, judge),
            region,
            settings,
        })))
    }

    /// Returns how many requests were sent, tries counted one by one.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.client.requests()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn clock(&self) -> &SharedClock {
        self.0.client.clock()
    }

    pub(super) fn region(&self) -> &str {
        &self.0.region
    }

    /// Sends a call that changes nothing and reads the answer as `T`.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        parse(&self.0.client.read(|| self.request(call)).await?)
    }

    /// Reads every page of a list that is never long.
    pub(super) async fn read_all<T: DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<Vec<T>, Failure> {
        let mut rows = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let call = call.clone().with("limit", ROWS);
            let call = next.iter().fold(call, |call, next| call.with("starting_after", next));
            let page: Page<T> = self.read(&call).await?;
            rows.extend(page.data);
            next = page.next_cursor;
            if next.is_none() {
                return Ok(rows);
            }
        }
        Err(Failure::Error(ProviderError::Unreadable { what: "a list without an end" }))
    }

    /// Sends a call that changes something and returns the answer's body.
    ///
    /// A change in doubt is sent again: either it has a name that Bird acts on once, or doing it
    /// twice does the same.
    pub(super) async fn write(&self, call: &Call) -> Result<Bytes, Failure> {
        if call.method() == Method::POST && call.name().is_none() {
            return self.0.client.write(|| self.request(call)).await;
        }
        self.0.client.named(|| self.request(call)).await
    }

    fn request(&self, call: &Call) -> Result<Request<Bytes>, Failure> {
        let request = Request::builder()
            .method(call.method())
            .uri(format!("{}{}", self.0.base, call.target()))
            .header(AUTHORIZATION, &self.0.key)
            .header(ACCEPT, "application/json");
        let request = match call.name() {
            Some(name) => request.header("idempotency-key", name.to_string()),
            None => request,
        };
        let request = match call.payload() {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Bytes::from(body)),
            None => request.body(Bytes::new()),
        };
        request.map_err(unbuilt)
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::providers::http::scripted::{Reply, Scripted, script};

    /// A connection to a script, and its record.
    pub fn scripted(replies: Vec<Reply>) -> (Connection, Arc<Scripted>) {
        let (transport, clock) = script(replies);
        let settings = Settings {
            sender: "+447911000001".to_owned(),
            base_url: Some("http://x.test".to_owned()),
            tries: 2,
            ..Settings::default()
        };
        let key = "bk_eu1_s3cret".into();
        let connection = Connection::new(settings, &key, transport.clone(), clock).unwrap();
        (connection, transport)
    }

    #[test]
    fn nothing_shows_the_key() {
        assert!(!format!("{:?}", scripted(Vec::new()).0).contains("s3cret"));
    }
}
