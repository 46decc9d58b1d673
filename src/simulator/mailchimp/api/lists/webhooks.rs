//! The webhooks of an audience.

use serde_json::{Value, json};

use crate::simulator::mailchimp::api::schema::Reader;
use crate::simulator::mailchimp::api::{Answer, Context};
use crate::simulator::mailchimp::door::problem::Problem;
use crate::simulator::mailchimp::door::reply::Reply;
use crate::simulator::mailchimp::hooks::{EVENTS, SOURCES, Webhook};

const SCHEMA: &[(&str, &str)] = &[("url", "string"), ("events", "object"), ("sources", "object")];

/// `GET /lists/{list_id}/webhooks`
pub fn index(cx: &mut Context, list: &str) -> Answer {
    let hooks: Vec<Value> =
        cx.audience(list)?.hooks.webhooks.iter().map(|h| h.json(list)).collect();
    let total = hooks.len();
    cx.show(json!({"webhooks": hooks, "list_id": list, "total_items": total, "_links": []}))
}

/// `POST /lists/{list_id}/webhooks`: the one answer that carries the signing secret.
pub fn create(cx: &mut Context, list: &str) -> Answer {
    cx.audience(list)?;
    let body = cx.call.json()?;
    let reader = Reader::new(&body, SCHEMA)?;
    let url = checked_url(reader.text("url").unwrap_or_default())?;
    refuse_twin(cx.audience(list)?, &url, None)?;
    let events = chosen(&body["events"], &EVENTS);
    let sources = chosen(&body["sources"], &SOURCES);
    let signed = cx.settings.sign_webhooks;
    let hook = cx.audience(list)?.hooks.add(&url, events, sources, signed);
    let mut shown = hook.json(list);
    if let Some(secret) = &hook.secret {
        shown["signing_secret"] = json!(secret);
    }
    cx.show(shown)
}

/// `GET /lists/{list_id}/webhooks/{webhook_id}`
pub fn read(cx: &mut Context, list: &str, id: &str) -> Answer {
    let shown = find(cx, list, id)?.json(list);
    cx.show(shown)
}

/// `PATCH /lists/{list_id}/webhooks/{webhook_id}`
pub fn update(cx: &mut Context, list: &str, id: &str) -> Answer {
    find(cx, list, id)?;
    let body = cx.call.json()?;
    let reader = Reader::new(&body, SCHEMA)?;
    if let Some(url) = reader.text("url") {
        let url = checked_url(url)?;
        refuse_twin(cx.audience(list)?, &url, Some(id))?;
        find(cx, list, id)?.url = url;
    }
    let hook = find(cx, list, id)?;
    if body.get("events").is_some() {
        hook.events = chosen(&body["events"], &EVENTS);
    }
    if body.get("sources").is_some() {
        hook.sources = chosen(&body["sources"], &SOURCES);
    }
    let shown = hook.json(list);
    cx.show(shown)
}

/// `DELETE /lists/{list_id}/webhooks/{webhook_id}`
pub fn delete(cx: &mut Context, list: &str, id: &str) -> Answer {
    find(cx, list, id)?;
    cx.audience(list)?.hooks.webhooks.retain(|hook| hook.id != id);
    Ok(Reply::no_content())
}

fn find<'a>(cx: &'a mut Context, list: &str, id: &str) -> Result<&'a mut Webhook, Problem> {
    let hooks = &mut cx.audience(list)?.hooks.webhooks;
    hooks.iter_mut().find(|hook| hook.id == id).ok_or_else(Problem::not_found)
}

/// Says that a URL did not answer the validator as it should.
#[must_use]
pub fn unreachable_url(code: &str) -> Problem {
    let detail = format!(
        "We couldn't verify the URL is working. Please double check and try again. HTTP Code: {code}"
    );
    Problem::new(400, "Invalid Resource", detail)
}

fn checked_url(url: &str) -> Result<String, Problem> {
    match url::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(url.to_owned()),
        _ => Err(Problem::new(400, "Invalid Resource", "url: Invalid URL")),
    }
}

/// Two hooks whose URLs differ in the query alone are one too many.
fn refuse_twin(
    audience: &crate::simulator::mailchimp::audience::Audience,
    url: &str,
    except: Option<&str>,
) -> Result<(), Problem> {
    let bare = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
    let others = audience.hooks.webhooks.iter().filter(|hook| Some(hook.id.as_str()) != except);
    if others.map(|hook| bare(&hook.url)).any(|other| other == bare(url)) {
        let detail = "Sorry, you can't set up multiple WebHooks for one URL";
        return Err(Problem::new(400, "Invalid Resource", detail));
    }
    Ok(())
}

fn chosen(switches: &Value, known: &[&str]) -> Vec<String> {
    let on = |name: &&&str| switches[**name].as_bool().unwrap_or_default();
    known.iter().filter(on).map(|name| (*name).to_owned()).collect()
}
