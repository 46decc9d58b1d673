//! The way of a request: key, slot, latency, fault, handler, fault, log.

use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde_json::Value;

use super::call::Call;
use super::key;
use super::problem::Problem;
use super::reply::{PROBLEM, Reply};
use crate::simulator::door::{NO_ANSWER, TransportFailure, broken, host, written};
use crate::simulator::hooks::Answer;
use crate::simulator::log::Write;
use crate::simulator::mailchimp::Simulator;
use crate::simulator::mailchimp::api::resource::Resource;
use crate::simulator::mailchimp::api::{self, lists::webhooks};
use crate::simulator::mailchimp::audience::entry::Writer;
use crate::simulator::mailchimp::audience::member::{Party, Source};
use crate::simulator::mailchimp::hooks::delivery::VALIDATOR_USER_AGENT;
use crate::simulator::mailchimp::world::World;
use crate::simulator::mailchimp::world::faults::Fault;
use crate::simulator::server::Peer;

/// The most bytes a request may carry.
const BODY_LIMIT: usize = 32 << 20;

type Outcome = Result<Reply, TransportFailure>;

/// Answers a request to the API.
pub async fn answer(
    simulator: &Simulator,
    request: Request<axum::body::Body>,
) -> Response<axum::body::Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
    let peer = parts.extensions.get::<ConnectInfo<Peer>>().map(|info| info.0.clone());
    let id = simulator.clock().id().to_string();
    let outcome = match read(simulator, &parts, body.to_vec(), peer.as_ref(), id.clone()) {
        Ok(call) => handle(simulator, &parts, call).await,
        Err(problem) => Ok(problem.reply(&id)),
    };
    match outcome {
        Ok(reply) => respond(reply, &id),
        Err(failure) => broken(simulator, failure, peer).await,
    }
}

/// Reads a request, heeding `X-HTTP-Method-Override`.
fn read(
    simulator: &Simulator,
    parts: &Parts,
    body: Vec<u8>,
    peer: Option<&Peer>,
    id: String,
) -> Result<Call, Problem> {
    let path = parts.uri.path().strip_prefix("/3.0").ok_or_else(Problem::not_found)?;
    let method = overridden(&parts.method, &parts.headers)?;
    let ip = peer.map_or_else(|| simulator.with(|world| world.settings.caller_ip), Peer::ip);
    let base_url = format!("http://{}", host(parts).unwrap_or("mailchimp.test"));
    let query = parts.uri.query().unwrap_or_default();
    Ok(Call { base_url, id, ..Call::new(method, path, query, body, ip) })
}

fn overridden(method: &Method, headers: &HeaderMap) -> Result<Method, Problem> {
    match headers.get("x-http-method-override").map(HeaderValue::as_bytes) {
        None => Ok(method.clone()),
        Some(name) if method == Method::POST => {
            Method::from_bytes(name).map_err(|_| Problem::method_override())
        }
        Some(_) => Err(Problem::method_override()),
    }
}

async fn handle(simulator: &Simulator, parts: &Parts, call: Call) -> Outcome {
    let admitted = simulator.with(|world| admit(world, parts, &call));
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let route = Resource::of(&path).map_or("(unknown)", Resource::template);
    let outcome = match admitted {
        Err(problem) => Ok(problem.reply(&call.id)),
        Ok((account, fault)) => {
            let slot = Slot { simulator: simulator.clone(), account };
            let outcome = slot.run(&call, fault).await;
            drop(slot);
            outcome
        }
    };
    let status = outcome.as_ref().map_or(NO_ANSWER, |reply| reply.status);
    let write = Write { method: call.method.to_string(), ..written(parts, &call.body, status) };
    simulator.with(|world| world.log.leave(route, write, world.settings.remembered_writes));
    outcome
}

/// Counts a request, checks its key, takes a connection, and draws its fate.
fn admit(world: &mut World, parts: &Parts, call: &Call) -> Result<(usize, Option<Fault>), Problem> {
    let busy: usize = world.accounts.iter().map(|account| account.in_flight).sum();
    world.log.enter(busy + 1);
    let account = key::account(world, &parts.headers, host(parts), call.param("apikey"))?;
    if world.accounts[account].in_flight >= world.settings.max_connections {
        return Err(Problem::too_many(None));
    }
    if let Some(name) = parts.headers.get("x-trigger-error") {
        return Err(Problem::named(name.to_str().unwrap_or_default()));
    }
    world.accounts[account].in_flight += 1;
    Ok((account, world.faults.strike(call.method.as_str(), parts.uri.path())))
}

/// One of an account's connections, given back when dropped.
struct Slot {
    simulator: Simulator,
    account: usize,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.simulator.with(|world| world.accounts[self.account].in_flight -= 1);
    }
}

impl Slot {
    async fn run(&self, call: &Call, fault: Option<Fault>) -> Outcome {
        self.simulator.latency().await;
        match fault {
            None => Ok(self.dispatch(call, self.account).await),
            Some(Fault::TooManyRequests { retry_after }) => {
                Ok(Problem::too_many(retry_after).reply(&call.id))
            }
            Some(Fault::Forbidden) => Ok(Reply::html(403, "Access Denied")),
            Some(Fault::InternalError) => Ok(Problem::internal().reply(&call.id)),
            Some(Fault::Named { error }) => Ok(Problem::named(&error).reply(&call.id)),
            Some(Fault::BadGateway) => Ok(Reply::html(502, "502 Bad Gateway")),
            Some(Fault::Stall) => {
                self.simulator.stall().await;
                Ok(Reply::html(502, "502 Bad Gateway"))
            }
            Some(Fault::Reset) => Err(TransportFailure::Reset),
            Some(Fault::LostReply) => {
                self.dispatch(call, self.account).await;
                Err(TransportFailure::TimedOut)
            }
            Some(Fault::WrongAccount) => {
                let other = self.simulator.with(|world| stranger(world, self.account));
                Ok(self.dispatch(call, other).await)
            }
            Some(Fault::PageDrift) => {
                let reply = self.dispatch(call, self.account).await;
                self.simulator.with(|world| drift(world, call, &reply));
                Ok(reply)
            }
            Some(Fault::ShortPage { drop }) => {
                Ok(shortened(self.dispatch(call, self.account).await, drop, false))
            }
            Some(Fault::ShrunkPage { drop }) => {
                Ok(shortened(self.dispatch(call, self.account).await, drop, true))
            }
        }
    }

    async fn dispatch(&self, call: &Call, account: usize) -> Reply {
        if let Err(problem) = self.validate_webhook(call).await {
            return problem.reply(&call.id);
        }
        self.simulator.with(|world| api::dispatch(world, account, call))
    }

    /// Gets the URL of a webhook that is made or changed, if the settings ask for it.
    async fn validate_webhook(&self, call: &Call) -> Result<(), Problem> {
        let concerns =
            call.method != Method::GET && call.path.iter().any(|part| part == "webhooks");
        let wanted = concerns && self.simulator.with(|world| world.settings.validate_webhooks);
        let body: Value = if wanted { call.json().unwrap_or_default() } else { Value::Null };
        let (Some(url), Some(sender)) = (body["url"].as_str(), self.simulator.sender()) else {
            return Ok(());
        };
        match sender.check(url, VALIDATOR_USER_AGENT).await {
            Answer::Status(200..300) => Ok(()),
            Answer::Status(code) => Err(webhooks::unreachable_url(&code.to_string())),
            Answer::Silence => Err(webhooks::unreachable_url("0")),
        }
    }
}

/// Returns an account that is not `account`, making one if need be.
fn stranger(world: &mut World, account: usize) -> usize {
    match (0..world.accounts.len()).find(|place| *place != account) {
        Some(place) => place,
        None => world.open_account("Somebody Else", "strangers-key-us6"),
    }
}

/// Staff archive the first member of a page that was just shown.
fn drift(world: &mut World, call: &Call, reply: &Reply) {
    let page: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let row = &page["members"][0];
    let name = ["contact_id", "id", "email_address"].iter().find_map(|field| row[*field].as_str());
    let now = world.second();
    let Some(audience) = call.path.get(1).and_then(|list| world.audience_mut(list)) else { return };
    if let Some(slot) = name.and_then(|name| audience.find(name)) {
        let staff = Writer::of(Party::Admin, Source::AdminAdd, None, now);
        audience.archive(slot, &staff).unwrap_or_default();
    }
}

/// Takes rows off the end of a page.
fn shortened(reply: Reply, drop: usize, uncounted: bool) -> Reply {
    let mut page: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match page.get_mut("members").and_then(Value::as_array_mut) {
        Some(rows) => rows.truncate(rows.len().saturating_sub(drop)),
        None => return reply,
    }
    if let Some(total) = page["total_items"].as_u64().filter(|_| uncounted) {
        page["total_items"] = total.saturating_sub(drop as u64).into();
    }
    Reply { body: serde_json::to_vec(&page).unwrap_or_default(), ..reply }
}

/// Makes an HTTP response of an answer.
pub fn respond(reply: Reply, id: &str) -> Response<axum::body::Body> {
    let mut response = Response::builder()
        .status(reply.status)
        .header(CONTENT_TYPE, reply.content_type)
        .header("x-request-id", id);
    if reply.content_type == PROBLEM {
        let schema =
            "https://us6.api.mailchimp.com/schema/3.0/Definitions/ProblemDetailDocument.json";
        response = response.header("link", format!("<{schema}>; rel=\"describedBy\""));
    }
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(reply.body.into()).unwrap_or_else(|_| {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
