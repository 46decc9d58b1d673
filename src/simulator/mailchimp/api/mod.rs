//! The API: a table of resources and methods, and one file a resource.

pub mod batches;
pub mod fields;
pub mod lists;
pub mod members;
pub mod query;
pub mod resource;
pub mod schema;

use chrono::{DateTime, Utc};
use http::Method;
use serde_json::{Value, json};

use self::fields::Selection;
use self::lists::{merge_fields, webhooks};
use self::members::{batch_subscribe, listing, tags};
use self::resource::Resource;
use super::audience::Audience;
use super::audience::entry::Writer;
use super::audience::member::{Party, Source, Stamp};
use super::door::call::Call;
use super::door::problem::Problem;
use super::door::reply::Reply;
use super::settings::Settings;
use super::world::World;
use super::world::account::Account;

/// What a handler answers.
pub type Answer = Result<Reply, Problem>;

/// What a handler works with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The account the key opened.
    pub account: &'a mut Account,
    /// The request.
    pub call: &'a Call,
    /// The knobs.
    pub settings: &'a Settings,
    /// The present instant.
    pub now: DateTime<Utc>,
    /// The seed of anything this request makes.
    pub seed: u64,
}

impl Context<'_> {
    /// Finds an audience of the account.
    pub fn audience(&mut self, id: &str) -> Result<&mut Audience, Problem> {
        self.account.audience_mut(id).ok_or_else(Problem::not_found)
    }

    /// Returns who writes when this request writes.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer {
            now: self.second(),
            party: Party::Api,
            ip: Some(self.call.ip),
            source: Source::Api,
            skip_merge_validation: self.call.flag("skip_merge_validation"),
        }
    }

    /// Returns the present second.
    #[must_use]
    pub fn second(&self) -> Stamp {
        Stamp::of(self.now)
    }

    /// Answers with a resource, cut to the fields asked for.
    pub fn show(&self, resource: Value) -> Answer {
        let selection = Selection::of(self.call)?;
        selection.check(&resource)?;
        Ok(Reply::ok(&selection.cut(resource)))
    }
}

/// Answers one request of an account, over HTTP or inside a batch.
pub fn dispatch(world: &mut World, account: usize, call: &Call) -> Reply {
    use rand::Rng;
    let seed = world.rng.next_u64();
    let Some(account) = world.accounts.get_mut(account) else {
        return Problem::key_invalid().reply(&call.id);
    };
    let mut context = Context { account, call, settings: &world.settings, now: world.now, seed };
    answer(&mut context).unwrap_or_else(|problem| problem.reply(&call.id))
}

fn answer(cx: &mut Context) -> Answer {
    let call = cx.call;
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let resource = Resource::of(&path)?;
    match (resource, &call.method) {
        (Resource::Root, &Method::GET) => root(cx),
        (Resource::Ping, &Method::GET) => cx.show(json!({"health_status": "Everything's Chimpy!"})),
        (Resource::Lists, &Method::GET) => lists::index(cx),
        (Resource::Lists, &Method::POST) => lists::create(cx),
        (Resource::List(list), &Method::GET) => lists::read(cx, list),
        (Resource::List(list), &Method::PATCH) => lists::update(cx, list),
        (Resource::List(list), &Method::POST) => batch_subscribe::run(cx, list),
        (Resource::Members(list), &Method::GET) => listing::index(cx, list),
        (Resource::Members(list), &Method::POST) => members::create(cx, list),
        (Resource::Member(list, name), &Method::GET) => members::read(cx, list, name),
        (Resource::Member(list, name), &Method::PUT) => members::upsert(cx, list, name),
        (Resource::Member(list, name), &Method::PATCH) => members::update(cx, list, name),
        (Resource::Member(list, name), &Method::DELETE) => members::archive(cx, list, name),
        (Resource::DeletePermanent(list, id), &Method::POST) => members::erase(cx, list, id),
        (Resource::MemberTags(list, name), &Method::GET) => tags::index(cx, list, name),
        (Resource::MemberTags(list, id), &Method::POST) => tags::change(cx, list, id),
        (Resource::MergeFields(list), &Method::GET) => merge_fields::index(cx, list),
        (Resource::MergeFields(list), &Method::POST) => merge_fields::create(cx, list),
        (Resource::Webhooks(list), &Method::GET) => webhooks::index(cx, list),
        (Resource::Webhooks(list), &Method::POST) => webhooks::create(cx, list),
        (Resource::Webhook(list, id), &Method::GET) => webhooks::read(cx, list, id),
        (Resource::Webhook(list, id), &Method::PATCH) => webhooks::update(cx, list, id),
        (Resource::Webhook(list, id), &Method::DELETE) => webhooks::delete(cx, list, id),
        (Resource::SearchMembers, &Method::GET) => listing::search(cx),
        (Resource::Batches, &Method::GET) => batches::index(cx),
        (Resource::Batches, &Method::POST) => batches::create(cx),
        (Resource::Batch(id), &Method::GET) => batches::read(cx, id),
        (Resource::Batch(id), &Method::DELETE) => batches::stop(cx, id),
        (resource, _) => Err(Problem::method_not_allowed(resource.allow())),
    }
}

fn root(cx: &mut Context) -> Answer {
    let subscribers: usize = cx.account.audiences.iter().map(|a| a.counts()[0].1).sum();
    let account = &cx.account;
    cx.show(json!({
        "account_id": account.id,
        "login_id": account.id[..8],
        "account_name": account.name,
        "email": "owner@clinic.test",
        "first_name": "Clinic",
        "last_name": "Owner",
        "username": account.name,
        "avatar_url": "",
        "role": "owner",
        "member_since": "2020-01-01T00:00:00+00:00",
        "pricing_plan_type": "monthly",
        "first_payment": "",
        "account_timezone": "Europe/London",
        "account_industry": "Medical, Dental, and Healthcare",
        "contact": {"company": account.name, "addr1": "", "addr2": "", "city": "", "state": "", "zip": "", "country": ""},
        "pro_enabled": false,
        "last_login": "",
        "total_subscribers": subscribers,
        "industry_stats": {"open_rate": 0, "bounce_rate": 0, "click_rate": 0},
        "_links": [],
    }))
}
