//! L10 to L12: how a contact enters, and that nothing re-subscribes anyone by itself.

use chrono::TimeDelta;
use listwarden::domain::operation::Counted;
use listwarden::domain::policy::UnprovenMembers;
use listwarden::domain::{
    By, Class, Entry, EventKind, MemberStatus, Observed, OptOutKind, PatientStatus, Reason, Verb,
};
use listwarden::plan::Verdict;

use crate::world::{World, ann, ann_listed, day, world};

// --- L10 -----------------------------------------------------------------------------------

#[test]
fn l10_on_a_double_opt_in_list_a_contact_enters_only_as_pending() {
    let decision = ann().invites();
    assert!(decision.operation.unwrap().invitation.is_some());
    let mut settled = ann().settles();
    assert_eq!(settled.status(), MemberStatus::Pending);
    settled.confirms_sign_ups = false;
    assert_eq!(settled.settles().status(), MemberStatus::Pending, "whatever the audience's own");
}

#[test]
fn l10_on_a_single_opt_in_list_a_yes_subscribes_at_once() {
    let single = ann().policy(|p| p.double_opt_in = false);
    single.does(Verb::Subscribe, Reason::Wanted, Counted::Invitation);
}

#[test]
fn l10_the_confirmation_after_our_invitation_is_proof() {
    let clicked = ann()
        .invited(90)
        .seen(MemberStatus::Subscribed, 91)
        .shows(|o| o.opted_in_at = Some(day(91)));
    let decision = clicked.learns(&[EventKind::Confirmed]);
    assert!(decision.adoption.invitation.is_some_and(|sent| sent.confirmed));
    let settled = clicked.settles();
    assert!(matches!(settled.verdict(), Verdict::Wanted(wanted) if wanted.proof.is_some()));
    assert_eq!(settled.status(), MemberStatus::Subscribed);
}

#[test]
fn l10_an_opt_in_from_before_the_invitation_is_no_answer_to_it() {
    let forced = ann()
        .invited(90)
        .seen(MemberStatus::Subscribed, 91)
        .shows(|o| o.opted_in_at = Some(day(5)));
    forced.learns(&[]);
    forced.removes(Verb::Archive, Reason::TurnedSubscribed);
}

#[test]
fn l10_the_providers_clock_may_be_five_minutes_behind_ours() {
    let clicked = |minutes| {
        let at = day(90) - TimeDelta::minutes(minutes);
        let clicked = ann().invited(90).seen(MemberStatus::Subscribed, 91);
        clicked.shows(|o| o.opted_in_at = Some(at))
    };
    clicked(5).learns(&[EventKind::Confirmed]);
    clicked(6).learns(&[]);
}

#[test]
fn l10_a_confirmation_from_an_address_that_was_changed_there_proves_nothing_of_ours() {
    let moved = ann().invited(90).seen(MemberStatus::Subscribed, 91).moved_there(91);
    moved.learns(&[EventKind::AddressChanged]);
    moved.keeps(Class::Unproven, Reason::AddressChangedThere);
}

#[test]
fn l10_times_of_members_made_by_api_or_staff_are_no_proof() {
    for entry in [Entry::Api, Entry::Staff, Entry::Unknown] {
        let imported = ann().signed_up_there(50).shows(|o| o.entry = entry);
        imported.learns(&[]);
        imported.keeps(Class::Unproven, Reason::Unproven);
    }
}

#[test]
fn l10_a_contacts_own_sign_up_is_proof_only_where_sign_ups_are_confirmed() {
    let proven = ann().signed_up_there(50);
    proven.learns(&[EventKind::Granted, EventKind::Confirmed]);
    let mut unconfirmed = ann().signed_up_there(50);
    unconfirmed.confirms_sign_ups = false;
    unconfirmed.learns(&[]);
    let no_opt_in = ann().signed_up_there(50).shows(|o| o.opted_in_at = None);
    no_opt_in.learns(&[]);
}

// --- L11 -----------------------------------------------------------------------------------

#[test]
fn l11_nothing_resubscribes_anyone_by_itself() {
    let out = ann_listed().seen(MemberStatus::Unsubscribed, 50).settles();
    out.keeps(Class::InStep, Reason::Withdrawn);
    assert_eq!(out.status(), MemberStatus::Unsubscribed);
    let single = out.clone().policy(|p| p.double_opt_in = false);
    single.keeps(Class::InStep, Reason::Withdrawn);
    let flagged = out.flagged("ann", 60);
    flagged.keeps(Class::Parked, Reason::FlagAfterOptOut);
}

#[test]
fn l11_after_an_opt_out_a_newer_explicit_grant_leads_to_one_invitation_only() {
    let out = ann_listed().seen(MemberStatus::Unsubscribed, 50).settles().grants("ann", 60);
    out.invites();
    let invited = out.clone().settles();
    assert_eq!(invited.status(), MemberStatus::Pending);
    let lapsed = invited.on(200).settles();
    lapsed.keeps(Class::InStep, Reason::InvitationUsed);
    // Never straight to `subscribed`, on whatever list.
    out.policy(|p| p.double_opt_in = false).invites();
    let never_there = ann().withdraws("ann", 50).grants("ann", 60);
    never_there.policy(|p| p.double_opt_in = false).invites();
}

#[test]
fn l11_a_proof_from_before_the_opt_out_proves_no_more() {
    let again = ann_listed().withdraws("ann", 50).grants("ann", 60);
    assert!(matches!(again.verdict(), Verdict::Wanted(wanted) if wanted.proof.is_none()));
}

fn opted_out(kind: EventKind) -> World {
    world().patient("ann").address_opts_out(kind, 5)
}

#[test]
fn l11_an_erasure_yields_to_a_newer_explicit_grant() {
    opted_out(EventKind::Erased).flagged("ann", 6).is_kept_off(Reason::Erased);
    opted_out(EventKind::Erased).grants("ann", 4).is_kept_off(Reason::Erased);
    opted_out(EventKind::Erased).grants("ann", 6).invites();
}

#[test]
fn l11_an_objection_or_a_complaint_yields_only_to_evidence_that_an_admin_accepts() {
    for (kind, reason) in
        [(EventKind::Objected, Reason::Objected), (EventKind::Complained, Reason::Complained)]
    {
        opted_out(kind).grants("ann", 6).is_kept_off(reason);
        opted_out(kind).evidence_accepted("ann", 4).is_kept_off(reason);
        opted_out(kind).evidence_accepted("ann", 6).invites();
    }
}

#[test]
fn l11_each_opt_out_must_be_lifted_for_itself() {
    let both = opted_out(EventKind::Objected).withdraws("ann", 20).evidence_accepted("ann", 10);
    both.is_kept_off(Reason::Withdrawn);
    assert!(both.grants("ann", 30).verdict() != Verdict::Unknown { suppressed: None });
}

// --- L12 -----------------------------------------------------------------------------------

#[test]
fn l12_an_invitation_lapses_after_thirty_days_and_is_not_repeated() {
    let open = ann().invited(TODAY_MINUS_30 + 1);
    let decision = open.keeps(Class::Pending, Reason::Invited);
    assert_eq!(decision.due_at, Some(day(TODAY_MINUS_30 + 31)));
    let lapsed = ann().invited(TODAY_MINUS_30);
    lapsed.does(Verb::Archive, Reason::InvitationLapsed, Counted::No);
    lapsed.settles().keeps(Class::InStep, Reason::InvitationUsed);
    let patient = ann().invited(TODAY_MINUS_30);
    let patient = patient.policy(|p| p.invitation_expires = TimeDelta::days(31));
    patient.keeps(Class::Pending, Reason::Invited);
}

const TODAY_MINUS_30: i64 = crate::world::TODAY - 30;

#[test]
fn l12_a_pending_member_whose_invitation_was_voided_is_put_away() {
    ann().invited(90).voided().removes(Verb::Archive, Reason::InvitationLapsed);
}

#[test]
fn l12_a_confirmation_that_comes_after_the_archive_restores_nothing() {
    // Archived with the patient, the invitation void; then the patient returns, and only then
    // the old link is clicked.
    let archived = ann().invited(90).becomes("ann", PatientStatus::Archived).settles();
    assert_eq!(archived.status(), MemberStatus::Archived);
    assert!(archived.link.invitation.as_ref().unwrap().voided);
    let late = archived
        .becomes("ann", PatientStatus::Active)
        .on(103)
        .seen(MemberStatus::Subscribed, 102)
        .shows(|o| o.opted_in_at = Some(day(102)));
    late.learns(&[]);
    late.removes(Verb::Archive, Reason::TurnedSubscribed);
    late.settles().keeps(Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l12_a_click_on_an_invitation_that_a_removal_voided_restores_nothing() {
    // Void before the provider was called; the call never arrived, and the patient is back.
    let clicked = ann()
        .invited(90)
        .voided()
        .seen(MemberStatus::Subscribed, 92)
        .shows(|o| o.opted_in_at = Some(day(92)));
    clicked.learns(&[]);
    clicked.removes(Verb::Archive, Reason::TurnedSubscribed);
}

#[test]
fn l12_a_confirmation_after_the_invitation_lapsed_lists_nobody_though_nobody_looked_meanwhile() {
    let clicked = |at: i64| {
        let opted_in = move |o: &mut Observed| o.opted_in_at = Some(day(at));
        ann().invited(60).on(95).seen(MemberStatus::Subscribed, 95).shows(opted_in)
    };
    clicked(90).learns(&[EventKind::Confirmed]);
    let late = clicked(91);
    late.learns(&[]);
    late.removes(Verb::Archive, Reason::TurnedSubscribed);
}

#[test]
fn l12_a_late_confirmation_restores_nothing_even_for_a_member_who_once_signed_up_there() {
    let late = world()
        .patient("ann")
        .withdraws("ann", 50)
        .signed_up_there(3)
        .invited(40)
        .base(MemberStatus::Archived, By::Us, 60)
        .voided()
        .seen(MemberStatus::Subscribed, 70)
        .shows(|o| {
            o.entry = Entry::Contact;
            o.opted_in_at = Some(day(70));
        });
    late.learns(&[]);
    late.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
}

#[test]
fn l12_a_confirmation_counts_only_while_still_wanted() {
    let clicked = ann().invited(90).seen(MemberStatus::Subscribed, 91);
    let gone = clicked.with("ann", |r| r.restricted = true);
    let decision = gone.learns(&[]);
    assert!(decision.adoption.invitation.is_some_and(|sent| sent.voided && !sent.confirmed));
    gone.removes(Verb::Archive, Reason::Restricted);
}

#[test]
fn l12_an_opt_out_ends_an_open_invitation() {
    let out = ann().invited(90).withdraws("ann", 95);
    out.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
    assert!(out.settles().link.invitation.unwrap().voided);
    let suppressed = ann().invited(90).suppressed(OptOutKind::Objected);
    suppressed.removes(Verb::Unsubscribe, Reason::Objected);
}

#[test]
fn l10_nobody_unproven_is_subscribed_where_the_list_archives_and_invites() {
    let unproven = ann()
        .seen(MemberStatus::Subscribed, 1)
        .policy(|p| p.unproven = UnprovenMembers::ArchiveAndInvite);
    assert_eq!(unproven.settles().status(), MemberStatus::Pending);
}
