//! Sending: where the API is, the credential, and what answers mean.

pub mod call;
mod headers;
pub mod problem;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

pub use self::call::Call;
use self::headers::credential;
use self::problem::judge;
use super::settings::{Settings, SettingsError, data_centre};
use crate::clock::SharedClock;
pub use crate::providers::http::parse;
use crate::providers::http::{Client, Failure, unbuilt};
use crate::providers::{ProviderError, Transport};

/// One account: its credential and its share of requests, for all of its lists.
#[derive(Clone)]
pub struct Connection(Arc<Account>);

struct Account {
    client: Client,
    settings: Settings,
    base: String,
    region: Option<String>,
    credential: HeaderValue,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("region", &self.0.region).finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens the account of `key`; nothing is sent yet.
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
        Ok(Self(Arc::new(Account {
            base: settings.base(key)?,
            region: data_centre(key),
            credential: credential(settings.auth, key)?,
            client: Client::new(transport, clock, settings.in_flight, settings.tries, judge),
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

    pub(super) fn region(&self) -> Option<&str> {
        self.0.region.as_deref()
    }

    /// Sends a call that changes nothing and reads the answer as `T`.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        parse(&self.0.client.read(|| self.request(call)).await?)
    }

    /// Sends a call that changes something and returns the answer's body.
    pub(super) async fn write(&self, call: &Call) -> Result<Bytes, Failure> {
        self.0.client.write(|| self.request(call)).await
    }

    /// Fetches a file that the provider named, without the credential and one try only.
    ///
    /// The file's host must be spoken to as safely as the API's.
    pub(super) async fn fetch(&self, url: &str) -> Result<Bytes, ProviderError> {
        let secure = url.starts_with("https://") || self.0.base.starts_with("http://");
        let request = Request::get(url).body(Bytes::new()).ok().filter(|_| secure);
        let request = request.ok_or(ProviderError::Unreadable { what: "a file's address" })?;
        let answer = self.0.client.send(request).await;
        let answer = answer.map_err(|error| ProviderError::Unavailable(Some(error)))?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(ProviderError::Unavailable(None))
    }

    fn request(&self, call: &Call) -> Result<Request<Bytes>, Failure> {
        let request = Request::builder()
            .method(call.method())
            .uri(format!("{}{}", self.0.base, call.target()))
            .header(AUTHORIZATION, &self.0.credential)
            .header(ACCEPT, "application/json");
        let request = match call.payload() {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Bytes::from(body)),
            None => request.body(Bytes::new()),
        };
        request.map_err(unbuilt)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::Value;

    use super::super::scripted::{Reply, scripted};
    use super::*;
    use crate::clock::Clock;

    const OK: Reply = Reply::Json(200, "{}");

    async fn write(replies: Vec<Reply>) -> (String, u64) {
        let (connection, _, _) = scripted(replies);
        let answer = connection.write(&Call::new(Method::PATCH, &["lists", "a"])).await;
        let said = match answer {
            Ok(_) => "Ok".to_owned(),
            Err(failure) => format!("{:?}", failure.of_account()),
        };
        (said, connection.requests())
    }

    #[tokio::test]
    async fn a_write_is_sent_again_only_when_it_was_certainly_not_applied() {
        for (replies, said, requests) in [
            (vec![OK], "Ok", 1),
            (vec![Reply::Unreachable, Reply::Later(429, 3), Reply::Html(403), OK], "Ok", 4),
            (vec![Reply::Broken], "Doubtful(Some(Broken(None)))", 1),
            (vec![Reply::Html(502)], "Doubtful(None)", 1),
            (vec![Reply::Html(403), Reply::Json(500, "{}")], "Doubtful(None)", 2),
            (
                (0..5).map(|_| Reply::Unreachable).collect(),
                "Unavailable(Some(Unreachable(None)))",
                5,
            ),
            ((0..5).map(|_| Reply::Html(403)).collect(), "Throttled { retry_after: None }", 5),
            (vec![Reply::Later(429, 600)], "Throttled { retry_after: Some(600s) }", 1),
            (
                vec![Reply::Html(404)],
                "Unreadable { what: \"a failure without a problem document\" }",
                1,
            ),
            (
                vec![Reply::Json(403, r#"{"title":"User Disabled"}"#)],
                "AccountDisabled { title: \"User Disabled\" }",
                1,
            ),
        ] {
            assert_eq!(write(replies).await, (said.to_owned(), requests));
        }
    }

    #[tokio::test]
    async fn a_read_is_tried_again_whatever_cut_it_off() {
        let (connection, _, _) =
            scripted(vec![Reply::Broken, Reply::Html(502), Reply::Json(500, "{}"), OK]);
        assert!(connection.read::<Value>(&Call::get(&["ping"])).await.is_ok());
        assert_eq!(connection.requests(), 4);
    }

    #[tokio::test]
    async fn a_pause_is_as_long_as_the_provider_asks_for() {
        let (connection, _, clock) = scripted(vec![Reply::Later(429, 40), OK]);
        let before = clock.now();
        assert!(connection.read::<Value>(&Call::get(&["ping"])).await.is_ok());
        assert_eq!((clock.now() - before).num_seconds(), 40);
    }

    #[tokio::test]
    async fn a_file_is_fetched_without_the_credential() {
        let (connection, transport, _) = scripted(vec![OK, Reply::Html(400)]);
        assert!(connection.fetch("https://files.test/a").await.is_ok());
        assert!(connection.fetch("https://files.test/a").await.is_err());
        assert_eq!(transport.asked()[0], "GET https://files.test/a unsigned");
    }

    #[test]
    fn nothing_shows_the_key() {
        let (connection, _, _) = scripted(Vec::new());
        assert!(!format!("{connection:?}").contains("0123"));
    }
}
