//! L13: a patient who comes back.

use listwarden::domain::operation::Counted;
use listwarden::domain::policy::{LeaveBy, ReturnBy};
use listwarden::domain::{By, Class, MemberStatus, PatientStatus, Reason, Verb};

use crate::world::{World, ann, ann_listed, day};

fn archived_and_back() -> World {
    away().becomes("ann", PatientStatus::Active).on(110)
}

fn away() -> World {
    ann_listed().becomes("ann", PatientStatus::Archived).settles()
}

#[test]
fn l13_an_intact_grant_and_proof_invite_once_more() {
    let back = archived_and_back();
    back.does(Verb::Invite, Reason::Returned, Counted::Invitation);
    let invited = back.settles();
    assert_eq!(invited.status(), MemberStatus::Pending);
    let lapsed = invited.on(200).settles();
    lapsed.keeps(Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l13_or_restore_where_the_list_says_so() {
    let back = archived_and_back().policy(|p| p.on_return = ReturnBy::Restore);
    back.does(Verb::Subscribe, Reason::Returned, Counted::Invitation);
    back.settles().keeps(Class::InStep, Reason::Wanted);
}

/// Ann left the address, which is Bob's now.
fn recycled() -> World {
    let left = ann_listed().leaves_the_address("ann").settles();
    assert_eq!(left.status(), MemberStatus::Archived);
    left.policy(|p| p.on_return = ReturnBy::Restore).patient("bob")
}

#[test]
fn l13_the_proof_of_whoever_had_the_address_before_restores_nobody_else() {
    let bob = recycled().grants("bob", 120).on(121);
    bob.does(Verb::Invite, Reason::Returned, Counted::Invitation);
    assert_eq!(bob.settles().status(), MemberStatus::Pending);
}

#[test]
fn l8_nor_does_it_with_a_consent_given_for_another_address() {
    let mut bob = recycled().grants("bob", 1).on(121);
    bob.holder("bob").standing.grants[0].contact = None;
    bob.does(Verb::Invite, Reason::Returned, Counted::Invitation);
}

#[test]
fn l7_whoever_shared_the_address_when_it_was_proven_is_restored() {
    let family = ann().patient("bob").grants("bob", 1).invited(2).confirms(3);
    let family = family.base(MemberStatus::Subscribed, By::Them, 3);
    let away =
        family.becomes("ann", PatientStatus::Archived).becomes("bob", PatientStatus::Archived);
    let back = away.settles().becomes("bob", PatientStatus::Active).on(110);
    let back = back.policy(|p| p.on_return = ReturnBy::Restore);
    back.does(Verb::Subscribe, Reason::Returned, Counted::Invitation);
}

#[test]
fn l13_an_address_that_was_undeliverable_since_its_proof_is_asked_and_not_restored() {
    let back = |bounced| {
        let back = archived_and_back().bounces(bounced);
        let mut back = back.policy(|p| p.on_return = ReturnBy::Restore);
        back.contact().standing.reached = Some(day(60));
        back
    };
    back(50).does(Verb::Invite, Reason::Returned, Counted::Invitation);
    back(3).does(Verb::Invite, Reason::Returned, Counted::Invitation);
    // Proven on day 3: what was before that is over.
    back(2).does(Verb::Subscribe, Reason::Returned, Counted::Invitation);
}

#[test]
fn l13_each_return_is_asked_once() {
    let confirmed = archived_and_back()
        .settles()
        .seen(MemberStatus::Subscribed, 111)
        .shows(|o| o.opted_in_at = Some(day(111)))
        .on(112)
        .settles();
    confirmed.keeps(Class::InStep, Reason::Wanted);
    let again = confirmed.becomes("ann", PatientStatus::Archived).on(120).settles();
    let back = again.becomes("ann", PatientStatus::Active).on(130);
    back.does(Verb::Invite, Reason::Returned, Counted::Invitation);
}

#[test]
fn l13_without_a_proof_nobody_is_invited_twice() {
    let pending = ann().invited(90).becomes("ann", PatientStatus::Archived).settles();
    let back = pending.becomes("ann", PatientStatus::Active).on(110);
    back.keeps(Class::InStep, Reason::InvitationUsed);
    let restored = back.policy(|p| p.on_return = ReturnBy::Restore);
    restored.keeps(Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l13_unsubscribed_then_archived_then_back_stays_unsubscribed() {
    let out = ann_listed().seen(MemberStatus::Unsubscribed, 50).settles();
    let away = out.becomes("ann", PatientStatus::Archived).settles();
    assert_eq!(away.status(), MemberStatus::Archived);
    for on_return in ReturnBy::ALL {
        let back = away.clone().becomes("ann", PatientStatus::Active).on(110);
        back.policy(|p| p.on_return = *on_return).keeps(Class::InStep, Reason::Withdrawn);
    }
}

#[test]
fn l13_unsubscribed_by_us_is_invited_and_never_restored() {
    let out = ann_listed().policy(|p| {
        p.on_drop = LeaveBy::Unsubscribe;
        p.on_return = ReturnBy::Restore;
    });
    let away = out.becomes("ann", PatientStatus::Archived).settles();
    assert_eq!(away.status(), MemberStatus::Unsubscribed);
    let back = away.becomes("ann", PatientStatus::Active).on(110);
    back.does(Verb::Invite, Reason::Returned, Counted::Invitation);
}

#[test]
fn l13_what_somebody_else_removed_meanwhile_is_not_restored() {
    let away = ann_listed().seen(MemberStatus::Archived, 50).settles();
    let away = away.becomes("ann", PatientStatus::Archived).settles();
    let back = away.becomes("ann", PatientStatus::Active).on(110);
    let back = back.policy(|p| p.on_return = ReturnBy::Restore);
    back.keeps(Class::InStep, Reason::RemovedThere);
}

#[test]
fn l13_nor_is_anybody_asked_whom_staff_put_away_after_we_had_unsubscribed_them() {
    let out = ann_listed().policy(|p| p.on_drop = LeaveBy::Unsubscribe);
    let out = out.becomes("ann", PatientStatus::Archived).settles();
    let away = out.on(105).seen(MemberStatus::Archived, 104).settles();
    let back = away.becomes("ann", PatientStatus::Active).on(110);
    back.keeps(Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l13_whom_staff_put_back_and_then_removed_stays_away() {
    let put_back = archived_and_back().on(112).seen(MemberStatus::Subscribed, 111);
    put_back.keeps(Class::InStep, Reason::Wanted);
    let removed = put_back.settles().on(121).seen(MemberStatus::Archived, 120);
    removed.settles().keeps(Class::InStep, Reason::RemovedThere);
}

#[test]
fn l13_only_a_proof_from_before_the_removal_restores() {
    let mut back = archived_and_back().policy(|p| p.on_return = ReturnBy::Restore);
    back.contact().standing.proof.as_mut().unwrap().at = day(105);
    back.keeps(Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l13_a_returning_patient_with_another_address_is_asked_anew() {
    let mut back = archived_and_back().policy(|p| p.on_return = ReturnBy::Restore);
    back.contact().standing.proof = None;
    back.keeps(Class::InStep, Reason::InvitationUsed);
}
