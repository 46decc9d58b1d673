//! L15 to L19: what is seen at the provider, and whose act it was.

use chrono::TimeDelta;
use listwarden::domain::operation::Counted;
use listwarden::domain::{
    Actor, By, Class, Entry, EventKind, MemberStatus, OptOutKind, PatientStatus, Reason,
    TimeSource, Verb,
};

use crate::world::{ann, ann_listed, day, stranger, world};

// --- L15 -----------------------------------------------------------------------------------

#[test]
fn l15_an_opt_out_seen_here_is_learned_once() {
    let out = ann_listed().seen(MemberStatus::Unsubscribed, 50);
    let decision = out.learns(&[EventKind::Withdrawn]);
    let draft = &decision.drafts[0];
    assert_eq!((draft.actor, draft.clock), (Actor::Person, TimeSource::Provider));
    assert_eq!(draft.occurred_at, Some(day(50) + TimeDelta::milliseconds(999)), "whole seconds");
    assert_eq!(draft.unique, out.decide().drafts[0].unique);
    out.settles().learns(&[]);
}

#[test]
fn l15_an_opt_out_learned_within_its_second_keeps_the_providers_clock() {
    let out = ann_listed().seen(MemberStatus::Unsubscribed, crate::world::TODAY);
    assert_eq!(out.decide().drafts[0].occurred_at, Some(out.now));
}

#[test]
fn l15_a_spam_report_is_a_complaint() {
    let out = ann_listed().seen(MemberStatus::Unsubscribed, 50).shows(|o| o.complained = true);
    out.learns(&[EventKind::Complained]);
}

#[test]
fn l15_an_opt_out_on_another_list_reaches_this_one() {
    let out = ann_listed().address_opts_out(EventKind::Withdrawn, 50);
    out.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
}

#[test]
fn l15_a_reimport_by_staff_is_undone_by_the_next_run() {
    let dropped = ann_listed().becomes("ann", PatientStatus::Archived).settles();
    let opted_out = ann_listed().withdraws("ann", 50).settles();
    let erased = ann_listed().opts_out("ann", EventKind::Erased, 50).settles();
    for (world, verb) in
        [(dropped, Verb::Archive), (opted_out, Verb::Unsubscribe), (erased, Verb::Erase)]
    {
        let imported =
            world.on(120).seen(MemberStatus::Subscribed, 119).shows(|o| o.entry = Entry::Staff);
        assert_eq!(imported.decide().operation.unwrap().verb, verb);
        imported.learns(&[]);
        assert!(!imported.settles().status().is_listed());
    }
}

#[test]
fn l15_a_suppressed_stranger_is_taken_off() {
    let opted_out = stranger().seen(MemberStatus::Subscribed, 1).suppressed(OptOutKind::Objected);
    opted_out.removes(Verb::Unsubscribe, Reason::UnknownSuppressed);
    let erased = stranger().seen(MemberStatus::Unsubscribed, 1).suppressed(OptOutKind::Erased);
    erased.removes(Verb::Erase, Reason::UnknownSuppressed);
}

// --- L16 -----------------------------------------------------------------------------------

#[test]
fn l16_removed_there_is_not_added_again_and_the_consent_is_left_alone() {
    use MemberStatus::{Absent, Archived, Forgotten, NonSubscribed};
    for gone in [Absent, Archived, Forgotten, NonSubscribed] {
        let removed = ann_listed().seen(gone, 50);
        let decision = removed.learns(&[]);
        assert_eq!(decision.adoption.removed_there, Some(day(50)), "{gone}");
        let settled = removed.settles();
        assert!(settled.is_wanted(), "the clinic's consent stands");
        assert_eq!(settled.status(), gone);
    }
}

#[test]
fn l16_only_a_newer_explicit_grant_adds_again() {
    let removed = ann_listed().seen(MemberStatus::Archived, 50).settles();
    removed.keeps(Class::InStep, Reason::RemovedThere);
    removed.clone().flagged("ann", 60).keeps(Class::InStep, Reason::RemovedThere);
    removed.clone().grants("ann", 50).keeps(Class::InStep, Reason::RemovedThere);
    removed.clone().grants("ann", 60).invites();
    let single = removed.policy(|p| p.double_opt_in = false);
    single.keeps(Class::InStep, Reason::RemovedThere);
}

#[test]
fn l16_a_member_found_archived_without_a_history_of_ours_counts_as_an_opt_out() {
    let found = ann().seen(MemberStatus::Archived, 50);
    let decision = found.learns(&[EventKind::Withdrawn]);
    assert_eq!(decision.drafts[0].actor, Actor::Provider, "nobody knows who put it away");
    found.settles().keeps(Class::InStep, Reason::Withdrawn);
    assert!(ann().seen(MemberStatus::Archived, 50).settles().grants("ann", 60).is_wanted());
}

#[test]
fn l16_our_own_archive_is_no_opt_out() {
    let away = ann_listed().becomes("ann", PatientStatus::Archived).settles();
    away.seen(MemberStatus::Archived, 99).learns(&[]);
}

#[test]
fn l16_a_complaint_that_an_archived_member_still_shows_is_learned_once() {
    let away = ann_listed().becomes("ann", PatientStatus::Archived).settles();
    let complained = away.seen(MemberStatus::Archived, 50).shows(|o| o.complained = true);
    complained.learns(&[EventKind::Complained]);
    let known = complained.settles();
    known.learns(&[]);
    known.becomes("ann", PatientStatus::Active).grants("ann", 60).is_kept_off(Reason::Complained);
}

// --- L17 -----------------------------------------------------------------------------------

#[test]
fn l17_a_member_in_doubt_is_read_before_anything_is_done() {
    let doubtful = ann_listed().intends(Verb::Archive, MemberStatus::Subscribed, 101);
    let decision = doubtful.keeps(Class::Due, Reason::InDoubt);
    assert!(decision.is_settled());
    // Whom the clinic dropped is not called in step meanwhile (L26).
    let dropped = doubtful.becomes("ann", PatientStatus::Archived);
    dropped.keeps(Class::HeldButDropped, Reason::InDoubt);
}

#[test]
fn l17_a_state_that_our_intent_explains_is_ours() {
    use MemberStatus::{Absent, Archived, Forgotten, Pending, Subscribed, Unsubscribed};
    for (verb, from, seen) in [
        (Verb::Archive, Subscribed, Archived),
        (Verb::Unsubscribe, Subscribed, Unsubscribed),
        (Verb::Archive, Pending, Unsubscribed),
        (Verb::Archive, Pending, Archived),
        (Verb::Erase, Subscribed, Absent),
        (Verb::Erase, Subscribed, Forgotten),
        (Verb::Invite, Absent, Pending),
        (Verb::Subscribe, Absent, Subscribed),
    ] {
        let world = ann().base(from, By::Us, 5).seen(seen, 60).intends(verb, from, 55);
        let decision = world.learns(&[]);
        let base = decision.adoption.base.unwrap();
        assert_eq!((base.status, base.by, base.at), (seen, By::Us, day(55)), "{verb} {from}");
        assert!(decision.adoption.settles_intent);
        assert_eq!(decision.adoption.removed_there, None);
    }
}

#[test]
fn l17_a_half_done_archive_of_a_pending_member_is_finished() {
    let half = ann()
        .invited(60)
        .becomes("ann", PatientStatus::Archived)
        .intends(Verb::Archive, MemberStatus::Pending, 62)
        .seen(MemberStatus::Unsubscribed, 63);
    half.learns(&[]);
    half.removes(Verb::Archive, Reason::PatientArchived);
    assert_eq!(half.settles().status(), MemberStatus::Archived);
}

#[test]
fn l17_a_state_that_no_intent_of_ours_explains_is_theirs() {
    let theirs = ann_listed()
        .intends(Verb::Archive, MemberStatus::Subscribed, 55)
        .seen(MemberStatus::Unsubscribed, 60);
    theirs.learns(&[EventKind::Withdrawn]);
    let nothing_done = ann_listed().becomes("ann", PatientStatus::Archived).intends(
        Verb::Archive,
        MemberStatus::Subscribed,
        55,
    );
    assert!(nothing_done.decide().adoption.settles_intent);
    nothing_done.removes(Verb::Archive, Reason::PatientArchived);
}

#[test]
fn l17_an_invitation_in_doubt_that_is_found_confirmed_was_sent() {
    let sent = ann()
        .invited(90)
        .base(MemberStatus::Absent, By::Them, 80)
        .intends(Verb::Invite, MemberStatus::Absent, 90)
        .seen(MemberStatus::Subscribed, 91)
        .shows(|o| o.opted_in_at = Some(day(91)));
    sent.learns(&[EventKind::Confirmed]);
    sent.settles().keeps(Class::InStep, Reason::Wanted);
}

#[test]
fn l17_a_second_invitation_in_doubt_takes_the_place_of_the_one_that_lapsed() {
    let again = ann().invited(2).settles().grants("ann", 50);
    let key = again.invites().operation.unwrap().invitation;
    let again = again.intends(Verb::Invite, MemberStatus::Archived, 101);
    let mut sent = again.on(102).seen(MemberStatus::Pending, 101);
    sent.link.intent.as_mut().unwrap().invitation.clone_from(&key);
    let decision = sent.keeps(Class::Pending, Reason::Invited);
    assert_eq!(decision.adoption.invitation.map(|open| open.key), key);
}

#[test]
fn l17_a_removal_in_doubt_voids_the_open_invitation() {
    let doubtful = ann().invited(90).intends(Verb::Archive, MemberStatus::Pending, 91);
    let voided = doubtful.decide().adoption.invitation.unwrap();
    assert!(voided.voided);
}

// --- L18 -----------------------------------------------------------------------------------

#[test]
fn l18_a_proved_sign_up_newer_than_the_opt_out_is_a_confirmed_grant() {
    let again = ann_listed()
        .on(51)
        .seen(MemberStatus::Unsubscribed, 50)
        .settles()
        .on(61)
        .signed_up_there(60);
    again.learns(&[EventKind::Granted, EventKind::Confirmed]);
    again.settles().keeps(Class::InStep, Reason::Wanted);
}

#[test]
fn l18_a_proved_sign_up_older_than_the_opt_out_lists_nobody() {
    let older = ann().withdraws("ann", 70).signed_up_there(60);
    // Learned once, also where the removal waits for an admin.
    older.clone().only_learns().learns(&[]);
    assert_eq!(older.settles().status(), MemberStatus::Unsubscribed);
    let objector = ann().opts_out("ann", EventKind::Objected, 5).signed_up_there(60);
    assert_eq!(objector.settles().status(), MemberStatus::Unsubscribed);
}

#[test]
fn l18_a_sign_up_of_somebody_dropped_is_no_grant() {
    let dropped = ann().becomes("ann", PatientStatus::Archived).signed_up_there(60);
    dropped.learns(&[]);
    dropped.removes(Verb::Archive, Reason::PatientArchived);
}

#[test]
fn l18_what_turned_subscribed_without_us_is_reverted() {
    let turned = ann()
        .base(MemberStatus::Archived, By::Us, 50)
        .seen(MemberStatus::Subscribed, 60)
        .shows(|o| o.entry = Entry::Staff);
    turned.removes(Verb::Archive, Reason::TurnedSubscribed);
}

#[test]
fn l18_a_sign_up_of_long_ago_that_staff_revived_is_none() {
    // Signed up on the form on day 10, opted out on day 50; staff subscribe it on day 60, which
    // gives it a new opt-in time. One of the very moment that was agreed on is no newer either.
    for signed_up in [10, 50] {
        let revived = world()
            .patient("ann")
            .signed_up_there(signed_up)
            .address_opts_out(EventKind::Withdrawn, 50)
            .base(MemberStatus::Unsubscribed, By::Them, 50)
            .seen(MemberStatus::Subscribed, 60)
            .shows(|o| o.opted_in_at = Some(day(60)));
        revived.learns(&[]);
        revived.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
    }
}

#[test]
fn l18_nor_does_one_wait_again_that_lapsed_and_that_staff_made_pending() {
    let begun = world().patient("ann").on(11).signs_up_there(10).settles();
    assert_eq!(begun.status(), MemberStatus::Pending);
    let lapsed = begun.on(50).settles();
    assert_eq!(lapsed.status(), MemberStatus::Archived);
    let revived = lapsed.on(61).seen(MemberStatus::Pending, 60);
    revived.removes(Verb::Archive, Reason::NoBasis);
}

#[test]
fn l18_a_sign_up_that_waits_for_its_confirmation_stays_and_grants_nothing() {
    let out = ann_listed().withdraws("ann", 50).on(51).settles();
    let begun = out.on(61).signs_up_there(60);
    begun.learns(&[]);
    let waiting = begun.keeps(Class::Pending, Reason::Invited);
    assert_eq!(waiting.due_at, Some(day(90)));
    begun.is_kept_off(Reason::Withdrawn);
    let settled = begun.settles();
    settled.is_kept_off(Reason::Withdrawn);
    // Once confirmed it is a grant like any other; unconfirmed it lapses.
    let confirmed = settled.clone().on(62).seen(MemberStatus::Subscribed, 61);
    let confirmed = confirmed.shows(|o| o.opted_in_at = Some(day(61)));
    confirmed.learns(&[EventKind::Granted, EventKind::Confirmed]);
    confirmed.settles().keeps(Class::InStep, Reason::Wanted);
    assert!(!settled.on(200).settles().status().is_listed());
}

#[test]
fn l18_a_sign_up_begun_for_somebody_who_may_not_be_listed_is_put_away() {
    let begun = world().patient("ann").signs_up_there(95);
    begun.keeps(Class::Pending, Reason::Invited);
    let restricted = begun.clone().with("ann", |r| r.restricted = true);
    restricted.removes(Verb::Archive, Reason::Restricted);
    assert!(restricted.only_learns().decide().adoption.is_empty(), "found open once");
    let objector = begun.clone().opts_out("ann", EventKind::Objected, 5);
    objector.does(Verb::Unsubscribe, Reason::Objected, Counted::No);
    let later = begun.withdraws("ann", 96);
    later.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
}

// --- L19 -----------------------------------------------------------------------------------

#[test]
fn l19_an_address_changed_there_is_left_for_thirty_days_and_then_archived() {
    let moved = ann_listed().moved_there(80);
    let decision = moved.keeps(Class::InStep, Reason::AddressChangedThere);
    assert_eq!(decision.due_at, Some(day(110)));
    moved.on(110).removes(Verb::Archive, Reason::AddressChangedThere);
}

#[test]
fn l19_it_is_judged_by_the_patient_and_by_both_addresses_suppressions() {
    let moved = ann_listed().moved_there(80);
    moved.clone().withdraws("ann", 85).does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
    let gone = moved.clone().becomes("ann", PatientStatus::Archived);
    gone.removes(Verb::Archive, Reason::PatientArchived);
    let suppressed = moved.suppressed(OptOutKind::Complained);
    suppressed.removes(Verb::Unsubscribe, Reason::UnknownSuppressed);
}

#[test]
fn l19_each_change_of_address_is_learned_once_and_changes_no_standing() {
    let moved = ann_listed().moved_there(80);
    let learned = moved.learns(&[EventKind::AddressChanged]);
    assert_eq!(learned.drafts[0].occurred_at, Some(day(80)));
    let standing = moved.facts.contact.clone().unwrap().standing;
    let told = moved.settles();
    assert_eq!(told.facts.contact.clone().unwrap().standing, standing);
    told.learns(&[]);
    told.moved_there(90).learns(&[EventKind::AddressChanged]);
}

#[test]
fn l19_nothing_is_written_to_an_address_that_is_not_the_patients() {
    let moved = ann_listed().moved_there(80).maps_the_given_name();
    moved.keeps(Class::InStep, Reason::AddressChangedThere);
    let out = ann().moved_there(80).seen(MemberStatus::Archived, 81);
    let out = out.base(MemberStatus::Archived, By::Us, 81);
    out.keeps(Class::InStep, Reason::AddressChangedThere);
}
