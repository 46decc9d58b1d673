//! Which account a request's token opens, and the tokens themselves.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use http::header::AUTHORIZATION;
use serde_json::json;

use super::call::Call;
use crate::simulator::door::Reply;
use crate::simulator::sinch::world::World;

/// Gives a token for an access key: OAuth 2.0 client credentials, the key by HTTP Basic.
///
/// Source: Sinch docs, OAuth 2.0 access tokens.
pub fn token(world: &mut World, call: &Call) -> Reply {
    let refused = |error: &str| Reply::json(401, &json!({ "error": error }));
    let form: Vec<(String, String)> =
        url::form_urlencoded::parse(&call.body).into_owned().collect();
    if !form.iter().any(|(name, text)| name == "grant_type" && text == "client_credentials") {
        return Reply::json(400, &json!({ "error": "unsupported_grant_type" }));
    }
    let Some((id, secret)) = basic(call) else { return refused("invalid_client") };
    let (token, seconds) = (format!("access-{}", world.id()), world.settings.token_seconds);
    let ends = world.now + TimeDelta::seconds(seconds.into());
    let account = world.accounts.iter_mut().find(|account| {
        let known = &account.credentials;
        !account.closed && known.key_id == id && known.key_secret == secret
    });
    let Some(account) = account else { return refused("invalid_client") };
    account.tokens.push((token.clone(), ends));
    Reply::json(
        200,
        &json!({ "access_token": token, "token_type": "bearer", "expires_in": seconds, "scope": "" }),
    )
}

/// Finds the account that `id` names, a project or a service plan, if the token opens it.
///
/// A service plan takes its own token, a project only those of its access keys.
pub fn account(world: &World, call: &Call, id: &str) -> Option<usize> {
    let token = bearer(call)?;
    world.accounts.iter().position(|account| {
        let known = &account.credentials;
        let live = |(text, ends): &(_, _)| *text == token && *ends > world.now;
        let opens = (known.service_plan_id == id && known.api_token == token)
            || (known.project_id == id && account.tokens.iter().any(live));
        opens && !account.closed
    })
}

fn bearer(call: &Call) -> Option<String> {
    let (scheme, rest) = call.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim().to_owned())
}

fn basic(call: &Call) -> Option<(String, String)> {
    let (scheme, rest) = call.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(rest.trim()));
    let text = String::from_utf8(decoded?.ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}
