//! L20 to L26: the first run, strangers, the brake, and what must always be true.

use chrono::NaiveDate;
use listwarden::domain::operation::Counted;
use listwarden::domain::policy::{Brake, UnknownMembers, UnprovenMembers};
use listwarden::domain::{
    By, Class, Entry, EventKind, MemberStatus, PatientStatus, Personal, Reason, Verb,
};
use listwarden::plan::brake::{Held, hold, shrank};
use listwarden::plan::payload::{digest, digest_shown, payload};
use listwarden::plan::{Gauge, Verdict};

use crate::world::{World, ann, ann_listed, day, stranger, world};

// --- L20, L21 ------------------------------------------------------------------------------

#[test]
fn l20_the_first_sight_of_a_list_imports_opt_outs_bounces_and_complaints() {
    ann().seen(MemberStatus::Unsubscribed, 50).learns(&[EventKind::Withdrawn]);
    ann().seen(MemberStatus::Cleaned, 50).learns(&[EventKind::Bounced]);
    let reported = ann().seen(MemberStatus::Unsubscribed, 50).shows(|o| o.complained = true);
    reported.learns(&[EventKind::Complained]);
    ann().seen(MemberStatus::Subscribed, 50).learns(&[]);
}

#[test]
fn l20_a_list_that_an_admin_ends_lets_everybody_go_and_nobody_in_and_is_not_counted() {
    let ends = |world: World| world.policy(|p| p.retiring = true);
    ends(ann_listed()).does(Verb::Archive, Reason::ListRetired, Counted::No);
    ends(ann()).keeps(Class::InStep, Reason::ListRetired);
}

fn unproven() -> World {
    ann().seen(MemberStatus::Subscribed, 50).shows(|o| o.opted_in_at = Some(day(50)))
}

#[test]
fn l21_subscribed_without_proof_is_held_or_archived_and_invited() {
    unproven().keeps(Class::Unproven, Reason::Unproven);
    let asked = unproven().policy(|p| p.unproven = UnprovenMembers::ArchiveAndInvite);
    asked.removes(Verb::Archive, Reason::Unproven);
    assert_eq!(asked.settles().status(), MemberStatus::Pending);
    let single = unproven().policy(|p| p.double_opt_in = false);
    single.keeps(Class::InStep, Reason::Wanted);
}

#[test]
fn l21_grandfather_before_records_evidence_for_wanted_contacts_only() {
    let before = |world: World, date| {
        world.policy(|p| p.grandfather_before = NaiveDate::from_ymd_opt(2026, 2, date))
    };
    let evident = before(unproven(), 21);
    evident.learns(&[EventKind::Grandfathered]);
    evident.settles().keeps(Class::InStep, Reason::Wanted);
    before(unproven(), 20).learns(&[]);
    before(unproven().withdraws("ann", 40), 21).learns(&[]);
    before(unproven().becomes("ann", PatientStatus::Archived), 21).learns(&[]);
    before(unproven().with("ann", |r| r.restricted = true), 21).learns(&[]);
    before(stranger().seen(MemberStatus::Subscribed, 50), 21).learns(&[]);
    before(unproven().moved_there(60), 21).learns(&[EventKind::AddressChanged]);
    // The date may be set after the first run, and evidence never lifts an opt-out.
    before(unproven().settles(), 21).learns(&[EventKind::Grandfathered]);
    let again = before(unproven().withdraws("ann", 60).grants("ann", 70), 21).only_learns();
    again.keeps(Class::Unproven, Reason::Unproven);
    assert!(again.decide().is_settled(), "planned again, nothing is left to do");
}

// --- L22 -----------------------------------------------------------------------------------

#[test]
fn l22_strangers_are_kept_reported_or_archived() {
    let known_by_nobody =
        |unknown| stranger().seen(MemberStatus::Subscribed, 5).policy(|p| p.unknown = unknown);
    known_by_nobody(UnknownMembers::Keep).keeps(Class::Unknown, Reason::UnknownMember);
    let report = known_by_nobody(UnknownMembers::Report);
    report.keeps(Class::HeldWithoutBasis, Reason::UnknownMember);
    let archive = known_by_nobody(UnknownMembers::Archive);
    archive.removes(Verb::Archive, Reason::UnknownMember);
    archive.clone().settles().keeps(Class::InStep, Reason::UnknownMember);
    let out = archive.seen(MemberStatus::Unsubscribed, 6);
    out.keeps(Class::Unknown, Reason::UnknownMember);
}

#[test]
fn l22_a_stranger_who_signed_up_there_has_a_basis_of_its_own() {
    let signed_up = stranger().signed_up_there(5);
    signed_up.keeps(Class::Unknown, Reason::UnknownMember);
    let by_staff = stranger().signed_up_there(5).shows(|o| o.entry = Entry::Staff);
    by_staff.keeps(Class::HeldWithoutBasis, Reason::UnknownMember);
}

#[test]
fn l22_a_suppressed_stranger_leaves_by_the_stronger_way() {
    use listwarden::domain::OptOutKind::{Erased, Withdrawn};
    let member = |unknown, kind| {
        let world = stranger().seen(MemberStatus::Pending, 5).suppressed(kind);
        world.policy(|p| p.unknown = unknown).settles().status()
    };
    assert_eq!(member(UnknownMembers::Keep, Withdrawn), MemberStatus::Unsubscribed);
    assert_eq!(member(UnknownMembers::Report, Withdrawn), MemberStatus::Unsubscribed);
    assert_eq!(member(UnknownMembers::Archive, Withdrawn), MemberStatus::Archived);
    assert_eq!(member(UnknownMembers::Keep, Erased), MemberStatus::Forgotten);
}

// --- L23 -----------------------------------------------------------------------------------

#[test]
fn l23_the_brake_holds_removals_beyond_a_tenth_at_least_five_at_most_five_hundred() {
    let held = |listed, removals, removed| {
        let gauge = Gauge { listed, removals, removed, ..Gauge::default() };
        hold(gauge, &Brake::default()).removals
    };
    assert!(!held(10, 5, 0) && held(10, 6, 0), "at least five");
    assert!(!held(1_000, 100, 0) && held(1_000, 101, 0), "a tenth");
    assert!(!held(100_000, 500, 0) && held(100_000, 501, 0), "at most five hundred");
    assert!(!held(950, 50, 50) && held(950, 51, 50), "over a rolling day, in slices");
    assert!(!held(0, 0, 1_000), "nothing left to hold");
}

#[test]
fn l23_the_brake_holds_invitations_beyond_their_limit() {
    let held = |invitations, invited| {
        hold(Gauge { invitations, invited, ..Gauge::default() }, &Brake::default())
    };
    assert_eq!(held(500, 0), Held { removals: false, invitations: false });
    assert_eq!(held(1, 500), Held { removals: false, invitations: true });
    assert!(held(501, 0).any() && !held(500, 0).any());
    assert!(!held(0, 501).any(), "nothing left to hold");
}

#[test]
fn l23_a_snapshot_that_shrank_more_than_that_is_incomplete() {
    let brake = Brake::default();
    assert!(!shrank(1_000, 100, &brake) && shrank(1_000, 101, &brake));
    assert!(!shrank(20, 5, &brake) && shrank(20, 6, &brake));
    assert!(!shrank(100_000, 500, &brake) && shrank(100_000, 501, &brake));
}

// --- L24, L25 ------------------------------------------------------------------------------

#[test]
fn l24_what_is_in_step_is_left_alone() {
    assert!(ann_listed().decide().is_settled());
    assert!(ann_listed().maps_the_given_name().settles().decide().is_settled());
}

#[test]
fn l25_only_mapped_fields_leave_and_only_where_they_differ() {
    let mapped = ann_listed().maps_the_given_name();
    let operation = mapped.does(Verb::Update, Reason::FieldsDiffer, Counted::No).operation.unwrap();
    let sent = operation.payload.unwrap();
    assert_eq!(sent.fields.len(), 1);
    assert_eq!(sent.fields["FNAME"], Personal::new("ann"));
    mapped.settles().keeps(Class::InStep, Reason::Wanted);
}

#[test]
fn l25_what_is_sent_and_what_is_shown_digest_alike() {
    let mut long = ann_listed().maps_the_given_name();
    long.holder("ann").patient.record.given_name = Personal::new(&"é".repeat(200));
    let Verdict::Wanted(wanted) = long.verdict() else { panic!("{:?}", long.verdict()) };
    let sent = payload(&wanted, &long.policy);
    assert!(sent.fields["FNAME"].expose().len() <= 255, "cut at a letter");
    let mut shown = sent.fields.clone();
    shown.insert("CLINICAL".to_owned(), Personal::new("not ours to read"));
    let tags = std::collections::BTreeSet::new();
    assert_eq!(digest(&sent), digest_shown(&shown, &tags, &long.policy));
    shown.insert("FNAME".to_owned(), Personal::new("Another"));
    assert_ne!(digest(&sent), digest_shown(&shown, &tags, &long.policy));
}

#[test]
fn l25_pending_members_carry_their_fields_too() {
    let pending = ann().invited(90).maps_the_given_name();
    pending.does(Verb::Update, Reason::FieldsDiffer, Counted::No);
    assert_eq!(pending.settles().status(), MemberStatus::Pending);
}

// --- L14, L26 ------------------------------------------------------------------------------

#[test]
fn l26_a_member_forgotten_there_is_parked_while_wanted() {
    let forgotten = ann().seen(MemberStatus::Forgotten, 5);
    let forgotten = forgotten.base(MemberStatus::Forgotten, By::Us, 5);
    forgotten.keeps(Class::Parked, Reason::ForgottenThere);
}

#[test]
fn l26_until_it_is_gone_a_dropped_member_counts_as_held_but_dropped() {
    let dropped = ann_listed().becomes("ann", PatientStatus::Archived);
    assert_eq!(dropped.decide().class, Class::HeldButDropped);
    let barred = world().patient("ann").seen(MemberStatus::Subscribed, 5);
    assert_eq!(barred.decide().class, Class::HeldWithoutBasis);
}
