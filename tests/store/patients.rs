use std::collections::HashMap;

use listwarden::domain::{
    Answer, EventKind, MemberStatus, OptOutKind, PatientStatus, Said, TimeSource,
};
use listwarden::store::{Marks, Origin, Upserted};

use crate::world::{Engine, World, at, keyring, record, saying};

stories! {
    async fn a_record_read_twice_is_written_once(world: World) {
        let records = [record("1", "ann@mail.test"), record("2", "bob@mail.test")];
        assert_eq!(world.reads(&records).await, Upserted { new: 2, changed: 0, unchanged: 0 });
        world.settles().await;
        assert_eq!(world.reads(&records).await, Upserted { new: 0, changed: 0, unchanged: 2 });
        assert!(world.stale().await.is_empty());
    }

    async fn a_patient_gets_a_contact_a_holder_and_a_link_on_each_list(world: World) {
        world.reads(&[record("1", "ann@mail.test"), record("2", "ann@mail.test")]).await;
        let links = world.links().await;
        assert_eq!(links.len(), 1, "a family shares one link");
        let holders = &links[0].facts.holders;
        assert_eq!(holders.len(), 2);
        assert!(holders.iter().all(|holder| holder.holds_now));
        assert!(links[0].stale && links[0].link.observed.is_none());
    }

    async fn a_left_address_keeps_its_former_holder(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.settles().await;
        let moved = world.reads(&[record("1", "ann@new.test")]).await;
        assert_eq!(moved.changed, 1);
        let (old, new) = (world.link_of("ann@mail.test").await, world.link_of("ann@new.test").await);
        assert!(!old.facts.holders[0].holds_now && new.facts.holders[0].holds_now);
        assert_eq!(world.stale().await, [old.ordinal, new.ordinal]);
        world.reads(&[record("1", "ann@mail.test")]).await;
        assert!(world.link_of("ann@mail.test").await.facts.holders[0].holds_now);
    }

    async fn l9_missing_from_two_complete_sweeps_is_vanished_and_may_come_back(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        let ann = record("1", "ann@mail.test");
        let bob = record("2", "bob@mail.test");
        world.reads(&[ann.clone(), bob.clone()]).await;
        for vanished in [0, 1] {
            let sweep = store.sweep_begin(clinic).await.unwrap();
            let (_, marks) = world.sweeps(std::slice::from_ref(&ann), &HashMap::new()).await;
            assert_eq!(store.sweep_missing(clinic, &marks).await.unwrap(), (1, 2));
            let finish = || store.sweep_finish(lease, clinic, sweep, &marks);
            assert_eq!(finish().await.unwrap(), vanished);
            assert_eq!(finish().await.unwrap(), 0, "counted once");
        }
        let status = |row: listwarden::store::LinkRow| row.facts.holders[0].patient.record.status;
        assert_eq!(status(world.link_of("bob@mail.test").await), PatientStatus::Vanished);
        assert_eq!(status(world.link_of("ann@mail.test").await), PatientStatus::Active);
        assert_eq!(world.reads(&[bob]).await.changed, 1);
        assert_eq!(status(world.link_of("bob@mail.test").await), PatientStatus::Active);
    }

    async fn l9_who_was_missing_once_and_is_back_begins_anew(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        let ann = [record("1", "ann@mail.test")];
        let digests = HashMap::from([("1".to_owned(), 7)]);
        world.sweeps(&ann, &digests).await;
        for _ in 0..2 {
            let sweep = store.sweep_begin(clinic).await.unwrap();
            assert_eq!(store.sweep_finish(lease, clinic, sweep, &Marks::default()).await.unwrap(), 0);
            assert!(store.patients_same(clinic, &[7]).await.unwrap().is_empty());
            assert_eq!(world.sweeps(&ann, &digests).await.0.unchanged, 1);
        }
    }

    async fn a_patient_is_known_again_by_the_digest_of_the_row(world: World) {
        let (store, clinic) = (&world.store, world.clinic);
        let row = |digest| HashMap::from([("1".to_owned(), digest)]);
        let (_, marks) = world.sweeps(&[record("1", "ann@mail.test")], &row(7)).await;
        let same = store.patients_same(clinic, &[7, 8]).await.unwrap();
        let mut again = Marks::default();
        again.extend(same.values().copied());
        assert_eq!((same.len(), again.count()), (1, 1));
        assert_eq!(store.sweep_missing(clinic, &again).await.unwrap(), (0, 1));
        assert_eq!(store.sweep_missing(clinic, &marks).await.unwrap(), (0, 1));
        world.sweeps(&[record("1", "ann@new.test")], &row(8)).await;
        assert!(store.patients_same(clinic, &[7]).await.unwrap().is_empty());
        assert_eq!(store.patients_same(clinic, &[8]).await.unwrap().len(), 1);
        world.reads(&[record("1", "ann@new.test")]).await;
        assert!(store.patients_same(clinic, &[8]).await.unwrap().is_empty(), "no row stands for it");
    }

    async fn a_patient_whose_row_cannot_be_read_is_there_all_the_same(world: World) {
        let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
        world.reads(&[record("1", "ann@mail.test"), record("2", "bob@mail.test")]).await;
        let mut marks = Marks::default();
        store.patients_present(lease, clinic, &["1", "9"], &mut marks).await.unwrap();
        assert_eq!(store.sweep_missing(clinic, &marks).await.unwrap(), (1, 2));
    }

    async fn what_was_turned_into_events_is_not_turned_again(world: World) {
        let (store, clinic) = (&world.store, world.clinic);
        world.reads(&[saying(Answer::Granted, record("1", "ann@mail.test"))]).await;
        let unapplied = store.patients_unapplied(clinic, None, 10).await.unwrap();
        assert_eq!(unapplied.len(), 1);
        assert_eq!(unapplied[0].said, None);
        assert_eq!(unapplied[0].contacts.email, world.contact("ann@mail.test").await);
        let patient = &unapplied[0].patient;
        let applied = [(patient.id, Said::by(&patient.record))];
        store.patients_applied(&world.lease, clinic, &applied).await.unwrap();
        assert!(store.patients_unapplied(clinic, None, 10).await.unwrap().is_empty());
        let next = store.patients_unapplied(clinic, Some(patient.id), 10).await.unwrap();
        assert!(next.is_empty());
    }

    async fn l23_a_no_in_the_record_bars_until_it_is_an_event(world: World) {
        let (store, clinic) = (&world.store, world.clinic);
        let ann = record("1", "ann@mail.test");
        world.reads(&[saying(Answer::Granted, ann.clone())]).await;
        let id = world.patient("1").await;
        let applied = Said::by(&saying(Answer::Granted, ann.clone()));
        store.patients_applied(&world.lease, clinic, &[(id, applied)]).await.unwrap();
        assert_eq!(store.patients_active(clinic).await.unwrap(), 1);
        let withdrawn = saying(Answer::NotAsked, ann);
        world.reads(std::slice::from_ref(&withdrawn)).await;
        assert!(world.link_of("ann@mail.test").await.facts.holders[0].withdrawn_in_record);
        let applied = [(id, Said::by(&withdrawn))];
        store.patients_applied(&world.lease, clinic, &applied).await.unwrap();
        assert!(!world.link_of("ann@mail.test").await.facts.holders[0].withdrawn_in_record);
    }

    async fn l22_a_file_of_former_patients_never_overwrites_the_clinics_own(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let archive = |mut record: listwarden::domain::PatientRecord| {
            record.status = PatientStatus::Archived;
            record
        };
        let former = [archive(record("1", "ann@mail.test")), archive(record("9", "old@mail.test"))];
        let (store, lease) = (&world.store, &world.lease);
        let done = store
            .patients_upsert(
                lease,
                world.clinic,
                Origin::Import,
                &former,
                &HashMap::new(),
                &mut Marks::default(),
            )
            .await
            .unwrap();
        assert_eq!(done, Upserted { new: 1, changed: 0, unchanged: 1 });
        let missing = store.sweep_missing(world.clinic, &Marks::default()).await.unwrap();
        assert_eq!(missing, (1, 1), "an import names nobody whom the source must have");
    }

    async fn l28_a_new_contact_inherits_what_was_suppressed_under_a_retired_key(world: World) {
        let old = world.hashes("ann@mail.test");
        world
            .store
            .suppress(world.clinic, &old, OptOutKind::Objected, at(-1), TimeSource::Provider)
            .await
            .unwrap();
        let rotated = world.another_process(keyring(&[2, 1])).await;
        rotated
            .patients_upsert(
                &world.lease,
                world.clinic,
                Origin::Source,
                &[record("1", "ann@mail.test")],
                &HashMap::new(),
                &mut Marks::default(),
            )
            .await
            .unwrap();
        let standing = world.link_of("ann@mail.test").await.facts.contact.unwrap().standing;
        assert_eq!(standing.opt_outs[0].kind, OptOutKind::Objected);
    }

    async fn a_contact_is_recognised_under_a_retired_key(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let rotated = world.another_process(keyring(&[2, 1])).await;
        let hashes = keyring(&[2, 1]).address_hashes(world.clinic.0, "email", "ann@mail.test");
        let found = rotated
            .contact_by_hashes(world.clinic, listwarden::domain::Channel::Email, &hashes)
            .await
            .unwrap();
        assert_eq!(found, world.contact("ann@mail.test").await);
    }

    async fn suppressing_a_known_address_binds_its_contact_at_once(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.settles().await;
        let hashes = world.hashes("ann@mail.test");
        for at in [at(-2), at(-1)] {
            world
                .store
                .suppress(world.clinic, &hashes, OptOutKind::Withdrawn, at, TimeSource::Provider)
                .await
                .unwrap();
        }
        let link = world.link_of("ann@mail.test").await;
        let opt_outs = link.facts.contact.unwrap().standing.opt_outs;
        assert_eq!((opt_outs.len(), opt_outs[0].at), (1, at(-1)));
        assert!(link.stale);
    }

    async fn l19_a_member_that_moved_is_adopted_when_the_clinic_learns_the_address(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Subscribed)]).await;
        world.observes(&[world.member("k1", "ann@new.test", MemberStatus::Subscribed)]).await;
        let link = world.link_of("ann@mail.test").await;
        assert_eq!(link.link.moved_there, Some(at(-5)));
        world.reads(&[record("1", "ann@new.test")]).await;
        let adopted = world.link_of("ann@new.test").await;
        assert_eq!(adopted.link.id, link.link.id);
        assert_eq!(adopted.link.moved_there, None);
        let left = world.link_of("ann@mail.test").await;
        assert_eq!(left.link.observed, None, "the old address was never on the list by itself");
    }

    async fn a_patient_without_events_has_an_empty_standing(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let facts = world.link_of("ann@mail.test").await.facts;
        assert_eq!(facts.holders[0].standing, listwarden::domain::Standing::default());
        let contact = facts.contact.unwrap().id;
        let same = world.store.contact(world.clinic, contact).await.unwrap().unwrap();
        assert_eq!(same.holders, facts.holders);
        let mut event = world.event(EventKind::Granted, "g");
        event.draft.contact = Some(contact);
        world.appends(vec![event]).await;
        let facts = world.store.contact(world.clinic, contact).await.unwrap().unwrap();
        assert_eq!(facts.contact.unwrap().standing.grants.len(), 1);
    }
}

#[tokio::test]
async fn l9_a_sweep_that_loses_against_a_webhook_still_counts_once_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    let (store, lease, clinic) = (&world.store, &world.lease, world.clinic);
    world.reads(&[record("1", "ann@mail.test")]).await;
    let (once, nobody) = (store.sweep_begin(clinic).await.unwrap(), Marks::default());
    assert_eq!(store.sweep_finish(lease, clinic, once, &nobody).await.unwrap(), 0);
    let twice = store.sweep_begin(clinic).await.unwrap();
    let finishes = Box::pin(store.sweep_finish(lease, clinic, twice, &nobody));
    assert_eq!(world.loses("patients", "links", finishes).await.unwrap(), 1);
    let ann = store.patient_find(clinic, "1").await.unwrap().unwrap();
    assert_eq!(ann.record.status, PatientStatus::Vanished);
    world.end().await;
}
