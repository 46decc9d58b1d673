use listwarden::domain::{Actor, EventKind, MemberStatus, OptOutKind, PatientStatus};
use listwarden::store::Verified;

use crate::world::record;

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
