//! What Bird answers, as far as it is read.
//!
//! Source: Bird's Python SDK 0.106.0, whose types are made of Bird's `OpenAPI` file.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::api::Problem;

/// A page of a list.
#[derive(Deserialize)]
pub struct Page<T> {
    /// The rows on it.
    pub data: Vec<T>,
    /// Where the next page starts; none after the last.
    pub next_cursor: Option<String>,
}

/// The workspace of a key.
#[derive(Deserialize)]
pub struct Workspace {
    /// Its id, `ws_…`.
    pub id: String,
}

/// An audience.
#[derive(Deserialize)]
pub struct Audience {
    /// Its id, `adn_…`.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// How many an audience has; without the count it is not known, and not none.
#[derive(Deserialize)]
pub struct Membership {
    /// The count.
    pub membership: Option<Count>,
}

/// A count.
#[derive(Deserialize)]
pub struct Count {
    /// How many.
    pub total: u64,
}

/// One who is in an audience.
#[derive(Deserialize)]
pub struct Joined {
    /// Who.
    pub contact: Contact,
    /// Since when.
    pub joined_at: Option<DateTime<Utc>>,
}

/// A contact.
#[derive(Deserialize)]
pub struct Contact {
    /// Its id, `con_…`.
    pub id: String,
    /// Its number; none where it has an address for e-mail only.
    pub phone_number: Option<String>,
    /// Its e-mail address; read only to look it up again where it has no number.
    pub email: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// The audiences it is in; only where contacts are listed.
    #[serde(default)]
    pub audiences: Vec<Named>,
}

/// Something with an id.
#[derive(Deserialize)]
pub struct Named {
    /// Its id.
    pub id: String,
}

/// What became of a batch of contacts, in the order they were sent.
#[derive(Deserialize)]
pub struct Upserts {
    /// One each.
    pub data: Vec<Upsert>,
}

/// What became of one contact.
#[derive(Deserialize)]
pub struct Upsert {
    /// `created`, `updated` or `failed`.
    pub status: String,
    /// The contact.
    pub contact_id: Option<String>,
    /// Why it failed.
    pub error: Option<Problem>,
}

/// What became of a statement of somebody's wish.
#[derive(Deserialize)]
pub struct Stated {
    /// Whether it is what holds now; not, where a newer one does.
    pub applied: bool,
}

/// A statement of somebody's wish.
#[derive(Deserialize)]
pub struct Preference {
    /// Its id, `prf_…`.
    pub id: String,
    /// Whose, a number.
    pub handle: String,
    /// The sender it is about; none where it is about all.
    pub sender_scope: Option<String>,
    /// `granted` or `revoked`.
    pub status: String,
    /// Who made it: the person, by `keyword` and the like, or `api_key`, `user`, `import`.
    pub origin: String,
    /// The note of whoever recorded it.
    pub source: Option<String>,
    /// The contact, where one matched.
    pub contact_id: Option<String>,
    /// When it was made.
    pub effective_at: Option<DateTime<Utc>>,
}

/// A sender's texts to somebody, stopped.
#[derive(Deserialize)]
pub struct Suppression {
    /// Its id, `ssu_…`.
    pub id: String,
    /// To whom.
    pub destination: String,
    /// From whom.
    pub originator: String,
    /// Why.
    pub reason: String,
    /// When it was last asked for.
    pub effective_at: Option<DateTime<Utc>>,
}

/// A text, in or out.
#[derive(Deserialize)]
pub struct Message {
    /// Its id, `sms_…`.
    pub id: String,
    /// `accepted`, `delivered`, `undelivered`, `received`…
    pub status: String,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What it says.
    pub text: Option<String>,
    /// When it was taken, or came.
    pub created_at: Option<DateTime<Utc>>,
    /// Why it was not delivered.
    pub last_error: Option<Fault>,
}

/// Why a text was not delivered.
#[derive(Deserialize)]
pub struct Fault {
    /// One of Bird's own codes, as `unreachable`.
    pub code: String,
    /// When.
    pub occurred_at: Option<DateTime<Utc>>,
}

/// A webhook.
#[derive(Deserialize)]
pub struct Endpoint {
    /// Its id, `whk_…`.
    pub id: String,
    /// Where it sends to.
    pub url: String,
    /// What it tells.
    pub events: Vec<String>,
    /// `active`, `degraded` or `paused`.
    pub status: String,
    /// The signing secret, where the webhook was just made.
    pub secret: Option<SecretString>,
}
