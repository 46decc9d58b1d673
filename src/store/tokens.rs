//! Tokens: who may ask, as what, and for which clinics. Of a secret only its hash is kept.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Store;
use super::columns::{At, MaybeAt, args, id_rows};
use super::error::{Result, StoreError};
use super::sql::statements;
use crate::domain::{ClinicId, Clinics, Role};

/// How tokens begin, for scanners that look for secrets where none should be.
const PREFIX: &str = "lw";
/// How the names of tokens begin that nobody has: those of sessions that a provider vouched for.
pub const SIGNED_IN: &str = "oidc:";
/// How far back the last use may be before it is written again: it need not be to the second.
const COARSE: TimeDelta = TimeDelta::hours(1);

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for, for people.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// For which clinics.
    pub clinics: Clinics,
    /// Until when; none is until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// Who made it.
    pub by: String,
}

/// One token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: Uuid,
    /// What it is for, for people.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// For which clinics.
    pub clinics: Clinics,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// Until when it holds; none is until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the hour.
    pub used_at: Option<DateTime<Utc>>,
}

impl TokenRow {
    /// Tells whether it is the token of one session, which nobody ever read.
    #[must_use]
    pub fn is_session(&self) -> bool {
        self.name.starts_with(SIGNED_IN)
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// Nobody made it.
    Unknown,
    /// Its time is over.
    Expired(Uuid),
    /// Somebody took it back.
    Revoked(Uuid),
}

#[derive(sqlx::FromRow)]
struct TokenColumns {
    id: Uuid,
    name: String,
    role: Role,
    secret_hash: String,
    all_clinics: bool,
    created_by: String,
    #[sqlx(try_from = "At")]
    created_at: DateTime<Utc>,
    #[sqlx(try_from = "MaybeAt")]
    expires_at: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    revoked_at: Option<DateTime<Utc>>,
    #[sqlx(try_from = "MaybeAt")]
    used_at: Option<DateTime<Utc>>,
}

macro_rules! token_columns {
    () => {
        "SELECT id, name, role, secret_hash, all_clinics, created_by, created_at, expires_at,
            revoked_at, used_at
         FROM tokens "
    };
}

statements! {
    TOKEN_ADD = {
        "INSERT INTO tokens (id, name, role, secret_hash, all_clinics, created_by, created_at,
            expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    }
    TOKEN_CLINICS_ADD (given: id uuid) = {
        "INSERT INTO token_clinics (clinic_id, token_id) SELECT id, $2 FROM given"
    }
    TOKEN = { token_columns!(), "WHERE id = $1" }
    TOKENS = { token_columns!(), "ORDER BY id" }
    TOKEN_CLINICS = { "SELECT clinic_id FROM token_clinics WHERE token_id = $1" }
    TOKEN_REVOKE = { "UPDATE tokens SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1" }
    SESSIONS_FORGET_CLINICS = {
        "DELETE FROM token_clinics WHERE token_id IN
            (SELECT id FROM tokens WHERE name LIKE 'oidc:%' AND expires_at < $1)"
    }
    SESSIONS_FORGET = { "DELETE FROM tokens WHERE name LIKE 'oidc:%' AND expires_at < $1" }
    TOKEN_USED = {
        "UPDATE tokens SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $3)"
    }
}

impl Store {
    /// Makes a token and returns its text, which nobody can show again.
    pub async fn token_create(&self, new: &NewToken) -> Result<(Uuid, SecretString)> {
        let id = self.clock.id();
        let secret = hex::encode([(); 4].map(|()| self.clock.chance().to_be_bytes()).concat());
        let mut tx = self.db.begin().await?;
        let all = new.clinics == Clinics::All;
        let (hash, now) = (secret_hash(&secret), self.clock.now());
        let (name, by) = (new.name.as_str(), new.by.as_str());
        tx.execute(TOKEN_ADD, args![id, name, new.role, hash, all, by, now, new.expires_at])
            .await?;
        if let Clinics::Some(clinics) = &new.clinics {
            let rows = id_rows(clinics.iter().map(|clinic| clinic.0))?;
            tx.execute(TOKEN_CLINICS_ADD, args![rows, id]).await?;
        }
        tx.commit().await?;
        Ok((id, format!("{PREFIX}_{}_{secret}", id.simple()).into()))
    }

    /// Finds the token of that text, if it still holds.
    ///
    /// Whether the id or the secret is wrong cannot be told from the time it takes.
    pub async fn token_by_text(
        &self,
        text: &SecretString,
    ) -> Result<std::result::Result<TokenRow, BadToken>> {
        let Some((id, secret)) = parts(text.expose_secret()) else {
            return Ok(Err(BadToken::Unknown));
        };
        let given = secret_hash(secret);
        let found: Option<TokenColumns> = self.db.row(TOKEN, args![id]).await?;
        let kept = found.as_ref().map_or("", |token| token.secret_hash.as_str());
        // Texts of two lengths are told apart at once: nothing is compared with a padded one.
        let against = if kept.is_empty() { "0".repeat(given.len()) } else { kept.to_owned() };
        let same = bool::from(given.as_bytes().ct_eq(against.as_bytes()));
        self.holding(found.filter(|_| same)).await
    }

    /// Finds the token that a session names, if it still holds.
    pub async fn token_by_id(&self, id: Uuid) -> Result<std::result::Result<TokenRow, BadToken>> {
        self.holding(self.db.row(TOKEN, args![id]).await?).await
    }

    async fn holding(
        &self,
        token: Option<TokenColumns>,
    ) -> Result<std::result::Result<TokenRow, BadToken>> {
        let Some(token) = token else { return Ok(Err(BadToken::Unknown)) };
        let (id, now) = (token.id, self.clock.now());
        if token.revoked_at.is_some() {
            return Ok(Err(BadToken::Revoked(id)));
        }
        if token.expires_at.is_some_and(|at| at <= now) {
            return Ok(Err(BadToken::Expired(id)));
        }
        if token.used_at.is_none_or(|at| now - at >= COARSE) {
            self.db.execute(TOKEN_USED, args![id, now, now - COARSE]).await?;
        }
        self.token_row(token).await.map(Ok)
    }

    /// Returns the id of the key that sessions are signed with now.
    #[must_use]
    pub fn session_key(&self) -> &str {
        self.keys.current_id()
    }

    /// Signs what a session says with the key `key_id`; none where the keyring has none such.
    #[must_use]
    pub fn session_code(&self, key_id: &str, parts: &[&[u8]]) -> Option<String> {
        self.keys.session_mac(key_id, parts)
    }

    /// Returns every token, the oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>> {
        let mut tokens = Vec::new();
        for columns in self.db.rows(TOKENS, args![]).await? {
            tokens.push(self.token_row(columns).await?);
        }
        Ok(tokens)
    }

    /// Takes a token back, for good.
    pub async fn token_revoke(&self, id: Uuid) -> Result<()> {
        match self.db.execute(TOKEN_REVOKE, args![id, self.clock.now()]).await? {
            0 => Err(StoreError::Missing { what: "token" }),
            _ => Ok(()),
        }
    }

    /// Forgets the tokens of sessions that were over `before`.
    pub async fn sessions_forget(&self, before: DateTime<Utc>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.execute(SESSIONS_FORGET_CLINICS, args![before]).await?;
        tx.execute(SESSIONS_FORGET, args![before]).await?;
        tx.commit().await
    }

    async fn token_row(&self, columns: TokenColumns) -> Result<TokenRow> {
        let clinics = if columns.all_clinics {
            Clinics::All
        } else {
            let rows: Vec<(ClinicId,)> = self.db.rows(TOKEN_CLINICS, args![columns.id]).await?;
            Clinics::Some(rows.into_iter().map(|(clinic,)| clinic).collect())
        };
        let TokenColumns { id, name, role, created_by, created_at, .. } = columns;
        let TokenColumns { expires_at, revoked_at, used_at, .. } = columns;
        Ok(TokenRow {
            id,
            name,
            role,
            clinics,
            created_by,
            created_at,
            expires_at,
            revoked_at,
            used_at,
        })
    }
}

/// Splits `lw_ID_SECRET`; none where it is not written like that.
fn parts(text: &str) -> Option<(Uuid, &str)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.strip_prefix('_')?.split_once('_')?;
    let sound = id.len() == 32 && secret.len() == 64;
    Some((Uuid::try_parse(id).ok().filter(|_| sound)?, secret))
}

/// A secret is 256 bits of chance, so that its plain hash gives nothing away.
fn secret_hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}
