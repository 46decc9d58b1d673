use std::collections::BTreeSet;

use listwarden::domain::{
    Actor, Address, Channel, Event, EventKind, OptOutKind, PatientRecord, Standing,
};
use listwarden::store::{Appended, Verified};

use crate::world::{World, at, keyring, record};

stories! {
    async fn l1_an_event_learned_twice_is_one_line(world: World) {
        let event = world.event(EventKind::Granted, "g");
        let again = world.event(EventKind::Granted, "g");
        let appended = world.appends(vec![event.clone(), again.clone()]).await;
        assert_eq!(appended, Appended { new: 1, duplicate: 1 });
        assert_eq!(world.appends(vec![again]).await, Appended { new: 0, duplicate: 1 });
        assert_eq!(world.store.ledger_length(world.clinic).await.unwrap(), 1);
    }

    async fn l8_an_opt_out_binds_all_who_hold_the_address_and_follows_them(world: World) {
        family(world).await;
        world.settles().await;
        world.appends(vec![opt_out(world, EventKind::Withdrawn, "w").await]).await;
        let link = world.link_of("home@mail.test").await;
        assert!(link.stale);
        assert_eq!(kinds(&link.facts.contact.as_ref().unwrap().standing), [OptOutKind::Withdrawn]);
        for holder in &link.facts.holders {
            assert_eq!(kinds(&holder.standing), [OptOutKind::Withdrawn]);
        }
        world.reads(&[record("1", "ann@new.test")]).await;
        let followed = &world.link_of("ann@new.test").await.facts.holders[0];
        assert_eq!(kinds(&followed.standing), [OptOutKind::Withdrawn]);
        let bob = world.patient("2").await;
        let lines = world.store.ledger_of_patient(world.clinic, bob).await.unwrap();
        assert!(lines[0].binds.contains(&bob));
    }

    async fn l8_a_no_that_is_read_once_its_holder_has_moved_follows_them(world: World) {
        world.reads(&[record("1", "ann@mail.test"), record("2", "bob@mail.test")]).await;
        let mut noes = Vec::new();
        for (name, email) in [("no of 1", "ann@mail.test"), ("no of 2", "bob@mail.test")] {
            let mut no = world.event(EventKind::Withdrawn, name);
            no.draft.contact = world.contact(email).await;
            noes.push(no);
        }
        // The one after her no, at -10; the other before it.
        let ann = PatientRecord { updated_at: at(-5), ..record("1", "ann@new.test") };
        let bob = PatientRecord { updated_at: at(-30), ..record("2", "bob@new.test") };
        world.reads(&[ann, bob]).await;
        world.settles().await;
        world.appends(noes).await;
        let link = world.link_of("ann@new.test").await;
        assert_eq!(kinds(&link.facts.holders[0].standing), [OptOutKind::Withdrawn]);
        assert!(link.stale);
        assert!(kinds(&world.link_of("bob@new.test").await.facts.holders[0].standing).is_empty());
        let told = world.store.feedback_page(world.clinic, 10).await.unwrap();
        let of: Vec<_> = told.iter().map(|f| f.source_id.as_str()).collect();
        assert_eq!(of, ["1"]);
    }

    async fn l8_a_bounce_binds_the_address_alone(world: World) {
        family(world).await;
        world.appends(vec![opt_out(world, EventKind::Bounced, "b").await]).await;
        let facts = world.link_of("home@mail.test").await.facts;
        assert!(facts.contact.unwrap().standing.bounce.is_some());
        assert!(facts.holders.iter().all(|holder| holder.standing.bounce.is_none()));
    }

    async fn l15_an_objection_reaches_every_channel(world: World) {
        let mut ann = record("1", "ann@mail.test");
        ann.mobile = Some(Address::stored(Channel::Sms, "+447700900123".to_owned()));
        world.reads(&[ann]).await;
        let texts = world.store.list_ensure(world.clinic, "texts", Channel::Sms).await.unwrap();
        world.store.links_ensure(&world.lease, &texts).await.unwrap();
        let mut objection = world.event(EventKind::Objected, "o");
        (objection.draft.channel, objection.draft.patient) = (None, Some(world.patient("1").await));
        world.appends(vec![objection]).await;
        let which = listwarden::store::Which::All;
        let link = world.store.links_page(&texts, 0, 5, which).await.unwrap().remove(0);
        assert_eq!(kinds(&link.facts.contact.unwrap().standing), [OptOutKind::Objected]);
        assert_eq!(kinds(&link.facts.holders[0].standing), [OptOutKind::Objected]);
    }

    async fn the_clinic_is_told_of_each_holder_once_and_not_of_its_own_words(world: World) {
        family(world).await;
        let mut own = opt_out(world, EventKind::Withdrawn, "own").await;
        own.draft.actor = Actor::Clinic;
        let mut theirs = opt_out(world, EventKind::Complained, "theirs").await;
        (theirs.draft.list, theirs.draft.patient) = (Some(world.list.id), Some(world.patient("1").await));
        world.appends(vec![own, theirs.clone()]).await;
        world.appends(vec![theirs]).await;
        let told = world.store.feedback_page(world.clinic, 10).await.unwrap();
        let of: BTreeSet<_> = told.iter().map(|f| (f.source_id.as_str(), f.by_another)).collect();
        assert_eq!(of, BTreeSet::from([("1", false), ("2", true)]));
        assert!(told.iter().all(|f| f.kind == EventKind::Complained));
        assert_eq!(told[0].list.as_deref(), Some("newsletter"));
        let ids: Vec<_> = told.iter().map(|f| f.id).collect();
        world.store.feedback_done(&world.lease, world.clinic, &ids).await.unwrap();
        assert!(world.store.feedback_page(world.clinic, 10).await.unwrap().is_empty());
    }

    async fn l8_a_no_said_while_nobody_held_the_address_binds_those_who_hold_it_first(world: World) {
        world.reads(&[record("1", "free@mail.test")]).await;
        let mut no = world.event(EventKind::Withdrawn, "no");
        no.draft.contact = world.contact("free@mail.test").await;
        world.reads(&[record("1", "moved@mail.test")]).await;
        world.appends(vec![no]).await;
        assert!(world.store.feedback_page(world.clinic, 10).await.unwrap().is_empty());

        let couple = [record("2", "free@mail.test"), record("3", "free@mail.test")];
        world.reads(&couple).await;
        world.reads(&couple).await;
        let told = world.store.feedback_page(world.clinic, 10).await.unwrap();
        let of: BTreeSet<_> = told.iter().map(|f| (f.source_id.as_str(), f.kind)).collect();
        assert_eq!(of, BTreeSet::from([("2", EventKind::Withdrawn), ("3", EventKind::Withdrawn)]));
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].at, at(-10));
        let link = world.link_of("free@mail.test").await;
        let (now, before): (Vec<_>, Vec<_>) =
            link.facts.holders.iter().partition(|holder| holder.holds_now);
        assert_eq!((now.len(), before.len()), (2, 1));
        for holder in now {
            assert_eq!(kinds(&holder.standing), [OptOutKind::Withdrawn]);
            assert_eq!(holder.standing.opt_outs[0].at, at(-10));
        }
        assert!(kinds(&before[0].standing).is_empty(), "whoever had left said nothing");
        world.reads(&[record("4", "free@mail.test")]).await;
        assert_eq!(world.store.feedback_page(world.clinic, 10).await.unwrap().len(), 2);
        assert_eq!(world.store.ledger_length(world.clinic).await.unwrap(), 2);
    }

    async fn l8_a_no_that_bound_its_holders_binds_nobody_who_comes_later(world: World) {
        family(world).await;
        let no = opt_out(world, EventKind::Withdrawn, "no").await;
        world.appends(vec![no]).await;
        let before = world.store.feedback_page(world.clinic, 10).await.unwrap().len();
        world.reads(&[record("9", "home@mail.test")]).await;
        assert_eq!(world.store.feedback_page(world.clinic, 10).await.unwrap().len(), before);
    }

    async fn shuffled_events_fold_to_the_same_standing(world: World) {
        let mut standings = Vec::new();
        for (patient, order) in [("1", [0, 1, 2, 3]), ("2", [3, 1, 0, 2]), ("3", [2, 3, 1, 0])] {
            let email = format!("p{patient}@mail.test");
            world.reads(&[record(patient, &email)]).await;
            let contact = world.contact(&email).await;
            let events: Vec<Event> = [
                (EventKind::Granted, -9),
                (EventKind::Withdrawn, -8),
                (EventKind::Granted, -7),
                (EventKind::Bounced, -6),
            ]
            .iter()
            .enumerate()
            .map(|(n, (kind, minute))| {
                let mut event = world.event(*kind, &format!("{patient}-{n}"));
                event.id = listwarden::domain::EventId(uuid::Uuid::from_u128(n as u128));
                event.draft.contact = contact;
                event.draft.occurred_at = Some(at(*minute));
                event
            })
            .collect();
            for n in order {
                world.appends(vec![events[n].clone()]).await;
            }
            let mut standing = world.link_of(&email).await.facts.contact.unwrap().standing;
            // Each has an address of its own; all else must be the same.
            standing.grants.iter_mut().for_each(|grant| grant.contact = None);
            standings.push(standing);
        }
        assert_eq!(standings[0], standings[1]);
        assert_eq!(standings[0], standings[2]);
    }

    async fn a_sound_chain_verifies_also_under_a_rotated_key(world: World) {
        world.appends(vec![world.event(EventKind::Granted, "1")]).await;
        let rotated = world.another_process(keyring(&[2, 1])).await;
        let more = vec![world.event(EventKind::Bounced, "2"), world.event(EventKind::Granted, "3")];
        rotated.ledger_append(None, world.clinic, more).await.unwrap();
        let sound = Verified { lines: 3, erased: 0, first_bad: None };
        assert_eq!(rotated.ledger_verify(world.clinic).await.unwrap(), sound);
        let without_key = world.store.ledger_verify(world.clinic).await.unwrap();
        assert_eq!(without_key.first_bad, Some(2), "a lost key cannot vouch for a line");
    }

    async fn every_way_to_tamper_with_the_ledger_shows(world: World) {
        let granted = |n| world.event(EventKind::Granted, &format!("{n}"));
        world.appends((0..1_005).map(granted).collect()).await;
        assert_eq!(first_bad(world).await, None);
        for (table, column, change, repair, line) in [
            ("ledger_detail", "payload", "payload || ' '", "RTRIM(payload)", 7),
            ("ledger", "kind", "'withdrawn'", "'granted'", 8),
            ("ledger", "recorded_at", "recorded_at + 1", "recorded_at - 1", 1_002),
            ("ledger", "commitment", "mac", "mac", 1_003),
        ] {
            let set = |to| format!("UPDATE {table} SET {column} = {to} WHERE seq = {line}");
            world.tampers(&set(change)).await;
            assert_eq!(first_bad(world).await, Some(line), "{column} of {table}");
            if line < 1_003 {
                world.tampers(&set(repair)).await;
                assert_eq!(first_bad(world).await, None);
            }
        }
    }

    async fn a_ledger_that_was_cut_short_shows(world: World) {
        let granted = |n| world.event(EventKind::Granted, &format!("{n}"));
        world.appends((0..3).map(granted).collect()).await;
        world.tampers("DELETE FROM ledger_detail WHERE seq = 3").await;
        assert_eq!(first_bad(world).await, None, "an erasure leaves the chain whole");
        world.tampers("DELETE FROM ledger WHERE seq = 3").await;
        assert_eq!(first_bad(world).await, Some(3));
    }
}

async fn first_bad(world: &World) -> Option<i64> {
    world.store.ledger_verify(world.clinic).await.unwrap().first_bad
}

/// Ann and Bob share an address.
async fn family(world: &World) {
    world.reads(&[record("1", "home@mail.test"), record("2", "home@mail.test")]).await;
}

async fn opt_out(world: &World, kind: EventKind, unique: &str) -> Event {
    let mut event = world.event(kind, unique);
    event.draft.contact = world.contact("home@mail.test").await;
    event
}

fn kinds(standing: &Standing) -> Vec<OptOutKind> {
    standing.opt_outs.iter().map(|opt_out| opt_out.kind).collect()
}
