//! Which account a request's key opens.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::problem::Problem;
use crate::simulator::mailchimp::world::World;

/// Finds the account of a request: Basic with any user, Bearer, or the old `apikey` parameter.
pub fn account(
    world: &World,
    headers: &HeaderMap,
    host: Option<&str>,
    query: Option<&str>,
) -> Result<usize, Problem> {
    let key = match (header_key(headers), query) {
        (None, None) => return Err(Problem::key_missing()),
        (Some(key), Some(query)) if key != query => return Err(Problem::key_invalid()),
        (Some(key), _) => key,
        (None, Some(query)) => query.to_owned(),
    };
    let owner = world.accounts.iter().enumerate().find_map(|(place, account)| {
        Some((place, account, account.keys.iter().find(|known| known.text == key)?))
    });
    match owner {
        None => Err(Problem::key_invalid()),
        Some((_, _, known)) if known.disabled => Err(Problem::key_disabled()),
        Some((_, account, _)) if account.deactivated => Err(Problem::user_disabled()),
        Some(_) if world.settings.check_data_center && wrong_data_center(&key, host) => {
            Err(Problem::key_invalid())
        }
        Some((place, ..)) => Ok(place),
    }
}

fn header_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            Some(decoded.split_once(':')?.1.to_owned())
        }
        _ => None,
    }
}

/// The host `us6.api.mailchimp.com` takes only keys that end in `-us6`; `api…` takes all.
fn wrong_data_center(key: &str, host: Option<&str>) -> bool {
    let Some((center, _)) = host.and_then(|host| host.split_once(".api.")) else { return false };
    key.rsplit_once('-').is_none_or(|(_, suffix)| suffix != center)
}
