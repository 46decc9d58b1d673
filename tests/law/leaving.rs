//! L14: the way out for every reason, from every state.

use listwarden::domain::operation::Counted;
use listwarden::domain::policy::{CleanedMembers, LeaveBy};
use listwarden::domain::{By, Class, EventKind, MemberStatus, PatientStatus, Reason, Verb};

use crate::world::{World, ann, ann_listed, world};

const LISTED: [MemberStatus; 2] = [MemberStatus::Pending, MemberStatus::Subscribed];

fn held_as(status: MemberStatus) -> World {
    ann().seen(status, 5).base(status, By::Us, 5)
}

#[test]
fn l14_every_reason_has_its_verb_and_the_list_may_say_otherwise_where_the_table_lets_it() {
    use LeaveBy as By;
    type Row = (fn(World) -> World, Reason, [Verb; 3]);
    let as_the_list_says = [Verb::Archive, Verb::Unsubscribe, Verb::Erase];
    let rows: [Row; 13] = [
        (|w| w.becomes("ann", PatientStatus::Archived), Reason::PatientArchived, as_the_list_says),
        (|w| w.becomes("ann", PatientStatus::Merged), Reason::PatientMerged, as_the_list_says),
        (|w| w.becomes("ann", PatientStatus::Deceased), Reason::PatientDeceased, as_the_list_says),
        (|w| w.becomes("ann", PatientStatus::Vanished), Reason::PatientVanished, as_the_list_says),
        (|w| w.leaves_the_address("ann"), Reason::AddressGone, as_the_list_says),
        (|w| w.with("ann", |r| r.restricted = true), Reason::Restricted, as_the_list_says),
        (|w| w.born("ann", 2015, 1, 1), Reason::UnderAge, as_the_list_says),
        (
            |w| w.with("ann", |r| r.privacy_policy = Some(false)),
            Reason::PolicyRejected,
            as_the_list_says,
        ),
        (|w| w.becomes("ann", PatientStatus::Deleted), Reason::PatientDeleted, [Verb::Erase; 3]),
        (|w| w.opts_out("ann", EventKind::Erased, 9), Reason::Erased, [Verb::Erase; 3]),
        (|w| w.withdraws("ann", 9), Reason::Withdrawn, [Verb::Unsubscribe; 3]),
        (|w| w.opts_out("ann", EventKind::Objected, 9), Reason::Objected, [Verb::Unsubscribe; 3]),
        (
            |w| w.address_opts_out(EventKind::Complained, 9),
            Reason::Complained,
            [Verb::Unsubscribe; 3],
        ),
    ];
    for (happens, reason, verbs) in rows {
        for (on_drop, verb) in [By::Archive, By::Unsubscribe, By::Erase].into_iter().zip(verbs) {
            for status in LISTED {
                let world = happens(held_as(status)).policy(|p| p.on_drop = on_drop);
                let operation = world.decide().operation.unwrap();
                assert_eq!((operation.verb, operation.reason), (verb, reason), "{on_drop}");
                assert_eq!(operation.payload, None, "L25: removing writes carry nothing");
            }
        }
    }
}

#[test]
fn l14_no_basis_is_archived() {
    let world = world().patient("ann").seen(MemberStatus::Subscribed, 5);
    world.removes(Verb::Archive, Reason::NoBasis);
}

#[test]
fn l14_the_strongest_way_out_wins() {
    let listed = || held_as(MemberStatus::Subscribed);
    let both = listed().withdraws("ann", 9).with("ann", |r| r.restricted = true);
    both.does(Verb::Archive, Reason::Restricted, Counted::No);
    let erased = listed().opts_out("ann", EventKind::Erased, 9).withdraws("ann", 9);
    erased.does(Verb::Erase, Reason::Erased, Counted::No);
    let gone = listed().withdraws("ann", 9).becomes("ann", PatientStatus::Archived);
    gone.removes(Verb::Archive, Reason::PatientArchived);
    let deleted = listed()
        .patient("bob")
        .becomes("ann", PatientStatus::Archived)
        .becomes("bob", PatientStatus::Deleted);
    let decision = deleted.removes(Verb::Erase, Reason::PatientDeleted);
    // The others are told behind it (L29).
    assert_eq!(decision.reasons, [Reason::PatientDeleted, Reason::PatientArchived]);
}

#[test]
fn l14_an_opt_out_seen_on_the_way_enters_the_ledger_first() {
    let world = ann_listed().becomes("ann", PatientStatus::Archived);
    let world = world.seen(MemberStatus::Unsubscribed, 50);
    let decision = world.learns(&[EventKind::Withdrawn]);
    assert_eq!(decision.operation.unwrap().verb, Verb::Archive);
}

#[test]
fn l14_deleted_with_another_active_holder_is_judged_by_the_holder_who_stays() {
    let world = ann_listed().patient("bob").becomes("ann", PatientStatus::Deleted);
    world.removes(Verb::Archive, Reason::NoBasis);
    assert!(world.grants("bob", 5).is_wanted());
}

#[test]
fn l14_an_erased_member_is_erased_whatever_its_state_and_then_left_alone() {
    for status in MemberStatus::ALL {
        let dropped = held_as(*status).becomes("ann", PatientStatus::Deleted);
        if status.is_present() {
            dropped.removes(Verb::Erase, Reason::PatientDeleted);
            assert_eq!(dropped.settles().status(), MemberStatus::Forgotten);
        } else {
            dropped.keeps(Class::InStep, Reason::PatientDeleted);
        }
    }
}

#[test]
fn l14_an_erasure_that_a_newer_grant_lifted_long_since_does_not_erase_again() {
    let again = world().patient("ann").opts_out("ann", EventKind::Erased, 1).grants("ann", 5);
    let archived = again.becomes("ann", PatientStatus::Archived).seen(MemberStatus::Subscribed, 6);
    archived.removes(Verb::Archive, Reason::PatientArchived);
}

#[test]
fn l14_dropped_leaves_from_every_state_as_the_list_says() {
    use MemberStatus::{Archived, Cleaned, NonSubscribed, Pending, Subscribed, Unsubscribed};
    let dropped = |status, on_drop, cleaned| {
        let world = held_as(status).becomes("ann", PatientStatus::Archived).policy(|p| {
            p.on_drop = on_drop;
            p.cleaned = cleaned;
        });
        let decision = world.decide();
        (decision.operation.map(|o| o.verb), decision.class)
    };
    let report = CleanedMembers::Report;
    for held in [Pending, Subscribed, Unsubscribed, NonSubscribed] {
        let archived = (Some(Verb::Archive), Class::HeldButDropped);
        assert_eq!(dropped(held, LeaveBy::Archive, report), archived, "{held}");
        let erased = (Some(Verb::Erase), Class::HeldButDropped);
        assert_eq!(dropped(held, LeaveBy::Erase, report), erased, "{held}");
    }
    for status in LISTED {
        let out = (Some(Verb::Unsubscribe), Class::HeldButDropped);
        assert_eq!(dropped(status, LeaveBy::Unsubscribe, report), out, "{status}");
    }
    for status in [Unsubscribed, NonSubscribed] {
        let stays = (None, Class::CannotLeave);
        assert_eq!(dropped(status, LeaveBy::Unsubscribe, report), stays, "{status}");
    }
    for on_drop in [LeaveBy::Archive, LeaveBy::Unsubscribe] {
        assert_eq!(dropped(Cleaned, on_drop, report), (None, Class::CannotLeave));
        let erased = (Some(Verb::Erase), Class::HeldButDropped);
        assert_eq!(dropped(Cleaned, on_drop, CleanedMembers::Erase), erased);
        assert_eq!(dropped(Archived, on_drop, report), (None, Class::InStep));
    }
    let erased = (Some(Verb::Erase), Class::Due);
    assert_eq!(dropped(Archived, LeaveBy::Erase, report), erased, "archived is not erased");
}

#[test]
fn l14_a_bounce_is_left_to_the_provider_and_nobody_undeliverable_is_invited() {
    let cleaned = held_as(MemberStatus::Subscribed).seen(MemberStatus::Cleaned, 50);
    let decision = cleaned.learns(&[EventKind::Bounced]);
    assert_eq!(decision.operation, None);
    cleaned.settles().keeps(Class::InStep, Reason::Bounced);
    // Another list that still holds the address leaves it there.
    let elsewhere = ann_listed().bounces(50);
    elsewhere.keeps(Class::InStep, Reason::Wanted);
}

#[test]
fn l14_a_complaint_found_with_the_bounce_is_an_opt_out() {
    let cleaned = held_as(MemberStatus::Subscribed).seen(MemberStatus::Cleaned, 50);
    let complained = cleaned.shows(|o| o.complained = true);
    complained.learns(&[EventKind::Complained]);
    complained.settles().is_kept_off(Reason::Complained);
}

#[test]
fn l23_what_the_person_did_is_not_counted_and_what_the_source_did_is() {
    let listed = || held_as(MemberStatus::Subscribed);
    listed().withdraws("ann", 9).does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
    let flag = |world: World| {
        use listwarden::domain::{Actor, TimeSource};
        let no = crate::world::event(EventKind::Withdrawn, 9, TimeSource::Clinic);
        world.records(Some("ann"), crate::world::but(no, |it| it.actor = Actor::Clinic))
    };
    flag(listed()).removes(Verb::Unsubscribe, Reason::Withdrawn);
    // The person's own opt-out is enough, whatever else bars; but not one lifted long since.
    flag(listed()).withdraws("ann", 9).does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
    let then_flagged = flag(listed().withdraws("ann", 8));
    then_flagged.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
    let again = world().patient("ann").withdraws("ann", 1).grants("ann", 2);
    flag(again.seen(MemberStatus::Subscribed, 3)).removes(Verb::Unsubscribe, Reason::Withdrawn);
}

#[test]
fn l23_an_old_opt_out_does_not_hide_that_something_else_takes_somebody_off() {
    use listwarden::domain::TimeSource;
    let granted = crate::world::event(EventKind::Granted, 9, TimeSource::Clinic);
    let offers = crate::world::but(granted, |it| {
        it.explicit = true;
        it.purpose = Some("offers".to_owned());
    });
    let old = ann().withdraws("ann", 5).records(Some("ann"), offers);
    let old = old.seen(MemberStatus::Subscribed, 10).base(MemberStatus::Subscribed, By::Us, 10);
    // The list was for offers until its purpose was changed.
    old.removes(Verb::Archive, Reason::OtherPurpose);
}

#[test]
fn l23_an_erasure_ordered_for_one_person_is_not_counted_and_reaches_every_state() {
    let erased = |world: World| world.opts_out("ann", EventKind::Erased, 9);
    let archived = erased(held_as(MemberStatus::Subscribed));
    let archived = archived.becomes("ann", PatientStatus::Archived);
    archived.does(Verb::Erase, Reason::Erased, Counted::No);
    let unsubscribed = erased(held_as(MemberStatus::Unsubscribed));
    unsubscribed.does(Verb::Erase, Reason::Erased, Counted::No);
}

#[test]
fn l23_a_bare_no_that_waits_for_an_admin_bars_only_the_channel_it_is_about() {
    let mut waiting = ann_listed();
    waiting.holder("ann").withdrawn_in_record = true;
    waiting.removes(Verb::Unsubscribe, Reason::WithdrawnInRecord);
    let other = waiting.with("ann", |r| {
        r.email_consent.answer = listwarden::domain::Answer::Granted;
    });
    other.keeps(Class::InStep, Reason::Wanted);
    let objects = other.with("ann", |r| {
        r.sms_consent.answer = listwarden::domain::Answer::Objected;
    });
    objects.is_kept_off(Reason::WithdrawnInRecord);
}
