//! Sending: the two hosts, the credential, forms out and JSON in.

pub mod problem;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;

use self::problem::judge;
use super::settings::{Settings, SettingsError, Signing};
use crate::clock::SharedClock;
use crate::providers::http::{Client, Failure, base_url, parse, unbuilt};
use crate::providers::{ProviderError, Transport};

/// The version of the API that every path of the first host starts with.
const VERSION: &str = "/2010-04-01/";

/// One account: its credential and its share of requests.
#[derive(Clone)]
pub struct Connection(Arc<Account>);

struct Account {
    client: Client,
    settings: Settings,
    base: String,
    messaging: String,
    credential: HeaderValue,
    by_key: bool,
    signing_secret: Option<SecretString>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens the account; nothing is sent yet.
    ///
    /// # Errors
    /// When the settings contradict themselves or the credential is none.
    pub fn new(
        settings: Settings,
        key: &SecretString,
        transport: Arc<dyn Transport>,
        clock: SharedClock,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let (credential, by_key) = settings.credential(key)?;
        let signs = !by_key && settings.webhook_signing == Signing::AuthToken;
        let signing_secret = signs.then(|| key.expose_secret().trim().into());
        let client = Client::new(transport, clock, settings.in_flight, settings.tries, judge);
        Ok(Self(Arc::new(Account {
            base: base_url(&settings.base_url).ok_or(SettingsError::BaseUrl)?,
            messaging: base_url(&settings.messaging_url).ok_or(SettingsError::BaseUrl)?,
            client,
            settings,
            credential,
            by_key,
            signing_secret,
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

    /// Tells whether the credential is an API key, which may not be allowed to read the account.
    pub(super) fn is_by_key(&self) -> bool {
        self.0.by_key
    }

    /// Returns what deliveries are signed with, where that is the credential itself.
    pub(super) fn signing_secret(&self) -> Option<SecretString> {
        self.0.signing_secret.clone()
    }

    /// Returns the target of something of this account, such as `Messages.json`, with its query.
    pub(super) fn own(&self, what: &str, query: &[(&str, &str)]) -> String {
        let path = format!("{VERSION}Accounts/{}{what}", self.0.settings.account_sid);
        if query.is_empty() {
            return path;
        }
        format!("{path}?{}", Serializer::new(String::new()).extend_pairs(query).finish())
    }

    /// Reads `target` at the first host as `T`.
    ///
    /// A target may be one that an earlier answer named, so it is held to this API's paths: the
    /// credential goes nowhere else.
    pub(super) async fn read<T: DeserializeOwned>(&self, target: &str) -> Result<T, Failure> {
        if !target.starts_with(VERSION) {
            let what = "the address of a further page";
            return Err(Failure::Error(ProviderError::Unreadable { what }));
        }
        let url = format!("{}{target}", self.0.base);
        parse(&self.0.client.read(|| self.request(&url, None)).await?)
    }

    /// Posts a form to `target` at the first host and reads the answer as `T`.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        target: &str,
        form: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let url = format!("{}{target}", self.0.base);
        parse(&self.0.client.write(|| self.request(&url, Some(form))).await?)
    }

    /// Reads the messaging service that sends.
    pub(super) async fn read_service<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let url = self.service();
        parse(&self.0.client.read(|| self.request(&url, None)).await?)
    }

    /// Changes the messaging service that sends.
    pub(super) async fn post_service<T: DeserializeOwned>(
        &self,
        form: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let url = self.service();
        parse(&self.0.client.write(|| self.request(&url, Some(form))).await?)
    }

    fn service(&self) -> String {
        format!("{}/v1/Services/{}", self.0.messaging, self.0.settings.sender)
    }

    fn request(&self, url: &str, form: Option<&[(&str, &str)]>) -> Result<Request<Bytes>, Failure> {
        let method = if form.is_some() { "POST" } else { "GET" };
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, &self.0.credential)
            .header(ACCEPT, "application/json");
        let request = match form {
            Some(fields) => {
                let body = Serializer::new(String::new()).extend_pairs(fields).finish();
                request
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(Bytes::from(body))
            }
            None => request.body(Bytes::new()),
        };
        request.map_err(unbuilt)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::providers::http::scripted::{Reply, Scripted, script};

    const ACCOUNT: &str = "AC00000000000000000000000000000001";

    fn scripted(replies: Vec<Reply>) -> (Connection, Arc<Scripted>) {
        let (transport, clock) = script(replies);
        let settings = json!({"account_sid": ACCOUNT, "sender": "+447700900001", "tries": 2});
        let settings = serde_json::from_value(settings).unwrap();
        let key = "SK00000000000000000000000000000002:s3cret".into();
        let connection = Connection::new(settings, &key, transport.clone(), clock).unwrap();
        (connection, transport)
    }

    #[tokio::test]
    async fn a_form_goes_to_the_account_and_its_plus_signs_survive() {
        let (connection, transport) = scripted(vec![Reply::Json(201, "{}")]);
        let form = [("To", "+447911123456"), ("Body", "a & b")];
        let target = connection.own("/Messages.json", &[]);
        assert!(connection.post::<Value>(&target, &form).await.is_ok());
        let asked =
            format!("POST https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        assert_eq!(transport.asked(), [asked]);
        assert_eq!(transport.bodies()[0], "To=%2B447911123456&Body=a+%26+b");
    }

    #[tokio::test]
    async fn the_credential_follows_no_address_but_the_apis_own() {
        let (connection, transport) = scripted(Vec::new());
        for target in ["https://elsewhere.test/", "@elsewhere.test/2010-04-01/", ".evil.test/", ""]
        {
            assert!(connection.read::<Value>(target).await.is_err(), "{target}");
        }
        assert!(transport.asked().is_empty());
    }

    #[test]
    fn nothing_shows_the_credential() {
        let (connection, _) = scripted(Vec::new());
        assert!(!format!("{connection:?}").contains("s3cret"));
    }
}
