//! A sign-in under way: a short-lived signed cookie that names it. What the provider is asked with is
//! derived from that name with our key, and so is known to nobody but us and that browser's way.

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::super::session::{Cookie, cookie_of, same};
use crate::clock::Clock;
use crate::store::Store;

/// How long somebody may take at the provider.
const LASTS: TimeDelta = TimeDelta::minutes(10);
const NAME: &str = "listwarden-oidc";

/// A sign-in under way.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    pub(super) id: Uuid,
    pub(super) until: DateTime<Utc>,
    key: String,
}

/// What ties the provider's answers to one sign-in.
pub(super) struct Words {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Flow {
    pub(super) fn begin(store: &Store, clock: &dyn Clock) -> Self {
        let id = Uuid::from_u64_pair(clock.chance(), clock.chance());
        Self { id, until: clock.now() + LASTS, key: store.session_key().to_owned() }
    }

    /// Reads it from a request's cookies, if we signed it and it is not over.
    pub(super) fn read(store: &Store, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Self> {
        let text = cookie_of(headers, NAME)?;
        let [key, id, until, code] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
        let until = DateTime::from_timestamp_millis(until.parse().ok()?)?;
        let flow = Self { id: Uuid::try_parse(id).ok()?, until, key: key.to_owned() };
        (same(&flow.code(store)?, code) && now < until).then_some(flow)
    }

    /// Returns what the provider is asked with.
    pub(super) fn words(&self, store: &Store) -> Option<Words> {
        let word = |of: &[u8]| store.session_code(&self.key, &[b"oidc", of, self.id.as_bytes()]);
        Some(Words { state: word(b"state")?, nonce: word(b"nonce")?, verifier: word(b"verifier")? })
    }

    /// Returns the cookie.
    pub(super) fn cookie(&self, store: &Store, secure: bool) -> Option<HeaderValue> {
        let (id, until) = (self.id.simple(), self.until.timestamp_millis());
        let text = format!("{}.{id}.{until}.{}", self.key, self.code(store)?);
        cookie(&text, LASTS).header(secure)
    }

    fn code(&self, store: &Store) -> Option<String> {
        let until = self.until.timestamp_millis().to_be_bytes();
        store.session_code(&self.key, &[b"oidc", b"cookie", self.id.as_bytes(), &until])
    }
}

/// Returns the cookie that ends one.
pub(super) fn ended(secure: bool) -> Option<HeaderValue> {
    cookie("", TimeDelta::zero()).header(secure)
}

/// The provider leads back from another site, to where a strict cookie is not sent.
const fn cookie(text: &str, lasts: TimeDelta) -> Cookie<'_> {
    Cookie { name: NAME, text, path: "/sign-in/oidc", lasts, same_site: "Lax" }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::header::COOKIE;

    use super::*;
    use crate::clock::ManualClock;
    use crate::keys::{Keyring, Secret};

    #[tokio::test]
    async fn a_sign_in_lasts_ten_minutes_and_is_nobody_elses_to_make() {
        let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH, 1));
        let keys = Arc::new(Keyring::new(&Secret::new([1; 32]), &[]));
        let store = Store::open("sqlite::memory:", keys, clock.clone()).await.unwrap();
        let flow = Flow::begin(&store, clock.as_ref());
        let sent =
            |text: &str| HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(text).unwrap())]);
        let cookie = flow.cookie(&store, true).unwrap();
        let (text, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
        assert_eq!(rest, " Path=/sign-in/oidc; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
        let read = |text: &str, now| Flow::read(&store, &sent(text), now).map(|flow| flow.id);
        assert_eq!(read(text, flow.until - TimeDelta::milliseconds(1)), Some(flow.id));
        assert_eq!(read(text, flow.until), None);
        let later = text.replace(&flow.until.timestamp_millis().to_string(), "9999999999999");
        let other = text.replace(&flow.id.simple().to_string(), &Uuid::nil().simple().to_string());
        for forged in [later, other, format!("{text}0"), "listwarden-oidc=".to_owned()] {
            assert_eq!(read(&forged, DateTime::UNIX_EPOCH), None, "{forged}");
        }
        let words = flow.words(&store).unwrap();
        assert_eq!(words.verifier.len(), 64, "as long as PKCE wants it");
        assert!(words.state != words.nonce && words.nonce != words.verifier);
    }
}
