use std::time::Duration;

use listwarden::clock::{SystemClock, timeout};
use listwarden::domain::{
    Actor, EventKind, MemberStatus, OptOutKind, PatientRecord, PatientStatus,
};
use listwarden::store::{AskedBy, Store, Verified};

use sqlx::{Connection, PgConnection};

use crate::world::{Engine, World, record};

stories! {
    async fn an_erased_person_is_in_no_table_and_still_never_contacted(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        let ann = record("1", "ann@mail.test");
        world.reads(std::slice::from_ref(&ann)).await;
        world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Subscribed)]).await;
        let contact = world.contact("ann@mail.test").await.unwrap();
        let patient = world.patient("1").await;
        let mut objection = world.event(EventKind::Objected, "objects: ann@mail.test");
        (objection.draft.contact, objection.draft.patient) = (Some(contact), Some(patient));
        objection.draft.evidence = Some("letter from ann@mail.test".to_owned());
        world.appends(vec![objection]).await;
        assert!(world.dump().await.contains("ann@mail.test"));

        store.contact_erase(lease, clinic, contact).await.unwrap();
        store.patient_erase(lease, clinic, patient).await.unwrap();

        let dump = world.dump().await;
        for personal in ["ann@mail.test", "Annabel", "Leevorth"] {
            assert!(!dump.contains(personal), "{personal} is still stored");
        }
        let verified = store.ledger_verify(clinic).await.unwrap();
        assert_eq!(verified, Verified { lines: 2, erased: 1, first_bad: None });
        let facts = store.contact(clinic, contact).await.unwrap().unwrap();
        let standing = facts.contact.unwrap().standing;
        let kinds: Vec<_> = standing.opt_outs.iter().map(|opt_out| opt_out.kind).collect();
        assert_eq!(kinds, [OptOutKind::Erased, OptOutKind::Objected]);

        world.reads(&[record("2", "ann@mail.test")]).await;
        let back = world.link_of("ann@mail.test").await.facts.contact.unwrap();
        assert_eq!((back.id, back.standing), (contact, standing), "the tombstone remembers");
    }

    async fn l14_an_address_is_erased_whole_or_not_at_all(world: World) {
        let (lease, clinic) = (&world.lease, world.clinic);
        world.reads(&[record("1", "ann@mail.test")]).await;
        let contact = world.contact("ann@mail.test").await.unwrap();
        let mut no = world.event(EventKind::Withdrawn, "no");
        no.draft.contact = Some(contact);
        world.appends(vec![no]).await;
        let erases = async |store: Store| store.contact_erase(lease, clinic, contact).await;
        world.keeps_all_or_nothing(erases).await;
        let facts = world.store.contact(clinic, contact).await.unwrap().unwrap();
        assert_eq!(facts.contact.unwrap().address, None);
    }

    async fn what_an_address_said_for_itself_goes_with_it(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        world.reads(&[record("1", "ann@mail.test")]).await;
        let contact = world.contact("ann@mail.test").await.unwrap();
        let mut complaint = world.event(EventKind::Complained, "complaint");
        complaint.draft.contact = Some(contact);
        complaint.draft.evidence = Some("campaign of the seventh".to_owned());
        world.appends(vec![complaint]).await;
        store.contact_erase(lease, clinic, contact).await.unwrap();
        assert!(!world.dump().await.contains("campaign of the seventh"));
        let left = store.ledger_of_contact(clinic, contact).await.unwrap();
        let kinds: Vec<_> = left.iter().map(|line| line.draft.kind).collect();
        assert_eq!(kinds, [EventKind::Erased]);
    }

    async fn a_source_that_keeps_listing_a_deleted_patient_brings_nothing_back(world: World) {
        let mut ann = record("1", "ann@mail.test");
        ann.status = PatientStatus::Deleted;
        world.reads(std::slice::from_ref(&ann)).await;
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        let contact = world.contact("ann@mail.test").await.unwrap();
        store.contact_erase(lease, clinic, contact).await.unwrap();
        store.patient_erase(lease, clinic, world.patient("1").await).await.unwrap();
        assert_eq!(world.reads(std::slice::from_ref(&ann)).await.unchanged, 1);
        assert!(!world.dump().await.contains("ann@mail.test"));
        ann.status = PatientStatus::Active;
        assert_eq!(world.reads(&[ann]).await.changed, 1, "a patient again");
        assert!(world.dump().await.contains("ann@mail.test"));
    }

    async fn two_hands_that_said_the_same_no_are_one_suppression(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        world.reads(&[record("1", "ann@mail.test")]).await;
        let contact = world.contact("ann@mail.test").await.unwrap();
        let says = |actor, what: &str| {
            let mut event = world.event(EventKind::Withdrawn, what);
            event.draft.contact = Some(contact);
            event.draft.actor = actor;
            event
        };
        world.appends(vec![says(Actor::Person, "by letter"), says(Actor::Clinic, "by flag")]).await;
        store.contact_erase(lease, clinic, contact).await.unwrap();
        let facts = store.contact(clinic, contact).await.unwrap().unwrap();
        assert_eq!(facts.contact.unwrap().address, None);
    }
}

#[tokio::test]
async fn an_order_to_erase_outlasts_a_read_of_the_same_record_that_began_before_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    let ann = record("1", "ann@mail.test");
    world.reads(std::slice::from_ref(&ann)).await;
    let mut desk = PgConnection::connect(&world.url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT * FROM clinics FOR NO KEY UPDATE")
        .execute(&mut desk)
        .await
        .unwrap();
    let mut changed = ann.clone();
    changed.birth_date = "1990-01-01".parse().ok();
    let order = "INSERT INTO erasures (clinic_id, patient_id, asked_at, asked_by, reason)
            SELECT clinic_id, id, 0, 'desk', 'letter' FROM patients;
        UPDATE patients SET status = 'deleted';
        COMMIT";
    let both = async {
        tokio::join!(world.reads(std::slice::from_ref(&changed)), async {
            world.has_waiting(1).await;
            sqlx::raw_sql(order).execute(&mut desk).await.unwrap();
        })
    };
    let minute = Duration::from_mins(1);
    let (read, ()) = timeout(&SystemClock, minute, Box::pin(both)).await.expect("the read waits");
    assert_eq!(read.changed, 1);
    let kept = world.store.patient_find(world.clinic, "1").await.unwrap().unwrap();
    assert_eq!(kept.record.status, PatientStatus::Deleted);
    world.end().await;
}

#[tokio::test]
async fn l8_a_no_that_comes_while_its_patient_is_erased_follows_the_person_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    world.reads(&[deleted("1", "home@mail.test"), record("2", "home@mail.test")]).await;
    let ann = world.patient("1").await;
    let mut yes = world.event(EventKind::Granted, "yes");
    yes.draft.patient = Some(ann);
    world.appends(vec![yes]).await;
    let mut no = world.event(EventKind::Withdrawn, "no");
    no.draft.contact = world.contact("home@mail.test").await;
    let says_no = Box::pin(world.appends(vec![no]));
    let erases = Box::pin(world.store.patient_erase(&world.lease, world.clinic, ann));
    let (_, erased) = world.one_after_the_other("patient_standings", says_no, erases).await;
    erased.unwrap();
    world.reads(&[record("1", "ann@new.test")]).await;
    let standing = world.link_of("ann@new.test").await.facts.holders[0].standing.clone();
    let kinds: Vec<_> = standing.opt_outs.iter().map(|opt_out| opt_out.kind).collect();
    assert_eq!(kinds, [OptOutKind::Withdrawn]);
    assert!(standing.grants.is_empty(), "nothing else of the past is kept");
    world.end().await;
}

#[tokio::test]
async fn an_order_to_erase_brings_back_nobody_who_is_being_erased_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    world.reads(&[deleted("1", "ann@mail.test")]).await;
    let ann = world.patient("1").await;
    let erases = Box::pin(world.store.patient_erase(&world.lease, world.clinic, ann));
    let order = AskedBy { by: "olive", reason: "letter" };
    let asks = Box::pin(world.store.erasure_ask(world.clinic, ann, order));
    let (erased, asked) = world.one_after_the_other("patients", erases, asks).await;
    erased.unwrap();
    assert!(asked.unwrap());
    assert!(!world.dump().await.contains("Annabel"));
    world.end().await;
}

#[tokio::test]
async fn a_replayed_erasure_brings_back_nobody_who_is_being_erased_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    world.reads(&[deleted("1", "ann@mail.test")]).await;
    let ann = world.patient("1").await;
    let erases = Box::pin(world.store.patient_erase(&world.lease, world.clinic, ann));
    let replays = Box::pin(world.store.patient_deleted_again(world.clinic, ann));
    let (erased, replayed) = world.one_after_the_other("patients", erases, replays).await;
    erased.unwrap();
    replayed.unwrap();
    assert!(!world.dump().await.contains("Annabel"));
    world.end().await;
}

fn deleted(source_id: &str, email: &str) -> PatientRecord {
    PatientRecord { status: PatientStatus::Deleted, ..record(source_id, email) }
}
