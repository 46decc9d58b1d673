//! Random histories: whatever happens, in whatever order, the plan comes to rest and an opt-out
//! stays one.

use chrono::{DateTime, TimeDelta, Utc};
use listwarden::domain::policy::{ReturnBy, SoftOptInEntry, UnprovenMembers};
use listwarden::domain::{
    Actor, Class, Entry, Event, EventId, EventKind, Intent, Invitation, MemberStatus,
    PatientStatus, Standing, TimeSource, Verb,
};
use listwarden::plan::{Verdict, decide};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use crate::world::{World, but, day, event, world};

/// One thing that may happen to Ann or Bob, who share an address, or to the address's member.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Happens {
    Grants,
    Flagged,
    SoftOptIn,
    EvidenceAccepted,
    Withdraws,
    Objects,
    Erased,
    Archived,
    Deleted,
    Restricted,
    Active,
    Leaves,
    ClicksTheLink,
    UnsubscribesThere,
    ComplainsThere,
    SignsUpThere,
    BouncesThere,
    StaffArchives,
    StaffDeletes,
    StaffSubscribes,
    StaffInvites,
    CrashesBefore,
    CrashesAfter,
    CrashesHalfWay,
    MonthPasses,
}

impl Happens {
    const ALL: &[Self] = &[
        Self::Grants,
        Self::Flagged,
        Self::SoftOptIn,
        Self::EvidenceAccepted,
        Self::Withdraws,
        Self::Objects,
        Self::Erased,
        Self::Archived,
        Self::Deleted,
        Self::Restricted,
        Self::Active,
        Self::Leaves,
        Self::ClicksTheLink,
        Self::UnsubscribesThere,
        Self::ComplainsThere,
        Self::SignsUpThere,
        Self::BouncesThere,
        Self::StaffArchives,
        Self::StaffDeletes,
        Self::StaffSubscribes,
        Self::StaffInvites,
        Self::CrashesBefore,
        Self::CrashesAfter,
        Self::CrashesHalfWay,
        Self::MonthPasses,
    ];
}

/// A world, and a witness who knows nothing of plans: when the last no and the last yes were.
#[derive(Debug, Clone)]
struct History {
    world: World,
    last_no: Option<DateTime<Utc>>,
    last_yes: Option<DateTime<Utc>>,
    began_sign_up: Option<DateTime<Utc>>,
}

impl History {
    fn of(world: World) -> Self {
        Self { world, last_no: None, last_yes: None, began_sign_up: None }
    }

    fn goes_on(mut self, who: &'static str, what: Happens) -> Self {
        self.world.now += TimeDelta::days(1);
        let now = self.world.now;
        let told = |kind| {
            let told = but(event(kind, 0, TimeSource::Clinic), |it| {
                it.occurred_at = Some(now);
                it.explicit = kind == EventKind::Granted;
            });
            Event { recorded_at: now, ..told }
        };
        let (yes, no) = (&mut self.last_yes, &mut self.last_no);
        let world = self.world.clone();
        self.world = match what {
            Happens::Grants => {
                *yes = Some(now);
                world.records(Some(who), told(EventKind::Granted))
            }
            Happens::EvidenceAccepted => {
                *yes = Some(now);
                world.records(Some(who), but(told(EventKind::Granted), |it| it.accepted = true))
            }
            Happens::Flagged => {
                let flag = but(told(EventKind::Granted), |it| {
                    it.explicit = false;
                    it.actor = Actor::Clinic;
                });
                world.records(Some(who), flag)
            }
            Happens::SoftOptIn => world.records(Some(who), told(EventKind::SoftOptIn)),
            Happens::Withdraws => {
                *no = Some(now);
                world.records(Some(who), told(EventKind::Withdrawn))
            }
            Happens::Objects => {
                *no = Some(now);
                world.records(Some(who), told(EventKind::Objected))
            }
            Happens::Erased => {
                *no = Some(now);
                world.records(Some(who), told(EventKind::Erased))
            }
            Happens::Archived => world.becomes(who, PatientStatus::Archived),
            Happens::Deleted => world.becomes(who, PatientStatus::Deleted),
            Happens::Restricted => world.with(who, |r| r.restricted = !r.restricted),
            Happens::Active => {
                let mut world = world.becomes(who, PatientStatus::Active);
                world.holder(who).holds_now = true;
                world
            }
            Happens::Leaves => world.leaves_the_address(who),
            Happens::MonthPasses => {
                let mut world = world;
                world.now += TimeDelta::days(30);
                world.shows_again()
            }
            Happens::CrashesBefore => crash(world, |from, _| from),
            Happens::CrashesAfter => crash(world, |_, verb| verb.leads_to()),
            Happens::CrashesHalfWay => crash(world, |from, verb| {
                let half = verb == Verb::Archive && from == Some(MemberStatus::Pending);
                if half { Some(MemberStatus::Unsubscribed) } else { verb.leads_to() }
            }),
            _ => return self.at_the_provider(what),
        };
        self
    }

    fn at_the_provider(mut self, what: Happens) -> Self {
        let now = self.world.now;
        let status = self.world.status();
        let there = status.is_present();
        let world = self.world.clone();
        self.world = match what {
            Happens::ClicksTheLink if status == MemberStatus::Pending => {
                let own = world.link.observed.as_ref().and_then(|o| o.signed_up_at);
                if own.is_some() && own == self.began_sign_up {
                    self.last_yes = Some(now);
                }
                world.turns(MemberStatus::Subscribed, |o| o.opted_in_at = Some(now))
            }
            Happens::UnsubscribesThere if status == MemberStatus::Subscribed => {
                self.last_no = Some(now);
                world.turns(MemberStatus::Unsubscribed, |_| ())
            }
            Happens::ComplainsThere if status == MemberStatus::Subscribed => {
                self.last_no = Some(now);
                world.turns(MemberStatus::Unsubscribed, |o| o.complained = true)
            }
            Happens::BouncesThere if status == MemberStatus::Subscribed => {
                world.turns(MemberStatus::Cleaned, |_| ())
            }
            Happens::SignsUpThere if status != MemberStatus::Subscribed => {
                self.began_sign_up = Some(now);
                world.turns(MemberStatus::Pending, |o| {
                    o.entry = Entry::Contact;
                    o.signed_up_at = Some(now);
                    o.complained = false;
                })
            }
            Happens::StaffArchives if there => world.turns(MemberStatus::Archived, |_| ()),
            Happens::StaffDeletes if there => world.turns(MemberStatus::Absent, |_| ()),
            // Staff who confirm a pending member in its place cannot be told from the contact.
            Happens::StaffSubscribes
                if !matches!(status, MemberStatus::Forgotten | MemberStatus::Pending) =>
            {
                // A revived member keeps its sign-up time and gets a new opt-in time.
                world.turns(MemberStatus::Subscribed, |o| o.opted_in_at = Some(now))
            }
            Happens::StaffInvites if status != MemberStatus::Forgotten => {
                world.turns(MemberStatus::Pending, |_| ())
            }
            _ => world,
        };
        self
    }

    /// Asserts what must hold once the plan is at rest.
    fn rests(&self) -> Self {
        let world = self.world.clone().settles();
        let listed = world.status().is_listed();
        let waits = world.decide().class == Class::Pending && self.began_sign_up > self.last_no;
        let said = || format!("{world:#?}\nlast no {:?}, yes {:?}", self.last_no, self.last_yes);
        if self.last_no.is_some() && self.last_no >= self.last_yes {
            assert!(!listed || waits, "listed after an opt-out: {}", said());
        }
        match world.verdict() {
            Verdict::Barred { .. } => assert!(!listed || waits, "barred and listed: {}", said()),
            Verdict::Dropped { .. } => assert!(!world.status().is_held(), "held: {}", said()),
            Verdict::Wanted(wanted) => {
                let unproven = world.status() == MemberStatus::Subscribed
                    && !wanted.direct
                    && wanted.proof.is_none();
                assert!(!unproven, "subscribed without proof: {}", said());
            }
            Verdict::Unknown { .. } => unreachable!("the clinic knows the address"),
        }
        Self { world, ..self.clone() }
    }
}

impl World {
    fn shows_again(mut self) -> Self {
        let now = self.now;
        if let Some(observed) = &mut self.link.observed {
            observed.seen_at = now;
        }
        self
    }

    fn turns(
        self,
        status: MemberStatus,
        change: impl FnOnce(&mut listwarden::domain::Observed),
    ) -> Self {
        let now = self.now;
        self.seen(status, 0)
            .shows(|observed| {
                observed.last_changed = Some(now);
                observed.seen_at = now;
            })
            .shows(change)
    }
}

/// Sends the next operation and hears nothing of it; the member is read a minute later.
fn crash(
    world: World,
    becomes: impl FnOnce(Option<MemberStatus>, Verb) -> Option<MemberStatus>,
) -> World {
    let decision = world.decide();
    let Some(operation) = decision.operation.clone() else { return world };
    let seen = world.link.observed.as_ref().map(|observed| observed.status);
    let known = decision.adoption.applied_to(&world.link).into_owned();
    let (before, mut after) = (world.link.observed.clone(), world.carry_out(&decision));
    after.link.observed = before;
    after.link.base = known.base;
    // The intent voids an open invitation before the call; a new one is recorded after it.
    after.link.invitation = known
        .invitation
        .map(|open| Invitation { voided: open.voided || operation.verb.removes(), ..open });
    after.link.intent = Some(Intent {
        verb: operation.verb,
        from: operation.from,
        at: after.now,
        invitation: operation.invitation.clone(),
        under_way: false,
    });
    after.now += TimeDelta::minutes(1);
    match becomes(seen, operation.verb) {
        None => after.turns(seen.unwrap_or(MemberStatus::Absent), |_| ()),
        Some(status) if Some(status) == seen => after.shows_again(),
        Some(status) => after.turns(status, |_| ()),
    }
}

/// A list that never holds anybody without proof.
fn strict(restore: bool, soft: SoftOptInEntry) -> World {
    world().patient("ann").patient("bob").policy(|p| {
        p.unproven = UnprovenMembers::ArchiveAndInvite;
        p.cleaned = listwarden::domain::policy::CleanedMembers::Erase;
        p.on_return = if restore { ReturnBy::Restore } else { ReturnBy::Invite };
        p.soft_opt_in = soft;
    })
}

fn what_happens() -> impl Strategy<Value = Vec<(&'static str, Happens)>> {
    prop::collection::vec((select(&["ann", "bob"][..]), select(Happens::ALL)), 1..40)
}

fn any_event() -> impl Strategy<Value = Event> {
    let kinds = (select(EventKind::ALL), select(TimeSource::ALL), select(Actor::ALL));
    (kinds, 0..9_i64, 0..9_i64, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |((kind, clock, actor), at, recorded, timed, explicit, accepted)| {
            let any = but(event(kind, at, clock), |it| {
                it.actor = actor;
                it.explicit = explicit;
                it.accepted = accepted;
                it.occurred_at = timed.then(|| day(at));
                it.purpose = accepted.then(|| "offers".to_owned());
            });
            Event { recorded_at: day(recorded), ..any }
        },
    )
}

fn fold(events: &[Event]) -> Standing {
    let mut standing = Standing::default();
    for event in events {
        standing.apply(event);
    }
    standing
}

/// At least a thousand cases; more by `PROPTEST_CASES`.
fn thorough() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(1_000), failure_persistence: None, ..default }
}

proptest! {
    #![proptest_config(thorough())]

    #[test]
    fn l1_events_fold_to_the_same_standing_in_any_order(
        mut events in prop::collection::vec(any_event(), 0..24),
        swaps in prop::collection::vec((any::<Index>(), any::<Index>()), 0..24),
    ) {
        for (event, id) in events.iter_mut().zip(1..) {
            event.id = EventId(Uuid::from_u128(id));
        }
        let told = fold(&events);
        let len = events.len();
        if len > 0 {
            for (a, b) in &swaps {
                events.swap(a.index(len), b.index(len));
            }
        }
        prop_assert_eq!(told.clone(), fold(&events));
        // Learned twice is learned once.
        events.extend(events.clone());
        prop_assert_eq!(told, fold(&events));
    }

    #[test]
    fn l11_whatever_happens_the_plan_rests_and_an_opt_out_stays_one(
        happenings in what_happens(),
        restore in any::<bool>(),
        soft in select(SoftOptInEntry::ALL),
    ) {
        let mut history = History::of(strict(restore, soft));
        for (who, what) in happenings {
            history = history.goes_on(who, what).rests();
        }
    }

    #[test]
    fn l11_an_opt_out_stays_one_when_much_happens_between_two_runs(
        happenings in what_happens(),
        restore in any::<bool>(),
    ) {
        // Only the clinic's side may be piled up: a provider shows its last state alone.
        let mut history = History::of(strict(restore, SoftOptInEntry::Direct));
        for (index, (who, what)) in happenings.into_iter().enumerate() {
            history = history.goes_on(who, what);
            if index % 5 == 4 || what as usize >= Happens::ClicksTheLink as usize {
                history = history.rests();
            }
        }
        history.rests();
    }

    #[test]
    fn l24_a_world_perturbed_twice_comes_to_rest_in_one_place(
        past in what_happens(),
        one in (select(&["ann", "bob"][..]), select(&Happens::ALL[..12])),
        two in (select(&["ann", "bob"][..]), select(&Happens::ALL[..12])),
    ) {
        let start = past.into_iter().fold(
            History::of(strict(false, SoftOptInEntry::Pending)),
            |history, (who, what)| history.goes_on(who, what).rests(),
        );
        // Decided by two planners at once, neither of which sees the other: the same answer.
        let perturbed = start.goes_on(one.0, one.1).goes_on(two.0, two.1);
        let world = &perturbed.world;
        let mut reversed = world.clone();
        reversed.facts.holders.reverse();
        let there = decide(&reversed.facts, &reversed.link, &reversed.list(), world.now);
        let here = world.decide();
        prop_assert_eq!(here.operation.as_ref().map(|o| o.verb), there.operation.map(|o| o.verb));
        prop_assert_eq!(here.class, there.class);
        perturbed.rests();
    }
}
