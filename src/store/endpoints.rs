//! Endpoints: where a provider sends what it has to tell, and the secrets it signs with.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use super::columns::{At, args};
use super::error::{Result, StoreError};
use super::sql::statements;
use crate::domain::{ClinicId, endpoint::Origin};
use crate::keys::NONCE;

/// An endpoint to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEndpoint {
    /// Whose it is.
    pub clinic: ClinicId,
    /// The account, by its name in the clinic's file.
    pub account: String,
    /// The provider's id of the list it is for; none where it is for the whole account.
    pub audience: Option<String>,
    /// Whose acts it is told of.
    pub origin: Origin,
}

/// One endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub clinic: ClinicId,
    /// The last part of its path, which nobody can guess.
    pub token: SecretString,
    /// The account, by its name in the clinic's file.
    pub account: String,
    /// The provider's id of the list it is for; none where it is for the whole account.
    pub audience: Option<String>,
    /// Whose acts it is told of.
    pub origin: Origin,
    /// The provider's id of the hook, where it was made by its API.
    pub hook: Option<String>,
    /// Whether deliveries must be signed; where not, nothing is believed before it is read again.
    pub signed: bool,
    /// The secret that the provider showed once, to verify by.
    pub secret: Option<SecretString>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct EndpointColumns {
    id: Uuid,
    clinic_id: ClinicId,
    token: String,
    account: String,
    audience: Option<String>,
    origin: Origin,
    hook_id: Option<String>,
    signed: bool,
    secret: Option<String>,
    #[sqlx(try_from = "At")]
    created_at: DateTime<Utc>,
}

macro_rules! endpoint_columns {
    () => {
        "SELECT id, clinic_id, token, account, audience, origin, hook_id, signed, secret,
            created_at
         FROM endpoints "
    };
}

statements! {
    ENDPOINT_ADD = {
        "INSERT INTO endpoints (clinic_id, id, token_hash, token, account, audience, origin,
            signed, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, $8)"
    }
    ENDPOINT_BY_TOKEN = {
        endpoint_columns!(), "WHERE token_hash = $1 AND (removed_at IS NULL OR removed_at > $2)"
    }
    ENDPOINT_BY_ID = { endpoint_columns!(), "WHERE clinic_id = $1 AND id = $2" }
    ENDPOINTS = {
        endpoint_columns!(),
        "WHERE clinic_id = $1 AND removed_at IS NULL ORDER BY account, audience, origin, id"
    }
    ENDPOINTS_EVER = { endpoint_columns!(), "WHERE clinic_id = $1" }
    ENDPOINT_HOOKED = {
        "UPDATE endpoints SET hook_id = $3, signed = $4, secret = COALESCE($5, secret)
         WHERE clinic_id = $1 AND id = $2"
    }
    ENDPOINT_REMOVED = {
        "UPDATE endpoints SET removed_at = $3
         WHERE clinic_id = $1 AND id = $2 AND removed_at IS NULL"
    }
}

impl Store {
    /// Makes an endpoint with a path of its own; unsigned until [`Store::endpoint_hooked`].
    pub async fn endpoint_add(&self, new: &NewEndpoint) -> Result<Endpoint> {
        let id = self.clock.id();
        let token = token(|| self.clock.chance());
        let sealed = self.seal_text("endpoints/token", id, token.expose_secret())?;
        let hash = token_hash(token.expose_secret());
        let now = self.clock.now();
        let args = args![
            new.clinic,
            id,
            hash,
            sealed,
            new.account.as_str(),
            new.audience.as_deref(),
            new.origin,
            now
        ];
        self.db.execute(ENDPOINT_ADD, args).await?;
        self.endpoint(new.clinic, id).await
    }

    /// Returns an endpoint, removed or not.
    pub async fn endpoint(&self, clinic: ClinicId, id: Uuid) -> Result<Endpoint> {
        let found: Option<EndpointColumns> = self.db.row(ENDPOINT_BY_ID, args![clinic, id]).await?;
        self.endpoint_of(found.ok_or(StoreError::Missing { what: "endpoint" })?)
    }

    /// Finds the endpoint whose path ends in `token`.
    pub async fn endpoint_by_token(&self, token: &str) -> Result<Option<Endpoint>> {
        let found: Option<EndpointColumns> =
            self.db.row(ENDPOINT_BY_TOKEN, args![token_hash(token), self.clock.now()]).await?;
        found.map(|columns| self.endpoint_of(columns)).transpose()
    }

    /// Returns the clinic's endpoints, by account and list.
    pub async fn endpoints(&self, clinic: ClinicId) -> Result<Vec<Endpoint>> {
        let found: Vec<EndpointColumns> = self.db.rows(ENDPOINTS, args![clinic]).await?;
        found.into_iter().map(|columns| self.endpoint_of(columns)).collect()
    }

    /// Returns the clinic's endpoints by id, the removed too: deliveries may still wait.
    pub async fn endpoints_by_id(&self, clinic: ClinicId) -> Result<BTreeMap<Uuid, Endpoint>> {
        let found: Vec<EndpointColumns> = self.db.rows(ENDPOINTS_EVER, args![clinic]).await?;
        let opened = found.into_iter().map(|columns| self.endpoint_of(columns));
        opened.map(|endpoint| endpoint.map(|endpoint| (endpoint.id, endpoint))).collect()
    }

    /// Records the hook that the provider made for an endpoint, and the secret that it showed once.
    pub async fn endpoint_hooked(
        &self,
        endpoint: &Endpoint,
        hook: &str,
        secret: Option<&SecretString>,
    ) -> Result<()> {
        let sealed = secret.map(|secret| self.seal_secret(endpoint.id, secret)).transpose()?;
        let signed = secret.is_some();
        let args = args![endpoint.clinic, endpoint.id, hook, signed, sealed];
        self.db.execute(ENDPOINT_HOOKED, args).await.map(drop)
    }

    /// Ends an endpoint: its path is unknown from `at` on.
    pub async fn endpoint_removed(&self, endpoint: &Endpoint, at: DateTime<Utc>) -> Result<()> {
        let args = args![endpoint.clinic, endpoint.id, at];
        self.db.execute(ENDPOINT_REMOVED, args).await.map(drop)
    }

    fn endpoint_of(&self, columns: EndpointColumns) -> Result<Endpoint> {
        let id = columns.id;
        let open = |what: &str, sealed: &str| self.open_text(what, id, sealed);
        Ok(Endpoint {
            token: open("endpoints/token", &columns.token)?,
            secret: columns
                .secret
                .as_ref()
                .map(|sealed| open("endpoints/secret", sealed))
                .transpose()?,
            id,
            clinic: columns.clinic_id,
            account: columns.account,
            audience: columns.audience,
            origin: columns.origin,
            hook: columns.hook_id,
            signed: columns.signed,
            created_at: columns.created_at,
        })
    }

    fn seal_secret(&self, id: Uuid, secret: &SecretString) -> Result<String> {
        self.seal_text("endpoints/secret", id, secret.expose_secret())
    }

    /// Seals a text for the place `table/column` of row `id`.
    pub(super) fn seal_text(&self, place: &str, id: Uuid, text: &str) -> Result<String> {
        self.seal_bytes(place, id, text.as_bytes())
    }

    /// Seals bytes for the place `table/column` of row `id`.
    pub(super) fn seal_bytes(&self, place: &str, id: Uuid, plain: &[u8]) -> Result<String> {
        Ok(STANDARD.encode(self.keys.seal(self.nonce(), &whole_place(place, id), plain)?))
    }

    pub(super) fn nonce(&self) -> [u8; NONCE] {
        let mut nonce = [0_u8; NONCE];
        for part in nonce.chunks_exact_mut(8) {
            part.copy_from_slice(&self.clock.chance().to_le_bytes());
        }
        nonce
    }

    fn open_text(&self, place: &str, id: Uuid, sealed: &str) -> Result<SecretString> {
        let plain = self.open_bytes(place, id, sealed)?;
        let text = String::from_utf8(plain);
        Ok(text.map_err(|_| StoreError::Corrupt { what: "endpoint" })?.into())
    }

    /// Opens what was sealed for the place `table/column` of row `id`.
    pub(super) fn open_bytes(&self, place: &str, id: Uuid, sealed: &str) -> Result<Vec<u8>> {
        let sealed = STANDARD.decode(sealed).map_err(|_| StoreError::Corrupt { what: "seal" })?;
        Ok(self.keys.open(&whole_place(place, id), &sealed)?)
    }
}

fn whole_place(place: &str, id: Uuid) -> Vec<u8> {
    format!("{place}/{id}").into_bytes()
}

/// 192 bits of chance, as a part of a path.
fn token(mut chance: impl FnMut() -> u64) -> SecretString {
    hex::encode([chance(), chance(), chance()].map(u64::to_be_bytes).concat()).into()
}

/// A token is as long as a key, so that its plain hash gives nothing away; and who finds it by its
/// hash compares no part of it.
fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}
