//! The Twilio client against the simulator: in process and over real HTTP.
#![cfg(feature = "simulator")]
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use listwarden::clock::{Clock, ManualClock, SharedClock};
use listwarden::domain::{Address, MemberKey, MemberStatus, Origin, Personal, Verb};
use listwarden::providers::signatures::{Delivery, Forged};
use listwarden::providers::transport::HttpTransport;
use listwarden::providers::twilio::{Connection, Settings, Twilio};
use listwarden::providers::{
    Keyword, ListAccount, ListReader, ListWriter, LotResult, MemberWrite, Notice, Outcome,
    ProviderError, Refusal, Scope, TextSent, Transport, WebhookScheme, Word,
};
use listwarden::rehearsal::RouterTransport;
use listwarden::simulator::twilio::{
    Answer, Attempt, DeliveryRules, Fault, Port, Rule, Running, Simulator, WebhookSender,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OURS: &str = "+447700900001";
const OTHER: &str = "+447700900002";
const ANN: &str = "+447911123456";
const BOB: &str = "+447911123457";
const HOOK: &str = "https://lists.test/hooks/3f?v=1";

/// A simulated account with two numbers, and our client of the first one.
struct World {
    clock: Arc<ManualClock>,
    sim: Simulator,
    account: String,
    transport: Arc<dyn Transport>,
    base: String,
    connection: Connection,
    list: Twilio,
    _server: Option<Running>,
}

impl World {
    async fn new(over_http: bool) -> Self {
        let start: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start, 7));
        let sim = Simulator::new(clock.clone() as SharedClock);
        let account = sim.open_account("Practice", TOKEN);
        sim.add_number(&account, OURS).unwrap();
        sim.add_number(&account, OTHER).unwrap();
        let (transport, base, server): (Arc<dyn Transport>, _, _) = if over_http {
            let server = sim.serve_locally().await.unwrap();
            (Arc::new(HttpTransport::new().unwrap()), server.url(), Some(server))
        } else {
            let transport = RouterTransport::new(sim.router());
            (Arc::new(transport), "http://twilio.test".to_owned(), None)
        };
        let connection = connect(&settings(&account, OURS, &base), TOKEN, &transport, &clock);
        let list = connection.list(OURS);
        Self { clock, sim, account, transport, base, connection, list, _server: server }
    }

    /// Our client of another sender, or with another credential.
    fn client(&self, sender: &str, key: &str) -> Connection {
        connect(&settings(&self.account, sender, &self.base), key, &self.transport, &self.clock)
    }

    fn service(&self) -> (String, Connection) {
        let sid = self.sim.add_service(&self.account, "News", &[OTHER]).unwrap();
        let connection = self.client(&sid, TOKEN);
        (sid, connection)
    }

    fn write(&self, verb: Verb, to: &str) -> MemberWrite {
        MemberWrite {
            id: self.clock.id(),
            verb,
            from: MemberStatus::Subscribed,
            member: None,
            address: Address::mobile(to, None).unwrap(),
            payload: None,
            text: (verb == Verb::Invite)
                .then(|| Personal::new("Hill St: reply YES for news, STOP to refuse.")),
        }
    }

    async fn does(&self, list: &Twilio, verb: Verb, to: &str) -> Result<Outcome, ProviderError> {
        let write = self.write(verb, to);
        let lots = list.lots(vec![write]);
        assert_eq!(lots.len(), 1);
        match list.send(&lots[0]).await? {
            LotResult::Done(mut done) => Ok(done.remove(0).1),
            LotResult::Accepted(_) => panic!("there are no jobs"),
        }
    }

    async fn invites(&self, to: &str) -> String {
        said(self.does(&self.list, Verb::Invite, to).await)
    }

    fn fault(&self, fault: Fault) {
        self.sim.script(Rule::next(fault).on("POST", "/2010-04-01"));
    }

    /// The requests made since it was asked last.
    fn requests(&self) -> u64 {
        let total = self.sim.counters().total;
        self.sim.reset_counters();
        total
    }

    async fn log(&self, connection: &Connection, since: Option<DateTime<Utc>>) -> Vec<Notice> {
        let reader = connection.notices().unwrap();
        let (mut notices, mut cursor) = (Vec::new(), None);
        loop {
            let page = reader.notices(since, cursor.as_ref()).await.unwrap();
            notices.extend(page.notices);
            cursor = page.next;
            if cursor.is_none() {
                return notices;
            }
        }
    }

    /// What the account delivers of all that waits.
    async fn deliveries(&self) -> Vec<Attempt> {
        let inbox = Arc::new(Inbox::default());
        self.sim.connect_webhooks(inbox.clone());
        self.sim.deliver_webhooks().await;
        let mut seen = inbox.0.lock().unwrap();
        std::mem::take(&mut *seen)
    }

    async fn hear(&self, connection: &Connection) {
        let hooks = connection.webhooks(OURS).unwrap();
        hooks.create(HOOK, Origin::Any).await.unwrap();
    }
}

#[derive(Default)]
struct Inbox(Mutex<Vec<Attempt>>);

#[async_trait]
impl WebhookSender for Inbox {
    async fn post(&self, attempt: &Attempt) -> Answer {
        self.0.lock().unwrap().push(attempt.clone());
        Answer::Status(200)
    }
}

fn settings(account: &str, sender: &str, base: &str) -> Settings {
    serde_json::from_value(json!({
        "account_sid": account, "sender": sender, "base_url": base, "messaging_url": base,
    }))
    .unwrap()
}

fn connect(
    settings: &Settings,
    key: &str,
    transport: &Arc<dyn Transport>,
    clock: &Arc<ManualClock>,
) -> Connection {
    let clock = clock.clone() as SharedClock;
    Connection::new(settings.clone(), &key.into(), transport.clone(), clock).unwrap()
}

fn scheme(account: &str, sender: &str, signing: &str) -> Arc<dyn WebhookScheme> {
    let settings = json!({"account_sid": account, "sender": sender, "webhook_signing": signing});
    let Value::Object(settings) = settings else { panic!() };
    listwarden::providers::twilio::PROVIDER.webhook.unwrap()(&settings).unwrap()
}

/// Verifies a delivery, then reads it.
fn take(
    scheme: &dyn WebhookScheme,
    attempt: &Attempt,
    secrets: &[&str],
) -> Result<Vec<Notice>, Forged> {
    let mut headers = HeaderMap::new();
    for (name, value) in &attempt.headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.insert(name, value.parse().unwrap());
    }
    let body = attempt.body.as_bytes();
    let delivery = Delivery { method: &Method::POST, url: &attempt.url, headers: &headers, body };
    let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).into()).collect();
    scheme.verify(&delivery, &secrets, DateTime::UNIX_EPOCH)?;
    Ok(scheme.read(&delivery, Origin::Any).unwrap())
}

fn said(outcome: Result<Outcome, ProviderError>) -> String {
    match outcome {
        Ok(Outcome::Done { status, .. }) => format!("done: {status}"),
        Ok(Outcome::Absent) => "absent".to_owned(),
        Ok(Outcome::Refused(refusal)) => format!("{refusal:?}"),
        Ok(Outcome::Doubtful) => "doubtful".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn word(notice: &Notice) -> String {
    match &notice.word {
        Word::Replied { text, taken_for } => format!("{} {taken_for:?}", text.expose()),
        Word::OptedOut { .. } => "opted out".to_owned(),
        Word::HoldsOptOut { .. } => "an opt-out is held".to_owned(),
        Word::Undelivered { for_good } => format!("undelivered, for good: {for_good}"),
        word => format!("{word:?}"),
    }
}

fn from(notice: &Notice) -> &str {
    notice.address.as_ref().unwrap().expose()
}

macro_rules! in_process_and_over_http {
    ($($scenario:ident,)+) => {
        mod in_process {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(super::World::new(false).await).await;
            })+
        }
        mod over_http {
            $(#[tokio::test]
            async fn $scenario() {
                super::$scenario(super::World::new(true).await).await;
            })+
        }
    };
}

in_process_and_over_http! {
    the_account_and_its_sender_are_read,
    a_key_that_may_not_read_the_account_still_shows_whose_it_is,
    nobody_is_shown_and_nothing_asked,
    an_invitation_is_one_text,
    what_is_ours_needs_no_request,
    every_refusal_is_told_apart,
    a_text_in_doubt_is_sent_once,
    what_was_certainly_not_sent_is_sent_again,
    a_refused_key_and_a_suspended_account_are_told_apart,
    a_lost_webhook_heals_by_the_log,
    the_log_is_read_to_its_end,
    a_text_of_yesterday_that_failed_today_is_told,
    a_service_reads_only_what_is_its_own,
    a_delivery_says_what_the_log_says,
    the_url_may_be_signed_with_its_port_or_without,
    both_secrets_count_while_they_are_rotated,
    a_yes_is_taken_for_start_by_twilio_and_judged_by_us,
    a_place_taken_by_somebody_else_is_left_alone,
    help_is_answered_by_a_text,
    five_requests_at_once_and_no_more,
}

async fn the_account_and_its_sender_are_read(world: World) {
    let account = world.list.account().await.unwrap();
    assert_eq!(account.id, world.account);
    let audience = world.list.audience().await.unwrap();
    assert_eq!((audience.id.as_str(), audience.fields.len()), (OURS, 0));
    assert_eq!(world.requests(), 2);
    let (sid, service) = world.service();
    assert_eq!(service.lists().await.unwrap(), [(sid.clone(), "News".to_owned())]);
    assert_eq!(service.sender(), Some(sid.as_str()));

    let gone = |audience: Result<_, ProviderError>| {
        assert!(matches!(audience, Err(ProviderError::ListGone)));
    };
    gone(world.connection.list(OTHER).audience().await.map(drop));
    gone(world.client("+447700900003", TOKEN).lists().await.map(drop));
    gone(world.client("+44770090000", TOKEN).lists().await.map(drop));
    gone(world.client("MG0000000000000000000000000000000a", TOKEN).lists().await.map(drop));
    world.sim.set_texting(OURS, false).unwrap();
    let mute = world.list.audience().await;
    assert!(matches!(mute, Err(ProviderError::Rejected { .. })));
}

async fn a_key_that_may_not_read_the_account_still_shows_whose_it_is(world: World) {
    for main in [true, false] {
        let key = world.sim.add_key(&world.account, main).unwrap();
        let account = world.client(OURS, &key).list(OURS).account().await.unwrap();
        assert_eq!(account.id, world.account);
        assert_eq!(world.requests(), if main { 1 } else { 2 });
    }
    let other = world.sim.open_account("Somebody else", "another-token");
    let foreign = world.sim.add_key(&other, false).unwrap();
    let account = world.client(OURS, &foreign).list(OURS).account().await;
    assert!(matches!(account, Err(ProviderError::Unauthorized)));
}

async fn nobody_is_shown_and_nothing_asked(world: World) {
    for archived in [false, true] {
        let fields = BTreeSet::new();
        let scope = Scope { archived, changed_since: None, fields, tags: false };
        let page = world.list.page(&scope, None).await.unwrap();
        assert_eq!((page.members.len(), page.total, page.next.len()), (0, 0, 0));
    }
    let keys = [MemberKey("a".to_owned()), MemberKey("b".to_owned())];
    assert_eq!(world.list.members(&keys).await.unwrap(), [None, None]);
    let ann = Address::mobile(ANN, None).unwrap();
    assert_eq!(world.list.member_by_address(&ann).await.unwrap(), None);
    assert!(world.list.capabilities().shows.is_empty());
    assert_eq!(world.requests(), 0);
}

async fn an_invitation_is_one_text(world: World) {
    let outcome = world.does(&world.list, Verb::Invite, ANN).await.unwrap();
    let Outcome::Done { member: Some(key), status: MemberStatus::Pending } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(key.0.len() == 64 && !key.0.contains("7911123456"));
    assert_eq!(world.requests(), 1);
    let (sid, service) = world.service();
    let by_service = world.does(&service.list(&sid), Verb::Invite, BOB).await;
    assert_eq!(said(by_service), "done: pending");
    let sent = world.sim.outbox();
    let seen: Vec<_> = sent.iter().map(|t| (t.sender.as_str(), t.to.as_str())).collect();
    assert_eq!(seen, [(OURS, ANN), (sid.as_str(), BOB)]);
    assert_eq!(sent[0].body, "Hill St: reply YES for news, STOP to refuse.");

    let mut mute = world.write(Verb::Invite, ANN);
    mute.text = None;
    let lots = world.list.lots(vec![mute]);
    let LotResult::Done(done) = world.list.send(&lots[0]).await.unwrap() else { panic!() };
    assert!(matches!(done[0].1, Outcome::Refused(Refusal::Other { .. })));
    assert_eq!(world.sim.outbox().len(), 2);
}

async fn what_is_ours_needs_no_request(world: World) {
    for (verb, expected) in [
        (Verb::Subscribe, "done: subscribed"),
        (Verb::Unsubscribe, "done: absent"),
        (Verb::Archive, "done: absent"),
        (Verb::Erase, "done: forgotten"),
    ] {
        assert_eq!(said(world.does(&world.list, verb, ANN).await), expected);
    }
    assert_eq!(world.requests(), 0);
}

async fn every_refusal_is_told_apart(world: World) {
    world.sim.person(ANN).texts(OURS, "STOP").unwrap();
    assert_eq!(world.invites(ANN).await, "OptedOut");
    let landline = "+33142685300";
    world.sim.person(landline).has_a_landline();
    assert_eq!(world.invites(landline).await, "InvalidAddress");
    world.sim.set_texting(OURS, false).unwrap();
    let other = r#"Other { status: 400, title: "error 21606" }"#;
    assert_eq!(world.invites(BOB).await, other);
    assert!(world.sim.outbox().is_empty());
    world.sim.set_texting(OURS, true).unwrap();
    world.sim.person(ANN).texts(OURS, "START").unwrap();
    assert_eq!(world.invites(ANN).await, "done: pending");
}

async fn a_text_in_doubt_is_sent_once(world: World) {
    for (fault, sent) in [
        (Fault::LostReply, 1),
        (Fault::Reset, 1),
        (Fault::BadGateway, 1),
        (Fault::InternalError, 1),
    ] {
        world.fault(fault.clone());
        assert_eq!(world.invites(ANN).await, "doubtful", "{fault:?}");
        assert_eq!((world.requests(), world.sim.outbox().len()), (1, sent), "{fault:?}");
    }
}

async fn what_was_certainly_not_sent_is_sent_again(world: World) {
    world.fault(Fault::TooManyRequests { retry_after: Some(20) });
    let before = world.clock.now();
    assert_eq!(world.invites(ANN).await, "done: pending");
    assert!((world.clock.now() - before).num_seconds() >= 20);
    assert_eq!((world.requests(), world.sim.outbox().len()), (2, 1));
    let always = Rule::next(Fault::TooManyRequests { retry_after: None }).times(5);
    world.sim.script(always);
    assert_eq!(world.invites(ANN).await, "Throttled { retry_after: None }");
    assert_eq!(world.requests(), 5);
}

async fn a_refused_key_and_a_suspended_account_are_told_apart(world: World) {
    let wrong = world.client(OURS, "wrong").list(OURS);
    assert!(matches!(wrong.account().await, Err(ProviderError::Unauthorized)));
    let sent = world.does(&wrong, Verb::Invite, ANN).await;
    assert!(matches!(sent, Err(ProviderError::Unauthorized)));
    world.sim.suspend(&world.account, true).unwrap();
    let account = world.list.account().await;
    assert!(matches!(account, Err(ProviderError::AccountDisabled { .. })));
    let title = r#"AccountDisabled { title: "error 20005" }"#;
    assert_eq!(world.invites(ANN).await, title);
}

async fn a_lost_webhook_heals_by_the_log(world: World) {
    world.hear(&world.connection).await;
    let (lose, delivery) = (true, DeliveryRules::default());
    world.sim.configure(|settings| settings.delivery = DeliveryRules { lose, ..delivery });
    world.invites(ANN).await;
    world.sim.person(BOB).is_out_of_reach(30_003);
    world.invites(BOB).await;
    world.sim.person(BOB).is_out_of_reach(30_006);
    world.invites(BOB).await;
    world.sim.person(BOB).is_out_of_reach(30_007);
    world.invites(BOB).await;
    world.sim.person(ANN).texts(OURS, "please stop").unwrap();
    world.sim.person(ANN).texts(OURS, "Stop").unwrap();
    assert!(world.deliveries().await.is_empty());

    let notices = world.log(&world.connection, Some(world.clock.now())).await;
    let told: Vec<_> = notices.iter().map(|n| (from(n), word(n))).collect();
    let expected = [
        (ANN, "Stop None"),
        (ANN, "please stop None"),
        // Twilio's own answer to STOP went out as well, and arrived.
        (ANN, "Delivered"),
        (BOB, "undelivered, for good: true"),
        (BOB, "undelivered, for good: false"),
        (ANN, "Delivered"),
    ];
    assert_eq!(told, expected.map(|(who, what)| (who, what.to_owned())));
    assert!(notices.iter().all(|n| n.sender.as_deref() == Some(OURS) && n.at.is_some()));
    let ids: BTreeSet<_> = notices.iter().map(|n| n.id.clone().unwrap()).collect();
    assert_eq!(ids.len(), notices.len());
}

async fn the_log_is_read_to_its_end(world: World) {
    for number in 0..1_203 {
        world.sim.person(ANN).texts(OURS, &format!("text {number}")).unwrap();
    }
    world.sim.person(BOB).texts(OTHER, "to another number").unwrap();
    let all = world.log(&world.connection, None).await;
    let ids: BTreeSet<_> = all.iter().map(|notice| notice.id.clone()).collect();
    assert_eq!((all.len(), ids.len(), world.requests()), (1_203, 1_203, 3));
    world.clock.advance(Duration::from_hours(72));
    world.sim.person(ANN).texts(OURS, "later").unwrap();
    let late = world.log(&world.connection, Some(world.clock.now())).await;
    assert_eq!(late.iter().map(word).collect::<Vec<_>>(), ["later None"]);
}

async fn a_text_of_yesterday_that_failed_today_is_told(world: World) {
    world.sim.configure(|settings| settings.delivery_ms = 20 * 3_600_000);
    world.sim.person(BOB).is_out_of_reach(30_003);
    world.invites(BOB).await;
    world.clock.advance(Duration::from_hours(19));
    assert!(world.log(&world.connection, Some(world.clock.now())).await.is_empty());
    let since = world.clock.now();
    world.clock.advance(Duration::from_hours(1));
    let told = world.log(&world.connection, Some(since)).await;
    assert_eq!(told.iter().map(word).collect::<Vec<_>>(), ["undelivered, for good: false"]);
    assert_eq!(told[0].at, Some(world.clock.now()));
}

async fn a_service_reads_only_what_is_its_own(world: World) {
    let (sid, service) = world.service();
    world.sim.configure(|settings| settings.late_refusals = true);
    world.sim.person(ANN).texts(OTHER, "STOP").unwrap();
    world.sim.person(BOB).texts(OURS, "care, not marketing").unwrap();
    let sent = world.does(&service.list(&sid), Verb::Invite, ANN).await;
    assert_eq!(said(sent), "done: pending");
    let notices = world.log(&service, Some(world.clock.now())).await;
    let told: Vec<_> = notices.iter().map(|n| (from(n), word(n))).collect();
    let expected = [(ANN, "an opt-out is held"), (ANN, "Delivered"), (ANN, "STOP None")];
    assert_eq!(told, expected.map(|(who, what)| (who, what.to_owned())));
    assert!(notices.iter().all(|n| n.sender.as_deref() == Some(sid.as_str())));
}

async fn a_delivery_says_what_the_log_says(world: World) {
    let (sid, service) = world.service();
    world.hear(&service).await;
    let rules =
        DeliveryRules { novelty: true, duplicate: true, reverse: true, ..DeliveryRules::default() };
    world.sim.configure(|settings| settings.delivery = rules);
    world.does(&service.list(&sid), Verb::Invite, ANN).await.unwrap();
    world.sim.person(BOB).is_out_of_reach(30_005);
    world.does(&service.list(&sid), Verb::Invite, BOB).await.unwrap();
    world.sim.person(ANN).texts(OTHER, "yes, please").unwrap();
    world.sim.person(BOB).texts(OTHER, "STOP").unwrap();

    let scheme = scheme(&world.account, &sid, "auth_token");
    let attempts = world.deliveries().await;
    assert_eq!(attempts.len(), 12);
    let heard: BTreeSet<_> = attempts
        .iter()
        .flat_map(|attempt| take(&*scheme, attempt, &[TOKEN]).unwrap())
        .filter(|notice| notice.word != Word::Other)
        .map(|notice| {
            assert_eq!(notice.sender.as_deref(), Some(sid.as_str()));
            (notice.id.clone().unwrap(), from(&notice).to_owned(), word(&notice))
        })
        .collect();
    let words: BTreeSet<_> =
        heard.iter().map(|(_, who, what)| (who.as_str(), what.as_str())).collect();
    let expected = [
        (ANN, "Delivered"),
        (BOB, "undelivered, for good: true"),
        (ANN, "yes, please None"),
        (BOB, "opted out"),
    ];
    assert_eq!(words, BTreeSet::from(expected));
    // By the id both are one, so a message counts once whichever way it comes.
    let log = world.log(&service, None).await;
    let ids: BTreeSet<_> = log.iter().map(|notice| notice.id.clone().unwrap()).collect();
    assert!(heard.iter().all(|(id, ..)| ids.contains(id)));

    let forged = Attempt { body: attempts[0].body.replace("STOP", "STAY"), ..attempts[0].clone() };
    assert_eq!(take(&*scheme, &forged, &[TOKEN]), Err(Forged::Mismatch));
}

async fn the_url_may_be_signed_with_its_port_or_without(world: World) {
    world.hear(&world.connection).await;
    let scheme = scheme(&world.account, OURS, "auth_token");
    for port in [Port::AsGiven, Port::LeftOut, Port::Added] {
        world.sim.configure(|settings| settings.delivery.port = port);
        world.sim.person(ANN).texts(OURS, "hello").unwrap();
        let attempts = world.deliveries().await;
        assert_eq!(attempts.len(), 1);
        assert!(take(&*scheme, &attempts[0], &[TOKEN]).is_ok(), "{port:?}");
    }
    assert_eq!(scheme.answer(), ("text/xml", "<Response></Response>"));
}

async fn both_secrets_count_while_they_are_rotated(world: World) {
    world.hear(&world.connection).await;
    let next = || async {
        world.sim.person(ANN).texts(OURS, "hello").unwrap();
        world.deliveries().await.remove(0)
    };
    let by_token = scheme(&world.account, OURS, "auth_token");
    world.sim.rotate_auth_token(&world.account, "newer-token").unwrap();
    let signed = next().await;
    assert!(take(&*by_token, &signed, &[TOKEN, "newer-token"]).is_ok());
    assert_eq!(take(&*by_token, &signed, &[TOKEN]), Err(Forged::Mismatch));

    let by_key = scheme(&world.account, OURS, "shared_key");
    let first = world.sim.sign_with_shared_key(&world.account).unwrap();
    let old = next().await;
    let second = world.sim.sign_with_shared_key(&world.account).unwrap();
    let new = next().await;
    for signed in [&old, &new] {
        assert!(take(&*by_key, signed, &[&second, &first]).is_ok());
        assert_eq!(take(&*by_token, signed, &[&second, &first]), Err(Forged::Unsupported));
    }
    assert_eq!(take(&*by_key, &new, &[&first]), Err(Forged::Mismatch));
}

async fn a_yes_is_taken_for_start_by_twilio_and_judged_by_us(world: World) {
    world.hear(&world.connection).await;
    let scheme = scheme(&world.account, OURS, "auth_token");
    for (advanced, taken_for) in [(true, Some(Keyword::Start)), (false, None)] {
        world.sim.configure(|settings| settings.advanced_opt_out = advanced);
        world.sim.person(ANN).texts(OURS, "YES").unwrap();
        let notices = take(&*scheme, &world.deliveries().await[0], &[TOKEN]).unwrap();
        assert_eq!(word(&notices[0]), format!("YES {taken_for:?}"));
    }
}

async fn a_place_taken_by_somebody_else_is_left_alone(world: World) {
    let (sid, service) = world.service();
    for (connection, list) in [(&world.connection, OURS), (&service, sid.as_str())] {
        let hooks = connection.webhooks(list).unwrap();
        assert_eq!(hooks.origins(), [Origin::Any]);
        assert!(hooks.hooks().await.unwrap().is_empty());
        let (made, secret) = hooks.create("https://reminders.test/", Origin::Any).await.unwrap();
        assert_eq!(secret.unwrap().expose_secret(), TOKEN);
        let refused = hooks.create(HOOK, Origin::Any).await;
        assert!(matches!(refused, Err(ProviderError::Rejected { .. })));
        assert_eq!(hooks.hooks().await.unwrap(), std::slice::from_ref(&made));
        hooks.repair(&made.id, HOOK, Origin::Any).await.unwrap();
        let mended = hooks.hooks().await.unwrap();
        assert_eq!((mended[0].url.as_str(), mended[0].tells), (HOOK, Some(Origin::Any)));
        hooks.create(HOOK, Origin::Any).await.unwrap();
        hooks.remove(&made.id).await.unwrap();
        assert!(hooks.hooks().await.unwrap().is_empty());
    }
    // An API key signs nothing, and whoever has only that does not know what does.
    let key = world.sim.add_key(&world.account, false).unwrap();
    let hooks = world.client(OURS, &key).webhooks(OURS).unwrap();
    assert!(hooks.create(HOOK, Origin::Any).await.unwrap().1.is_none());
}

async fn help_is_answered_by_a_text(world: World) {
    let texts = world.connection.texts().unwrap();
    let ann = Address::mobile(ANN, None).unwrap();
    let body = Personal::new("Hill St news. STOP ends it.");
    let sent = texts.text(world.clock.id(), &ann, &body).await.unwrap();
    assert_eq!(sent, TextSent::Sent(world.sim.outbox()[0].sid.clone()));
    world.sim.person(ANN).texts(OURS, "STOP").unwrap();
    let refused = texts.text(world.clock.id(), &ann, &body).await.unwrap();
    assert_eq!(refused, TextSent::Refused(Refusal::OptedOut));
    world.fault(Fault::LostReply);
    let lost = texts.text(world.clock.id(), &ann, &body).await;
    assert!(lost.is_err_and(|error| error.is_doubtful()));
}

async fn five_requests_at_once_and_no_more(world: World) {
    world.sim.configure(|settings| settings.latency_ms = 5);
    let invitations = (0..40).map(|number| {
        let (world, to) = (&world, format!("+4479111234{number:02}"));
        async move { world.invites(&to).await }
    });
    let said = futures::future::join_all(invitations).await;
    assert!(said.iter().all(|said| said == "done: pending"), "{said:?}");
    assert!(world.sim.counters().in_flight_peak <= 5);
    assert_eq!(world.sim.outbox().len(), 40);
}
