//! Webhooks: what the provider tells at once, through the real receiver, answered before anything
//! is attended to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use chrono::TimeDelta;
use http::{Request, StatusCode};
use listwarden::commands::webhook;
use listwarden::domain::Origin;
use listwarden::http::{Receiver, Verdict, router};
use listwarden::reconcile::Reconciler;
use listwarden::simulator::mailchimp::{
    Answer, Attempt, ContactAct, DeliveryRules, Fault, Risk, Status, WebhookSender, signature,
};
use listwarden::store::NewEndpoint;
use secrecy::ExposeSecret;
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

use crate::on_both_engines;
use crate::world::{Engine, World, address};

const PUBLIC: &str = "http://hooks.test";

/// A serving process without its clockwork: it attends when it is told to.
#[derive(Clone)]
pub struct Serving {
    receiver: Arc<Receiver>,
    routes: Router,
    pub reconciler: Reconciler,
}

impl Serving {
    pub async fn of(world: &World) -> Self {
        let deployment = world.another_process().await;
        let roster = deployment.roster().await;
        let (_, told) = watch::channel(roster.clone());
        let receiver = Arc::new(Receiver::start(
            deployment.store.clone(),
            world.clock.clone(),
            PUBLIC,
            told,
            Arc::new(Notify::new()),
        ));
        let reconciler = deployment.reconciler().attending(roster);
        Self { routes: router(receiver.clone()), receiver, reconciler }
    }

    pub async fn answers(&self, request: Request<Body>) -> StatusCode {
        self.routes.clone().oneshot(request).await.unwrap().status()
    }

    pub async fn attends(&self) {
        assert!(self.reconciler.attend().await.unwrap().is_nothing(), "nobody else holds anything");
    }
}

#[async_trait]
impl WebhookSender for Serving {
    async fn post(&self, attempt: &Attempt) -> Answer {
        Answer::Status(self.answers(request(attempt)).await.as_u16())
    }

    async fn check(&self, url: &str, _: &str) -> Answer {
        let request = Request::get(url).body(Body::empty()).unwrap();
        Answer::Status(self.answers(request).await.as_u16())
    }
}

/// Catches deliveries, so that a test may change them.
#[derive(Default)]
pub struct Catcher(Mutex<Vec<Attempt>>);

impl Catcher {
    /// What was caught, in order.
    pub fn caught(&self) -> Vec<Attempt> {
        self.0.lock().unwrap().drain(..).collect()
    }
}

#[async_trait]
impl WebhookSender for Catcher {
    async fn post(&self, attempt: &Attempt) -> Answer {
        self.0.lock().unwrap().push(attempt.clone());
        Answer::Status(503)
    }

    async fn check(&self, _: &str, _: &str) -> Answer {
        Answer::Status(200)
    }
}

/// The header that proves who sent a delivery.
const SIGNATURE: &str = "X-Mailchimp-Signature";

pub fn request(attempt: &Attempt) -> Request<Body> {
    let mut request = Request::post(&attempt.url);
    for (name, value) in &attempt.headers {
        request = request.header(*name, value);
    }
    request.body(Body::from(attempt.body.clone())).unwrap()
}

impl World {
    /// Ann confirmed and is in step; webhooks are registered and come to the returned process.
    pub async fn ann_and_webhooks(&mut self) -> Serving {
        self.consenting("ann").await;
        self.adopts().await;
        self.confirms("ann");
        self.runs().await;
        self.pass(TimeDelta::hours(1));
        self.registers().await
    }

    /// Registers webhooks, which come to the returned process.
    pub async fn registers(&self) -> Serving {
        let serving = Serving::of(self).await;
        self.simulator.connect_webhooks(Arc::new(serving.clone()));
        webhook::register(&self.deployment, None).await.unwrap();
        serving
    }

    /// Takes the next delivery out of the provider's hands.
    async fn catches(&self) -> Attempt {
        let catcher = Arc::new(Catcher::default());
        self.simulator.connect_webhooks(catcher.clone());
        self.simulator.deliver_webhooks().await;
        catcher.caught().remove(0)
    }

    pub async fn withdrawals_on_record(&self) -> usize {
        self.store_says("SELECT kind FROM ledger WHERE kind = 'withdrawn'").await.len()
    }

    pub async fn deliveries_waiting(&self) -> usize {
        self.store_says("SELECT unique_key FROM deliveries WHERE attended_at IS NULL").await.len()
    }

    async fn deliveries_on_record(&self) -> usize {
        self.store_says("SELECT unique_key FROM deliveries").await.len()
    }
}

on_both_engines! {
    async fn an_unsubscribe_is_in_the_ledger_when_it_is_answered_and_then_everywhere(
        mut world: World
    ) {
        let recalls = world.adds_list("recalls").await;
        let serving = world.ann_and_webhooks().await;
        world.simulator.contact(&recalls, &address("ann")).confirm().unwrap();
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.unsubscribes("ann");
        assert_eq!(world.simulator.deliver_webhooks().await, 2);
        assert_eq!(world.withdrawals_on_record().await, 1);
        serving.attends().await;
        let there = world.simulator.member(&recalls, &address("ann")).unwrap().status;
        assert_eq!(there, Status::Unsubscribed);
        assert_eq!(world.told("ann").await.last().unwrap(), "withdrawn");
        world.runs().await;
        assert_eq!(world.withdrawals_on_record().await, 1, "what is read later is the same act");
        world.end().await;
    }
}

on_both_engines! {
    async fn with_every_webhook_lost_one_run_ends_in_the_same_state(mut world: World) {
        world.ann_and_webhooks().await;
        world.unsubscribes("ann");
        world.runs().await;
        assert_eq!(world.withdrawals_on_record().await, 1);
        assert_eq!(world.told("ann").await.last().unwrap(), "withdrawn");
        // It comes after all, an hour late.
        world.pass(TimeDelta::hours(1));
        assert_eq!(world.simulator.deliver_webhooks().await, 1);
        assert_eq!(world.withdrawals_on_record().await, 1);
        world.runs().await;
        world.end().await;
    }
}

on_both_engines! {
    async fn the_same_delivery_twice_is_stored_once(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.simulator.configure(|settings| {
            settings.delivery = DeliveryRules { duplicate: true, ..settings.delivery };
        });
        world.unsubscribes("ann");
        assert_eq!(world.simulator.deliver_webhooks().await, 2);
        assert_eq!(world.deliveries_on_record().await, 1);
        assert_eq!(world.withdrawals_on_record().await, 1);
        serving.attends().await;
        serving.attends().await;
        assert_eq!(world.withdrawals_on_record().await, 1);
        let counts = serving.receiver.counts();
        assert_eq!([Verdict::Accepted, Verdict::Repeated].map(|verdict| counts.of(verdict)), [1, 1]);
        world.end().await;
    }
}

on_both_engines! {
    async fn what_is_forged_stale_or_no_delivery_is_refused_and_leaves_nothing(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.unsubscribes("ann");
        let genuine = world.catches().await;
        let with = |signature: Option<String>, body: &str| {
            let mut sent = Attempt { body: body.to_owned(), ..genuine.clone() };
            sent.headers.retain(|(name, _)| *name != SIGNATURE);
            sent.headers.extend(signature.map(|signature| (SIGNATURE, signature)));
            request(&sent)
        };
        let own = genuine.header(SIGNATURE).map(str::to_owned);
        let old = signature("whsec_guessed", 1, &genuine.body);
        let two_hours = TimeDelta::hours(2) + TimeDelta::seconds(1);
        for (what, sent, status) in [
            ("unsigned", with(None, &genuine.body), 401),
            ("signed by somebody else", with(Some(old), &genuine.body), 401),
            ("changed", with(own.clone(), &format!("{}&x=1", genuine.body)), 401),
            ("nothing at all", with(own.clone(), ""), 401),
        ] {
            assert_eq!(serving.answers(sent).await.as_u16(), status, "{what}");
        }
        let other = |builder: http::request::Builder, body: String| {
            let builder = builder.header(SIGNATURE, own.clone().unwrap());
            builder.body(Body::from(body)).unwrap()
        };
        let json = Request::post(&genuine.url).header("content-type", "application/json");
        assert_eq!(serving.answers(other(json, genuine.body.clone())).await, 415);
        let form = |url: &str| {
            Request::post(url).header("content-type", "application/x-www-form-urlencoded")
        };
        assert_eq!(serving.answers(other(form(&genuine.url), "x".repeat((1 << 20) + 1))).await, 413);
        let elsewhere = format!("{PUBLIC}/webhooks/{}", "0".repeat(48));
        assert_eq!(serving.answers(other(form(&elsewhere), genuine.body.clone())).await, 404);
        world.pass(two_hours);
        assert_eq!(serving.answers(request(&genuine)).await, 401, "stale");
        assert_eq!(world.deliveries_on_record().await, 0);
        assert_eq!(world.withdrawals_on_record().await, 0);
        let counts = serving.receiver.counts();
        let refused = [Verdict::RefusedSignature, Verdict::RefusedStale, Verdict::RefusedPath];
        assert_eq!(refused.map(|verdict| counts.of(verdict)), [4, 1, 1]);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_delivery_that_the_store_does_not_take_is_asked_for_again(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.unsubscribes("ann");
        let genuine = world.catches().await;
        let look = Request::get(&genuine.url).body(Body::empty()).unwrap();
        assert_eq!(serving.answers(look).await, 200, "the path is known from now on");
        serving.reconciler.store.close().await;
        assert_eq!(serving.answers(request(&genuine)).await, 503, "the provider tries again");
        assert_eq!(serving.receiver.counts().of(Verdict::Unavailable), 1);
        assert_eq!(world.deliveries_on_record().await, 0);
        let restarted = Serving::of(&world).await;
        assert_eq!(restarted.answers(request(&genuine)).await, 200);
        assert_eq!(world.withdrawals_on_record().await, 1);
        world.end().await;
    }
}

on_both_engines! {
    async fn l17_what_staff_archived_is_no_opt_out(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.staff().archive(&address("ann")).unwrap();
        assert_eq!(world.simulator.deliver_webhooks().await, 1);
        serving.attends().await;
        assert_eq!(world.withdrawals_on_record().await, 0);
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Archived));
        assert!(!world.told("ann").await.contains(&"withdrawn".to_owned()));
        world.end().await;
    }
}

on_both_engines! {
    async fn an_echo_of_our_own_write_changes_nothing(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.withdraws("ann").await;
        world.runs().await;
        assert_eq!(world.simulator.deliver_webhooks().await, 0, "`api` is not asked for");
        let before = world.withdrawals_on_record().await;
        serving.attends().await;
        assert_eq!(world.withdrawals_on_record().await, before);
        let writes = world.writes();
        world.runs().await;
        assert_eq!(world.writes(), writes);
        world.end().await;
    }
}

on_both_engines! {
    async fn an_address_changed_there_comes_as_two_deliveries_in_any_order(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.simulator.configure(|settings| {
            settings.delivery = DeliveryRules { reverse: true, ..settings.delivery };
        });
        let to = "ann.lee@post.test".to_owned();
        world.contact("ann").act(&ContactAct::ChangeAddress { to }).unwrap();
        assert_eq!(world.simulator.deliver_webhooks().await, 2);
        serving.attends().await;
        let moved = world.store_says("SELECT CAST(moved_there AS TEXT) FROM links").await;
        assert_eq!(moved.len(), 1);
        assert!(!moved[0].is_empty(), "the link knows that its member moved");
        let status = world.store_says("SELECT status FROM links").await;
        assert_eq!(status, ["subscribed"], "a member that moved is not gone");
        world.end().await;
    }
}

on_both_engines! {
    async fn an_unsigned_webhook_proves_nothing_by_itself(mut world: World) {
        world.simulator.configure(|settings| settings.sign_webhooks = false);
        let serving = world.ann_and_webhooks().await;
        world.contact("ann").edit_profile("FNAME", "Anna").unwrap();
        let genuine = world.catches().await;
        // Somebody learned the path, and says that Ann unsubscribed.
        let body = genuine.body.replace("type=profile", "type=unsubscribe&data[action]=unsub");
        assert_ne!(body, genuine.body);
        assert_eq!(serving.answers(request(&Attempt { body, ..genuine })).await, 200);
        assert_eq!(world.withdrawals_on_record().await, 0);
        serving.attends().await;
        assert_eq!(world.withdrawals_on_record().await, 0);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_stranger_who_unsubscribes_stays_a_stranger(mut world: World) {
        world.has("stranger", Status::Subscribed);
        let serving = world.ann_and_webhooks().await;
        world.contact("stranger").unsubscribe().unwrap();
        assert_eq!(world.simulator.deliver_webhooks().await, 1);
        serving.attends().await;
        world.runs().await;
        assert_eq!(world.there("stranger"), Some(Status::Unsubscribed));
        assert_eq!(world.withdrawals_on_record().await, 1, "on record before we know who it is");
        // The stranger becomes a patient, with a consent from before.
        let mut record = world.somebody("stranger");
        record.email_consent = world.explicit_at(world.now() - TimeDelta::days(5));
        world.enters(record).await;
        world.runs().await;
        assert_eq!(world.invitations("stranger"), 0);
        assert_eq!(world.there("stranger"), Some(Status::Unsubscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn who_opts_out_comes_back_and_opts_out_again_within_minutes_is_out(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        for step in 0..2 {
            world.unsubscribes("ann");
            world.simulator.deliver_webhooks().await;
            serving.attends().await;
            if step == 0 {
                world.pass(TimeDelta::seconds(60));
                world.contact("ann").sign_up().unwrap();
                world.contact("ann").confirm().unwrap();
                world.simulator.deliver_webhooks().await;
                serving.attends().await;
                world.pass(TimeDelta::seconds(120));
            }
        }
        assert_eq!(world.withdrawals_on_record().await, 2);
        world.runs().await;
        assert_eq!(world.there("ann"), Some(Status::Unsubscribed));
        world.end().await;
    }
}

on_both_engines! {
    async fn what_the_provider_refused_at_once_is_tried_again_soon(mut world: World) {
        let recalls = world.adds_list("recalls").await;
        let serving = world.ann_and_webhooks().await;
        world.simulator.contact(&recalls, &address("ann")).confirm().unwrap();
        world.runs().await;
        world.pass(TimeDelta::hours(1));
        world.unsubscribes("ann");
        world.simulator.deliver_webhooks().await;
        let fault = Fault::TooManyRequests { retry_after: Some(600) };
        world.simulator.risk(vec![Risk { fault, probability: 1.0 }], 1);
        assert!(!serving.reconciler.attend().await.unwrap().is_nothing(), "something is left");
        world.simulator.clear_faults();
        serving.attends().await;
        let there = world.simulator.member(&recalls, &address("ann")).unwrap().status;
        assert_eq!(there, Status::Unsubscribed);
        world.end().await;
    }
}

on_both_engines! {
    async fn a_webhook_that_does_not_sign_any_more_is_replaced(mut world: World) {
        let serving = world.ann_and_webhooks().await;
        world.staff().stop_signing().unwrap();
        world.pass(TimeDelta::seconds(6));
        let said = webhook::register(&world.deployment, None).await.unwrap();
        assert!(said.iter().all(|line| line.ends_with("is replaced")), "{said:?}");
        world.unsubscribes("ann");
        world.simulator.deliver_webhooks().await;
        assert_eq!(world.withdrawals_on_record().await, 1, "signed again");
        serving.attends().await;
        let said = webhook::register(&world.deployment, None).await.unwrap();
        assert!(said.iter().all(|line| line.ends_with("is as it should be")), "{said:?}");
        world.end().await;
    }
}

on_both_engines! {
    async fn a_webhook_that_was_never_finished_is_removed(mut world: World) {
        world.ann_and_webhooks().await;
        let config = world.deployment.clinics().next().unwrap();
        let admin = world.deployment.accounts(config).unwrap()["main"].webhooks(&world.audience);
        let admin = admin.unwrap();
        let made = admin.hooks().await.unwrap().len();
        // Made at the provider, and then the process was killed.
        let store = &world.deployment.store;
        let new = NewEndpoint {
            clinic: store.clinic_ensure("riverside").await.unwrap(),
            account: "main".to_owned(),
            audience: Some(world.audience.clone()),
            origin: Origin::Contact,
        };
        let endpoint = store.endpoint_add(&new).await.unwrap();
        let url = format!("{PUBLIC}/webhooks/{}", endpoint.token.expose_secret());
        admin.create(&url, Origin::Contact).await.unwrap();
        assert_eq!(admin.hooks().await.unwrap().len(), made + 1);
        let said = webhook::register(&world.deployment, None).await.unwrap();
        assert!(said.iter().any(|line| line.contains("never finished")), "{said:?}");
        assert_eq!(admin.hooks().await.unwrap().len(), made);
        assert_eq!(store.endpoints(new.clinic).await.unwrap().len(), made);
        world.end().await;
    }
}
