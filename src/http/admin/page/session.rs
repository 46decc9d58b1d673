//! Sessions: a signed cookie that names a token and a time, and nothing else. What the token may is
//! asked of the store each time, so that a token revoked ends its sessions.

use chrono::{DateTime, TimeDelta, Utc};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::super::Admin;

/// How long somebody stays signed in with a token.
pub(super) const LASTS: TimeDelta = TimeDelta::hours(8);
const NAME: &str = "listwarden";

/// Somebody's visit, signed in or not yet.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    /// The token it was begun with; none before somebody signs in.
    pub(super) token: Option<Uuid>,
    id: Uuid,
    key: String,
    until: DateTime<Utc>,
    /// What each form of this visit sends, and no other page knows.
    pub(super) form_code: String,
}

impl Visit {
    /// Begins a visit.
    pub(super) fn begin(admin: &Admin, token: Option<Uuid>, lasts: TimeDelta) -> Self {
        let key = admin.store.session_key().to_owned();
        let (id, until) = (
            Uuid::from_u64_pair(admin.clock.chance(), admin.clock.chance()),
            admin.clock.now() + lasts,
        );
        let form_code = form_code(admin, &key, id).unwrap_or_default();
        Self { token, id, key, until, form_code }
    }

    /// Reads the visit from a request's cookies, if we signed it and it is not over.
    pub(super) fn read(admin: &Admin, headers: &HeaderMap) -> Option<Self> {
        let text = cookie_of(headers, NAME)?;
        let [key, token, id, until, code] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
        let token = Uuid::try_parse(token).ok()?;
        let id = Uuid::try_parse(id).ok()?;
        let until = DateTime::from_timestamp_millis(until.parse().ok()?)?;
        let form_code = form_code(admin, key, id)?;
        let visit = Self {
            token: (!token.is_nil()).then_some(token),
            id,
            key: key.to_owned(),
            until,
            form_code,
        };
        let sound = same(&visit.code(admin)?, code) && admin.clock.now() < until;
        sound.then_some(visit)
    }

    /// Tells whether a form was one of this visit.
    pub(super) fn sent(&self, form_code: &str) -> bool {
        same(&self.form_code, form_code)
    }

    /// Returns the cookie that goes on with the visit.
    pub(super) fn cookie(&self, admin: &Admin, secure: bool) -> Option<HeaderValue> {
        let token = self.token.unwrap_or_default().simple();
        let (id, until, code) =
            (self.id.simple(), self.until.timestamp_millis(), self.code(admin)?);
        let text = format!("{}.{token}.{id}.{until}.{code}", self.key);
        cookie(&text, self.until - admin.clock.now()).header(secure)
    }

    fn code(&self, admin: &Admin) -> Option<String> {
        let (token, until) = (self.token.unwrap_or_default(), self.until.timestamp_millis());
        let parts: [&[u8]; 4] =
            [b"session", token.as_bytes(), self.id.as_bytes(), &until.to_be_bytes()];
        admin.store.session_code(&self.key, &parts)
    }
}

fn form_code(admin: &Admin, key: &str, id: Uuid) -> Option<String> {
    admin.store.session_code(key, &[b"form", id.as_bytes()])
}

/// Returns the cookie that ends a visit.
pub(super) fn ended(secure: bool) -> Option<HeaderValue> {
    cookie("", TimeDelta::zero()).header(secure)
}

const fn cookie(text: &str, lasts: TimeDelta) -> Cookie<'_> {
    Cookie { name: NAME, text, path: "/", lasts, same_site: "Strict" }
}

/// A cookie that no script reads.
pub(super) struct Cookie<'a> {
    pub(super) name: &'static str,
    pub(super) text: &'a str,
    pub(super) path: &'static str,
    pub(super) lasts: TimeDelta,
    pub(super) same_site: &'static str,
}

impl Cookie<'_> {
    pub(super) fn header(&self, secure: bool) -> Option<HeaderValue> {
        let Self { name, text, path, lasts, same_site } = self;
        let (seconds, secure) = (lasts.num_seconds(), if secure { "; Secure" } else { "" });
        let text = format!(
            "{name}={text}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
        );
        HeaderValue::try_from(text).ok()
    }
}

/// Returns what the request's cookie of that name says.
pub(super) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let sent = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies =
        sent.flat_map(|line| line.split(';')).filter_map(|c| c.trim().split_once('='));
    cookies.find(|(of, _)| *of == name).map(|(_, text)| text)
}

/// Tells whether the browser speaks TLS to whatever is in front of us.
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Compares two codes in constant time.
pub(super) fn same(one: &str, other: &str) -> bool {
    bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}
