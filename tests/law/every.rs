//! Every combination of states, walked through: what must hold of each decision, whatever it is.

use listwarden::domain::operation::Counted;
use listwarden::domain::policy::{
    CleanedMembers, LeaveBy, ReturnBy, SoftOptInEntry, UnknownMembers, UnprovenMembers,
};
use listwarden::domain::{
    Base, By, Class, Entry, EventKind, GrantKind, Intent, Invitation, MemberStatus, OptOutKind,
    PatientStatus, Policy, Reason, Verb,
};
use listwarden::plan::{Decision, Verdict};

use crate::world::{World, ann, day, stranger, world};

/// Somebody in every position that the verdict knows, and whether an opt-out stands unlifted.
fn everybody() -> Vec<(&'static str, World, bool)> {
    let ann_or = |name: &'static str, world: World| (name, world, false);
    let out = |name: &'static str, world: World| (name, world, true);
    let nobody = || world().patient("ann");
    vec![
        ann_or("explicit", ann()),
        ann_or("proven", ann().proves(3)),
        ann_or("flagged", nobody().flagged("ann", 1)),
        ann_or("soft opt-in", nobody().soft_opt_in("ann", 1)),
        ann_or("bounced", ann().bounces(5)),
        ann_or("granted again", ann().proves(3).withdraws("ann", 5).grants("ann", 50)),
        ann_or("family", ann().patient("bob").flagged("bob", 2)),
        ann_or("no basis", nobody()),
        ann_or("restricted", ann().proves(3).with("ann", |r| r.restricted = true)),
        ann_or("child", ann().born("ann", 2015, 1, 1)),
        out("withdrawn", ann().proves(3).withdraws("ann", 50)),
        out("flag after opt-out", ann().withdraws("ann", 50).flagged("ann", 55)),
        out("soft opt-in after opt-out", ann().withdraws("ann", 50).soft_opt_in("ann", 55)),
        out("objected", ann().opts_out("ann", EventKind::Objected, 50).grants("ann", 55)),
        out("complained", ann().address_opts_out(EventKind::Complained, 50).grants("ann", 55)),
        out("erased", ann().opts_out("ann", EventKind::Erased, 50)),
        out("suppressed", ann().suppressed(OptOutKind::Objected)),
        ann_or("archived", ann().proves(3).becomes("ann", PatientStatus::Archived)),
        ann_or("moved away", ann().proves(3).leaves_the_address("ann")),
        ann_or("deleted", ann().becomes("ann", PatientStatus::Deleted)),
        out("opted out and archived", {
            ann().withdraws("ann", 50).becomes("ann", PatientStatus::Archived)
        }),
        ann_or("stranger", stranger()),
        out("stranger, opted out", stranger().suppressed(OptOutKind::Withdrawn)),
        out("stranger, erased", stranger().suppressed(OptOutKind::Erased)),
    ]
}

/// Every policy that can make a difference to somebody in this position.
fn policies(world: &World) -> Vec<Policy> {
    let mut policies = vec![world.policy.clone()];
    let mut vary = |values: &[&dyn Fn(&mut Policy)]| {
        policies = policies
            .iter()
            .flat_map(|policy| {
                values.iter().map(|set| {
                    let mut policy = policy.clone();
                    set(&mut policy);
                    policy
                })
            })
            .collect();
    };
    match world.verdict() {
        Verdict::Unknown { .. } => vary(&[
            &|p| p.unknown = UnknownMembers::Keep,
            &|p| p.unknown = UnknownMembers::Report,
            &|p| p.unknown = UnknownMembers::Archive,
        ]),
        Verdict::Dropped { .. } => {
            vary(&[
                &|p| p.on_drop = LeaveBy::Archive,
                &|p| p.on_drop = LeaveBy::Unsubscribe,
                &|p| {
                    p.on_drop = LeaveBy::Erase;
                },
            ]);
            vary(&[&|p| p.cleaned = CleanedMembers::Erase, &|p| {
                p.cleaned = CleanedMembers::Report;
            }]);
        }
        Verdict::Wanted(_) | Verdict::Barred { .. } => {
            vary(&[&|p| p.double_opt_in = true, &|p| p.double_opt_in = false]);
            vary(&[&|p| p.unproven = UnprovenMembers::Hold, &|p| {
                p.unproven = UnprovenMembers::ArchiveAndInvite;
            }]);
            vary(&[&|p| p.on_return = ReturnBy::Invite, &|p| p.on_return = ReturnBy::Restore]);
            let soft = |world: &World| {
                let grants = world.facts.holders.iter().flat_map(|h| &h.standing.grants);
                grants.into_iter().any(|grant| grant.kind == GrantKind::SoftOptIn)
            };
            if soft(world) {
                vary(&[
                    &|p| p.soft_opt_in = SoftOptInEntry::Refuse,
                    &|p| p.soft_opt_in = SoftOptInEntry::Pending,
                    &|p| p.soft_opt_in = SoftOptInEntry::Direct,
                ]);
            }
        }
    }
    policies
}

fn every_base() -> Vec<Option<Base>> {
    let agreed = MemberStatus::ALL.iter().flat_map(|status| {
        By::ALL.iter().map(|by| Some(Base { status: *status, by: *by, at: day(60) }))
    });
    [None].into_iter().chain(agreed).collect()
}

fn every_invitation(world: &World) -> Vec<Option<Invitation>> {
    let grants = world.facts.holders.iter().flat_map(|holder| &holder.standing.grants);
    let key = grants.last().map_or_else(|| "none".to_owned(), |grant| grant.event.to_string());
    let sent = |voided, confirmed| {
        Some(Invitation { key: key.clone(), sent_at: day(80), voided, confirmed, wording: None })
    };
    vec![None, sent(false, false), sent(true, false), sent(false, true)]
}

fn every_intent(from: MemberStatus) -> Vec<Option<Intent>> {
    let sent = Verb::ALL.iter().map(|verb| {
        Some(Intent { verb: *verb, from, at: day(90), invitation: None, under_way: false })
    });
    [None].into_iter().chain(sent).collect()
}

/// Walks through all states of the link that somebody in this position may be in.
fn in_every_state(someone: &World, mut visit: impl FnMut(&World)) {
    let mut world = someone.clone();
    let statuses = MemberStatus::ALL.iter().map(|status| Some(*status));
    for seen in [None].into_iter().chain(statuses) {
        world.link.observed = None;
        if let Some(status) = seen {
            world = world.seen(status, 95).shows(|o| {
                o.signed_up_at = Some(day(70));
                o.opted_in_at = Some(day(85));
            });
        }
        for entry in [Entry::Contact, Entry::Api] {
            if let Some(observed) = &mut world.link.observed {
                observed.entry = entry;
            }
            for base in every_base() {
                world.link.base = base;
                for invitation in every_invitation(someone) {
                    world.link.invitation = invitation;
                    let from = base.map_or(MemberStatus::Absent, |base| base.status);
                    for intent in every_intent(from) {
                        world.link.intent = intent;
                        for policy in policies(someone) {
                            world.policy = policy;
                            visit(&world);
                        }
                    }
                }
            }
        }
    }
}

/// What is true of every decision, whatever the state.
fn holds(name: &str, opted_out: bool, world: &World) {
    let decision = world.decide();
    let said = || format!("{name}: {decision:#?}\nin {world:#?}");
    let after = decision.drafts.iter().fold(world.clone(), |world, draft| {
        let event =
            draft.clone().into_event(listwarden::domain::EventId(uuid::Uuid::nil()), world.now);
        world.records(None, event)
    });
    let verdict = after.verdict();
    let (status, verb) = (world.status(), decision.operation.as_ref().map(|o| o.verb));
    let enters = matches!(verb, Some(Verb::Invite | Verb::Subscribe));
    let removes = verb.is_some_and(Verb::removes);
    let own_act = decision.drafts.iter().any(|draft| draft.kind == EventKind::Granted);

    // Nobody is listed who is not wanted, nor straight after an opt-out, nor without proof.
    let wanted = match &verdict {
        Verdict::Wanted(wanted) => Some(wanted),
        _ => None,
    };
    assert!(!enters || wanted.is_some(), "{}", said());
    assert!(!enters || !opted_out || own_act, "{}", said());
    if verb == Some(Verb::Subscribe) {
        let wanted = wanted.unwrap();
        let soft = wanted.direct && world.policy.soft_opt_in == SoftOptInEntry::Direct;
        let single = wanted.direct && !world.policy.double_opt_in;
        assert!(soft || single || wanted.proof.is_some(), "{}", said());
        assert_ne!(status, MemberStatus::Unsubscribed, "{}", said());
    }
    // Whoever may be sent to now is wanted, on the list, and stays there.
    if decision.clears(&world.link).is_ok() {
        assert!(wanted.is_some() && status == MemberStatus::Subscribed, "{}", said());
        assert!(verb.is_none_or(|verb| verb == Verb::Update), "{}", said());
        assert!(matches!(decision.class, Class::InStep | Class::Due), "{}", said());
    }
    // A grant is learned only from the contact's own, confirmed sign-up.
    assert!(!own_act || world.link.observed.as_ref().unwrap().entry == Entry::Contact);

    // Whoever may not be listed is taken off, or counted.
    let may_confirm = decision.class == Class::Pending && status == MemberStatus::Pending;
    match &verdict {
        Verdict::Barred { .. } if status.is_listed() => {
            assert!(removes || may_confirm, "{}", said());
        }
        Verdict::Dropped { .. } if status.is_held() => {
            assert!(removes || decision.class == Class::CannotLeave, "{}", said());
        }
        Verdict::Unknown { suppressed: Some(_) } if status.is_listed() => {
            assert!(removes, "{}", said());
        }
        _ => {}
    }
    assert_eq!(
        verb == Some(Verb::Update),
        is_update_of_the_listed(&decision, wanted.is_some(), status)
    );

    coherent(&decision, &verdict, status, &said);
}

fn is_update_of_the_listed(decision: &Decision, wanted: bool, status: MemberStatus) -> bool {
    let updates = decision.operation.as_ref().is_some_and(|o| o.verb == Verb::Update);
    updates && wanted && status.is_listed()
}

/// What an operation carries, and what its class says, go together.
fn coherent(
    decision: &Decision,
    verdict: &Verdict<'_>,
    status: MemberStatus,
    said: &dyn Fn() -> String,
) {
    let dropped = matches!(verdict, Verdict::Dropped { .. });
    let barred = matches!(verdict, Verdict::Barred { .. });
    if let Some(operation) = &decision.operation {
        let removes = operation.verb.removes();
        assert_eq!(operation.from, status, "{}", said());
        assert_eq!(operation.payload.is_none(), removes, "{}", said());
        assert_eq!(operation.invitation.is_some(), operation.verb == Verb::Invite, "{}", said());
        let counted = match operation.verb {
            Verb::Update => operation.counted == Counted::No,
            Verb::Invite | Verb::Subscribe => operation.counted == Counted::Invitation,
            _ => operation.counted != Counted::Invitation,
        };
        assert!(counted, "{}", said());
        assert!(!removes || status.is_present(), "{}", said());
        assert_eq!(operation.reason, decision.reason(), "{}", said());
        assert_ne!(decision.class, Class::InStep, "{}", said());
    }
    let sound = match decision.class {
        Class::InStep => !(dropped && status.is_held() || barred && status.is_listed()),
        Class::Pending => status == MemberStatus::Pending,
        Class::Due => decision.operation.is_some() || decision.reason() == Reason::InDoubt,
        Class::Parked => decision.operation.is_none(),
        Class::Unproven => status == MemberStatus::Subscribed,
        Class::Unknown => matches!(verdict, Verdict::Unknown { .. }) && status.is_held(),
        Class::CannotLeave => dropped && status.is_held() && decision.operation.is_none(),
        Class::HeldButDropped => dropped && status.is_held(),
        Class::HeldWithoutBasis => !dropped && status.is_present(),
        Class::Waiting | Class::Braked => false,
    };
    assert!(sound, "{}", said());
    assert!(!decision.reasons.is_empty(), "{}", said());
}

#[test]
fn in_every_state_nobody_is_listed_who_may_not_be_and_whoever_may_not_be_leaves() {
    for (name, someone, opted_out) in everybody() {
        in_every_state(&someone, |world| holds(name, opted_out, world));
    }
}

#[test]
fn l24_from_every_state_the_plan_comes_to_rest_with_nobody_barred_on_the_list() {
    for (name, someone, _) in everybody() {
        in_every_state(&someone, |world| {
            if world.link.intent.is_some() {
                return;
            }
            let rested = world.clone().settles();
            let listed = rested.status().is_listed();
            let waits = rested.decide().class == Class::Pending;
            match rested.verdict() {
                Verdict::Barred { .. } => assert!(!listed || waits, "{name}: {rested:#?}"),
                Verdict::Dropped { .. } => assert!(!listed, "{name}: {rested:#?}"),
                Verdict::Unknown { suppressed: Some(_) } => assert!(!listed, "{name}: {rested:#?}"),
                Verdict::Wanted(wanted) => {
                    let strict = rested.policy.unproven == UnprovenMembers::ArchiveAndInvite;
                    let subscribed = rested.status() == MemberStatus::Subscribed;
                    let founded = wanted.direct || wanted.proof.is_some();
                    assert!(founded || !(strict && subscribed), "{name}: {rested:#?}");
                }
                Verdict::Unknown { .. } => {}
            }
        });
    }
}
