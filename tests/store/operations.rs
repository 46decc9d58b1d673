use std::collections::BTreeMap;

use listwarden::clock::Clock;
use listwarden::domain::operation::{Counted, Payload};
use listwarden::domain::{
    Base, By, Class, Invitation, MemberKey, MemberStatus, Operation, Personal, Reason, RunId, Verb,
};
use listwarden::store::{
    LinkRow, Marks, OpState, Park, PlannedLink, PlannedOperation, Recorded, Store, Which,
};

use crate::world::{Engine, World, at, record};

stories! {
    async fn an_operation_goes_from_plan_to_journal(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let (store, lease) = (&world.store, &world.lease);
        let page = store.operations_page(run, &world.list, 0, 10, OpState::Planned).await.unwrap();
        assert_eq!(page.len(), 2);
        assert_eq!(page[0].address.as_ref().unwrap().expose(), "p0@mail.test");
        assert_eq!(page[0].op.payload.as_ref().unwrap().fields["FNAME"].expose(), "Annabel");
        let ids: Vec<_> = page.iter().map(|row| row.id).collect();
        store.operations_submitted(lease, world.clinic, &ids).await.unwrap();
        store.operations_job(lease, world.clinic, &ids[..1], "batch-7").await.unwrap();
        let intent = world.link_of("p0@mail.test").await.link.intent.unwrap();
        assert_eq!((intent.verb, intent.from), (Verb::Invite, MemberStatus::Absent));
        let open = store.operations_open(&world.list).await.unwrap();
        assert_eq!(open[0].job.as_deref(), Some("batch-7"));
        let recorded = [acknowledged(&open[0]), doubtful(&open[1])];
        store.operations_recorded(lease, world.clinic, &recorded).await.unwrap();
        assert!(store.operations_open(&world.list).await.unwrap().is_empty());
        let link = world.link_of("p0@mail.test").await;
        assert_eq!(link.link.base.unwrap().status, MemberStatus::Pending);
        assert_eq!(link.link.intent, None);
        let observed = link.link.observed.unwrap();
        assert_eq!((observed.status, observed.digest), (MemberStatus::Pending, 42));
        assert_eq!(observed.member, Some(MemberKey("k0".to_owned())));
        let other = world.link_of("p1@mail.test").await;
        assert!(other.link.intent.is_some() && other.link.base.is_none());
        assert_eq!(other.parked.unwrap().verb, Verb::Invite);
        assert!(!world.dump().await.contains("FNAME"), "payloads are wiped once settled");
        let journal = store.journal(run, 0, 10).await.unwrap();
        let states: Vec<_> = journal.iter().map(|row| (row.ordinal, row.state)).collect();
        assert_eq!(states, [(1, OpState::Acknowledged), (2, OpState::Doubtful)]);
        assert_eq!(store.invitations_since(&world.list, at(-60)).await.unwrap(), 1);
        assert_eq!(store.invitations_since(&world.list, at(60)).await.unwrap(), 0);
        assert_eq!(store.removals_since(&world.list, at(-60)).await.unwrap(), 0);
    }

    async fn l17_what_is_sent_is_noted_with_its_intent_or_not_at_all(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let (lease, clinic, ids) = (&world.lease, world.clinic, world.planned(run).await);
        let submits =
            async |store: Store| store.operations_submitted(lease, clinic, &ids).await.map(drop);
        world.keeps_all_or_nothing(submits).await;
        assert!(world.link_of("p0@mail.test").await.link.intent.is_some());
    }

    async fn l17_what_is_seen_while_a_change_is_under_way_settles_nothing(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let (store, lease, list) = (&world.store, &world.lease, &world.list);
        let page = store.operations_page(run, list, 0, 1, OpState::Planned).await.unwrap();
        store.operations_submitted(lease, world.clinic, &[page[0].id]).await.unwrap();
        world.clock.set(at(1));
        let seen = world.member("k0", "p0@mail.test", MemberStatus::Unsubscribed);
        let ordinals = world.observes(&[seen]).await;
        store.links_urgent(lease, list, &ordinals, at(1)).await.unwrap();
        assert!(world.link_of("p0@mail.test").await.link.intent.unwrap().under_way);
        let urgent = || store.links_page(list, 0, 10, Which::Urgent);
        assert!(urgent().await.unwrap().is_empty(), "nothing else is sent meanwhile");
        assert!(store.links_in_doubt(list, 0, 10).await.unwrap().is_empty());
        world.clock.set(at(2));
        store.operations_recorded(lease, world.clinic, &[acknowledged(&page[0])]).await.unwrap();
        let in_doubt = store.links_in_doubt(list, 0, 10).await.unwrap();
        assert_eq!(in_doubt.len(), 1, "it is read again");
        let link = &in_doubt[0].link;
        let (intent, seen_at) = (link.intent.as_ref().unwrap(), link.observed.as_ref().unwrap().seen_at);
        assert!(!intent.under_way && !intent.is_settled_by(seen_at));
        assert_eq!(urgent().await.unwrap().len(), 1);
    }

    async fn l23_what_was_made_is_on_record_and_counted_though_it_was_set_aside_meanwhile(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let (store, lease) = (&world.store, &world.lease);
        let page = store.operations_page(run, &world.list, 0, 1, OpState::Planned).await.unwrap();
        store.operations_submitted(lease, world.clinic, &[page[0].id]).await.unwrap();
        store.clinic_restored(world.clinic).await.unwrap();
        store.operations_recorded(lease, world.clinic, &[acknowledged(&page[0])]).await.unwrap();
        let journal = store.journal(run, 0, 10).await.unwrap();
        let states: Vec<_> = journal.iter().map(|row| row.state).collect();
        assert_eq!(states, [OpState::Acknowledged, OpState::Superseded]);
        assert_eq!(store.invitations_since(&world.list, at(-60)).await.unwrap(), 1);
        let link = world.link_of("p0@mail.test").await.link;
        assert_eq!(link.base.unwrap().status, MemberStatus::Pending);
    }

    async fn l23_a_braked_plan_goes_on_after_its_approval_and_no_further(world: World) {
        let run = planned_run(world, OpState::Braked).await;
        let (store, lease, list) = (&world.store, &world.lease, &world.list);
        assert_eq!(store.plan_open(list).await.unwrap(), Some(run));
        let counts = store.operations_counts(run, list).await.unwrap();
        assert_eq!((counts[0].state, counts[0].count), (OpState::Braked, 2));
        assert_eq!(store.report(world.clinic).await.unwrap()[0].braked, 2);
        assert_eq!(store.approve(run, at(60), "olive").await.unwrap(), 2);
        world.clock.set(at(30));
        world.reads(&[record("new", "new@mail.test")]).await;
        let next = planned_run(world, OpState::Braked).await;
        store.operations_supersede(lease, next, list).await.unwrap();
        assert_eq!(store.plan_open(list).await.unwrap(), Some(next));
        let released = store.operations_release(lease, next, at(30)).await.unwrap();
        assert_eq!(released, 2, "the one for the new contact was not approved");
        assert_eq!(store.operations_release(lease, next, at(61)).await.unwrap(), 0);
        let unheld = store.operations_unhold(lease, next, list, Counted::Invitation).await;
        assert_eq!(unheld.unwrap(), 1, "the brake lets the rest go");
        let last = store.decided_last(list).await.unwrap().unwrap();
        assert!(last.decision.approved && last.run_since.is_none(), "the next has not ended");
    }

    async fn a_refused_plan_is_not_made(world: World) {
        let run = planned_run(world, OpState::Waiting).await;
        let store = &world.store;
        store.refuse(run, "olive", "too many").await.unwrap();
        assert_eq!(store.plan_open(&world.list).await.unwrap(), None);
        let journal = store.journal(run, 0, 10).await.unwrap();
        assert!(journal.iter().all(|row| row.state == OpState::Refused));
        let approval = store.decided_last(&world.list).await.unwrap().unwrap().decision;
        assert_eq!((approval.approved, approval.reason.as_deref()), (false, Some("too many")));
    }

    async fn l12_an_open_invitation_is_voided(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let (store, lease) = (&world.store, &world.lease);
        let page = store.operations_page(run, &world.list, 0, 1, OpState::Planned).await.unwrap();
        store.operations_recorded(lease, world.clinic, &[acknowledged(&page[0])]).await.unwrap();
        let voiding = Recorded {
            invitation: None,
            void_invitation: true,
            observed: None,
            base: None,
            ..acknowledged(&page[0])
        };
        store.operations_recorded(lease, world.clinic, &[voiding]).await.unwrap();
        let link = world.link_of("p0@mail.test").await.link;
        assert!(link.invitation.unwrap().voided);
        assert_eq!(link.base.unwrap().status, MemberStatus::Pending);
    }

    async fn a_key_that_the_provider_gives_to_one_link_is_no_others(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let mut stranger = world.member("k0", "x@mail.test", MemberStatus::Subscribed);
        stranger.hashes.clear();
        world.observes(&[stranger]).await;
        let (store, lease) = (&world.store, &world.lease);
        let page = store.operations_page(run, &world.list, 0, 1, OpState::Planned).await.unwrap();
        store.operations_recorded(lease, world.clinic, &[acknowledged(&page[0])]).await.unwrap();
        let present = store.links_unseen(&world.list, &Marks::default()).await.unwrap();
        assert_eq!(present.len(), 1);
        assert_eq!(present[0].1, page[0].op.link);
    }

    async fn l8_what_changed_since_it_was_planned_is_kept_back_for_the_next_plan(world: World) {
        let run = planned_run(world, OpState::Planned).await;
        let (store, lease) = (&world.store, &world.lease);
        let ids = world.planned(run).await;
        world.has_planned_anew("p0@mail.test").await;
        assert_eq!(store.operations_submitted(lease, world.clinic, &ids).await.unwrap(), ids[1..]);
        let journal = store.journal(run, 0, 10).await.unwrap();
        let states: Vec<_> = journal.iter().map(|row| row.state).collect();
        assert_eq!(states, [OpState::Superseded, OpState::Submitted]);
        let stale = Which::Stale { now: at(0) };
        let stale = store.links_page(&world.list, 0, 10, stale).await.unwrap();
        assert_eq!(stale[0].link.id, world.link_of("p0@mail.test").await.link.id);
        assert!(world.link_of("p0@mail.test").await.link.intent.is_none());
    }

    async fn a_newer_plan_that_does_nothing_replaces_what_the_same_run_holds_back(world: World) {
        let run = planned_run(world, OpState::Braked).await;
        let (store, lease, list) = (&world.store, &world.lease, &world.list);
        let link = world.link_of("p0@mail.test").await.link.id;
        store.operations_outdate(lease, run, world.clinic, &[link]).await.unwrap();
        store.operations_unhold(lease, run, list, Counted::Invitation).await.unwrap();
        let journal = store.journal(run, 0, 10).await.unwrap();
        let states: Vec<_> = journal.iter().map(|row| row.state).collect();
        assert_eq!(states, [OpState::Superseded, OpState::Planned]);
    }

    async fn a_run_is_begun_and_ended(world: World) {
        let run = world.store.run_begin(&world.list, "cron").await.unwrap();
        assert_eq!(world.store.run(run).await.unwrap().ended_at, None);
        world.store.run_end(run, "clean", "{}").await.unwrap();
        let runs = world.store.runs(world.clinic, 5).await.unwrap();
        assert_eq!(runs[0].outcome.as_deref(), Some("clean"));
        assert_eq!(runs[0].trigger, "cron");
    }
}

#[tokio::test]
async fn a_refusal_that_loses_against_a_run_is_made_again_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    let run = planned_run(&world, OpState::Waiting).await;
    let refuses = Box::pin(world.store.refuse(run, "olive", "too many"));
    assert_eq!(world.loses("runs", "links", refuses).await.unwrap(), 2);
    let journal = world.store.journal(run, 0, 10).await.unwrap();
    assert!(journal.iter().all(|row| row.state == OpState::Refused));
    world.end().await;
}

#[tokio::test]
async fn l20_a_restore_that_loses_against_a_run_is_made_again_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    let run = planned_run(&world, OpState::Planned).await;
    let restores = Box::pin(world.store.clinic_restored(world.clinic));
    world.loses("lists", "operations", restores).await.unwrap();
    let journal = world.store.journal(run, 0, 10).await.unwrap();
    assert!(journal.iter().all(|row| row.state == OpState::Superseded));
    world.end().await;
}

/// Plans an invitation for every link of the list, of two patients at least.
async fn planned_run(world: &World, state: OpState) -> RunId {
    world.reads(&[record("0", "p0@mail.test"), record("1", "p1@mail.test")]).await;
    let run = world.store.run_begin(&world.list, "test").await.unwrap();
    let operations: Vec<_> = world
        .links()
        .await
        .into_iter()
        .map(|row| PlannedOperation {
            id: world.clock.id(),
            op: Operation {
                link: row.link.id,
                verb: Verb::Invite,
                reason: Reason::Wanted,
                counted: Counted::Invitation,
                from: MemberStatus::Absent,
                payload: Some(Payload {
                    fields: BTreeMap::from([("FNAME".to_owned(), Personal::new("Annabel"))]),
                    tags: BTreeMap::new(),
                }),
                invitation: Some("g1".to_owned()),
            },
            state,
        })
        .collect();
    let first = world.store.operations_end(run).await.unwrap();
    let (lease, list) = (&world.lease, &world.list);
    world.store.operations_insert(lease, run, list, first, &operations).await.unwrap();
    let planned: Vec<_> = world.links().await.iter().map(as_planned).collect();
    world.store.links_planned(lease, world.clinic, &planned).await.unwrap();
    run
}

fn as_planned(row: &LinkRow) -> PlannedLink {
    PlannedLink {
        link: row.link.id,
        version: row.version,
        class: Class::Due,
        reason: Reason::Wanted,
        due_at: None,
        stale: false,
    }
}

impl World {
    async fn planned(&self, run: RunId) -> Vec<uuid::Uuid> {
        let page = self.store.operations_page(run, &self.list, 0, 10, OpState::Planned).await;
        page.unwrap().iter().map(|row| row.id).collect()
    }

    async fn has_planned_anew(&self, address: &str) {
        let contact = self.contact(address).await.unwrap();
        self.store.links_stale(self.clinic, &[contact], None).await.unwrap();
    }
}

fn acknowledged(row: &listwarden::store::OperationRow) -> Recorded {
    Recorded {
        id: row.id,
        link: row.op.link,
        state: OpState::Acknowledged,
        base: Some(Base { status: MemberStatus::Pending, by: By::Us, at: at(1) }),
        observed: Some((MemberStatus::Pending, Some(MemberKey("k0".to_owned())))),
        invitation: Some(Invitation {
            key: "g1".to_owned(),
            sent_at: at(1),
            voided: false,
            confirmed: false,
            wording: None,
        }),
        void_invitation: false,
        clear_intent: true,
        digest: Some(42),
        parked: None,
        unpark: true,
    }
}

fn doubtful(row: &listwarden::store::OperationRow) -> Recorded {
    Recorded {
        id: row.id,
        link: row.op.link,
        state: OpState::Doubtful,
        base: None,
        observed: None,
        invitation: None,
        void_invitation: false,
        clear_intent: false,
        digest: None,
        parked: Some(Park { reason: "timed out".to_owned(), next_try: at(5) }),
        unpark: false,
    }
}
