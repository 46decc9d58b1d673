//! L1 to L5: events, their order in time, and what a change in the record teaches.

use chrono::TimeDelta;
use listwarden::domain::patient::SoftOptIn;
use listwarden::domain::policy::SoftOptInEntry;
use listwarden::domain::{
    Actor, Answer, Channel, Consent, ContactId, Contacts, Draft, Event, EventKind, Left,
    OptOutKind, Patient, PatientRecord, Reason, Said, Standing, TimeSource, Verb,
};
use listwarden::plan::consents::{changes, echoes, holds_no, withdraws_barely};

use crate::world::{TODAY, ann, ann_listed, but, day, event, record, world};

// --- L1 ------------------------------------------------------------------------------------

#[test]
fn l1_a_preference_lists_nobody() {
    let world = world().patient("ann").opts_out("ann", EventKind::Preferred, 1);
    world.is_kept_off(Reason::NoBasis);
}

#[test]
fn l1_the_ledger_folds_to_the_same_standing_in_any_order() {
    let mut events: Vec<Event> = EventKind::ALL
        .iter()
        .flat_map(|kind| TimeSource::ALL.iter().map(|clock| event(*kind, 7, *clock)))
        .collect();
    for (event, id) in events.iter_mut().zip(1..) {
        event.id = listwarden::domain::EventId(uuid::Uuid::from_u128(id));
    }
    let fold = |events: &mut dyn Iterator<Item = &Event>| {
        let mut standing = Standing::default();
        events.for_each(|event| standing.apply(event));
        standing
    };
    let mut shuffled: Vec<Event> = events.clone();
    shuffled.rotate_left(11);
    shuffled.swap(3, 20);
    assert_eq!(fold(&mut events.iter()), fold(&mut events.iter().rev()));
    assert_eq!(fold(&mut events.iter()), fold(&mut shuffled.iter()));
}

// --- L2 ------------------------------------------------------------------------------------

#[test]
fn l2_on_a_tie_the_grant_loses() {
    ann().withdraws("ann", 1).is_kept_off(Reason::Withdrawn);
    assert!(world().patient("ann").withdraws("ann", 1).grants("ann", 2).is_wanted());
}

#[test]
fn l2_across_two_clocks_a_grant_must_lead_by_five_minutes() {
    let granted_after = |lead: TimeDelta| {
        let mut granted = event(EventKind::Granted, 1, TimeSource::Clinic);
        granted.draft.explicit = true;
        granted.draft.occurred_at = Some(day(1) + lead);
        granted.recorded_at = day(2);
        world()
            .patient("ann")
            .address_opts_out(EventKind::Withdrawn, 1)
            .records(Some("ann"), granted)
            .is_wanted()
    };
    assert!(!granted_after(TimeDelta::seconds(299)));
    assert!(granted_after(TimeDelta::seconds(300)));
}

#[test]
fn l2_a_later_no_by_one_clock_does_not_hide_one_by_another() {
    let said = |kind, minute| {
        let mut said = event(kind, 1, TimeSource::Clinic);
        said.draft.explicit = true;
        said.draft.occurred_at = Some(day(1) + TimeDelta::minutes(minute));
        said.recorded_at = day(2);
        said
    };
    let yes_at = |minute| {
        let no_there = world().patient("ann").address_opts_out(EventKind::Withdrawn, 1);
        let no_here = no_there.records(Some("ann"), said(EventKind::Withdrawn, 1));
        no_here.records(Some("ann"), said(EventKind::Granted, minute))
    };
    yes_at(3).is_kept_off(Reason::Withdrawn);
    assert!(yes_at(5).is_wanted());
}

#[test]
fn l2_an_opt_out_told_to_the_second_counts_at_its_end() {
    let mut yes = event(EventKind::Granted, 50, TimeSource::Provider);
    yes.draft.explicit = true;
    yes.draft.occurred_at = Some(day(50) + TimeDelta::milliseconds(500));
    yes.recorded_at = day(51);
    let out = ann_listed().records(Some("ann"), yes);
    let out = out.seen(listwarden::domain::MemberStatus::Unsubscribed, 50);
    out.settles().is_kept_off(Reason::Withdrawn);
}

#[test]
fn l2_a_grant_without_a_time_of_its_own_loses() {
    let granted = event(EventKind::Granted, 50, TimeSource::Clinic);
    let timeless = but(granted, |it| (it.explicit, it.occurred_at) = (true, None));
    assert!(world().patient("ann").records(Some("ann"), timeless.clone()).is_wanted());
    let world = world().patient("ann").withdraws("ann", 1).records(Some("ann"), timeless);
    world.is_kept_off(Reason::Withdrawn);
}

#[test]
fn l2_a_clock_set_a_year_ahead_gains_nothing() {
    let ahead = |kind| {
        but(event(kind, 50, TimeSource::Clinic), |it| {
            it.explicit = true;
            it.occurred_at = Some(day(50 + 365));
        })
    };
    let granted = ahead(EventKind::Granted);
    assert_eq!(granted.as_grant(), None);
    let world = world().patient("ann").withdraws("ann", 1);
    world.clone().records(Some("ann"), granted).is_kept_off(Reason::Withdrawn);
    // Nor does such an opt-out outlast a grant that was given well after its recording.
    assert_eq!(ahead(EventKind::Withdrawn).as_opt_out(), (day(50), TimeSource::Listwarden));
    let lasting = world.records(Some("ann"), ahead(EventKind::Withdrawn));
    assert!(lasting.clone().grants("ann", 51).is_wanted());
    lasting.grants("ann", 50).is_kept_off(Reason::Withdrawn);
}

#[test]
fn l2_a_grant_never_counts_later_nor_an_opt_out_earlier_than_it_may_have_happened() {
    let mut late = event(EventKind::Granted, 50, TimeSource::Clinic);
    late.recorded_at = day(60);
    assert_eq!(late.as_grant(), Some(day(50)));
    late.draft.occurred_at = Some(day(60) + TimeDelta::minutes(3));
    assert_eq!(late.as_grant(), Some(day(60)), "a clock a little ahead");
    late.draft.occurred_at = None;
    assert_eq!(late.as_opt_out(), (day(60), TimeSource::Listwarden));
}

#[test]
fn l2_an_opt_out_cut_to_its_recording_is_no_longer_compared_as_by_the_same_clock() {
    // By a clinic's clock that is four minutes fast: no at 12:04, recorded at our 12:00; the yes
    // of 12:03 by that clock came before.
    let mut no = event(EventKind::Withdrawn, 10, TimeSource::Clinic);
    no.draft.occurred_at = Some(day(10) + TimeDelta::minutes(4));
    let mut yes = event(EventKind::Granted, 10, TimeSource::Clinic);
    yes.draft.explicit = true;
    yes.draft.occurred_at = Some(day(10) + TimeDelta::minutes(3));
    yes.recorded_at = day(11);
    let world = world().patient("ann").records(Some("ann"), no).records(Some("ann"), yes);
    world.is_kept_off(Reason::Withdrawn);
}

// --- L3 ------------------------------------------------------------------------------------

fn consent(answer: Answer) -> Consent {
    Consent { answer, ..Consent::default() }
}

fn explicit(at: i64) -> Consent {
    Consent {
        answer: Answer::Granted,
        at: Some(day(at)),
        method: Some("paper form".to_owned()),
        wording: Some("v1".to_owned()),
        actor: Some("desk".to_owned()),
        ..Consent::default()
    }
}

fn says(email: Consent, updated: i64) -> PatientRecord {
    PatientRecord { email_consent: email, updated_at: day(updated), ..record("ann") }
}

fn learned(before: Option<&PatientRecord>, now: &PatientRecord) -> Vec<Draft> {
    learned_where(|_| true, before, now)
}

fn learned_where(
    is_held: impl Fn(&Consent) -> bool,
    before: Option<&PatientRecord>,
    now: &PatientRecord,
) -> Vec<Draft> {
    let contacts = Contacts { email: Some(contact(1)), sms: Some(contact(1)), left: Vec::new() };
    changes(before.map(Said::by).as_ref(), &patient(now), &contacts, |_, no| is_held(no))
}

fn patient(now: &PatientRecord) -> Patient {
    let id = listwarden::domain::PatientId(uuid::Uuid::from_u128(9));
    Patient { id, record: now.clone() }
}

fn contact(number: u128) -> ContactId {
    ContactId(uuid::Uuid::from_u128(number))
}

fn kinds(drafts: &[Draft]) -> Vec<(EventKind, Actor)> {
    drafts.iter().map(|draft| (draft.kind, draft.actor)).collect()
}

#[test]
fn l8_a_no_read_together_with_a_move_binds_the_address_that_was_left_too() {
    let left = |number, channel, at| Left { contact: contact(number), channel, at: day(at) };
    let contacts = Contacts {
        email: Some(contact(1)),
        left: vec![
            left(2, Channel::Email, 5),
            left(3, Channel::Email, 3),
            left(4, Channel::Sms, 5),
        ],
        ..Contacts::default()
    };
    let before = Said::by(&says(explicit(1), 1));
    let no = Consent { at: Some(day(4)), ..consent(Answer::Withdrawn) };
    let drafts = changes(Some(&before), &patient(&says(no, 5)), &contacts, |_, _| false);
    let bound: Vec<_> = drafts.iter().map(|draft| draft.contact).collect();
    assert_eq!(bound, [Some(contact(2)), Some(contact(1))]);
    assert_ne!(drafts[0].unique, drafts[1].unique);

    let ahead = Consent { at: Some(day(6)), ..consent(Answer::Withdrawn) };
    let drafts = changes(Some(&before), &patient(&says(ahead, 5)), &contacts, |_, _| false);
    assert_eq!(drafts[0].contact, Some(contact(2)), "by a clock that was ahead");

    let yes = changes(None, &patient(&says(explicit(4), 5)), &contacts, |_, _| false);
    assert_eq!(yes.iter().map(|draft| draft.contact).collect::<Vec<_>>(), [Some(contact(1))]);
}

#[test]
fn l3_a_grant_is_explicit_with_actor_method_wording_and_time() {
    let drafts = learned(None, &says(explicit(5), 8));
    assert!(drafts[0].explicit);
    assert_eq!(drafts[0].occurred_at, Some(day(5)));
    for incomplete in [
        Consent { at: None, ..explicit(5) },
        Consent { method: None, ..explicit(5) },
        Consent { wording: None, ..explicit(5) },
        Consent { actor: None, ..explicit(5) },
    ] {
        assert!(!learned(None, &says(incomplete, 8))[0].explicit);
    }
}

#[test]
fn l3_a_yes_that_comes_to_show_its_time_is_no_other_yes() {
    // By a clock that was ahead: read before its time had come, and once more afterwards.
    let soft = Consent {
        answer: Answer::SoftOptIn,
        soft_opt_in: SoftOptIn {
            in_course_of_sale: true,
            own_similar_services: true,
            chance_to_refuse: true,
        },
        ..explicit(5)
    };
    for yes in [explicit(5), soft] {
        let timeless = says(Consent { at: None, ..yes.clone() }, 4);
        assert_eq!(learned(None, &timeless).len(), 1);
        assert!(learned(Some(&timeless), &says(yes.clone(), 5)).is_empty());
        let another = Consent { method: Some("website".to_owned()), ..yes.clone() };
        assert_eq!(learned(Some(&timeless), &says(another, 6)).len(), 1);
        let later = Consent { at: Some(day(6)), ..yes.clone() };
        assert_eq!(learned(Some(&says(yes, 5)), &says(later, 6)).len(), 1);
    }
}

#[test]
fn l3_a_bare_flag_lists_someone_who_never_opted_out() {
    let asked = learned(Some(&says(Consent::default(), 1)), &says(consent(Answer::Granted), 9));
    assert_eq!(kinds(&asked), [(EventKind::Granted, Actor::Clinic)]);
    assert_eq!(asked[0].occurred_at, Some(day(9)));
    let found = learned(None, &says(consent(Answer::Granted), 9));
    assert_eq!(found[0].occurred_at, None, "nobody knows when it was set");
    let web = Consent { method: Some("website".to_owned()), ..consent(Answer::Granted) };
    let still = learned(Some(&says(consent(Answer::Granted), 1)), &says(web, 9));
    assert!(still.is_empty(), "one that stands is not set again");
    world().patient("ann").flagged("ann", 9).invites();
}

#[test]
fn l3_a_bare_flag_set_after_an_opt_out_is_parked_for_review() {
    let parked = world().patient("ann").withdraws("ann", 5).flagged("ann", 9);
    parked.is_kept_off(Reason::FlagAfterOptOut);
    parked.keeps(listwarden::domain::Class::Parked, Reason::FlagAfterOptOut);
    // One that was there before the opt-out waits for nobody.
    let older = world().patient("ann").flagged("ann", 1).withdraws("ann", 5);
    older.keeps(listwarden::domain::Class::InStep, Reason::Withdrawn);
}

#[test]
fn l3_at_most_one_invitation_goes_out_on_a_grant() {
    let lapsed = ann().invited(2).settles();
    assert_eq!(lapsed.status(), listwarden::domain::MemberStatus::Archived);
    lapsed.keeps(listwarden::domain::Class::InStep, Reason::InvitationUsed);
    // Another grant, another invitation; and none for one that was on record when it went out.
    lapsed.clone().grants("ann", 50).invites();
    let older = ann().flagged("ann", 2).invited(3).settles();
    older.keeps(listwarden::domain::Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l3_an_invitation_is_known_by_its_grant_whatever_the_clocks_said() {
    let lapsed = ann().invited(2).settles();
    let mut set_back = lapsed;
    set_back.link.invitation.as_mut().unwrap().sent_at = day(0);
    set_back.keeps(listwarden::domain::Class::InStep, Reason::InvitationUsed);
}

#[test]
fn l3_an_old_flag_does_not_hide_a_newer_explicit_grant() {
    let asked = world().patient("ann").flagged("ann", 1).invited(2).settles();
    asked.grants("ann", 50).invites();
}

// --- L4 ------------------------------------------------------------------------------------

#[test]
fn l4_a_first_false_means_not_asked() {
    assert!(learned(None, &says(Consent::default(), 9)).is_empty());
    let world = world().patient("ann");
    world.is_kept_off(Reason::NoBasis);
    assert!(world.signed_up_there(5).settles().is_wanted(), "a proved sign-up survives it");
}

#[test]
fn l4_a_false_after_a_true_is_a_withdrawal() {
    let yes = says(consent(Answer::Granted), 1);
    let no = learned(Some(&yes), &says(Consent::default(), 9));
    assert_eq!(kinds(&no), [(EventKind::Withdrawn, Actor::Clinic)]);
    assert_eq!(no[0].occurred_at, Some(day(9)));
}

#[test]
fn l4_a_yes_that_the_record_gives_no_more_is_withdrawn_whatever_stands_instead() {
    let yes = says(explicit(1), 1);
    let soft = |complete| Consent {
        soft_opt_in: SoftOptIn {
            in_course_of_sale: true,
            own_similar_services: true,
            chance_to_refuse: complete,
        },
        ..consent(Answer::SoftOptIn)
    };
    let first = |now: Consent| kinds(&learned(Some(&yes), &says(now, 9)))[0];
    let withdrawn = (EventKind::Withdrawn, Actor::Clinic);
    assert_eq!(first(consent(Answer::Preferred)), withdrawn);
    assert_eq!(first(soft(true)), withdrawn);
    assert_eq!(first(soft(false)), withdrawn);
    let facts_gone = learned(Some(&says(soft(true), 1)), &says(soft(false), 9));
    assert_eq!(kinds(&facts_gone), [withdrawn]);
}

#[test]
fn l4_a_time_and_a_method_left_over_from_the_yes_are_not_those_of_the_no() {
    let yes = says(explicit(1), 1);
    for answer in [Answer::NotAsked, Answer::Withdrawn, Answer::Objected] {
        let no = &learned(Some(&yes), &says(Consent { answer, ..explicit(1) }, 9))[0];
        assert_eq!((no.actor, no.occurred_at), (Actor::Clinic, Some(day(9))), "{answer}");
    }
    let told = Consent {
        answer: Answer::Withdrawn,
        at: Some(day(7)),
        method: Some("at the desk".to_owned()),
        ..explicit(1)
    };
    let no = &learned(Some(&yes), &says(told, 9))[0];
    assert_eq!((no.actor, no.occurred_at), (Actor::Person, Some(day(7))));
}

#[test]
fn l4_an_unchanged_record_teaches_nothing_and_the_same_change_is_one_event() {
    let (yes, no) = (says(explicit(1), 1), says(Consent::default(), 9));
    assert!(learned(Some(&yes), &yes).is_empty());
    assert_eq!(learned(Some(&yes), &no)[0].unique, learned(Some(&yes), &no)[0].unique);
    let another = says(Consent::default(), 10);
    assert_ne!(learned(Some(&yes), &no)[0].unique, learned(Some(&yes), &another)[0].unique);
}

#[test]
fn l1_an_objection_reaches_every_channel_and_a_restriction_is_an_event() {
    let objected = learned(None, &says(consent(Answer::Objected), 9));
    assert_eq!(objected[0].channel, None);
    assert_eq!(
        learned(None, &says(consent(Answer::Withdrawn), 9))[0].channel,
        Some(Channel::Email)
    );
    let restricted = PatientRecord { restricted: true, ..says(Consent::default(), 9) };
    let lifted = says(Consent::default(), 10);
    assert_eq!(learned(None, &restricted)[0].kind, EventKind::Restricted);
    assert_eq!(learned(Some(&restricted), &lifted)[0].kind, EventKind::Unrestricted);
}

#[test]
fn l15_a_no_that_we_wrote_back_is_not_learned_again() {
    let ours = Consent { method: Some("listwarden".to_owned()), ..consent(Answer::Withdrawn) };
    assert!(learned(Some(&says(explicit(1), 1)), &says(ours.clone(), 9)).is_empty());
    assert_eq!(learned(None, &says(ours, 9)).len(), 1, "unless nothing is known yet");
}

#[test]
fn l15_a_no_that_we_wrote_back_and_the_ledger_lost_is_learned() {
    // The store was put back: the record alone still tells of it.
    let yes = says(explicit(1), 1);
    let ours = |answer| {
        let ours = Consent { method: Some("listwarden".to_owned()), ..consent(answer) };
        says(Consent { at: Some(day(7)), ..ours }, 9)
    };
    let learned_after = |events: &[Event], now: &PatientRecord| {
        let mut standing = Standing::default();
        for event in events {
            standing.apply(event);
        }
        learned_where(|no| holds_no(&standing, no), Some(&yes), now)
    };
    let withdrew = |at| event(EventKind::Withdrawn, at, TimeSource::Provider);
    let granted =
        |at| but(event(EventKind::Granted, at, TimeSource::Clinic), |it| it.explicit = true);
    let no = ours(Answer::Withdrawn);
    assert!(echoes(Some(&Said::by(&yes)), &no) && !echoes(Some(&Said::by(&no)), &no));
    let lost = learned_after(&[granted(1)], &no);
    assert_eq!(kinds(&lost), [(EventKind::Withdrawn, Actor::Person)]);
    assert_eq!(lost[0].occurred_at, Some(day(7)));
    assert!(learned_after(&[granted(1), withdrew(7), granted(8)], &no).is_empty(), "it is held");
    assert!(learned_after(&[granted(1), withdrew(3)], &no).is_empty(), "one stands");
    assert_eq!(learned_after(&[withdrew(3), granted(5)], &no).len(), 1, "that one was lifted");
    let objected = learned_after(&[granted(1), withdrew(8)], &ours(Answer::Objected));
    assert_eq!(kinds(&objected), [(EventKind::Objected, Actor::Person)], "which is more");
}

#[test]
fn l15_another_answer_beside_the_method_that_we_left_is_not_ours() {
    let beside = |answer, at: Option<i64>| Consent {
        method: Some("listwarden".to_owned()),
        at: at.map(day),
        ..consent(answer)
    };
    let ours = says(beside(Answer::Withdrawn, Some(5)), 6);
    for at in [Some(5), Some(4), None] {
        let objects = learned(Some(&ours), &says(beside(Answer::Objected, at), 9));
        assert_eq!((objects[0].kind, objects[0].channel), (EventKind::Objected, None), "{at:?}");
        assert_eq!(objects[0].occurred_at, Some(day(9)), "{at:?}");
    }
    let objects = learned(Some(&ours), &says(beside(Answer::Objected, Some(5)), 9));
    assert_eq!(objects[0].actor, Actor::Clinic, "whose act it was, nobody took down");
    let ticked = says(beside(Answer::Granted, Some(5)), 7);
    assert_eq!(learned(Some(&ticked), &ours)[0].kind, EventKind::Withdrawn);
    // An objection that we write over our own no has a time of its own.
    assert!(learned(Some(&ours), &says(beside(Answer::Objected, Some(8)), 9)).is_empty());
    let by_another = Consent { actor: Some("person".to_owned()), ..ours.email_consent.clone() };
    assert!(learned(Some(&ours), &says(by_another, 9)).is_empty(), "the same answer");
}

#[test]
fn l23_a_bare_withdrawal_counts_and_one_the_person_made_does_not() {
    let yes = Said::by(&says(consent(Answer::Granted), 1));
    assert!(withdraws_barely(Some(&yes), &says(Consent::default(), 9)));
    let told = Consent { method: Some("phone".to_owned()), ..consent(Answer::Withdrawn) };
    assert!(!withdraws_barely(Some(&yes), &says(told, 9)));
    assert!(!withdraws_barely(Some(&yes), &says(consent(Answer::Granted), 9)));
}

// --- L5 ------------------------------------------------------------------------------------

#[test]
fn l5_a_soft_opt_in_needs_all_three_facts() {
    for missing in 0..3 {
        let facts = SoftOptIn {
            in_course_of_sale: missing != 0,
            own_similar_services: missing != 1,
            chance_to_refuse: missing != 2,
        };
        let soft = Consent { soft_opt_in: facts, ..consent(Answer::SoftOptIn) };
        assert!(learned(None, &says(soft, 9)).is_empty());
    }
    let facts =
        SoftOptIn { in_course_of_sale: true, own_similar_services: true, chance_to_refuse: true };
    let soft = Consent { soft_opt_in: facts, ..consent(Answer::SoftOptIn) };
    assert_eq!(learned(None, &says(soft, 9))[0].kind, EventKind::SoftOptIn);
}

#[test]
fn l5_a_soft_opt_in_counts_only_where_the_list_takes_it_and_enters_as_the_list_says() {
    let customer = world().patient("ann").soft_opt_in("ann", 1);
    customer.is_kept_off(Reason::SoftOptInRefused);
    customer.clone().policy(|p| p.soft_opt_in = SoftOptInEntry::Pending).invites();
    let direct = customer.policy(|p| p.soft_opt_in = SoftOptInEntry::Direct);
    assert_eq!(direct.decide().operation.unwrap().verb, Verb::Subscribe);
    // A list that takes a yes at once still asks a soft opt-in first.
    let single = world().patient("ann").soft_opt_in("ann", 1).policy(|p| {
        p.double_opt_in = false;
        p.soft_opt_in = SoftOptInEntry::Pending;
    });
    single.invites();
}

#[test]
fn l5_a_soft_opt_in_after_an_opt_out_never_lifts_it() {
    let world = world()
        .patient("ann")
        .withdraws("ann", 1)
        .soft_opt_in("ann", 50)
        .policy(|p| p.soft_opt_in = SoftOptInEntry::Direct);
    world.is_kept_off(Reason::Withdrawn);
}

#[test]
fn l2_the_newest_opt_out_counts_of_each_kind() {
    let world = world().patient("ann").withdraws("ann", 60).withdraws("ann", 1).grants("ann", 50);
    world.is_kept_off(Reason::Withdrawn);
    assert_eq!(world.facts.holders[0].standing.opt_outs.len(), 1);
    assert_eq!(world.facts.holders[0].standing.opt_outs[0].kind, OptOutKind::Withdrawn);
    assert!(world.now == day(TODAY));
}
