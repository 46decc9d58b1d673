//! L10 to L12 on lists of numbers: the invitation is a text of ours, and only a reply confirms it.

use chrono::{DateTime, TimeDelta, Utc};
use listwarden::domain::operation::Counted;
use listwarden::domain::policy::{Asking, Hours};
use listwarden::domain::{
    By, Channel, Class, EventKind, Invitation, MemberStatus, PatientStatus, Reason, Verb,
};
use listwarden::plan::reply::{Answered, answer};

use crate::world::{World, ann, day};

/// Ann, who consented to texts on day 1, on a list that asks by text.
fn texted() -> World {
    texts(ann())
}

fn texts(world: World) -> World {
    let mut world = world.policy(|p| {
        p.channel = Channel::Sms;
        p.invitation_expires = TimeDelta::hours(72);
        p.asking = Some(Asking {
            text: "Riverside: reply YES, or STOP".to_owned(),
            hours: Hours {
                from: "09:00".parse().unwrap(),
                until: "20:00".parse().unwrap(),
                zone: chrono_tz::Europe::London,
            },
        });
    });
    world.contact().channel = Channel::Sms;
    world
}

fn asked_at(at: DateTime<Utc>, world: &World) -> Invitation {
    let grants = world.facts.holders.iter().flat_map(|holder| &holder.standing.grants);
    let key = grants.last().unwrap().event.to_string();
    let wording = Some("Riverside: reply YES, or STOP".to_owned());
    Invitation { key, sent_at: at, voided: false, confirmed: false, wording }
}

fn yes(world: &World, at: DateTime<Utc>) -> Answered {
    let evidence = Some("text message SM1");
    answer(&world.facts, &world.link, &world.list(), Some(at), evidence, world.now)
}

/// Takes a YES in: the ledger has it, the link knows it.
fn confirmed(world: World, at: DateTime<Utc>) -> World {
    let Answered::Confirmed(draft, adoption) = yes(&world, at) else { panic!("no confirmation") };
    let event = draft.into_event(listwarden::domain::EventId(uuid::Uuid::nil()), world.now);
    let mut world = world.records(None, event);
    world.link = adoption.applied_to(&world.link).into_owned();
    world
}

#[test]
fn l10_a_yes_inside_the_window_confirms_with_its_evidence() {
    let mut asked = texted().invited(98);
    asked.link.invitation = Some(asked_at(day(98), &asked));
    let Answered::Confirmed(draft, _) = yes(&asked, day(99)) else { panic!() };
    assert_eq!(draft.kind, EventKind::Confirmed);
    assert_eq!(draft.wording.as_deref(), Some("Riverside: reply YES, or STOP"));
    assert_eq!(draft.evidence.as_deref(), Some("text message SM1"));
    assert_eq!(draft.occurred_at, Some(day(99)));
    let listed = confirmed(asked, day(99));
    let decision = listed.does(Verb::Subscribe, Reason::Confirmed, Counted::No);
    let listed = listed.carry_out(&decision);
    listed.keeps(Class::InStep, Reason::Wanted);
}

#[test]
fn l10_nothing_but_a_reply_confirms_a_text() {
    let joined = texted().invited(98).seen(MemberStatus::Subscribed, 99);
    joined.learns(&[]);
    joined.removes(Verb::Archive, Reason::TurnedSubscribed);
}

#[test]
fn l10_a_proof_from_before_the_text_is_no_answer_to_it() {
    texted().proves(50).invited(98).keeps(Class::Pending, Reason::Invited);
}

#[test]
fn l12_a_late_yes_and_an_unasked_one_restore_nothing() {
    let asked = texted().invited(96);
    assert!(matches!(yes(&asked, day(99) + TimeDelta::minutes(1)), Answered::TooLate(_)));
    let open = texted().invited(98);
    let timeless = answer(&open.facts, &open.link, &open.list(), None, None, open.now);
    assert!(matches!(timeless, Answered::TooLate(_)), "it may be of any day");
    let before = day(96) - TimeDelta::minutes(2);
    assert!(matches!(yes(&asked, before), Answered::TooLate(_)), "said before it was asked");
    assert!(matches!(yes(&texted(), day(99)), Answered::Unasked));
    let listed = confirmed(texted().invited(98), day(99));
    assert!(matches!(yes(&listed, day(99)), Answered::Unasked), "said twice");
}

#[test]
fn l12_a_yes_after_an_archive_or_an_opt_out_restores_nothing() {
    let archived = texted().invited(98).becomes("ann", PatientStatus::Archived);
    let Answered::TooLate(adoption) = yes(&archived, day(99)) else { panic!() };
    assert!(adoption.invitation.is_some_and(|sent| sent.voided));
    let stopped = texted().invited(98).address_opts_out(EventKind::Withdrawn, 99);
    assert!(matches!(yes(&stopped, day(99)), Answered::TooLate(_)));
    let voided = texted().invited(98).voided();
    assert!(matches!(yes(&voided, day(99)), Answered::TooLate(_)));
}

#[test]
fn l12_a_yes_that_was_confirmed_and_then_withdrawn_lists_nobody() {
    let stopped =
        confirmed(texted().invited(98), day(99)).address_opts_out(EventKind::Withdrawn, 99).on(100);
    stopped.does(Verb::Unsubscribe, Reason::Withdrawn, Counted::No);
}

#[test]
fn l12_an_unanswered_text_lapses_after_its_window_and_is_not_sent_again() {
    let lapsed = texted().invited(96).on(100);
    lapsed.does(Verb::Archive, Reason::InvitationLapsed, Counted::No);
    let settled = lapsed.settles();
    settled.keeps(Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l3_one_text_asks_for_all_lists_of_a_clinic() {
    let other = |change: fn(&mut Invitation)| {
        let mut world = texted();
        let mut sent = asked_at(day(99), &world);
        change(&mut sent);
        world.facts.asked = vec![sent];
        world
    };
    let open = other(|_| ());
    let decision = open.keeps(Class::InStep, Reason::AskedAlready);
    assert_eq!(decision.due_at, Some(day(99) + TimeDelta::hours(72)));
    other(|sent| sent.sent_at = day(90)).keeps(Class::InStep, Reason::InvitationUsed);
    other(|sent| sent.voided = true).keeps(Class::InStep, Reason::InvitationUsed);
    let answered = other(|sent| sent.confirmed = true);
    answered.keeps(Class::InStep, Reason::InvitationUsed);
    let proven = answered.proves(99);
    proven.does(Verb::Subscribe, Reason::Confirmed, Counted::Invitation);
}

#[test]
fn l8_the_answer_of_whoever_had_the_number_before_lists_nobody_else() {
    let mut bob = texted().leaves_the_address("ann").patient("bob").grants("bob", 1).proves(99);
    bob.holder("bob").standing.grants[0].contact = None;
    let mut sent = asked_at(day(98), &bob);
    sent.confirmed = true;
    bob.facts.asked = vec![sent];
    bob.invites();
}

#[test]
fn l13_whoever_was_erased_from_a_list_of_numbers_can_be_asked_again() {
    let erased = texted().seen(MemberStatus::Forgotten, 5);
    let erased = erased.base(MemberStatus::Forgotten, By::Us, 5);
    erased.invites();
    let proven = erased.proves(4);
    proven.does(Verb::Invite, Reason::Returned, Counted::Invitation);
}

#[test]
fn l17_a_text_in_doubt_counts_as_sent() {
    let doubtful = texted().intends(Verb::Invite, MemberStatus::Absent, 99);
    doubtful.keeps(Class::Due, Reason::InDoubt);
    let mut taken = doubtful.seen(MemberStatus::Pending, 99).on(100);
    let key = asked_at(day(99), &taken).key;
    taken.link.intent.as_mut().unwrap().invitation = Some(key);
    let decision = taken.keeps(Class::Pending, Reason::Invited);
    let invitation = decision.adoption.invitation.unwrap();
    assert!(invitation.wording.is_some() && invitation.is_open(taken.now, TimeDelta::hours(72)));
    assert_eq!(taken.link.base.map(|base| base.by), None::<By>);
}

#[test]
fn l8_a_message_that_arrives_later_clears_a_failure() {
    let failing = texted().bounces(98);
    failing.keeps(Class::InStep, Reason::Bounced);
    let reached =
        crate::world::event(EventKind::Delivered, 99, listwarden::domain::TimeSource::Provider);
    failing.records(None, reached).invites();
    let before =
        crate::world::event(EventKind::Delivered, 97, listwarden::domain::TimeSource::Provider);
    let failing = texted().bounces(98).records(None, before);
    failing.keeps(Class::InStep, Reason::Bounced);
}
