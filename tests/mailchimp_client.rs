//! The Mailchimp client against the simulator: in process and over real HTTP.
#![cfg(feature = "simulator")]
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use listwarden::clock::{Clock, ManualClock, SharedClock};
use listwarden::domain::operation::Payload;
use listwarden::domain::{Address, Entry, MemberKey, MemberStatus, Personal, Verb};
use listwarden::providers::mailchimp::{Connection, Mailchimp, Settings};
use listwarden::providers::transport::HttpTransport;
use listwarden::providers::{
    Job, JobState, ListReader, ListWriter, LotResult, Member, MemberWrite, Outcome, ProviderError,
    Scope, Transport,
};
use listwarden::rehearsal::RouterTransport;
use listwarden::simulator::mailchimp::{Fault, Rule, Running, SeedMember, Simulator, Status};

const KEY: &str = "0123456789abcdef-us6";

/// A simulated account with one audience, and our client of it.
struct World {
    clock: Arc<ManualClock>,
    sim: Simulator,
    id: String,
    connection: Connection,
    list: Mailchimp,
    _server: Option<Running>,
}

impl World {
    async fn new(over_http: bool) -> Self {
        let start: DateTime<Utc> = "2026-11-21T09:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(start, 7));
        let sim = Simulator::new(clock.clone() as SharedClock);
        let account = sim.open_account("Practice", KEY);
        let id = sim.open_audience(account, "News").unwrap();
        let (transport, base, server): (Arc<dyn Transport>, _, _) = if over_http {
            let server = sim.serve_locally().await.unwrap();
            (Arc::new(HttpTransport::new().unwrap()), server.url(), Some(server))
        } else {
            let transport = RouterTransport::new(sim.router());
            (Arc::new(transport), "http://mailchimp.test".to_owned(), None)
        };
        let settings = Settings { base_url: Some(format!("{base}/3.0")), ..Settings::default() };
        let connection =
            Connection::new(settings, &KEY.into(), transport, clock.clone() as SharedClock)
                .unwrap();
        let fields = BTreeSet::from(["FNAME".to_owned()]);
        let list = connection.list(&id).reading(fields, true);
        Self { clock, sim, id, connection, list, _server: server }
    }

    fn seed(&self, email: &str, status: Status) {
        self.sim.seed_member(&self.id, SeedMember::new(email, status)).unwrap();
    }

    fn seed_many(&self, status: Status, count: usize) {
        for number in 0..count {
            self.seed(&format!("{status:?}{number}@mail.test"), status);
        }
    }

    fn status(&self, email: &str) -> Option<Status> {
        self.sim.member(&self.id, email).map(|member| member.status)
    }

    fn write(&self, verb: Verb, from: MemberStatus, email: &str) -> MemberWrite {
        let member = self.sim.member(&self.id, email).map(|member| MemberKey(member.contact_id));
        let address = Address::email(email).unwrap();
        MemberWrite { id: self.clock.id(), verb, from, member, address, payload: None, text: None }
    }

    async fn does(&self, verb: Verb, from: MemberStatus, email: &str) -> String {
        said(self.send(self.write(verb, from, email)).await)
    }

    async fn send(&self, write: MemberWrite) -> Result<Outcome, ProviderError> {
        let id = write.id;
        let outcomes = self.send_all(vec![write]).await?;
        assert_eq!(outcomes.len(), 1);
        assert_eq!(outcomes[0].0, id);
        Ok(outcomes[0].1.clone())
    }

    async fn send_all(
        &self,
        writes: Vec<MemberWrite>,
    ) -> Result<Vec<(uuid::Uuid, Outcome)>, ProviderError> {
        let mut outcomes = Vec::new();
        for lot in self.list.lots(writes) {
            match self.list.send(&lot).await? {
                LotResult::Done(done) => outcomes.extend(done),
                LotResult::Accepted(job) => outcomes.extend(self.finish(&job).await?),
            }
        }
        Ok(outcomes)
    }

    async fn finish(&self, job: &Job) -> Result<Vec<(uuid::Uuid, Outcome)>, ProviderError> {
        loop {
            match self.list.job(job).await? {
                JobState::Running => self.clock.advance(Duration::from_secs(1)),
                JobState::Done(outcomes) => return Ok(outcomes),
                JobState::Lost => panic!("the job is lost"),
            }
        }
    }

    async fn sweep(&self, archived: bool, since: Option<DateTime<Utc>>) -> Vec<Member> {
        let fields = BTreeSet::from(["FNAME".to_owned()]);
        let scope = Scope { archived, changed_since: since, fields, tags: true };
        let first = self.list.page(&scope, None).await.unwrap();
        let mut members = first.members;
        for cursor in &first.next {
            members.extend(self.list.page(&scope, Some(cursor)).await.unwrap().members);
        }
        assert_eq!(members.len() as u64, first.total);
        members
    }

    fn fault(&self, fault: Fault, method: &str) {
        self.sim.script(Rule::next(fault).on(method, "/3.0/lists"));
    }

    /// The requests made since it was asked last.
    fn requests(&self) -> u64 {
        let total = self.sim.counters().total;
        self.sim.reset_counters();
        total
    }
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

fn payload(name: &str, tags: &[(&str, bool)]) -> Payload {
    Payload {
        fields: [("FNAME".to_owned(), Personal::new(name))].into(),
        tags: tags.iter().map(|(tag, on)| ((*tag).to_owned(), *on)).collect(),
    }
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
    the_account_and_its_audience_are_read,
    a_sweep_reads_every_page_to_the_end,
    a_delta_holds_what_changed_and_no_more,
    a_thousand_invitations_are_two_requests_and_all_pending,
    every_refusal_is_told_apart,
    whoever_left_is_invited_one_by_one,
    every_way_out_leads_out,
    an_erasure_counts_once_a_read_finds_nobody,
    an_update_changes_fields_and_tags_and_adds_nobody,
    many_removals_are_one_job,
    many_erasures_are_one_job_and_verified,
    many_members_are_read_by_one_job,
    what_passes_is_tried_again,
    a_write_in_doubt_is_sent_once,
    a_lost_list_is_no_absent_member,
    a_refused_key_and_a_closed_account_are_told_apart,
    nine_requests_at_once_and_no_more,
}

async fn the_account_and_its_audience_are_read(world: World) {
    let account = world.list.account().await.unwrap();
    assert!(!account.id.is_empty());
    assert_eq!(account.region.as_deref(), Some("us6"));
    assert_eq!(world.requests(), 1);
    world.sim.set_double_optin(&world.id, true).unwrap();
    let audience = world.list.audience().await.unwrap();
    assert_eq!((audience.id.as_str(), audience.name.as_str()), (world.id.as_str(), "News"));
    assert!(audience.double_opt_in);
    assert!(audience.fields.iter().any(|field| field.field == "FNAME" && !field.required));
    assert_eq!(world.requests(), 2);
}

async fn a_sweep_reads_every_page_to_the_end(world: World) {
    world.seed_many(Status::Subscribed, 1_500);
    world.seed_many(Status::Pending, 700);
    world.seed_many(Status::Archived, 3);
    let members = world.sweep(false, None).await;
    let keys: BTreeSet<_> = members.iter().map(|member| member.key.clone()).collect();
    assert_eq!((members.len(), keys.len()), (2_200, 2_200));
    assert_eq!(world.requests(), 3);
    let archived = world.sweep(true, None).await;
    assert!(archived.iter().all(|member| member.status == MemberStatus::Archived));
    assert_eq!((archived.len(), world.requests()), (3, 1));
}

async fn a_delta_holds_what_changed_and_no_more(world: World) {
    world.seed_many(Status::Subscribed, 3);
    world.clock.advance(Duration::from_hours(1));
    let since = world.clock.now() - TimeDelta::minutes(2);
    assert!(world.sweep(false, Some(since)).await.is_empty());
    world.sim.contact(&world.id, "subscribed1@mail.test").unsubscribe().unwrap();
    world.sim.contact(&world.id, "new@mail.test").sign_up().unwrap();
    world.sim.staff(&world.id).archive("subscribed2@mail.test").unwrap();
    let mut changed = world.sweep(false, Some(since)).await;
    changed.sort_by_key(|member| member.status);
    let status: Vec<_> = changed.iter().map(|member| (member.status, member.entry)).collect();
    assert_eq!(status.len(), 2);
    assert!(status.iter().any(|(status, _)| *status == MemberStatus::Unsubscribed));
    assert!(status.iter().any(|(_, entry)| *entry == Entry::Contact));
    assert_eq!(world.sweep(true, Some(since)).await.len(), 1);
    assert_eq!(world.requests(), 3);
}

async fn a_thousand_invitations_are_two_requests_and_all_pending(world: World) {
    let mut writes = Vec::new();
    for number in 0..1_000 {
        let email = format!("new{number}@mail.test");
        let mut write = world.write(Verb::Invite, MemberStatus::Absent, &email);
        write.payload = Some(payload("Ann", &[("recall", true), ("old", false)]));
        writes.push(write);
    }
    let outcomes = world.send_all(writes).await.unwrap();
    assert_eq!((outcomes.len(), world.requests()), (1_000, 2));
    assert!(outcomes.iter().all(|(_, outcome)| matches!(
        outcome,
        Outcome::Done { member: Some(_), status: MemberStatus::Pending }
    )));
    assert_eq!(world.sim.outbox().len(), 1_000);
    let ann = Address::email("new7@mail.test").unwrap();
    let member = world.list.member_by_address(&ann).await.unwrap().unwrap();
    assert_eq!(member.fields["FNAME"].expose(), "Ann");
    assert_eq!(member.tags, BTreeSet::from(["recall".to_owned()]));
}

async fn every_refusal_is_told_apart(world: World) {
    use MemberStatus::{Absent, Unsubscribed};
    world.seed("there@mail.test", Status::Subscribed);
    world.seed("left@mail.test", Status::Unsubscribed);
    world.seed("gone@mail.test", Status::Subscribed);
    world.sim.staff(&world.id).delete_permanently("gone@mail.test").unwrap();
    world.sim.overexpose(&world.id, "busy@mail.test").unwrap();
    for (verb, from, email, expected) in [
        (Verb::Invite, Absent, "there@mail.test", "WrongState"),
        (Verb::Invite, Absent, "gone@mail.test", "Forgotten"),
        (Verb::Invite, Absent, "someone@example.com", "InvalidAddress"),
        (Verb::Invite, Absent, "busy@mail.test", "TooManySignUps"),
        (Verb::Subscribe, Unsubscribed, "left@mail.test", "OptedOut"),
    ] {
        assert_eq!(world.does(verb, from, email).await, expected, "{email}");
    }
    assert_eq!(world.status("there@mail.test"), Some(Status::Subscribed));
    world.sim.require_merge_field(&world.id, "LNAME", true).unwrap();
    let lname = r#"Field { field: "LNAME" }"#;
    assert_eq!(world.does(Verb::Invite, Absent, "new@mail.test").await, lname);
    assert_eq!(
        world.does(Verb::Unsubscribe, MemberStatus::Subscribed, "there@mail.test").await,
        "done: unsubscribed"
    );
}

async fn whoever_left_is_invited_one_by_one(world: World) {
    world.seed("left@mail.test", Status::Unsubscribed);
    world.seed("away@mail.test", Status::Archived);
    for (email, from) in [
        ("left@mail.test", MemberStatus::Unsubscribed),
        ("away@mail.test", MemberStatus::Archived),
        ("admin@mail.test", MemberStatus::Absent),
    ] {
        assert_eq!(world.does(Verb::Invite, from, email).await, "done: pending", "{email}");
        assert_eq!(world.requests(), 1);
    }
    assert_eq!(world.sim.outbox().len(), 3);
}

async fn every_way_out_leads_out(world: World) {
    use MemberStatus::{Archived, Cleaned, Pending, Subscribed};
    world.seed("a@mail.test", Status::Subscribed);
    world.seed("b@mail.test", Status::Pending);
    world.seed("c@mail.test", Status::Cleaned);
    world.seed("d@mail.test", Status::Subscribed);
    for (verb, from, email, expected, requests) in [
        (Verb::Archive, Subscribed, "a@mail.test", "done: archived", 1),
        (Verb::Archive, Archived, "a@mail.test", "WrongState", 1),
        (Verb::Archive, Pending, "b@mail.test", "done: archived", 2),
        (Verb::Archive, Cleaned, "c@mail.test", "WrongState", 0),
        (Verb::Unsubscribe, Subscribed, "d@mail.test", "done: unsubscribed", 1),
        (Verb::Archive, Subscribed, "nobody@mail.test", "absent", 1),
        (Verb::Unsubscribe, Subscribed, "nobody@mail.test", "absent", 1),
    ] {
        assert_eq!(world.does(verb, from, email).await, expected, "{verb} {email}");
        assert_eq!(world.requests(), requests, "{verb} {email}");
    }
    assert_eq!(world.status("b@mail.test"), Some(Status::Archived));
}

async fn an_erasure_counts_once_a_read_finds_nobody(world: World) {
    use MemberStatus::{Absent, Cleaned, Subscribed};
    world.seed("a@mail.test", Status::Subscribed);
    world.seed("c@mail.test", Status::Cleaned);
    assert_eq!(world.does(Verb::Erase, Subscribed, "a@mail.test").await, "done: forgotten");
    assert_eq!(world.requests(), 2);
    assert_eq!(world.does(Verb::Erase, Cleaned, "c@mail.test").await, "done: forgotten");
    assert_eq!(world.does(Verb::Erase, Subscribed, "a@mail.test").await, "absent");
    assert_eq!(world.does(Verb::Invite, Absent, "a@mail.test").await, "Forgotten");

    world.seed("old@mail.test", Status::Subscribed);
    let write = world.write(Verb::Erase, Subscribed, "old@mail.test");
    world.sim.contact(&world.id, "old@mail.test").change_address("new@mail.test").unwrap();
    world.requests();
    assert_eq!(said(world.send(write).await), "done: forgotten");
    assert_eq!((world.status("new@mail.test"), world.requests()), (None, 4));
}

async fn an_update_changes_fields_and_tags_and_adds_nobody(world: World) {
    let tags = [("recall", true)];
    world.seed("left@mail.test", Status::Unsubscribed);
    let mut write = world.write(Verb::Update, MemberStatus::Unsubscribed, "left@mail.test");
    write.payload = Some(payload("Ann", &tags));
    assert_eq!(said(world.send(write.clone()).await), "done: unsubscribed");
    assert_eq!(world.requests(), 2);
    let key = write.member.clone().unwrap();
    let read = world.list.members(&[key, MemberKey("nobody".to_owned())]).await.unwrap();
    let member = read[0].clone().unwrap();
    assert_eq!((member.status, read[1].is_none()), (MemberStatus::Unsubscribed, true));
    assert_eq!(member.fields["FNAME"].expose(), "Ann");
    assert_eq!(member.tags, BTreeSet::from(["recall".to_owned()]));

    world.seed("old@mail.test", Status::Subscribed);
    let mut moved = world.write(Verb::Update, MemberStatus::Subscribed, "old@mail.test");
    world.sim.contact(&world.id, "old@mail.test").change_address("new@mail.test").unwrap();
    moved.payload = Some(payload("Ann", &tags));
    assert_eq!(said(world.send(moved).await), "done: subscribed");
    assert_eq!(world.sim.member(&world.id, "new@mail.test").unwrap().tags, ["recall"]);

    let mut nobody = world.write(Verb::Update, MemberStatus::Subscribed, "nobody@mail.test");
    nobody.payload = Some(payload("Ann", &[]));
    assert_eq!(said(world.send(nobody).await), "absent");
    assert_eq!(world.status("nobody@mail.test"), None);
}

fn removals(world: &World, verb: Verb) -> Vec<MemberWrite> {
    world.seed_many(Status::Subscribed, 250);
    let removal = |number| {
        let email = format!("subscribed{number}@mail.test");
        world.write(verb, MemberStatus::Subscribed, &email)
    };
    (0..251).map(removal).collect()
}

async fn many_removals_are_one_job(world: World) {
    let writes = removals(&world, Verb::Archive);
    world.seed("late@mail.test", Status::Cleaned);
    let late = world.write(Verb::Archive, MemberStatus::Subscribed, "late@mail.test");
    let outcomes = world.send_all([writes, vec![late.clone()]].concat()).await.unwrap();
    let count = |expected: &str| {
        outcomes.iter().filter(|(_, outcome)| said(Ok(outcome.clone())) == expected).count()
    };
    assert_eq!(outcomes.len(), 252);
    assert_eq!((count("done: archived"), count("absent"), count("WrongState")), (250, 1, 1));
    assert_eq!(world.sim.counters().writes, 1, "one request changes them all");
    assert!(matches!(world.list.job(&Job("0000000000".to_owned())).await, Ok(JobState::Lost)));
}

async fn many_erasures_are_one_job_and_verified(world: World) {
    let writes = removals(&world, Verb::Erase);
    let outcomes = world.send_all(writes).await.unwrap();
    let forgotten = outcomes.iter().filter(|(_, outcome)| {
        matches!(outcome, Outcome::Done { status: MemberStatus::Forgotten, .. })
    });
    assert_eq!((outcomes.len(), forgotten.count()), (251, 250));
    assert_eq!(world.sim.counters().writes, 2, "one job erases, one reads");
    assert!(world.sim.is_forgotten(&world.id, "subscribed7@mail.test"));
}

async fn many_members_are_read_by_one_job(world: World) {
    world.seed_many(Status::Subscribed, 300);
    let mut keys: Vec<_> = world.sweep(false, None).await.into_iter().map(|m| m.key).collect();
    keys.insert(150, MemberKey("nobody".to_owned()));
    world.requests();
    let members = world.list.members(&keys).await.unwrap();
    let read: Vec<_> = members.iter().flatten().map(|member| member.key.clone()).collect();
    assert_eq!((members.len(), members[150].is_none()), (301, true));
    assert_eq!(read, [&keys[..150], &keys[151..]].concat());
    assert!(world.requests() < 10);
}

async fn what_passes_is_tried_again(world: World) {
    world.seed("a@mail.test", Status::Subscribed);
    for fault in [
        Fault::TooManyRequests { retry_after: Some(20) },
        Fault::TooManyRequests { retry_after: None },
        Fault::Forbidden,
        Fault::BadGateway,
        Fault::InternalError,
        Fault::LostReply,
        Fault::Reset,
    ] {
        world.fault(fault.clone(), "GET");
        assert_eq!(world.sweep(false, None).await.len(), 1, "{fault:?}");
        assert_eq!(world.requests(), 2, "{fault:?}");
    }
    for fault in [Fault::TooManyRequests { retry_after: None }, Fault::Forbidden] {
        world.sim.script(Rule::next(fault).times(20));
        let outcome = world.does(Verb::Archive, MemberStatus::Subscribed, "a@mail.test").await;
        assert_eq!(outcome, "Throttled { retry_after: None }");
        assert_eq!(world.requests(), 5);
        world.sim.clear_faults();
    }
    assert_eq!(world.status("a@mail.test"), Some(Status::Subscribed));
}

async fn a_write_in_doubt_is_sent_once(world: World) {
    world.seed("a@mail.test", Status::Subscribed);
    world.seed("b@mail.test", Status::Pending);
    for fault in [Fault::BadGateway, Fault::InternalError, Fault::Reset, Fault::LostReply] {
        world.fault(fault.clone(), "DELETE");
        let write = world.write(Verb::Archive, MemberStatus::Subscribed, "a@mail.test");
        let error = world.send(write).await.unwrap_err();
        assert!(error.is_doubtful(), "{fault:?}");
        assert_eq!(world.requests(), 1, "{fault:?}");
    }
    assert_eq!(world.status("a@mail.test"), Some(Status::Archived), "the lost reply's write");

    world.fault(Fault::LostReply, "POST");
    let write = world.write(Verb::Invite, MemberStatus::Absent, "new@mail.test");
    assert!(world.send(write).await.unwrap_err().is_doubtful());
    assert_eq!((world.requests(), world.sim.outbox().len()), (1, 1));

    world.sim.script(Rule::next(Fault::Forbidden).on("DELETE", "/3.0/lists").times(20));
    let outcome = world.does(Verb::Archive, MemberStatus::Pending, "b@mail.test").await;
    assert_eq!(outcome, "doubtful", "the first of its two steps was taken");
}

async fn a_lost_list_is_no_absent_member(world: World) {
    let gone = world.connection.list("0000000000");
    let scope =
        Scope { archived: false, changed_since: None, fields: BTreeSet::new(), tags: false };
    assert!(matches!(gone.page(&scope, None).await, Err(ProviderError::ListGone)));
    assert!(matches!(gone.audience().await, Err(ProviderError::ListGone)));
    let nobody = Address::email("nobody@mail.test").unwrap();
    assert_eq!(world.list.member_by_address(&nobody).await.unwrap(), None);
}

async fn a_refused_key_and_a_closed_account_are_told_apart(world: World) {
    world.sim.deactivate(0, true).unwrap();
    let closed = world.list.account().await;
    assert!(matches!(closed, Err(ProviderError::AccountDisabled { .. })), "{closed:?}");
    world.sim.deactivate(0, false).unwrap();
    world.sim.disable_key(KEY).unwrap();
    assert!(matches!(world.list.account().await, Err(ProviderError::Unauthorized)));
}

async fn nine_requests_at_once_and_no_more(world: World) {
    world.seed_many(Status::Subscribed, 100);
    world.sim.configure(|settings| settings.latency_ms = 50);
    let keys: Vec<_> = world.sweep(false, None).await.into_iter().map(|m| m.key).collect();
    let members = world.list.members(&keys).await.unwrap();
    assert_eq!(members.iter().flatten().count(), 100);
    let peak = world.sim.counters().in_flight_peak;
    assert!((2..=9).contains(&peak), "{peak}");
}
