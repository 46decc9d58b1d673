//! The credential: a service plan's token, or the tokens that an access key gives.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;
use tokio::sync::Mutex;

use super::super::settings::{Settings, SettingsError, access_key};
use super::super::wire;
use crate::providers::ProviderError;
use crate::providers::http::{Client, Failure, basic, bearer, parse, unbuilt};

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_mins(1);

/// What opens an account.
pub enum Credential {
    /// The token of a service plan, which does not end.
    Plan(HeaderValue),
    /// The access key of a project.
    Project(Key),
}

/// An access key, and the token it gave last.
///
/// Source: Sinch docs, OAuth 2.0 access tokens.
pub struct Key {
    url: String,
    header: HeaderValue,
    last: Mutex<Option<(HeaderValue, DateTime<Utc>)>>,
}

impl Credential {
    /// Reads the key.
    pub fn new(settings: &Settings, key: &SecretString) -> Result<Self, SettingsError> {
        if settings.project_id.is_none() {
            return Ok(Self::Plan(bearer(key).ok_or(SettingsError::Key)?));
        }
        let (id, secret) = access_key(key)?;
        let header = basic(&id, &secret).ok_or(SettingsError::Key)?;
        Ok(Self::Project(Key { url: settings.token_url()?, header, last: Mutex::new(None) }))
    }

    /// Returns a token that is good for a while. Who comes while one is being fetched waits for it.
    pub async fn token(&self, client: &Client) -> Result<HeaderValue, Failure> {
        match self {
            Self::Plan(token) => Ok(token.clone()),
            Self::Project(key) => key.token(client, None).await,
        }
    }

    /// Returns another token than `refused`; none where there is no other.
    pub async fn renewed(
        &self,
        client: &Client,
        refused: &HeaderValue,
    ) -> Result<Option<HeaderValue>, Failure> {
        match self {
            Self::Plan(_) => Ok(None),
            Self::Project(key) => key.token(client, Some(refused)).await.map(Some),
        }
    }
}

impl Key {
    async fn token(
        &self,
        client: &Client,
        refused: Option<&HeaderValue>,
    ) -> Result<HeaderValue, Failure> {
        let mut last = self.last.lock().await;
        let now = client.clock().now();
        let good = last.as_ref().filter(|(token, until)| *until > now && Some(token) != refused);
        if let Some((token, _)) = good {
            return Ok(token.clone());
        }
        let answer = client.read(|| self.request()).await.map_err(refused_key)?;
        let answer: wire::Token = parse(&answer)?;
        let unreadable = Failure::Error(ProviderError::Unreadable { what: "a token" });
        let token = bearer(&answer.access_token).ok_or(unreadable)?;
        let lasts = Duration::from_secs(answer.expires_in.into()).saturating_sub(MARGIN);
        *last = Some((token.clone(), now + lasts));
        Ok(token)
    }

    fn request(&self) -> Result<Request<Bytes>, Failure> {
        Request::post(&self.url)
            .header(AUTHORIZATION, &self.header)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from_static(b"grant_type=client_credentials"))
            .map_err(unbuilt)
    }
}

/// A refused key may be a 400 as well (RFC 6749, 5.2: `invalid_client`, `invalid_grant`).
fn refused_key(failure: Failure) -> Failure {
    match failure {
        Failure::Error(ProviderError::Rejected { status: 400, .. }) => {
            Failure::Error(ProviderError::Unauthorized)
        }
        other => other,
    }
}
