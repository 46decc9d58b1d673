//! The Sinch client against the simulator: in process and over real HTTP.
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
use listwarden::providers::signatures::{Delivery, Forged};
use listwarden::providers::sinch::{Connection, PROVIDER, Settings, Sinch};
use listwarden::providers::transport::HttpTransport;
use listwarden::providers::{
    ListAccount, ListReader, ListWriter, LotResult, Member, MemberPage, MemberWrite, Notice,
    Outcome, ProviderError, Scope, TextSent, Transport, WebhookScheme, Word,
};
use listwarden::rehearsal::RouterTransport;
use listwarden::simulator::sinch::{
    Answer, Attempt, Callback, Credentials, Fault, Rule, Running, Signing, Simulator, WebhookSender,
};

const KEY: &str = "key-1:key-secret-1";
const SENDER: &str = "+447911000001";
const APP: &str = "app-1";

/// A simulated account with one group, and our client of it.
struct World {
    clock: Arc<ManualClock>,
    sim: Simulator,
    group: String,
    settings: Settings,
    transport: Arc<dyn Transport>,
    connection: Connection,
    list: Sinch,
    _server: Option<Running>,
}

impl World {
    async fn new(over_http: bool) -> Self {
        let start: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start, 7));
        let sim = Simulator::new(clock.clone() as SharedClock);
        let account = sim.open_account(Credentials::default());
        let group = sim.open_group(account, "News").unwrap();
        sim.open_app(account, APP).unwrap();
        let (transport, base, server): (Arc<dyn Transport>, _, _) = if over_http {
            let server = sim.serve_locally().await.unwrap();
            (Arc::new(HttpTransport::new().unwrap()), server.url(), Some(server))
        } else {
            let transport = RouterTransport::new(sim.router());
            (Arc::new(transport), "http://sinch.test".to_owned(), None)
        };
        let settings = Settings {
            project_id: Some("project-1".to_owned()),
            app_id: Some(APP.to_owned()),
            sender: SENDER.to_owned(),
            base_url: Some(base.clone()),
            auth_url: Some(base.clone()),
            conversation_url: Some(base),
            ..Settings::default()
        };
        let shared = clock.clone() as SharedClock;
        let connection =
            Connection::new(settings.clone(), &KEY.into(), transport.clone(), shared).unwrap();
        let list = connection.list(&group);
        // The token is fetched once, before anything is counted.
        connection.lists().await.unwrap();
        sim.reset_counters();
        Self { clock, sim, group, settings, transport, connection, list, _server: server }
    }

    fn seed(&self, numbers: impl IntoIterator<Item = u32>) {
        self.sim.add_members(&self.group, numbers.into_iter().map(number)).unwrap();
    }

    fn has(&self, who: u32) -> bool {
        self.sim.has(&self.group, &number(who))
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

    async fn page(&self, archived: bool, since: Option<DateTime<Utc>>) -> MemberPage {
        let fields = BTreeSet::new();
        let scope = Scope { archived, changed_since: since, fields, tags: false };
        let page = self.list.page(&scope, None).await.unwrap();
        assert_eq!((page.members.len() as u64, page.next.len()), (page.total, 0));
        page
    }

    /// Everything the account was told since, over all pages.
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

    fn fault(&self, fault: Fault, method: &str) {
        self.sim.script(Rule::next(fault).on(method, "/xms/v1/"));
    }

    /// The requests made since it was asked last.
    fn requests(&self) -> u64 {
        let total = self.sim.counters().total;
        self.sim.reset_counters();
        total
    }

    /// Connects the account's callbacks to our scheme.
    fn receives(&self, signing: Signing) -> Arc<Receiver> {
        let signed = matches!(signing, Signing::Signed { .. });
        let callback = Callback { url: "https://clinic.test/hooks".to_owned(), signing };
        self.sim.set_callback(0, Some(callback)).unwrap();
        let settings = serde_json::json!({
            "project_id": "project-1",
            "sender": SENDER,
            "webhook_auth": if signed { "signed" } else { "basic" },
        });
        let scheme = (PROVIDER.webhook.unwrap())(settings.as_object().unwrap()).unwrap();
        let clock = self.clock.clone();
        let receiver = Arc::new(Receiver { scheme, clock, got: Mutex::default() });
        self.sim.connect_webhooks(receiver.clone());
        receiver
    }
}

/// A callback as it was read: its nonce and its notices.
type Read = Result<(Option<String>, Vec<Notice>), Forged>;

/// Our end of the callbacks: verifies, reads, answers.
struct Receiver {
    scheme: Arc<dyn WebhookScheme>,
    clock: Arc<ManualClock>,
    got: Mutex<Vec<Read>>,
}

impl Receiver {
    fn got(&self) -> Vec<Read> {
        self.got.lock().unwrap().clone()
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
        let verified = self.scheme.verify(&delivery, &["s3cret".into()], self.clock.now());
        let read = verified
            .map(|verified| (verified.unique, self.scheme.read(&delivery, Origin::Any).unwrap()));
        let status = if read.is_ok() { 204 } else { 401 };
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

fn words(notices: &[Notice]) -> Vec<String> {
    let word = |notice: &Notice| match &notice.word {
        Word::Replied { text, taken_for: None } => text.expose().to_owned(),
        other => format!("{other:?}"),
    };
    notices.iter().map(word).collect()
}

fn signed() -> Signing {
    Signing::Signed { secret: "s3cret".to_owned() }
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
    the_account_its_groups_and_one_of_them_are_read,
    a_page_is_the_whole_group,
    nobody_is_archived_and_a_group_that_did_not_change_is_not_read,
    members_are_found_by_key_and_by_number,
    every_way_out_leads_out,
    a_thousand_changes_are_one_request_and_never_a_replacement,
    whoever_is_removed_while_a_keyword_lets_them_in_is_out,
    an_invitation_is_one_text_that_names_its_write,
    an_erasure_counts_once_a_read_finds_nobody,
    what_passes_is_tried_again,
    a_write_in_doubt_is_sent_once,
    a_lost_group_is_no_absent_member,
    a_token_lasts_an_hour_and_a_closed_account_is_told,
    a_service_plan_opens_with_its_own_token,
    texts_are_read_back_page_by_page_even_if_no_callback_came,
    who_is_on_a_consent_list_opted_out,
    a_callback_says_what_the_list_says,
    an_old_or_forged_callback_is_refused_and_a_duplicate_has_one_nonce,
    what_became_of_an_invitation_is_told,
    a_callback_with_a_password_is_taken_where_sinch_does_not_sign,
    a_single_text_is_sent,
}

async fn the_account_its_groups_and_one_of_them_are_read(world: World) {
    let account = world.list.account().await.unwrap();
    assert_eq!((account.id.as_str(), account.region.as_deref()), ("project-1", Some("us")));
    assert_eq!(world.requests(), 1);
    for name in 0..120 {
        world.sim.open_group(0, &format!("g{name}")).unwrap();
    }
    let lists = world.connection.lists().await.unwrap();
    assert_eq!((lists.len(), world.requests()), (121, 2));
    assert!(lists.contains(&(world.group.clone(), "News".to_owned())));
    let audience = world.list.audience().await.unwrap();
    assert_eq!((audience.id.as_str(), audience.name.as_str()), (world.group.as_str(), "News"));
    assert!(!audience.double_opt_in && audience.fields.is_empty());
    assert_eq!(world.connection.sender(), Some(SENDER));
}

async fn a_page_is_the_whole_group(world: World) {
    world.seed(0..2_500);
    world.sim.plant_member(&world.group, "12").unwrap();
    let page = world.page(false, None).await;
    assert_eq!((page.total, world.requests()), (2_501, 1));
    let keys: BTreeSet<MemberKey> = page.members.iter().map(|m| m.key.clone()).collect();
    assert_eq!(keys.len(), 2_501);
    assert!(keys.iter().all(|key| key.0.len() == 64));
    let no_number = |member: &&Member| member.address.is_none();
    assert_eq!(page.members.iter().filter(no_number).count(), 1, "counted, and not a person");
    assert!(page.members.iter().all(|member| member.status == MemberStatus::Subscribed));
    world.sim.configure(|settings| settings.wrap_members = true);
    assert_eq!(world.page(false, None).await, page, "as Sinch's own library has it");
}

async fn nobody_is_archived_and_a_group_that_did_not_change_is_not_read(world: World) {
    world.seed([1]);
    assert_eq!((world.page(true, None).await.total, world.requests()), (0, 0));
    world.clock.advance(Duration::from_mins(30));
    let since = world.clock.now() - TimeDelta::minutes(2);
    assert_eq!((world.page(false, Some(since)).await.total, world.requests()), (0, 1));
    world.seed([2]);
    assert_eq!((world.page(false, Some(since)).await.total, world.requests()), (2, 2));
}

async fn members_are_found_by_key_and_by_number(world: World) {
    world.seed(0..20);
    let page = world.page(false, None).await;
    let mut keys: Vec<MemberKey> = page.members.iter().map(|m| m.key.clone()).collect();
    keys.insert(1, MemberKey("nobody".to_owned()));
    world.requests();
    let members = world.list.members(&keys).await.unwrap();
    assert_eq!((members.len(), world.requests()), (21, 1));
    assert!(members[1].is_none());
    assert_eq!(members[2].as_ref().map(|member| &member.key), Some(&keys[2]));
    let ann = world.list.member_by_address(&address(7)).await.unwrap().unwrap();
    assert_eq!(ann.address, Some(address(7)));
    assert_eq!(world.list.member_by_address(&address(77)).await.unwrap(), None);
    assert!(world.list.members(&[]).await.unwrap().is_empty());
    assert_eq!(world.requests(), 2);
}

async fn every_way_out_leads_out(world: World) {
    world.seed(1..=3);
    for (verb, who, said, requests) in [
        (Verb::Archive, 1, "done: absent", 1),
        (Verb::Archive, 1, "done: absent", 1),
        (Verb::Unsubscribe, 2, "done: absent", 1),
        (Verb::Erase, 3, "done: forgotten", 2),
        (Verb::Erase, 9, "done: forgotten", 2),
        (Verb::Subscribe, 4, "done: subscribed", 1),
        (Verb::Subscribe, 4, "done: subscribed", 1),
        (Verb::Update, 4, "done: absent", 0),
    ] {
        assert_eq!(world.does(verb, who).await, said, "{verb} {who}");
        assert_eq!(world.requests(), requests, "{verb} {who}");
    }
    assert_eq!(world.sim.members(&world.group).unwrap(), ["447911100004"]);
}

async fn a_thousand_changes_are_one_request_and_never_a_replacement(world: World) {
    world.seed(0..500);
    let add = (1_000..1_500).map(|who| world.write(Verb::Subscribe, who));
    let remove = (0..500).map(|who| world.write(Verb::Archive, who));
    let said = world.send_all(add.chain(remove).collect()).await.unwrap();
    assert_eq!((said.len(), world.sim.members(&world.group).unwrap().len()), (1_000, 500));
    let writes = world.sim.writes();
    assert_eq!((writes.len(), writes[0].method.as_str()), (1, "POST"));
    assert!(!writes[0].body.contains("auto_update"));
}

async fn whoever_is_removed_while_a_keyword_lets_them_in_is_out(world: World) {
    world.sim.leave_by(&world.group, SENDER, "STOP").unwrap();
    world.seed([1, 2]);
    world.sim.text(0, &number(1), SENDER, "stop").unwrap();
    assert!(!world.has(1), "Sinch took the person off by itself");
    assert_eq!(world.does(Verb::Unsubscribe, 1).await, "done: absent");
    // A race: our removal of 2 goes in the same call as an addition of 3.
    let writes = vec![world.write(Verb::Subscribe, 3), world.write(Verb::Unsubscribe, 2)];
    world.sim.reset_counters();
    world.send_all(writes).await.unwrap();
    assert_eq!(world.requests(), 1);
    assert!(world.has(3) && !world.has(2));
}

async fn an_invitation_is_one_text_that_names_its_write(world: World) {
    let write = world.write(Verb::Invite, 1);
    let id = write.id.simple().to_string();
    assert_eq!(world.send_all(vec![write]).await.unwrap(), ["done: pending"]);
    let sent = world.sim.outbox();
    assert_eq!((sent.len(), sent[0].client_reference.as_deref()), (1, Some(id.as_str())));
    assert_eq!((sent[0].from.as_str(), sent[0].to.as_str()), ("447911000001", "447911100001"));
    assert!(sent[0].body.contains("STOP"));
    assert!(!world.has(1), "nobody is on the list before the answer");
}

async fn an_erasure_counts_once_a_read_finds_nobody(world: World) {
    world.seed([1, 2]);
    let writes = vec![world.write(Verb::Erase, 1), world.write(Verb::Archive, 2)];
    world.fault(Fault::Refused { status: 403, code: "unknown_group".to_owned() }, "GET");
    assert_eq!(world.send_all(writes).await.unwrap(), ["doubtful", "done: absent"]);
    assert_eq!(world.does(Verb::Erase, 1).await, "done: forgotten");
}

async fn what_passes_is_tried_again(world: World) {
    for (fault, requests) in [
        (Fault::TooManyRequests { retry_after: Some(7) }, 2),
        (Fault::TooManyRequests { retry_after: None }, 2),
    ] {
        world.fault(fault, "POST");
        assert_eq!(world.does(Verb::Subscribe, 1).await, "done: subscribed");
        assert_eq!(world.requests(), requests);
    }
    for fault in [Fault::InternalError, Fault::BadGateway, Fault::Unavailable, Fault::Reset] {
        world.fault(fault, "GET");
        assert_eq!(world.page(false, None).await.total, 1);
        assert_eq!(world.requests(), 2);
    }
    world.fault(Fault::TooManyRequests { retry_after: Some(600) }, "POST");
    assert!(world.does(Verb::Subscribe, 2).await.starts_with("Throttled"));
}

async fn a_write_in_doubt_is_sent_once(world: World) {
    world.sim.configure(|settings| settings.stall_ms = 1);
    world.fault(Fault::LostReply, "POST");
    assert!(world.does(Verb::Subscribe, 1).await.starts_with("Doubtful"));
    assert!(world.has(1), "it was done");
    world.fault(Fault::Reset, "POST");
    assert!(world.does(Verb::Subscribe, 2).await.starts_with("Doubtful"));
    assert!(!world.has(2));
    assert_eq!(world.requests(), 2);
    // A text that went out is found by its name; of one that did not, nobody can say.
    world.fault(Fault::LostReply, "POST");
    assert_eq!(world.does(Verb::Invite, 3).await, "done: pending");
    world.fault(Fault::Reset, "POST");
    assert_eq!(world.does(Verb::Invite, 4).await, "doubtful");
    world.fault(Fault::InternalError, "POST");
    assert_eq!(world.does(Verb::Invite, 5).await, "doubtful");
    assert_eq!((world.sim.outbox().len(), world.requests()), (1, 6));
}

async fn a_lost_group_is_no_absent_member(world: World) {
    world.sim.delete_group(&world.group).unwrap();
    let scope =
        Scope { archived: false, changed_since: None, fields: BTreeSet::new(), tags: false };
    assert!(matches!(world.list.page(&scope, None).await, Err(ProviderError::ListGone)));
    assert!(matches!(world.list.audience().await, Err(ProviderError::ListGone)));
    let by_address = world.list.member_by_address(&address(1)).await;
    assert!(matches!(by_address, Err(ProviderError::ListGone)));
    assert_eq!(world.does(Verb::Archive, 1).await, "ListGone");
}

async fn a_token_lasts_an_hour_and_a_closed_account_is_told(world: World) {
    world.clock.advance(Duration::from_mins(58));
    world.page(false, None).await;
    assert_eq!(world.requests(), 1);
    world.clock.advance(Duration::from_mins(1));
    world.page(false, None).await;
    assert_eq!(world.requests(), 2, "a new one, a minute before the old one ends");
    world.sim.revoke_tokens(0).unwrap();
    world.page(false, None).await;
    assert_eq!(world.requests(), 3, "refused, renewed, answered");
    world.fault(Fault::Unauthorized, "POST");
    assert_eq!(world.does(Verb::Subscribe, 1).await, "done: subscribed");
    world.sim.close(0, true).unwrap();
    assert!(matches!(world.list.account().await, Err(ProviderError::Unauthorized)));
}

async fn a_service_plan_opens_with_its_own_token(world: World) {
    let settings = Settings {
        project_id: None,
        app_id: None,
        service_plan_id: Some("plan-1".to_owned()),
        ..world.settings.clone()
    };
    let open = |key: &str| {
        let clock = world.clock.clone() as SharedClock;
        Connection::new(settings.clone(), &key.into(), world.transport.clone(), clock).unwrap()
    };
    let plan = open("plan-token-1");
    assert_eq!(plan.list(&world.group).account().await.unwrap().id, "plan-1");
    assert_eq!(world.requests(), 1);
    let notices = plan.notices().unwrap().notices(None, None).await.unwrap();
    assert_eq!(notices.next, None, "no app, no consent lists");
    let wrong = open("another").list(&world.group);
    assert!(matches!(wrong.account().await, Err(ProviderError::Unauthorized)));
}

async fn texts_are_read_back_page_by_page_even_if_no_callback_came(world: World) {
    world.sim.text(0, &number(1), SENDER, "YES").unwrap();
    world.clock.advance(Duration::from_hours(48));
    let since = world.clock.now();
    for count in 0..205 {
        world.sim.text(0, &number(2), SENDER, &format!("n{count}")).unwrap();
    }
    world.sim.text(0, &number(3), "+447911000002", "STOP").unwrap();
    let told = world.told(Some(since)).await;
    assert_eq!((told.len(), world.requests()), (206, 6), "a token, three pages, two consent lists");
    let ids: BTreeSet<_> = told.iter().map(|notice| notice.id.clone()).collect();
    assert_eq!(ids.len(), 206);
    assert_eq!(words(&told[..2]), ["STOP", "n204"]);
    assert_eq!(told[0].sender.as_deref(), Some("+447911000002"), "another number of ours");
    assert_eq!(told[1].sender.as_deref(), Some(SENDER));
    assert_eq!((told[0].address.clone(), told[0].at), (Some(address(3)), Some(since)));
    let all = world.told(None).await;
    assert_eq!(words(&all[206..]), ["YES"], "and not the last day alone");
}

async fn who_is_on_a_consent_list_opted_out(world: World) {
    for who in 0..60 {
        world.sim.opt_out(0, (APP, "OPT_OUT_ALL"), &number(who)).unwrap();
    }
    world.sim.opt_out(0, (APP, "OPT_OUT_MARKETING"), &number(70)).unwrap();
    world.sim.opt_out(0, (APP, "OPT_OUT_NOTIFICATION"), &number(80)).unwrap();
    let told = world.told(None).await;
    assert_eq!((told.len(), world.requests()), (61, 4));
    assert!(told.iter().all(|notice| matches!(
        &notice.word,
        Word::HoldsOptOut { listed: true, evidence: Some(_) }
    )));
    assert_eq!(told[60].address, Some(address(70)));
    assert!(told.iter().all(|notice| !notice.id.as_ref().unwrap().contains("7911")));
    assert_eq!(world.told(None).await, told, "told alike each time");
}

async fn a_callback_says_what_the_list_says(world: World) {
    let receiver = world.receives(signed());
    world.sim.text(0, &number(1), SENDER, "Stop please").unwrap();
    assert_eq!(world.sim.deliver_webhooks().await, 1);
    let listed = world.told(None).await;
    let got = receiver.got();
    assert_eq!(got[0].as_ref().unwrap().1, listed);
    assert_eq!(words(&listed), ["Stop please"]);
}

async fn an_old_or_forged_callback_is_refused_and_a_duplicate_has_one_nonce(world: World) {
    let receiver = world.receives(signed());
    world.sim.configure(|settings| settings.delivery.duplicate = true);
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    world.sim.configure(|settings| {
        settings.delivery.duplicate = false;
        settings.delivery.late_by_seconds = 86_400;
    });
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    world.sim.configure(|settings| settings.delivery.late_by_seconds = 0);
    let forged = Signing::Signed { secret: "another".to_owned() };
    let callback = Callback { url: "https://clinic.test/hooks".to_owned(), signing: forged };
    world.sim.set_callback(0, Some(callback)).unwrap();
    world.sim.text(0, &number(1), SENDER, "Hi").unwrap();
    world.sim.deliver_webhooks().await;
    let got = receiver.got();
    let nonce = |place: usize| got[place].as_ref().unwrap().0.clone().unwrap();
    assert_eq!(nonce(0), nonce(1));
    assert_eq!(got[2].as_ref().unwrap_err(), &Forged::Stale);
    assert_eq!(got[3].as_ref().unwrap_err(), &Forged::Mismatch);
    assert!(world.sim.waiting_webhooks().is_empty(), "a 401 is never told again");
    assert_eq!(world.told(None).await.len(), 3, "and the list heals what was lost");
}

async fn what_became_of_an_invitation_is_told(world: World) {
    let receiver = world.receives(signed());
    world.does(Verb::Invite, 1).await;
    let batch = world.sim.outbox()[0].batch_id.clone();
    for (code, status) in [(404, "Aborted"), (150, "Failed"), (413, "Aborted")] {
        world.sim.report(0, (&batch, &number(1)), code, status).unwrap();
    }
    assert_eq!(world.sim.deliver_webhooks().await, 4);
    let got = receiver.got();
    let notices: Vec<Notice> =
        got.iter().flat_map(|read| read.as_ref().unwrap().1.clone()).collect();
    assert_eq!(
        words(&notices),
        ["Delivered", "Undelivered { for_good: false }", "Undelivered { for_good: true }", "Other",]
    );
    assert!(notices[..3].iter().all(|notice| notice.address == Some(address(1))));
}

async fn a_callback_with_a_password_is_taken_where_sinch_does_not_sign(world: World) {
    let signing = Signing::Basic { user: "listwarden".to_owned(), password: "s3cret".to_owned() };
    let receiver = world.receives(signing);
    world.sim.text(0, &number(1), SENDER, "STOP").unwrap();
    world.sim.deliver_webhooks().await;
    let callback = Callback { url: "https://clinic.test/hooks".to_owned(), signing: Signing::None };
    world.sim.set_callback(0, Some(callback)).unwrap();
    world.sim.text(0, &number(1), SENDER, "YES").unwrap();
    world.sim.deliver_webhooks().await;
    let got = receiver.got();
    assert_eq!(words(&got[0].as_ref().unwrap().1), ["STOP"]);
    assert_eq!(got[1].as_ref().unwrap_err(), &Forged::Missing);
}

async fn a_single_text_is_sent(world: World) {
    let texts = world.connection.texts().unwrap();
    let body = Personal::new("Hill St. Reply STOP to leave.");
    let sent = texts.text(world.clock.id(), &address(1), &body).await.unwrap();
    let TextSent::Sent(batch) = sent else { panic!("refused") };
    assert_eq!(world.sim.outbox()[0].batch_id, batch);
    world.fault(Fault::Reset, "POST");
    let lost = texts.text(world.clock.id(), &address(1), &body).await;
    assert!(lost.unwrap_err().is_doubtful());
}
