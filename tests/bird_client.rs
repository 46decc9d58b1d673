//! The Bird client against the simulator: in process and over real HTTP.
#![cfg(feature = "simulator")]
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use listwarden::clock::{Clock, ManualClock, SharedClock};
use listwarden::domain::{Address, MemberKey, MemberStatus, Origin, Personal, Verb};
use listwarden::providers::bird::{Bird, Connection, PROVIDER, Settings};
use listwarden::providers::signatures::{Delivery, Forged};
use listwarden::providers::transport::HttpTransport;
use listwarden::providers::{
    ListAccount, ListReader, ListWriter, LotResult, Member, MemberWrite, Notice, Outcome,
    ProviderError, Scope, TextSent, Transport, WebhookScheme, Word,
};
use listwarden::rehearsal::RouterTransport;
use listwarden::simulator::bird::{
    Answer, Attempt, Fault, Rule, Running, Simulator, WebhookSender,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

const KEY: &str = "bk_eu1_s3cret";
const SENDER: &str = "+447911000001";
const HOOK: &str = "https://clinic.test/hooks/1";

/// A simulated workspace with one audience, and our client of it.
struct World {
    clock: Arc<ManualClock>,
    sim: Simulator,
    audience: String,
    settings: Settings,
    transport: Arc<dyn Transport>,
    connection: Connection,
    list: Bird,
    _server: Option<Running>,
}

impl World {
    async fn new(over_http: bool) -> Self {
        let start: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start, 7));
        let sim = Simulator::new(clock.clone() as SharedClock);
        let place = sim.open_workspace(KEY, SENDER);
        let audience = sim.open_audience(place, "News").unwrap();
        let (transport, base, server): (Arc<dyn Transport>, _, _) = if over_http {
            let server = sim.serve_locally().await.unwrap();
            (Arc::new(HttpTransport::new().unwrap()), server.url(), Some(server))
        } else {
            let transport = RouterTransport::new(sim.router());
            (Arc::new(transport), "http://bird.test".to_owned(), None)
        };
        let settings = Settings {
            sender: SENDER.to_owned(),
            base_url: Some(base),
            tries: 3,
            ..Settings::default()
        };
        let shared = clock.clone() as SharedClock;
        let connection =
            Connection::new(settings.clone(), &KEY.into(), transport.clone(), shared).unwrap();
        let list = connection.list(&audience);
        Self { clock, sim, audience, settings, transport, connection, list, _server: server }
    }

    fn seed(&self, numbers: impl IntoIterator<Item = u32>) {
        self.sim.add_members(&self.audience, numbers.into_iter().map(number)).unwrap();
    }

    fn has(&self, who: u32) -> bool {
        self.sim.has(&self.audience, &number(who))
    }

    fn size(&self) -> usize {
        self.sim.members(&self.audience).unwrap().len()
    }

    fn key(&self, who: u32) -> Option<MemberKey> {
        let contacts = self.sim.contacts();
        let own = contacts.iter().find(|contact| contact.phone_number == Some(number(who)));
        own.map(|contact| MemberKey(contact.id.clone()))
    }

    fn write(&self, verb: Verb, who: u32) -> MemberWrite {
        let text = Personal::new("Hill St: reply YES to get news, STOP to refuse.");
        MemberWrite {
            id: self.clock.id(),
            verb,
            from: MemberStatus::Absent,
            member: None,
            address: address(who),
            payload: None,
            text: (verb == Verb::Invite).then_some(text),
        }
    }

    /// A write that names the contact as we know it.
    fn write_by_key(&self, verb: Verb, who: u32) -> MemberWrite {
        MemberWrite { member: self.key(who), ..self.write(verb, who) }
    }

    async fn does(&self, verb: Verb, who: u32) -> String {
        match self.send_all(vec![self.write(verb, who)]).await {
            Ok(said) => said.join(", "),
            Err(error) => format!("{error:?}"),
        }
    }

    async fn send_all(&self, writes: Vec<MemberWrite>) -> Result<Vec<String>, ProviderError> {
        let mut said = Vec::new();
        for lot in self.list.lots(writes) {
            match self.list.send(&lot).await? {
                LotResult::Done(done) => said.extend(done.into_iter().map(|(_, o)| outcome(&o))),
                LotResult::Accepted(_) => panic!("there are no jobs"),
            }
        }
        Ok(said)
    }

    /// Everybody on the audience, over all pages, with the total that was stated last.
    async fn pages(
        &self,
        since: Option<DateTime<Utc>>,
    ) -> Result<(Vec<Member>, u64), ProviderError> {
        let scope =
            Scope { archived: false, changed_since: since, fields: BTreeSet::new(), tags: false };
        let (mut members, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.list.page(&scope, cursor.as_ref()).await?;
            members.extend(page.members);
            cursor = page.next.into_iter().next();
            if cursor.is_none() {
                return Ok((members, page.total));
            }
        }
    }

    /// Everything the workspace was told since, over all pages.
    async fn told(&self, since: Option<DateTime<Utc>>) -> Vec<Notice> {
        let reader = self.connection.notices().unwrap();
        let (mut told, mut cursor) = (Vec::new(), None);
        loop {
            let page = reader.notices(since, cursor.as_ref()).await.unwrap();
            told.extend(page.notices);
            cursor = page.next;
            if cursor.is_none() {
                return told;
            }
        }
    }

    fn fault(&self, fault: Fault, method: &str, path: &str) {
        self.sim.script(Rule::next(fault).on(method, path));
    }

    /// The requests made since it was asked last.
    fn requests(&self) -> u64 {
        let total = self.sim.counters().total;
        self.sim.reset_counters();
        total
    }

    /// A request of somebody else's to the workspace.
    async fn calls(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let base = self.settings.base_url.as_deref().unwrap();
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{base}/v1{path}"))
            .header("authorization", format!("Bearer {KEY}"))
            .body(body.to_string().into())
            .unwrap();
        let answer = self.transport.send(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// Makes a webhook by our own client, and connects it to our scheme.
    async fn receives(&self) -> (String, Arc<Receiver>) {
        let hooks = self.connection.webhooks(&self.audience).unwrap();
        let (hook, secret) = hooks.create(HOOK, Origin::Any).await.unwrap();
        let settings = json!({ "sender": SENDER });
        let scheme = (PROVIDER.webhook.unwrap())(settings.as_object().unwrap()).unwrap();
        let clock = self.clock.clone();
        let secrets = Mutex::new(vec![secret.unwrap()]);
        let status = Mutex::new(204);
        let receiver = Arc::new(Receiver { scheme, clock, secrets, status, got: Mutex::default() });
        self.sim.connect_webhooks(receiver.clone());
        (hook.id, receiver)
    }

    /// Whether the only webhook is as it should be.
    async fn is_sound(&self) -> bool {
        let hooks = self.connection.webhooks(&self.audience).unwrap().hooks().await.unwrap();
        assert_eq!((hooks.len(), hooks[0].signs), (1, Some(true)));
        hooks[0].tells == Some(Origin::Any) && hooks[0].url == HOOK
    }
}

/// A delivery as it was read: its id and its notices.
type Read = Result<(Option<String>, Vec<Notice>), Forged>;

/// Our end of the webhooks: verifies, reads, answers.
struct Receiver {
    scheme: Arc<dyn WebhookScheme>,
    clock: Arc<ManualClock>,
    secrets: Mutex<Vec<SecretString>>,
    status: Mutex<u16>,
    got: Mutex<Vec<Read>>,
}

impl Receiver {
    fn got(&self) -> Vec<Read> {
        self.got.lock().unwrap().clone()
    }

    fn notices(&self) -> Vec<Notice> {
        self.got().into_iter().flat_map(|read| read.unwrap().1).collect()
    }
}

#[async_trait]
impl WebhookSender for Receiver {
    async fn post(&self, attempt: &Attempt) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in &attempt.headers {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let body = attempt.body.as_bytes();
        let delivery =
            Delivery { method: &Method::POST, url: &attempt.url, headers: &headers, body };
        let secrets = self.secrets.lock().unwrap().clone();
        let verified = self.scheme.verify(&delivery, &secrets, self.clock.now());
        let read = verified
            .map(|verified| (verified.unique, self.scheme.read(&delivery, Origin::Any).unwrap()));
        let status = if read.is_ok() { *self.status.lock().unwrap() } else { 401 };
        self.got.lock().unwrap().push(read);
        Answer::Status(status)
    }
}

fn number(who: u32) -> String {
    format!("+4479111{who:05}")
}

fn address(who: u32) -> Address {
    Address::mobile(&number(who), None).unwrap()
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { status, .. } => format!("done: {status}"),
        Outcome::Absent => "absent".to_owned(),
        Outcome::Refused(refusal) => format!("{refusal:?}"),
        Outcome::Doubtful => "doubtful".to_owned(),
    }
}

fn word(notice: &Notice) -> String {
    match &notice.word {
        Word::Replied { text, taken_for: None } => text.expose().to_owned(),
        Word::OptedOut { complained: false, evidence: Some(evidence) } => {
            format!("opted out: {}", evidence.split("prf_").next().unwrap())
        }
        Word::HoldsOptOut { listed: false, evidence: Some(evidence) } => {
            format!("an opt-out is held: {evidence}")
        }
        other => format!("{other:?}"),
    }
}

fn words(notices: &[Notice]) -> Vec<String> {
    notices.iter().map(word).collect()
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
    the_account_its_audiences_and_one_of_them_are_read,
    pages_go_by_cursor_and_add_up_to_the_count,
    without_a_count_no_reading_is_whole,
    a_page_that_is_short_does_not_add_up,
    a_delta_ends_where_it_reaches_back_before_its_start,
    members_are_found_by_key_and_by_number,
    a_lost_audience_is_no_absent_member,
    every_way_out_leads_out,
    who_is_put_on_is_a_number_and_nothing_else,
    a_thousand_go_on_and_off_in_one_request,
    what_cannot_go_on_does_not_keep_the_others_off,
    one_contact_that_is_gone_does_not_keep_the_others_on,
    an_opt_out_is_stated_for_our_sender_and_no_care_message,
    who_is_put_away_said_nothing,
    consent_never_overrules_a_stop,
    an_opt_out_that_we_stated_gives_way_to_a_newer_consent,
    an_invitation_is_one_text_and_makes_nobody_a_contact,
    an_invitation_to_somebody_who_opted_out_is_refused,
    an_invitation_that_cannot_be_sent_is_refused,
    an_erasure_counts_once_a_read_finds_nobody,
    an_erasure_leaves_the_stop_and_takes_our_word_of_consent,
    what_passes_is_tried_again,
    a_change_in_doubt_is_sent_again_under_its_name_and_done_once,
    what_stays_in_doubt_is_said_so,
    a_withdrawn_key_is_told,
    texts_are_read_back_page_by_page_even_if_no_webhook_came,
    suppressions_and_statements_of_the_person_are_opt_outs,
    failed_texts_are_read_back,
    a_webhook_says_what_the_lists_say,
    a_paused_webhook_loses_events_wants_repair_and_the_lists_heal_it,
    a_webhook_is_made_mended_and_removed,
    two_secrets_sign_while_one_is_replaced,
    an_old_or_forged_delivery_is_refused_and_a_duplicate_has_one_id,
    a_type_of_a_later_day_is_taken_and_says_nothing,
    what_the_person_said_cannot_be_taken_back,
    an_older_statement_is_refused_and_says_so,
    what_is_too_large_is_refused,
    a_single_text_is_sent,
}

async fn the_account_its_audiences_and_one_of_them_are_read(world: World) {
    let account = world.list.account().await.unwrap();
    assert!(account.id.starts_with("ws_"));
    assert_eq!((account.region.as_deref(), world.requests()), (Some("eu1"), 1));
    for name in 0..120 {
        world.sim.open_audience(0, &format!("a{name}")).unwrap();
    }
    let lists = world.connection.lists().await.unwrap();
    assert_eq!((lists.len(), world.requests()), (121, 2));
    assert!(lists.contains(&(world.audience.clone(), "News".to_owned())));
    let audience = world.list.audience().await.unwrap();
    assert_eq!((audience.id.as_str(), audience.name.as_str()), (world.audience.as_str(), "News"));
    assert!(!audience.double_opt_in && audience.fields.is_empty());
    assert_eq!(world.connection.sender(), Some(SENDER));
}

async fn pages_go_by_cursor_and_add_up_to_the_count(world: World) {
    world.seed(0..250);
    world.sim.add_email(&world.audience, "ann@mail.test").unwrap();
    let (members, total) = world.pages(None).await.unwrap();
    assert_eq!((members.len(), total, world.requests()), (251, 251, 4), "three pages, one count");
    let keys: BTreeSet<&MemberKey> = members.iter().map(|member| &member.key).collect();
    assert_eq!(keys.len(), 251);
    assert!(keys.iter().all(|key| key.0.starts_with("con_")));
    let no_number = |member: &&Member| member.address.is_none();
    assert_eq!(members.iter().filter(no_number).count(), 1, "counted, and not a number");
    assert!(members.iter().all(|member| member.status == MemberStatus::Subscribed));
    assert!(members.iter().all(|member| member.last_changed.is_some()));
    let archived =
        Scope { archived: true, changed_since: None, fields: BTreeSet::new(), tags: false };
    assert_eq!(world.list.page(&archived, None).await.unwrap().total, 0);
    assert_eq!(world.requests(), 0);
}

async fn without_a_count_no_reading_is_whole(world: World) {
    world.seed([1]);
    world.sim.configure(|settings| settings.counts_members = false);
    assert!(matches!(world.pages(None).await, Err(ProviderError::Unavailable(_))));
    world.sim.configure(|settings| settings.counts_members = true);
    assert_eq!(world.pages(None).await.unwrap().1, 1);
}

async fn a_page_that_is_short_does_not_add_up(world: World) {
    world.seed(0..30);
    world.fault(Fault::ShortPage { drop: 10 }, "GET", "/v1/audiences/");
    let (members, total) = world.pages(None).await.unwrap();
    assert_eq!((members.len(), total), (20, 30));
}

async fn a_delta_ends_where_it_reaches_back_before_its_start(world: World) {
    world.seed(0..150);
    world.clock.advance(Duration::from_hours(1));
    let since = world.clock.now();
    world.seed(150..160);
    let (members, total) = world.pages(Some(since)).await.unwrap();
    assert_eq!((members.len(), total, world.requests()), (100, 100, 1), "one page, no count");
    assert_eq!(members[0].last_changed, Some(since));
    assert_eq!(members[0].address, Some(address(159)));
}

async fn members_are_found_by_key_and_by_number(world: World) {
    world.seed(0..20);
    world.sim.add_email(&world.audience, "ann@mail.test").unwrap();
    let elsewhere = world.sim.open_audience(0, "Other").unwrap();
    world.sim.add_members(&elsewhere, [number(99)]).unwrap();
    let (members, _) = world.pages(None).await.unwrap();
    let mut keys: Vec<MemberKey> = members.iter().map(|m| m.key.clone()).collect();
    keys.insert(1, MemberKey("con_nobody".to_owned()));
    keys.push(world.key(99).unwrap());
    world.requests();
    let found = world.list.members(&keys).await.unwrap();
    assert_eq!((found.len(), world.requests()), (23, 23 + 1 + 1 + 1));
    assert!(found[1].is_none() && found[22].is_none(), "unknown, and on another audience");
    assert!(
        keys[..22]
            .iter()
            .zip(&found)
            .all(|(key, found)| { found.as_ref().is_none_or(|member| member.key == *key) })
    );
    assert_eq!(found.iter().flatten().count(), 21);
    let ann = world.list.member_by_address(&address(7)).await.unwrap().unwrap();
    assert_eq!((ann.address, Some(ann.key)), (Some(address(7)), world.key(7)));
    assert_eq!(world.requests(), 1);
    assert_eq!(world.list.member_by_address(&address(99)).await.unwrap(), None);
    assert!(world.list.members(&[]).await.unwrap().is_empty());
}

async fn a_lost_audience_is_no_absent_member(world: World) {
    world.seed([1]);
    let key = world.key(1).unwrap();
    world.sim.delete_audience(&world.audience);
    assert!(matches!(world.pages(None).await, Err(ProviderError::ListGone)));
    assert!(matches!(world.list.audience().await, Err(ProviderError::ListGone)));
    let by_address = world.list.member_by_address(&address(1)).await;
    assert!(matches!(by_address, Err(ProviderError::ListGone)));
    assert!(matches!(world.list.members(&[key]).await, Err(ProviderError::ListGone)));
    assert_eq!(world.does(Verb::Archive, 1).await, "ListGone");
    assert_eq!(world.does(Verb::Archive, 9).await, "ListGone");
    assert_eq!(world.does(Verb::Subscribe, 1).await, "ListGone");
}

async fn every_way_out_leads_out(world: World) {
    world.seed(1..=4);
    for (write, said) in [
        (world.write_by_key(Verb::Archive, 1), "done: absent"),
        (world.write_by_key(Verb::Archive, 1), "done: absent"),
        (world.write(Verb::Archive, 2), "done: absent"),
        (world.write_by_key(Verb::Unsubscribe, 3), "done: absent"),
        (world.write_by_key(Verb::Erase, 4), "done: forgotten"),
        (world.write(Verb::Erase, 9), "done: forgotten"),
        (world.write(Verb::Archive, 9), "done: absent"),
        (world.write(Verb::Subscribe, 5), "done: subscribed"),
        (world.write(Verb::Update, 5), "done: absent"),
    ] {
        let verb = write.verb;
        assert_eq!(world.send_all(vec![write]).await.unwrap(), [said], "{verb}");
    }
    assert_eq!(world.sim.members(&world.audience).unwrap(), [number(5)]);
    assert!(world.key(1).is_some(), "put away is not erased");
    assert!(world.key(4).is_none());
}

async fn who_is_put_on_is_a_number_and_nothing_else(world: World) {
    assert_eq!(world.does(Verb::Subscribe, 1).await, "done: subscribed");
    let contact = world.sim.contacts().remove(0);
    assert_eq!(
        (contact.phone_number, contact.email, contact.external_id),
        (Some(number(1)), None, None)
    );
    let consent = world.sim.preferences().remove(0);
    assert_eq!(
        (consent.status.as_str(), consent.coverage.as_str()),
        ("granted", "non_transactional")
    );
    assert_eq!((consent.handle, consent.sender_scope.as_deref()), (number(1), Some(SENDER)));
    assert_eq!(consent.consented_at, None, "we were not handed the date, and make none up");
    let bodies: Vec<String> = world.sim.writes().into_iter().map(|write| write.body).collect();
    assert!(
        bodies[1].contains(r#""match_on":"phone_number""#) && !bodies[1].contains("external_id")
    );
}

async fn a_thousand_go_on_and_off_in_one_request(world: World) {
    world.seed(0..1_000);
    let off = (0..1_000).map(|who| world.write_by_key(Verb::Archive, who)).collect();
    assert_eq!(world.send_all(off).await.unwrap().len(), 1_000);
    assert_eq!((world.size(), world.requests()), (0, 1));
    let on = (2_000..3_000).map(|who| world.write(Verb::Subscribe, who)).collect();
    assert_eq!(world.send_all(on).await.unwrap().len(), 1_000);
    let by_route = world.sim.counters().by_route;
    assert_eq!(world.size(), 1_000);
    assert_eq!(by_route["POST /contacts/batch"], 1);
    assert_eq!(
        by_route["POST /preferences"], 1_000,
        "a statement each: Bird takes no more at once"
    );
}

async fn what_cannot_go_on_does_not_keep_the_others_off(world: World) {
    // A number with more digits than Bird takes cannot be made here; one that Bird refuses can.
    world.sim.text(0, &number(2), SENDER, "STOP").unwrap();
    let writes = (1..=3).map(|who| world.write(Verb::Subscribe, who)).collect();
    let mut said = world.send_all(writes).await.unwrap();
    said.sort();
    assert_eq!(said, ["OptedOut", "done: subscribed", "done: subscribed"]);
    assert!(world.has(1) && !world.has(2) && world.has(3));
    // The batch itself says of each what became of it.
    let body = json!({
        "contacts": [{ "phone_number": number(4) }, { "phone_number": "12" }],
        "audience_ids": [world.audience], "match_on": "phone_number",
    });
    let (status, answer) = world.calls("POST", "/contacts/batch", &body).await;
    assert_eq!((status, &answer["data"][1]["status"]), (200, &json!("failed")));
    assert!(world.has(4));
}

async fn one_contact_that_is_gone_does_not_keep_the_others_on(world: World) {
    world.seed(1..=3);
    let mut writes: Vec<_> = (1..=3).map(|who| world.write_by_key(Verb::Archive, who)).collect();
    world.sim.delete_contact(&number(2));
    assert_eq!(world.send_all(writes.clone()).await.unwrap(), ["done: absent"; 3]);
    assert_eq!(world.size(), 0);
    // Whoever was deleted and came again is another contact by now.
    world.seed(1..=3);
    world.sim.delete_contact(&number(2));
    world.seed([2]);
    for write in &mut writes {
        write.id = world.clock.id();
    }
    assert_eq!(world.send_all(writes).await.unwrap(), ["done: absent"; 3]);
    assert_eq!(world.size(), 0);
}

async fn an_opt_out_is_stated_for_our_sender_and_no_care_message(world: World) {
    world.does(Verb::Subscribe, 1).await;
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.does(Verb::Unsubscribe, 1).await, "done: absent");
    let stated = world.sim.preferences();
    assert_eq!((stated.len(), stated[0].status.as_str()), (1, "revoked"));
    assert_eq!(stated[0].coverage, "non_transactional");
    assert_eq!(stated[0].sender_scope.as_deref(), Some(SENDER));
    assert!(world.sim.suppressions().is_empty(), "no block of ours, ever");
    assert!(!world.sim.writes().iter().any(|write| write.body.contains(r#""coverage":"all""#)));
    let texts = world.connection.texts().unwrap();
    let body = Personal::new("Your appointment is on Friday.");
    let sent = texts.text(world.clock.id(), &address(1), &body).await.unwrap();
    assert!(matches!(sent, TextSent::Sent(_)), "and care messages still arrive");
}

async fn who_is_put_away_said_nothing(world: World) {
    world.seed([1]);
    world.does(Verb::Archive, 1).await;
    assert!(world.sim.preferences().is_empty());
}

async fn consent_never_overrules_a_stop(world: World) {
    world.seed([1]);
    world.sim.text(0, &number(1), SENDER, "STOP").unwrap();
    world.clock.advance(Duration::from_hours(1));
    world.does(Verb::Archive, 1).await;
    assert_eq!(world.does(Verb::Subscribe, 1).await, "OptedOut");
    assert!(!world.has(1));
    world.sim.text(0, &number(1), SENDER, "START").unwrap();
    assert_eq!(world.does(Verb::Subscribe, 1).await, "done: subscribed", "the person lifts it");
}

async fn an_opt_out_that_we_stated_gives_way_to_a_newer_consent(world: World) {
    for (verb, status) in
        [(Verb::Subscribe, "granted"), (Verb::Unsubscribe, "revoked"), (Verb::Subscribe, "granted")]
    {
        world.does(verb, 1).await;
        assert_eq!(world.sim.preferences()[0].status, status);
        world.clock.advance(Duration::from_mins(1));
    }
    assert!(world.has(1));
    // The same words by somebody else, another program of the clinic's, are not ours to take back.
    let foreign = json!({
        "channel": "sms", "handle": number(2), "status": "revoked", "sender_scope": SENDER,
        "source": "booking system",
    });
    world.calls("POST", "/preferences", &foreign).await;
    assert_eq!(world.does(Verb::Subscribe, 2).await, "OptedOut");
    assert_eq!(world.sim.preferences()[1].status, "revoked");
}

async fn an_invitation_is_one_text_and_makes_nobody_a_contact(world: World) {
    let write = world.write(Verb::Invite, 1);
    let lots = world.list.lots(vec![write]);
    for _ in 0..2 {
        let LotResult::Done(done) = world.list.send(&lots[0]).await.unwrap() else { panic!() };
        assert_eq!(outcome(&done[0].1), "done: pending");
    }
    let sent = world.sim.outbox();
    assert_eq!(sent.len(), 1, "asked twice under one name, sent once");
    assert_eq!((sent[0].from.as_str(), sent[0].to.clone()), (SENDER, number(1)));
    assert_eq!(sent[0].category.as_deref(), Some("marketing"));
    assert!(sent[0].body.contains("STOP"));
    assert!(world.sim.contacts().is_empty() && world.sim.preferences().is_empty());
    let mut silent = world.write(Verb::Invite, 2);
    silent.text = None;
    assert!(world.send_all(vec![silent]).await.unwrap()[0].contains("without a text"));
}

async fn an_invitation_to_somebody_who_opted_out_is_refused(world: World) {
    world.sim.text(0, &number(1), SENDER, "STOP").unwrap();
    assert_eq!(world.does(Verb::Invite, 1).await, "OptedOut");
    world.sim.suppress(0, &number(2), SENDER, "carrier_opted_out").unwrap();
    assert_eq!(world.does(Verb::Invite, 2).await, "OptedOut");
}

async fn an_invitation_that_cannot_be_sent_is_refused(world: World) {
    let settings = Settings { sender: "+447911000009".to_owned(), ..world.settings.clone() };
    let clock = world.clock.clone() as SharedClock;
    let other = Connection::new(settings, &KEY.into(), world.transport.clone(), clock).unwrap();
    let body = Personal::new("Hi");
    let texts = other.texts().unwrap();
    let sent = texts.text(world.clock.id(), &address(1), &body).await.unwrap();
    assert!(format!("{sent:?}").contains("SMSSenderNotConfigured"));
    let long = Personal::new(&"x".repeat(2_000));
    let texts = world.connection.texts().unwrap();
    let sent = texts.text(world.clock.id(), &address(1), &long).await.unwrap();
    assert!(matches!(sent, TextSent::Refused(_)));
}

async fn an_erasure_counts_once_a_read_finds_nobody(world: World) {
    world.seed(1..=3);
    world.sim.script(
        Rule::next(Fault::Refused { status: 403, category: "permission_error".to_owned() })
            .on("GET", "/v1/contacts")
            .after(1),
    );
    assert_eq!(world.does(Verb::Erase, 1).await, "doubtful");
    assert!(world.key(1).is_none(), "it was done, and nobody could tell");
    assert_eq!(world.does(Verb::Erase, 1).await, "done: forgotten");
    let refused = Fault::Refused { status: 409, category: "conflict_error".to_owned() };
    world.fault(refused, "DELETE", "/v1/contacts/");
    assert!(world.does(Verb::Erase, 2).await.starts_with("Other"), "as with an eSIM");
    let both = vec![world.write_by_key(Verb::Erase, 2), world.write_by_key(Verb::Erase, 3)];
    assert_eq!(world.send_all(both).await.unwrap(), ["done: forgotten"; 2]);
    assert!(world.sim.contacts().is_empty());
}

async fn an_erasure_leaves_the_stop_and_takes_our_word_of_consent(world: World) {
    world.does(Verb::Subscribe, 1).await;
    world.does(Verb::Subscribe, 2).await;
    world.clock.advance(Duration::from_mins(1));
    world.sim.text(0, &number(2), SENDER, "STOP").unwrap();
    for who in [1, 2] {
        assert_eq!(world.does(Verb::Erase, who).await, "done: forgotten");
    }
    let stated = world.sim.preferences();
    assert_eq!(stated.len(), 1, "our word of the first is gone, the second's own word is not");
    assert_eq!((stated[0].handle.clone(), stated[0].origin), (number(2), "keyword"));
    assert_eq!(world.sim.suppressions()[0].ended, None);
    assert_eq!(world.does(Verb::Subscribe, 2).await, "OptedOut");
}

async fn what_passes_is_tried_again(world: World) {
    world.seed([1]);
    for fault in [
        Fault::TooManyRequests { retry_after: Some(7) },
        Fault::TooManyRequests { retry_after: None },
        Fault::Refused { status: 408, category: "timeout".to_owned() },
        Fault::InternalError,
        Fault::BadGateway,
        Fault::Reset,
    ] {
        world.fault(fault.clone(), "GET", "/v1/audiences");
        let before = world.clock.now();
        assert_eq!(world.pages(None).await.unwrap().1, 1, "{fault:?}");
        assert_eq!(world.requests(), 3);
        if matches!(fault, Fault::TooManyRequests { retry_after: Some(_) }) {
            assert_eq!((world.clock.now() - before).num_seconds(), 7);
        }
    }
    for (status, said) in [(501, "Rejected"), (409, "Rejected")] {
        world.fault(Fault::Refused { status, category: "x".to_owned() }, "GET", "/v1/audiences");
        assert!(format!("{:?}", world.pages(None).await).contains(said));
        assert_eq!(world.requests(), 1, "{status} is never sent again");
    }
    world.fault(Fault::TooManyRequests { retry_after: Some(600) }, "GET", "/v1/audiences");
    assert!(matches!(world.pages(None).await, Err(ProviderError::Throttled { .. })));
}

async fn a_change_in_doubt_is_sent_again_under_its_name_and_done_once(world: World) {
    world.sim.configure(|settings| settings.stall_ms = 1);
    for (fault, who) in [(Fault::LostReply, 1), (Fault::Reset, 2), (Fault::InternalError, 3)] {
        world.fault(fault, "POST", "/v1/sms/messages");
        assert_eq!(world.does(Verb::Invite, who).await, "done: pending");
    }
    assert_eq!(world.sim.outbox().len(), 3);
    world.fault(Fault::LostReply, "POST", "/v1/contacts/batch");
    assert_eq!(world.does(Verb::Subscribe, 4).await, "done: subscribed");
    assert_eq!((world.size(), world.sim.contacts().len()), (1, 1));
    world.fault(Fault::LostReply, "DELETE", "/v1/contacts/");
    assert_eq!(world.does(Verb::Erase, 4).await, "done: forgotten");
}

async fn what_stays_in_doubt_is_said_so(world: World) {
    world.sim.configure(|settings| settings.stall_ms = 1);
    let lost =
        |path: &str| world.sim.script(Rule::next(Fault::LostReply).on("POST", path).times(3));
    lost("/v1/sms/messages");
    assert_eq!(world.does(Verb::Invite, 1).await, "doubtful");
    assert_eq!(world.sim.outbox().len(), 1);
    lost("/v1/contacts/batch");
    assert!(world.does(Verb::Subscribe, 2).await.starts_with("Doubtful"));
    assert!(world.has(2), "it was done");
    lost(&format!("/v1/audiences/{}/contacts/remove", world.audience));
    assert!(world.does(Verb::Archive, 2).await.starts_with("Doubtful"));
    assert!(!world.has(2));
    lost("/v1/preferences");
    assert_eq!(world.does(Verb::Subscribe, 3).await, "doubtful");
    assert!(!world.has(3), "nobody is put on whose consent is in doubt");
}

async fn a_withdrawn_key_is_told(world: World) {
    world.sim.withdraw_key(0).unwrap();
    assert!(matches!(world.list.account().await, Err(ProviderError::Unauthorized)));
    assert_eq!(world.does(Verb::Archive, 1).await, "Unauthorized");
}

async fn texts_are_read_back_page_by_page_even_if_no_webhook_came(world: World) {
    world.sim.text(0, &number(1), SENDER, "YES").unwrap();
    world.clock.advance(Duration::from_hours(48));
    let since = world.clock.now();
    for count in 0..205 {
        world.sim.text(0, &number(2), SENDER, &format!("n{count}")).unwrap();
    }
    world.sim.text(0, &number(3), "+447911000002", "Hello").unwrap();
    let told = world.told(Some(since)).await;
    assert_eq!((told.len(), world.requests()), (205, 6), "three pages, and three other lists");
    let ids: BTreeSet<_> = told.iter().map(|notice| notice.id.clone()).collect();
    assert_eq!(ids.len(), 205);
    assert_eq!(words(&told[..1]), ["n204"]);
    assert_eq!(told[0].sender.as_deref(), Some(SENDER));
    assert_eq!((told[0].address.clone(), told[0].at), (Some(address(2)), Some(since)));
    assert_eq!(words(&world.told(None).await[205..]), ["YES"]);
}

async fn suppressions_and_statements_of_the_person_are_opt_outs(world: World) {
    world.sim.text(0, &number(1), SENDER, "STOP").unwrap();
    world.sim.suppress(0, &number(2), SENDER, "carrier_opted_out").unwrap();
    world.sim.suppress(0, &number(3), SENDER, "manual").unwrap();
    world.does(Verb::Unsubscribe, 4).await;
    let told = world.told(None).await;
    let mut said = words(&told);
    said.sort();
    assert_eq!(
        said,
        [
            "STOP",
            "opted out: statement ",
            "opted out: suppression carrier_opted_out",
            "opted out: suppression keyword_stop",
            "opted out: suppression manual",
        ],
        "what we stated ourselves is nobody's word"
    );
    assert!(told.iter().all(|notice| notice.sender.as_deref() == Some(SENDER)));
    assert!(told.iter().all(|notice| !notice.id.as_ref().unwrap().contains("7911")));
    assert_eq!(world.told(None).await, told, "told alike each time");
    world.sim.text(0, &number(1), SENDER, "START").unwrap();
    assert_eq!(world.told(None).await.len(), 4, "what ended is in no list");
}

async fn failed_texts_are_read_back(world: World) {
    for (who, status, code) in [
        (1, "undelivered", "unreachable"),
        (2, "failed", "landline_unreachable"),
        (3, "rejected", "blocked_by_fraud_protection"),
        (4, "failed", "blocked_by_recipient"),
    ] {
        world.sim.fate(0, &number(who), (status, code)).unwrap();
        assert_eq!(world.does(Verb::Invite, who).await, "done: pending");
    }
    world.does(Verb::Invite, 5).await;
    world.clock.advance(Duration::from_hours(20));
    let told = world.told(Some(world.clock.now() - TimeDelta::hours(1))).await;
    assert_eq!(
        words(&told),
        [
            "an opt-out is held: error blocked_by_recipient",
            "Other",
            "Undelivered { for_good: true }",
            "Undelivered { for_good: false }",
        ],
        "a text of yesterday may fail today"
    );
}

async fn a_webhook_says_what_the_lists_say(world: World) {
    let (_, receiver) = world.receives().await;
    world.sim.text(0, &number(1), SENDER, "Stop please").unwrap();
    world.sim.text(0, &number(2), SENDER, "STOP").unwrap();
    world.sim.fate(0, &number(3), ("undelivered", "unreachable")).unwrap();
    world.does(Verb::Invite, 3).await;
    assert_eq!(world.sim.deliver_webhooks().await, 5);
    let heard = receiver.notices();
    assert_eq!(
        words(&heard),
        [
            "Stop please",
            "STOP",
            "opted out: suppression keyword_stop",
            "Changed",
            "Undelivered { for_good: false }",
        ]
    );
    let listed = world.told(None).await;
    for notice in heard.iter().filter(|notice| notice.word != Word::Changed) {
        assert!(listed.contains(notice), "{notice:?}");
    }
}

async fn a_paused_webhook_loses_events_wants_repair_and_the_lists_heal_it(world: World) {
    let (id, receiver) = world.receives().await;
    *receiver.status.lock().unwrap() = 503;
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    assert!(world.is_sound().await, "degraded mends by itself");
    for _ in 0..6 {
        world.clock.advance(Duration::from_hours(10));
        world.sim.deliver_webhooks().await;
    }
    assert!(!world.is_sound().await, "paused does not");
    let since = world.clock.now();
    world.sim.text(0, &number(2), SENDER, "STOP").unwrap();
    assert!(world.sim.waiting_webhooks().is_empty(), "nobody will ever hear of it there");
    let healed = words(&world.told(Some(since)).await);
    assert!(healed.contains(&"opted out: suppression keyword_stop".to_owned()), "{healed:?}");
    *receiver.status.lock().unwrap() = 204;
    let hooks = world.connection.webhooks(&world.audience).unwrap();
    hooks.repair(&id, HOOK, Origin::Any).await.unwrap();
    assert!(world.is_sound().await);
    world.sim.text(0, &number(3), SENDER, "Hi").unwrap();
    assert_eq!(world.sim.deliver_webhooks().await, 1);
}

async fn a_webhook_is_made_mended_and_removed(world: World) {
    let (id, _) = world.receives().await;
    assert!(id.starts_with("whk_") && world.is_sound().await);
    let hooks = world.connection.webhooks(&world.audience).unwrap();
    let change = json!({ "events": ["sms.received"], "url": "https://else.test/" });
    world.calls("PATCH", &format!("/webhooks/{id}"), &change).await;
    assert!(!world.is_sound().await);
    hooks.repair(&id, HOOK, Origin::Any).await.unwrap();
    assert!(world.is_sound().await);
    hooks.remove(&id).await.unwrap();
    hooks.remove(&id).await.unwrap();
    assert!(hooks.hooks().await.unwrap().is_empty());
    assert!(hooks.repair(&id, HOOK, Origin::Any).await.is_err());
}

async fn two_secrets_sign_while_one_is_replaced(world: World) {
    let (id, receiver) = world.receives().await;
    let path = format!("/webhooks/{id}/rotate-secret");
    let (_, rotated) = world.calls("POST", &path, &json!({})).await;
    let new = rotated["secret"].as_str().unwrap();
    let old = receiver.secrets.lock().unwrap()[0].expose_secret().to_owned();
    assert_ne!(new, old);
    let hears = async |secret: &str| {
        *receiver.secrets.lock().unwrap() = vec![secret.into()];
        world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
        world.sim.deliver_webhooks().await;
        receiver.got().pop().unwrap().is_ok()
    };
    assert!(hears(&old).await && hears(new).await);
    world.clock.advance(Duration::from_hours(25));
    assert!(hears(new).await && !hears(&old).await);
    for _ in 0..4 {
        world.calls("POST", &path, &json!({})).await;
    }
    assert_eq!(world.calls("POST", &path, &json!({})).await.0, 409, "five at most");
}

async fn an_old_or_forged_delivery_is_refused_and_a_duplicate_has_one_id(world: World) {
    let (_, receiver) = world.receives().await;
    world.sim.configure(|settings| settings.delivery.duplicate = true);
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    world.sim.configure(|settings| {
        settings.delivery.duplicate = false;
        settings.delivery.late_by_seconds = 301;
    });
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    *receiver.secrets.lock().unwrap() = vec!["whsec_AAAA".into()];
    world.sim.configure(|settings| settings.delivery.late_by_seconds = 0);
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    let got = receiver.got();
    let id = |place: usize| got[place].as_ref().unwrap().0.clone().unwrap();
    assert_eq!(id(0), id(1));
    assert_eq!(got[2].as_ref().unwrap_err(), &Forged::Stale);
    assert_eq!(got[3].as_ref().unwrap_err(), &Forged::Mismatch);
    world.sim.configure(|settings| settings.delivery.lose = true);
    world.clock.advance(Duration::from_mins(10));
    world.sim.deliver_webhooks().await;
    assert!(world.sim.waiting_webhooks().is_empty());
    assert_eq!(world.told(None).await.len(), 3, "and the list heals what was lost");
}

async fn a_type_of_a_later_day_is_taken_and_says_nothing(world: World) {
    let (_, receiver) = world.receives().await;
    for kind in ["sms.read_aloud", "preference.imagined", "number.recycled"] {
        let data = json!({ "to": number(1), "handle": number(1), "channel": "sms" });
        world.sim.fire(0, "sms.received", kind, &data).unwrap();
    }
    assert_eq!(world.sim.deliver_webhooks().await, 3);
    let told = receiver.notices();
    assert_eq!(words(&told), ["Other"; 3]);
    assert!(told.iter().all(|notice| notice.address.is_none()));
    assert!(world.is_sound().await);
}

async fn what_the_person_said_cannot_be_taken_back(world: World) {
    world.sim.text(0, &number(1), SENDER, "STOP").unwrap();
    let by_hand = world.sim.suppress(0, &number(2), SENDER, "manual").unwrap();
    let stop = world.sim.suppressions()[0].id.clone();
    let said = world.sim.preferences()[0].id.clone();
    for (path, status) in [
        (format!("/sms/suppressions/{stop}"), 422),
        (format!("/preferences/{said}"), 422),
        (format!("/sms/suppressions/{by_hand}"), 204),
    ] {
        assert_eq!(world.calls("DELETE", &path, &Value::Null).await.0, status, "{path}");
    }
    // Nothing our client does asks for it.
    for verb in [Verb::Subscribe, Verb::Erase, Verb::Archive, Verb::Unsubscribe] {
        world.does(verb, 1).await;
    }
    assert_eq!(world.sim.suppressions()[0].ended, None);
    assert_eq!(world.sim.preferences()[0].status, "revoked");
}

async fn an_older_statement_is_refused_and_says_so(world: World) {
    world.sim.text(0, &number(1), SENDER, "STOP").unwrap();
    let stopped = world.clock.now();
    world.clock.advance(Duration::from_hours(2));
    let grant = |at: DateTime<Utc>| {
        json!({
            "channel": "sms", "handle": number(1), "status": "granted", "sender_scope": SENDER,
            "consented_at": at.to_rfc3339(),
        })
    };
    let earlier = grant(stopped - TimeDelta::minutes(1));
    let (status, answer) = world.calls("POST", "/preferences", &earlier).await;
    assert_eq!((status, &answer["applied"]), (200, &json!(false)));
    assert_eq!(answer["preference"]["status"], "revoked", "what survives is shown");
    let future = grant(world.clock.now() + TimeDelta::hours(1));
    assert_eq!(world.calls("POST", "/preferences", &future).await.0, 422);
    let later = grant(stopped + TimeDelta::hours(1));
    let (_, answer) = world.calls("POST", "/preferences", &later).await;
    assert_eq!(answer["applied"], true);
}

async fn what_is_too_large_is_refused(world: World) {
    let contacts = |count: u32| -> Vec<Value> {
        (0..count).map(|who| json!({ "phone_number": number(who) })).collect()
    };
    let audiences = |count: usize| vec![world.audience.clone(); count];
    for (body, status) in [
        (json!({ "contacts": contacts(1_001) }), 422),
        (json!({ "contacts": [] }), 422),
        (json!({ "contacts": contacts(1), "audience_ids": audiences(11) }), 422),
        (json!({ "contacts": contacts(1), "audience_ids": ["adn_gone"] }), 422),
        (json!({ "contacts": contacts(1_000), "audience_ids": audiences(10) }), 200),
    ] {
        assert_eq!(world.calls("POST", "/contacts/batch", &body).await.0, status);
    }
    assert_eq!(world.size(), 1_000);
}

async fn a_single_text_is_sent(world: World) {
    let texts = world.connection.texts().unwrap();
    let body = Personal::new("Hill St. Reply STOP to leave.");
    let id = world.clock.id();
    for _ in 0..2 {
        let TextSent::Sent(sent) = texts.text(id, &address(1), &body).await.unwrap() else {
            panic!("refused")
        };
        assert_eq!(world.sim.outbox()[0].id, sent);
    }
    let sent = world.sim.outbox();
    assert_eq!((sent.len(), sent[0].category.as_deref()), (1, Some("service")));
}
