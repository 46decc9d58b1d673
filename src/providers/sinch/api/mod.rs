//! Sending: where the APIs are, the token, and what answers mean.

pub mod call;
mod judge;
mod token;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

pub use self::call::Call;
use self::judge::judge;
use self::token::Credential;
use super::settings::{Settings, SettingsError};
use crate::clock::SharedClock;
pub use crate::providers::http::parse;
use crate::providers::http::{Client, Failure, unbuilt};
use crate::providers::{ProviderError, Transport};

/// One project or service plan: its credential and its share of requests, for all of its groups.
#[derive(Clone)]
pub struct Connection(Arc<Account>);

struct Account {
    client: Client,
    settings: Settings,
    credential: Credential,
    sms: String,
    consents: Option<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.0.settings.region;
        f.debug_struct("Connection").field("region", &region).finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens the account that `key` belongs to; nothing is sent yet.
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
            credential: Credential::new(&settings, key)?,
            sms: settings.sms_base()?,
            consents: settings.consents_base()?,
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

    /// Tells whether there are consent lists to read.
    pub(super) fn has_consents(&self) -> bool {
        self.0.consents.is_some()
    }

    /// Sends a call that changes nothing and reads the answer as `T`.
    pub(super) async fn read<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        parse(&self.send(call, false).await?)
    }

    /// Sends a call that changes something and returns the answer's body.
    pub(super) async fn write(&self, call: &Call) -> Result<Bytes, Failure> {
        self.send(call, true).await
    }

    /// Sends with the token there is; where it is refused before its time, once more with a new
    /// one. A refused token changed nothing.
    async fn send(&self, call: &Call, writes: bool) -> Result<Bytes, Failure> {
        let token = self.0.credential.token(&self.0.client).await?;
        match self.send_with(call, writes, &token).await {
            Err(Failure::Error(ProviderError::Unauthorized)) => {
                let Some(token) = self.0.credential.renewed(&self.0.client, &token).await? else {
                    return Err(Failure::Error(ProviderError::Unauthorized));
                };
                self.send_with(call, writes, &token).await
            }
            answer => answer,
        }
    }

    async fn send_with(
        &self,
        call: &Call,
        writes: bool,
        token: &HeaderValue,
    ) -> Result<Bytes, Failure> {
        let request = || self.request(call, token);
        if writes {
            return self.0.client.write(request).await;
        }
        self.0.client.read(request).await
    }

    fn request(&self, call: &Call, token: &HeaderValue) -> Result<Request<Bytes>, Failure> {
        let base = if call.is_of_consents() {
            self.0.consents.as_deref().unwrap_or_default()
        } else {
            &self.0.sms
        };
        let request = Request::builder()
            .method(call.method())
            .uri(format!("{base}{}", call.target()))
            .header(AUTHORIZATION, token)
            .header(ACCEPT, "application/json");
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

    use serde_json::Value;

    use super::*;
    use crate::clock::ManualClock;
    use crate::providers::http::scripted::{Reply, Scripted, script};

    pub const TOKEN: Reply = Reply::Json(200, r#"{"access_token":"t1","expires_in":3600}"#);
    const OK: Reply = Reply::Json(200, "{}");

    /// A project's connection to a script, its record, and the clock both live by.
    pub fn scripted(replies: Vec<Reply>) -> (Connection, Arc<Scripted>, Arc<ManualClock>) {
        let (transport, clock) = script(replies);
        let settings = Settings {
            project_id: Some("p1".to_owned()),
            sender: "+447911000001".to_owned(),
            base_url: Some("http://x.test".to_owned()),
            auth_url: Some("http://auth.test".to_owned()),
            ..Settings::default()
        };
        let shared: SharedClock = clock.clone();
        let connection =
            Connection::new(settings, &"id:secret".into(), transport.clone(), shared).unwrap();
        (connection, transport, clock)
    }

    async fn read(connection: &Connection) -> Result<Value, String> {
        let answer = connection.read::<Value>(&Call::get(&["groups"])).await;
        answer.map_err(|failure| format!("{:?}", failure.of_account()))
    }

    #[tokio::test]
    async fn a_token_is_fetched_once_and_anew_shortly_before_it_ends() {
        let (connection, transport, clock) = scripted(vec![TOKEN, OK, OK, TOKEN, OK]);
        for minutes in [0, 58, 2] {
            clock.advance(std::time::Duration::from_mins(minutes));
            assert!(read(&connection).await.is_ok());
        }
        let asked = transport.asked();
        assert_eq!(asked[0], "POST http://auth.test/oauth2/token");
        assert_eq!(asked[1], "GET http://x.test/xms/v1/p1/groups");
        assert_eq!(asked[3], "POST http://auth.test/oauth2/token");
    }

    #[tokio::test]
    async fn a_token_refused_before_its_time_is_replaced_once() {
        let refused = Reply::Json(401, "{}");
        let (connection, _, _) = scripted(vec![TOKEN, refused, TOKEN, OK]);
        assert!(read(&connection).await.is_ok());
        let (connection, _, _) = scripted(vec![TOKEN, refused, TOKEN, refused]);
        assert_eq!(read(&connection).await, Err("Unauthorized".to_owned()));
        let (connection, _, _) = scripted(vec![Reply::Json(400, r#"{"error":"invalid_client"}"#)]);
        assert_eq!(read(&connection).await, Err("Unauthorized".to_owned()));
    }

    #[tokio::test]
    async fn many_at_once_wait_for_one_token() {
        let (connection, _, _) = scripted(vec![TOKEN, OK, OK, OK]);
        let answers = futures::future::join_all((0..3).map(|_| read(&connection))).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(connection.requests(), 4);
    }

    #[test]
    fn nothing_shows_the_key() {
        let (connection, _, _) = scripted(Vec::new());
        assert!(!format!("{connection:?}").contains("secret"));
    }
}
