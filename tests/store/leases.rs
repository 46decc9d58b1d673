use std::collections::HashMap;
use std::time::Duration;

use listwarden::clock::Clock;
use listwarden::domain::MemberStatus;
use listwarden::store::{Marks, StoreError};

use crate::world::{at, id, record};

const MINUTE: Duration = Duration::from_mins(1);

stories! {
    async fn a_lease_is_held_by_one_and_taken_over_when_its_time_is_over(world: World) {
        let (store, one, two) = (&world.store, id(), id());
        let first = store.lease_acquire("source:x", one, MINUTE).await.unwrap().unwrap();
        assert_eq!(store.lease_acquire("source:x", two, MINUTE).await.unwrap(), None);
        assert!(store.lease_renew(&first, MINUTE).await.unwrap());
        world.clock.advance(MINUTE);
        let second = store.lease_acquire("source:x", two, MINUTE).await.unwrap().unwrap();
        assert_eq!(second.epoch, first.epoch + 1);
        assert!(!store.lease_renew(&first, MINUTE).await.unwrap());
        store.lease_release(&first).await.unwrap();
        assert!(store.lease_renew(&second, MINUTE).await.unwrap(), "not ours to release");
        store.lease_release(&second).await.unwrap();
        assert!(store.lease_acquire("source:x", one, MINUTE).await.unwrap().is_some());
    }

    async fn an_old_holder_writes_nothing(world: World) {
        world.clock.advance(Duration::from_hours(25));
        let taken = world.store.lease_acquire("account:1", id(), MINUTE).await.unwrap();
        assert!(taken.is_some());
        let before = world.dump().await;
        let (store, old, list) = (&world.store, &world.lease, &world.list);
        let member = world.member("k1", "ann@mail.test", MemberStatus::Subscribed);
        let refusals = [
            store.members_observe(old, list, &[member]).await.map(drop),
            store.list_observed(old, list, at(1), None).await.map(drop),
            store.list_pin(old, list, "a", "b", None, true, at(1)).await.map(drop),
            store.links_ensure(old, list).await,
            store.clinic_source_recorded(old, world.clinic, Some(at(1)), None).await,
            store.sweep_finish(old, world.clinic, 1, &Marks::default()).await.map(drop),
            store
                .patients_upsert(
                    old,
                    world.clinic,
                    listwarden::store::Origin::Source,
                    &[record("1", "ann@mail.test")],
                    &HashMap::new(),
                    &mut Marks::default(),
                )
                .await
                .map(drop),
            store
                .ledger_append(
                    Some(old),
                    world.clinic,
                    vec![world.event(listwarden::domain::EventKind::Bounced, "x")],
                )
                .await
                .map(drop),
            store.operations_submitted(old, world.clinic, &[world.clock.id()]).await.map(drop),
        ];
        for refused in refusals {
            assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
        }
        assert_eq!(world.dump().await, before);
    }
}
