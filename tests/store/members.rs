use std::collections::BTreeMap;

use listwarden::domain::{MemberStatus, OptOutKind, TimeSource};
use listwarden::store::{LinkRow, ListCounts, Marks, ObservedMember};

use crate::world::{address_of, at, record};

stories! {
    async fn a_member_is_matched_by_hash_once_and_by_key_ever_after(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let first = world.link_of("ann@mail.test").await;
        let ordinals =
            world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Subscribed)]).await;
        assert_eq!(ordinals, [first.ordinal]);
        let moved =
            world.observes(&[world.member("k1", "else@mail.test", MemberStatus::Subscribed)]).await;
        assert_eq!(moved, ordinals);
        let back =
            world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Subscribed)]).await;
        assert_eq!(back, ordinals);
        assert_eq!(world.link_of("ann@mail.test").await.link.moved_there, None);
    }

    async fn a_member_seen_again_as_it_was_writes_nothing(world: World) {
        let member = world.member("k1", "ann@mail.test", MemberStatus::Subscribed);
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.observes(std::slice::from_ref(&member)).await;
        world.settles().await;
        let before = world.dump().await;
        let mut later = member;
        later.observed.seen_at = at(30);
        world.observes(std::slice::from_ref(&later)).await;
        assert_eq!(world.dump().await, before);
        later.observed.status = MemberStatus::Unsubscribed;
        world.observes(&[later]).await;
        assert_eq!(world.stale().await.len(), 1);
    }

    async fn a_member_of_ours_is_known_again_by_its_digest(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let member = |key, email, status, seen| ObservedMember {
            seen: Some(seen),
            ..world.member(key, email, status)
        };
        let ann = |seen| member("k1", "ann@mail.test", MemberStatus::Subscribed, seen);
        let link = world.observes(&[ann(7)]).await[0];
        let same = |digests: [i64; 2]| async move {
            let same = world.store.members_same(&world.list, &digests).await.unwrap();
            same.into_iter().collect::<BTreeMap<i64, i64>>()
        };
        assert_eq!(same([7, 8]).await, BTreeMap::from([(7, link)]));
        world.settles().await;
        world.observes(&[ann(8)]).await;
        assert_eq!(same([7, 8]).await, BTreeMap::from([(8, link)]));
        assert!(world.stale().await.is_empty(), "a digest alone is no change");
        world.observes(&[member("k9", "stranger@mail.test", MemberStatus::Subscribed, 9)]).await;
        assert!(same([9, 0]).await.is_empty(), "what becomes of a stranger is not his to decide");
        let gone = [world.link_of("ann@mail.test").await.link.id];
        world.store.links_taken_as(&world.lease, &world.list, &gone, MemberStatus::Absent, at(9)).await.unwrap();
        assert!(same([7, 8]).await.is_empty(), "it is there again");
    }

    async fn an_answer_long_on_its_way_replaces_nothing_that_was_asked_for_later(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        world.clock.set(at(60));
        let asked = |minutes, status| {
            let mut member = world.member("k1", "ann@mail.test", status);
            member.observed.seen_at = at(minutes);
            member
        };
        let first = world.observes(&[asked(20, MemberStatus::Unsubscribed)]).await;
        let late = world.observes(&[asked(10, MemberStatus::Subscribed)]).await;
        assert_eq!(late, first, "it is seen all the same");
        let status = || async { world.link_of("ann@mail.test").await.link.observed.unwrap().status };
        assert_eq!(status().await, MemberStatus::Unsubscribed);
        let gone = [world.link_of("ann@mail.test").await.link.id];
        world.store.links_taken_as(&world.lease, &world.list, &gone, MemberStatus::Absent, at(19)).await.unwrap();
        assert_eq!(status().await, MemberStatus::Unsubscribed);
        // A clock that was ahead outdates nothing.
        world.observes(&[asked(90, MemberStatus::Pending)]).await;
        world.observes(&[asked(21, MemberStatus::Subscribed)]).await;
        assert_eq!(status().await, MemberStatus::Subscribed);
    }

    async fn of_a_stranger_only_the_hash_is_kept(world: World) {
        let stranger = world.member("k9", "stranger@mail.test", MemberStatus::Subscribed);
        world.observes(&[stranger]).await;
        let links = world.links().await;
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].facts.contact, None);
        assert!(!world.dump().await.contains("stranger@"));
    }

    async fn a_stranger_is_known_by_the_suppression_list(world: World) {
        let hashes = world.hashes("gone@mail.test");
        for kind in [OptOutKind::Withdrawn, OptOutKind::Erased] {
            world
                .store
                .suppress(world.clinic, &hashes, kind, at(-1), TimeSource::Provider)
                .await
                .unwrap();
        }
        world.observes(&[world.member("k9", "gone@mail.test", MemberStatus::Subscribed)]).await;
        assert_eq!(world.links().await[0].facts.suppressed, Some(OptOutKind::Erased));
    }

    async fn a_stranger_who_becomes_a_patient_keeps_the_link(world: World) {
        world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Subscribed)]).await;
        let stranger = world.links().await.remove(0);
        world.settles().await;
        world.reads(&[record("1", "ann@mail.test")]).await;
        let links = world.links().await;
        assert_eq!(links.len(), 1);
        assert_eq!(links[0].link.id, stranger.link.id);
        assert_eq!(address_of(&links[0]).as_deref(), Some("ann@mail.test"));
        assert!(links[0].stale);
    }

    async fn a_stranger_whose_address_turns_readable_takes_the_contacts_blank_link(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let mut unreadable = world.member("k1", "ann@mail.test", MemberStatus::Subscribed);
        unreadable.hashes.clear();
        let ordinal = world.observes(&[unreadable]).await;
        assert_eq!(world.links().await.len(), 2);
        let now =
            world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Subscribed)]).await;
        assert_eq!(now, ordinal);
        let links = world.links().await;
        assert_eq!(links.len(), 1);
        assert_eq!(address_of(&links[0]).as_deref(), Some("ann@mail.test"));
    }

    async fn a_member_that_returns_under_a_new_key_keeps_its_link(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let first =
            world.observes(&[world.member("k1", "ann@mail.test", MemberStatus::Archived)]).await;
        let again =
            world.observes(&[world.member("k2", "ann@mail.test", MemberStatus::Subscribed)]).await;
        assert_eq!(again, first);
        let key = world.link_of("ann@mail.test").await.link.observed.unwrap().member.unwrap();
        assert_eq!(key.0, "k2");
    }

    async fn whoever_comes_to_an_address_takes_the_place_of_who_was_there(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let seen_at = |mut member: ObservedMember, changed, seen| {
            (member.observed.last_changed, member.observed.seen_at) = (Some(at(changed)), at(seen));
            member
        };
        let ann = |key| world.member(key, "ann@mail.test", MemberStatus::Subscribed);
        let first = world.observes(&[seen_at(ann("k1"), 0, 1)]).await;
        let beside = world.observes(&[seen_at(ann("k2"), 0, 2)]).await;
        assert_ne!(beside, first, "it was there all along");
        let after = world.observes(&[seen_at(ann("k3"), 3, 4)]).await;
        assert_eq!(after, first, "the one before was erased there, or has moved");

        let elsewhere = world.member("k3", "else@mail.test", MemberStatus::Subscribed);
        let went = world.observes(&[seen_at(elsewhere, 5, 6)]).await;
        assert_eq!(went, first, "the link goes along");
        let back = world.observes(&[seen_at(ann("k4"), 5, 8)]).await;
        assert_eq!(back, first, "the address is the link's, and has a member again");
        let link = world.link_of("ann@mail.test").await.link;
        assert_eq!((link.moved_there, link.observed.unwrap().member.unwrap().0.as_str()), (None, "k4"));
        let of_the_mover = |row: &&LinkRow| {
            let member = row.link.observed.as_ref().and_then(|observed| observed.member.as_ref());
            member.is_some_and(|member| member.0 == "k3")
        };
        let links = world.links().await;
        let stranger = links.iter().find(of_the_mover).expect("whoever moved is not lost");
        assert!(stranger.facts.contact.is_none());
    }

    async fn who_was_a_stranger_beside_a_contacts_member_is_the_contacts_once_that_one_is_gone(world: World) {
        world.reads(&[record("1", "ann@mail.test")]).await;
        let ann = |key| world.member(key, "ann@mail.test", MemberStatus::Subscribed);
        let of_ann = world.observes(&[ann("k1")]).await;
        let beside = world.observes(&[ann("k2")]).await;
        assert_ne!(beside, of_ann);
        let gone = [world.link_of("ann@mail.test").await.link.id];
        world.store.links_taken_as(&world.lease, &world.list, &gone, MemberStatus::Absent, at(9)).await.unwrap();
        let seen_at = |key, seen| {
            let mut member = ann(key);
            member.observed.seen_at = at(seen);
            member
        };
        assert_eq!(world.observes(&[seen_at("k2", 10)]).await, of_ann);
        assert_eq!(world.observes(&[seen_at("k2", 11)]).await, of_ann, "and stays so");
        let ann = world.link_of("ann@mail.test").await.link.observed.unwrap();
        assert_eq!((ann.status, ann.member.unwrap().0.as_str()), (MemberStatus::Subscribed, "k2"));
        let counts = world.store.list_counts(&world.list).await.unwrap();
        assert_eq!(counts.listed, 1, "and is there once");
    }

    async fn an_absent_stranger_leaves_no_trace(world: World) {
        let mut absent = world.member("k1", "ann@mail.test", MemberStatus::Absent);
        absent.observed.member = None;
        assert!(world.observes(&[absent]).await.is_empty());
        assert!(world.links().await.is_empty());
    }

    async fn absent_is_recorded_and_counted(world: World) {
        world.observes(&[
            world.member("k1", "ann@mail.test", MemberStatus::Subscribed),
            world.member("k2", "bob@mail.test", MemberStatus::Archived),
            world.member("k3", "cat@mail.test", MemberStatus::Cleaned),
        ]).await;
        let counts = world.store.list_counts(&world.list).await.unwrap();
        assert_eq!(counts, ListCounts { present: 2, archived: 1, listed: 1 });
        let present = world.store.links_unseen(&world.list, &Marks::default()).await.unwrap();
        assert_eq!(present.iter().map(|(ordinal, ..)| *ordinal).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(world.store.ordinals_end(&world.list).await.unwrap(), 4);
        let gone = [present[0].1];
        world.store.links_taken_as(&world.lease, &world.list, &gone, MemberStatus::Absent, at(9)).await.unwrap();
        let observed = world.links().await[0].link.observed.clone().unwrap();
        assert_eq!((observed.status, observed.member), (MemberStatus::Absent, None));
        let mut seen = Marks::default();
        seen.set(2);
        let unseen = world.store.links_unseen(&world.list, &seen).await.unwrap();
        assert_eq!(unseen.iter().map(|(ordinal, ..)| *ordinal).collect::<Vec<_>>(), [3]);
    }

    async fn a_page_that_names_a_member_twice_ends_with_the_later(world: World) {
        let ordinals = world.observes(&[
            world.member("k1", "ann@mail.test", MemberStatus::Subscribed),
            world.member("k1", "ann@mail.test", MemberStatus::Unsubscribed),
        ]).await;
        assert_eq!(ordinals, [1, 1]);
        let observed = world.links().await[0].link.observed.clone().unwrap();
        assert_eq!(observed.status, MemberStatus::Unsubscribed);
    }

    async fn two_thousand_members_are_stored_in_order(world: World) {
        let members: Vec<_> = (0..2_500)
            .map(|n| world.member(&format!("k{n}"), &format!("p{n}@mail.test"), MemberStatus::Pending))
            .collect();
        let ordinals = world.observes(&members).await;
        assert_eq!(ordinals, (1..=2_500).collect::<Vec<_>>());
        assert_eq!(world.observes(&members).await, ordinals);
    }
}
