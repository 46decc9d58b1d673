//! Whose a request is: Basic, with an account and its auth token, or an API key and its secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::simulator::twilio::world::World;

/// Whose a request is.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// The account's place.
    pub account: usize,
    /// Whether it may read the account itself.
    pub main: bool,
}

/// Finds whose a request is; none where the credential opens nothing.
#[must_use]
pub fn caller(world: &World, headers: &HeaderMap) -> Option<Caller> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    world.accounts.iter().enumerate().find_map(|(place, account)| {
        let by_token =
            account.sid == user && account.auth_tokens.iter().any(|token| token == password);
        let key = account.keys.iter().find(|key| key.sid == user && key.secret == password);
        let main = key.map_or(by_token, |key| key.main);
        (by_token || key.is_some()).then_some(Caller { account: place, main })
    })
}
