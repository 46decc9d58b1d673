//! L6 to L9: who may be listed.

use listwarden::domain::operation::Counted;
use listwarden::domain::policy::SharedFields;
use listwarden::domain::{
    Actor, By, Class, ContactId, EventKind, MemberStatus, OptOutKind, PatientStatus, Reason,
    TimeSource, Verb,
};
use listwarden::domain::{Answer, Consent, Personal};
use listwarden::plan::Verdict;
use listwarden::plan::payload::payload;

use crate::world::{World, ann, ann_listed, but, day, event, stranger, world};

// --- L6 ------------------------------------------------------------------------------------

#[test]
fn l6_an_active_patient_with_a_live_basis_is_wanted() {
    assert!(ann().is_wanted());
}

#[test]
fn l6_every_bar_bars_with_its_reason() {
    world().patient("ann").is_kept_off(Reason::NoBasis);
    ann().with("ann", |r| r.restricted = true).is_kept_off(Reason::Restricted);
    ann().with("ann", |r| r.privacy_policy = Some(false)).is_kept_off(Reason::PolicyRejected);
    ann().policy(|p| p.selector.any = ["vip".to_owned()].into()).is_kept_off(Reason::NotSelected);
    ann().withdraws("ann", 2).is_kept_off(Reason::Withdrawn);
    ann().opts_out("ann", EventKind::Objected, 2).is_kept_off(Reason::Objected);
    ann().address_opts_out(EventKind::Complained, 2).is_kept_off(Reason::Complained);
    ann().opts_out("ann", EventKind::Erased, 2).is_kept_off(Reason::Erased);
}

#[test]
fn l6_all_reasons_are_given_at_once() {
    let world = ann().withdraws("ann", 2).with("ann", |r| r.restricted = true);
    world.is_kept_off(Reason::Withdrawn);
    world.is_kept_off(Reason::Restricted);
}

#[test]
fn l6_a_policy_accepted_or_never_asked_bars_nobody() {
    assert!(ann().with("ann", |r| r.privacy_policy = Some(true)).is_wanted());
    assert!(ann().with("ann", |r| r.privacy_policy = None).is_wanted());
}

#[test]
fn l6_the_selector_wants_any_all_and_none() {
    let tagged = |tags: &[&str]| {
        ann().with("ann", |r| r.tags = tags.iter().map(|tag| (*tag).to_owned()).collect()).policy(
            |p| {
                p.selector.any = ["a".to_owned(), "b".to_owned()].into();
                p.selector.all = ["c".to_owned()].into();
                p.selector.none = ["d".to_owned()].into();
            },
        )
    };
    assert!(tagged(&["a", "c"]).is_wanted());
    for others in [&["c"][..], &["a"], &["a", "c", "d"]] {
        tagged(others).is_kept_off(Reason::NotSelected);
    }
}

fn purposed(purpose: &str) -> World {
    let granted = event(EventKind::Granted, 1, TimeSource::Clinic);
    let granted = but(granted, |it| {
        it.explicit = true;
        it.purpose = Some(purpose.to_owned());
    });
    world().patient("ann").records(Some("ann"), granted)
}

#[test]
fn l6_a_grant_for_another_purpose_is_none() {
    purposed("offers").is_kept_off(Reason::OtherPurpose);
    assert!(purposed("offers").policy(|p| p.purpose = Some("offers".to_owned())).is_wanted());
    assert!(ann().policy(|p| p.purpose = Some("offers".to_owned())).is_wanted());
}

#[test]
fn l6_a_record_that_comes_to_name_a_purpose_narrows_what_was_general() {
    let for_offers = |world: World| {
        world.with("ann", |r| {
            r.email_consent = Consent {
                answer: Answer::Granted,
                purpose: Some("offers".to_owned()),
                ..Consent::default()
            };
        })
    };
    let narrowed = for_offers(ann());
    narrowed.is_kept_off(Reason::OtherPurpose);
    assert!(narrowed.policy(|p| p.purpose = Some("offers".to_owned())).is_wanted());
    let signed_up = for_offers(world().patient("ann")).signed_up_there(5).settles();
    assert!(signed_up.is_wanted(), "but not what the address itself signed up for");
}

#[test]
fn l6_nobody_under_age_is_listed_and_no_grant_from_before_counts_later() {
    // Today is 11 April 2026; the grant was given on 2 January.
    ann().born("ann", 2010, 4, 12).is_kept_off(Reason::UnderAge);
    let come_of_age = ann().born("ann", 2010, 4, 11);
    come_of_age.is_kept_off(Reason::GrantUnderAge);
    assert!(come_of_age.grants("ann", 100).is_wanted());
    let mut told_late = event(EventKind::Granted, 1, TimeSource::Clinic);
    told_late.recorded_at = day(100);
    let told_late = world().patient("ann").records(Some("ann"), told_late);
    told_late.born("ann", 2010, 4, 11).is_kept_off(Reason::GrantUnderAge);
    assert!(ann().born("ann", 2010, 1, 2).is_wanted(), "given on the birthday itself");
    assert!(ann().born("ann", 2010, 4, 12).policy(|p| p.age_of_consent = 13).is_wanted());
}

#[test]
fn l6_only_who_is_listed_and_wanted_may_be_sent_to() {
    let clears = |world: &World| world.decide().clears(&world.link);
    let listed = ann_listed();
    assert_eq!(clears(&listed), Ok(()));
    assert_eq!(clears(&listed.clone().maps_the_given_name()), Ok(()), "fields follow");
    assert_eq!(clears(&ann()), Err(Reason::NotListedYet));
    assert_eq!(clears(&ann().invited(99)), Err(Reason::Invited));
    assert_eq!(clears(&listed.clone().withdraws("ann", 50)), Err(Reason::Withdrawn));
    let unproven = ann().seen(MemberStatus::Subscribed, 3);
    assert_eq!(clears(&unproven), Err(Reason::Unproven));
    let doubtful = listed.intends(Verb::Update, MemberStatus::Subscribed, 101);
    assert_eq!(clears(&doubtful), Err(Reason::InDoubt));
}

#[test]
fn l6_born_on_29_february_comes_of_age_on_1_march_of_a_common_year() {
    let born = |grant| {
        let world = world().patient("ann").grants("ann", grant).born("ann", 2008, 2, 29);
        world.policy(|p| p.age_of_consent = 18)
    };
    born(58).is_kept_off(Reason::GrantUnderAge);
    assert!(born(59).is_wanted());
}

#[test]
fn l6_a_suppression_that_the_ledger_does_not_tell_of_bars_as_well() {
    ann().suppressed(OptOutKind::Objected).is_kept_off(Reason::Objected);
    let lifted = ann().withdraws("ann", 2).grants("ann", 3).suppressed(OptOutKind::Withdrawn);
    assert!(lifted.is_wanted());
}

// --- L7 ------------------------------------------------------------------------------------

fn family() -> World {
    world().patient("ann").patient("bob")
}

#[test]
fn l7_the_address_stays_while_any_one_holder_is_wanted() {
    let both = family().grants("ann", 1).grants("bob", 2);
    assert!(both.is_wanted());
    assert!(both.clone().becomes("ann", PatientStatus::Archived).is_wanted());
    assert!(family().grants("bob", 2).is_wanted(), "the other was never asked");
    let none = both.becomes("ann", PatientStatus::Archived).becomes("bob", PatientStatus::Deceased);
    none.is_kept_off(Reason::PatientArchived);
    none.is_kept_off(Reason::PatientDeceased);
}

#[test]
fn l7_one_holders_withdrawal_speaks_for_the_address() {
    let world = family().grants("ann", 1).grants("bob", 2).withdraws("ann", 5);
    world.is_kept_off(Reason::Withdrawn);
    assert!(world.clone().grants("bob", 6).is_wanted(), "a newer explicit grant of his own");
    assert!(!world.clone().flagged("bob", 6).is_wanted());
    let objected = family().grants("bob", 2).opts_out("ann", EventKind::Objected, 5);
    objected.clone().grants("bob", 6).is_kept_off(Reason::Objected);
    assert!(objected.evidence_accepted("bob", 6).is_wanted());
}

#[test]
fn l11_what_was_accepted_at_one_address_lifts_no_objection_to_another() {
    for (kind, reason) in
        [(EventKind::Objected, Reason::Objected), (EventKind::Complained, Reason::Complained)]
    {
        let accepted = |elsewhere: Option<ContactId>| {
            let granted = event(EventKind::Granted, 6, TimeSource::Clinic);
            but(granted, |it| (it.explicit, it.accepted, it.contact) = (true, true, elsewhere))
        };
        // Bob comes to the address once Ann has spoken for it.
        let objected = world().patient("ann").opts_out("ann", kind, 5).patient("bob");
        let elsewhere = ContactId(uuid::Uuid::from_u128(77));
        let moved = objected.clone().records(Some("bob"), accepted(Some(elsewhere)));
        moved.is_kept_off(reason);
        assert!(objected.records(Some("bob"), accepted(None)).is_wanted());
    }
    let withdrawn = world().patient("ann").withdraws("ann", 5).patient("bob");
    assert!(withdrawn.grants("bob", 6).is_wanted(), "a newer explicit grant of his own");
}

#[test]
fn l7_a_grant_of_one_holder_is_no_grant_of_another() {
    let world = family().grants("ann", 1).with("ann", |r| r.restricted = true);
    world.is_kept_off(Reason::NoBasis);
    world.is_kept_off(Reason::Restricted);
}

#[test]
fn l7_fields_come_from_the_wanted_holder_with_the_oldest_grant() {
    let name = |world: &World| {
        let Verdict::Wanted(wanted) = world.verdict() else { panic!("{:?}", world.verdict()) };
        payload(&wanted, &world.policy).fields["FNAME"].clone()
    };
    let shared = family().maps_the_given_name().grants("ann", 9).grants("bob", 2);
    assert_eq!(name(&shared), Personal::default(), "shared: nobody's, by default");
    let eldest = shared.policy(|p| p.shared_fields = SharedFields::OldestGrant);
    assert_eq!(name(&eldest), Personal::new("bob"));
    let barred = eldest.clone().with("bob", |r| r.restricted = true);
    assert_eq!(name(&barred), Personal::new("ann"), "only a wanted holder's");
    let alone = family().maps_the_given_name().grants("ann", 9).leaves_the_address("bob");
    assert_eq!(name(&alone), Personal::new("ann"), "nobody shares it now");
    let tied = family().maps_the_given_name().grants("bob", 2).grants("ann", 2);
    let tied = tied.policy(|p| p.shared_fields = SharedFields::OldestGrant);
    assert_eq!(name(&tied), Personal::new("ann"), "on a tie the lower id");
}

#[test]
fn l7_a_shared_address_that_carries_nobodys_fields_carries_nobodys_tags() {
    let shared = family()
        .grants("ann", 1)
        .with("ann", |r| r.tags = ["physio".to_owned()].into())
        .policy(|p| p.tags = [("physio".to_owned(), "Physio".to_owned())].into());
    let carries = |world: &World| match world.verdict() {
        Verdict::Wanted(wanted) => payload(&wanted, &world.policy).tags["Physio"],
        verdict => panic!("{verdict:?}"),
    };
    assert!(!carries(&shared));
    assert!(carries(&shared.policy(|p| p.shared_fields = SharedFields::OldestGrant)));
}

#[test]
fn l7_a_newer_grant_of_any_holder_enters_and_the_eldest_gives_the_fields() {
    let removed = family().flagged("ann", 1).removed_there(20).seen(MemberStatus::Absent, 20);
    removed.keeps(Class::InStep, Reason::RemovedThere);
    removed.grants("bob", 30).invites();
}

#[test]
fn l7_one_holders_consent_for_this_address_is_enough_where_one_step_is_enough() {
    let mut both = family().grants("ann", 1).grants("bob", 2).policy(|p| p.double_opt_in = false);
    both.holder("bob").standing.grants[0].contact = None;
    both.does(Verb::Subscribe, Reason::Wanted, Counted::Invitation);
}

#[test]
fn l7_what_one_holder_opted_out_of_elsewhere_takes_no_proof_from_another() {
    let mut world = family().grants("bob", 2).proves(3).grants("ann", 60);
    let elsewhere = event(EventKind::Withdrawn, 50, TimeSource::Clinic);
    world.holder("ann").standing.apply(&elsewhere);
    assert!(matches!(world.verdict(), Verdict::Wanted(wanted) if wanted.proof.is_some()));
}

// --- L8 ------------------------------------------------------------------------------------

#[test]
fn l8_a_bounce_binds_the_address_and_not_the_patient() {
    let bounced = ann().bounces(5);
    assert!(bounced.is_wanted());
    bounced.keeps(Class::InStep, Reason::Bounced);
    // The same patient at another address.
    let mut elsewhere = bounced;
    elsewhere.contact().id = ContactId(uuid::Uuid::from_u128(77));
    elsewhere.contact().standing = listwarden::domain::Standing::default();
    elsewhere.invites();
}

#[test]
fn l8_a_bounce_yields_to_a_newer_explicit_grant_only() {
    ann().bounces(5).grants("ann", 6).invites();
    world().patient("ann").flagged("ann", 1).bounces(5).grants("ann", 6).invites();
    ann().bounces(5).flagged("ann", 6).keeps(Class::InStep, Reason::Bounced);
}

#[test]
fn l8_an_opt_out_follows_the_patient_to_a_new_address() {
    for kind in [EventKind::Withdrawn, EventKind::Objected, EventKind::Complained] {
        let mut moved = ann().address_opts_out(kind, 5);
        moved.contact().id = ContactId(uuid::Uuid::from_u128(77));
        moved.contact().standing = listwarden::domain::Standing::default();
        assert!(!moved.is_wanted(), "{kind}");
        let again = moved.evidence_accepted("ann", 6);
        again.invites();
    }
}

#[test]
fn l8_a_changed_address_is_confirmed_anew_even_where_one_step_is_enough() {
    let single = ann().policy(|p| p.double_opt_in = false);
    assert_eq!(single.decide().operation.unwrap().verb, Verb::Subscribe);
    let mut moved = single;
    moved.contact().id = ContactId(uuid::Uuid::from_u128(77));
    moved.invites();
    let mut proven = ann_listed();
    proven.contact().standing = listwarden::domain::Standing::default();
    assert!(matches!(proven.verdict(), Verdict::Wanted(wanted) if wanted.proof.is_none()));
}

// --- L9 ------------------------------------------------------------------------------------

#[test]
fn l9_known_once_and_held_by_no_active_patient_is_dropped() {
    for (status, reason) in [
        (PatientStatus::Archived, Reason::PatientArchived),
        (PatientStatus::Merged, Reason::PatientMerged),
        (PatientStatus::Deceased, Reason::PatientDeceased),
        (PatientStatus::Deleted, Reason::PatientDeleted),
        (PatientStatus::Vanished, Reason::PatientVanished),
    ] {
        let dropped = ann_listed().becomes("ann", status);
        assert!(matches!(dropped.verdict(), Verdict::Dropped { .. }));
        dropped.is_kept_off(reason);
    }
    let gone = ann_listed().leaves_the_address("ann");
    assert!(matches!(gone.verdict(), Verdict::Dropped { .. }));
    gone.is_kept_off(Reason::AddressGone);
}

#[test]
fn l9_an_address_that_nobody_ever_held_is_unknown_whatever_it_said() {
    assert_eq!(world().verdict(), Verdict::Unknown { suppressed: None });
    let said_no = world().address_opts_out(EventKind::Withdrawn, 1);
    let verdict = Verdict::Unknown { suppressed: Some(OptOutKind::Withdrawn) };
    assert_eq!(said_no.verdict(), verdict);
}

#[test]
fn l9_never_known_is_unknown() {
    let verdict = Verdict::Unknown { suppressed: None };
    assert_eq!(stranger().seen(MemberStatus::Subscribed, 1).verdict(), verdict);
}

#[test]
fn l9_a_merged_record_is_judged_on_its_own() {
    let merged = family().grants("ann", 1).becomes("ann", PatientStatus::Merged);
    merged.is_kept_off(Reason::NoBasis);
    assert!(merged.grants("bob", 2).is_wanted());
    let listed = ann_listed().becomes("ann", PatientStatus::Merged);
    assert_eq!(listed.link.base.unwrap().by, By::Them);
}

// --- What an admin took down (L6) -----------------------------------------------------------

#[test]
fn l6_a_restriction_by_an_admin_bars_until_an_admin_lifts_it() {
    let by = |actor, kind, at| {
        but(event(kind, at, TimeSource::Listwarden), |d| {
            d.actor = actor;
            d.channel = None;
        })
    };
    let admin = |kind, at| by(Actor::Admin, kind, at);
    let restricted = ann().records(Some("ann"), admin(EventKind::Restricted, 5));
    restricted.is_kept_off(Reason::Restricted);
    let clinics = by(Actor::Clinic, EventKind::Unrestricted, 6);
    restricted.clone().records(Some("ann"), clinics).is_kept_off(Reason::Restricted);
    let lifted = restricted.clone().records(Some("ann"), admin(EventKind::Unrestricted, 7));
    assert!(lifted.is_wanted());
    let late = ann()
        .records(Some("ann"), admin(EventKind::Unrestricted, 7))
        .records(Some("ann"), admin(EventKind::Restricted, 5));
    assert!(late.is_wanted(), "the newest word counts, whichever was learned first");
}

#[test]
fn l6_a_refused_purpose_bars_its_lists_until_a_newer_explicit_yes() {
    let says = |refuses, purpose: &str, at| {
        but(event(EventKind::Preferred, at, TimeSource::Listwarden), |d| {
            d.actor = Actor::Admin;
            d.purpose = Some(purpose.to_owned());
            d.refuses = refuses;
        })
    };
    let news = || ann().policy(|p| p.purpose = Some("news".to_owned()));
    assert!(news().is_wanted());
    assert!(news().records(Some("ann"), says(true, "recalls", 5)).is_wanted());
    let refused = news().records(Some("ann"), says(true, "news", 5));
    refused.is_kept_off(Reason::PurposeRefused);
    assert!(refused.clone().records(Some("ann"), says(false, "news", 6)).is_wanted());
    assert!(refused.grants("ann", 8).is_wanted());
    let person = but(says(true, "news", 5), |d| d.actor = Actor::Person);
    assert!(news().records(Some("ann"), person).is_wanted(), "a bare preference bars nobody");
}
