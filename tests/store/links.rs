use std::collections::BTreeMap;

use listwarden::domain::{Base, By, Class, Invitation, MemberStatus, Reason, Verb};
use listwarden::store::{Adopted, Park, PlannedLink, StoreError, Which};

use crate::world::{Engine, World, at, record};

stories! {
    async fn a_new_list_gives_every_contact_a_link(world: World) {
        let records: Vec<_> =
            (0..1_200).map(|n| record(&format!("{n}"), &format!("p{n}@mail.test"))).collect();
        world.reads(&records).await;
        let list = world
            .store
            .list_ensure(world.clinic, "offers", listwarden::domain::Channel::Email)
            .await
            .unwrap();
        world.store.links_ensure(&world.lease, &list).await.unwrap();
        world.store.links_ensure(&world.lease, &list).await.unwrap();
        assert_eq!(world.store.ordinals_end(&list).await.unwrap(), 1_201);
        let page = world.store.links_page(&list, 1_000, 500, Which::All).await.unwrap();
        assert_eq!(page.len(), 200);
        assert_eq!(page[0].ordinal, 1_001);
        let links = world.store.links_of_contact(world.clinic, contact(&page[0])).await.unwrap();
        assert_eq!(links.len(), 2, "one on each list");
    }

    async fn a_planned_link_rests_until_it_is_due(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let link = world.link_of("ann@mail.test").await;
        let planned = PlannedLink { due_at: Some(at(10)), ..planned(&link) };
        world.store.links_planned(&world.lease, world.clinic, &[planned]).await.unwrap();
        assert!(world.stale().await.is_empty());
        world.clock.set(at(10));
        assert_eq!(world.stale().await, [link.ordinal]);
        let stored = world.link_of("ann@mail.test").await;
        assert_eq!(stored.planned, Some((Class::Pending, Reason::Invited)));
    }

    async fn a_plan_made_from_older_facts_leaves_the_link_stale(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let link = world.link_of("ann@mail.test").await;
        let contact = [contact(&link)];
        world.store.links_stale(world.clinic, &contact, None).await.unwrap();
        world.store.links_planned(&world.lease, world.clinic, &[planned(&link)]).await.unwrap();
        assert_eq!(world.stale().await, [link.ordinal]);
    }

    async fn a_changed_policy_has_every_link_planned_again(world: World) {
        world.reads(&[record("1", "ann@mail.test"), record("2", "bob@mail.test")]).await;
        world.settles().await;
        let (store, lease) = (&world.store, &world.lease);
        store.list_policy_applied(lease, &world.list, "p1").await.unwrap();
        assert_eq!(world.stale().await.len(), 2);
        world.settles().await;
        store.list_policy_applied(lease, &world.list, "p1").await.unwrap();
        assert!(world.stale().await.is_empty());
    }

    async fn what_was_agreed_is_adopted(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let link = world.link_of("ann@mail.test").await.link;
        let base = Base { status: MemberStatus::Pending, by: By::Them, at: at(1) };
        let invitation =
            Invitation { key: "g1".to_owned(), sent_at: at(0), voided: false, confirmed: true, wording: Some("w".to_owned()) };
        let adopted = Adopted {
            link: link.id,
            base: Some(base),
            removed_there: Some(at(2)),
            invitation: Some(invitation.clone()),
            settles_intent: true,
            moved_told: Some(at(3)),
        };
        let once = std::slice::from_ref(&adopted);
        world.store.links_adopt(&world.lease, world.clinic, once).await.unwrap();
        let stored = world.link_of("ann@mail.test").await.link;
        assert_eq!(stored.base, Some(base));
        assert_eq!(stored.invitation, Some(invitation.clone()));
        assert_eq!((stored.removed_there, stored.moved_told), (Some(at(2)), Some(at(3))));
        let adopted = Adopted { moved_told: None, ..adopted };
        let left = Adopted { base: None, removed_there: None, invitation: None, ..adopted };
        world.store.links_adopt(&world.lease, world.clinic, &[left]).await.unwrap();
        let stored = world.link_of("ann@mail.test").await.link;
        assert_eq!((stored.removed_there, stored.invitation), (Some(at(2)), Some(invitation)));
        assert_eq!(stored.moved_told, Some(at(3)));
        assert_eq!(stored.base, Some(base));
    }

    async fn l20_a_list_stays_with_its_account_and_audience(world: World) {
        let (store, lease, list) = (&world.store, &world.lease, &world.list);
        store.list_pin(lease, list, "acc", "aud", Some("us1"), true, at(1)).await.unwrap();
        store.list_pin(lease, list, "acc", "aud", Some("us2"), false, at(2)).await.unwrap();
        let refused = store.list_pin(lease, list, "acc", "other", None, true, at(3)).await;
        assert!(matches!(refused, Err(StoreError::Pinned { .. })));
        let stored = store.list(world.clinic, list.id).await.unwrap();
        assert_eq!(stored.audience_pin.as_deref(), Some("aud"));
        assert_eq!(stored.region.as_deref(), Some("us2"));
        let run = store.run_begin(list, "test").await.unwrap();
        store.run_end(run, "waiting", "{}").await.unwrap();
        store.approve(run, at(60), "olive").await.unwrap();
        world.clock.advance(std::time::Duration::from_mins(1));
        let next = store.run_begin(list, "test").await.unwrap();
        store.run_end(next, "waiting", "{}").await.unwrap();
        store.approve(next, at(60), "olive").await.unwrap();
        store.list_observed(lease, list, at(3), Some(at(4))).await.unwrap();
        store.list_observed(lease, list, at(5), None).await.unwrap();
        let stored = store.list(world.clinic, list.id).await.unwrap();
        assert_eq!(stored.approved_at, Some(at(0)), "the first approval counts");
        assert_eq!((stored.cursor, stored.swept_at), (Some(at(5)), Some(at(4))));
        assert_eq!(stored.observed_at, Some(at(5)));
        store.list_reset(list).await.unwrap();
        let stored = store.list(world.clinic, list.id).await.unwrap();
        assert_eq!((stored.approved_at, stored.swept_at), (None, None), "a first run again");
        assert_eq!(stored.audience_pin, None);
        store.list_retire(list, at(9)).await.unwrap();
        assert_eq!(store.lists(world.clinic).await.unwrap()[0].retired_at, Some(at(9)));
    }

    async fn l26_the_classes_of_a_report_add_up(world: World) {
        world.reads(&[record("1", "ann@mail.test"), record("2", "bob@mail.test")]).await;
        let ann = world.link_of("ann@mail.test").await;
        world.store.links_planned(&world.lease, world.clinic, &[planned(&ann)]).await.unwrap();
        let park = Park { reason: "forgotten there".to_owned(), next_try: at(60) };
        let parks = [(ann.link.id, Verb::Archive, park)];
        world.store.parked_put(&world.lease, world.clinic, &parks).await.unwrap();
        world.store.parked_put(&world.lease, world.clinic, &parks).await.unwrap();
        let report = world.store.report(world.clinic).await.unwrap().remove(0);
        assert_eq!(report.classes, BTreeMap::from([(Class::Pending, 1), (Class::Due, 1)]));
        assert_eq!((report.total, report.parked_removals), (2, 1));
        let parked = world.link_of("ann@mail.test").await.parked.unwrap();
        assert_eq!((parked.tries, parked.since), (2, at(0)));
        assert_eq!(world.store.parked_list(world.clinic).await.unwrap()[0].parked, parked);
        world.store.parked_clear(&world.lease, world.clinic, &[ann.link.id]).await.unwrap();
        assert_eq!(world.link_of("ann@mail.test").await.parked, None);
        let explained =
            world.store.links_for_explain(world.clinic, contact(&ann)).await.unwrap();
        assert_eq!(explained[0].0.slug, "newsletter");
    }
}

fn contact(row: &listwarden::store::LinkRow) -> listwarden::domain::ContactId {
    row.facts.contact.as_ref().unwrap().id
}

#[tokio::test]
async fn a_list_that_moves_while_a_run_writes_does_not_fail_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    world.reads(&[record("1", "ann@mail.test")]).await;
    let resets = Box::pin(world.store.list_reset(&world.list));
    world.loses("lists", "links", resets).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_parked_change_is_tried_again_though_a_run_writes_on_postgres() {
    let world = World::new(Engine::Postgres).await;
    world.reads(&[record("1", "ann@mail.test")]).await;
    let (store, link) = (&world.store, world.link_of("ann@mail.test").await.link.id);
    let park = Park { reason: "forgotten there".to_owned(), next_try: at(60) };
    let parks = [(link, Verb::Archive, park)];
    store.parked_put(&world.lease, world.clinic, &parks).await.unwrap();
    let retries = Box::pin(store.parked_retry(world.clinic, link));
    world.loses("parked", "links", retries).await.unwrap();
    assert_eq!(world.link_of("ann@mail.test").await.parked.unwrap().next_try, at(0));
    world.end().await;
}

fn planned(row: &listwarden::store::LinkRow) -> PlannedLink {
    PlannedLink {
        link: row.link.id,
        version: row.version,
        class: Class::Pending,
        reason: Reason::Invited,
        due_at: None,
        stale: false,
    }
}
