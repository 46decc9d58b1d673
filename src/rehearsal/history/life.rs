//! How worlds and lives are made up.

use rand::RngExt;
use rand::rngs::StdRng;

use super::{Admin, Change, ClinicSetting, ListSetting, PatientSetting, Says, Step, What};
use crate::domain::{Channel, PatientStatus};
use crate::rehearsal::faults::Kind;
use crate::rehearsal::stages::{Deed, Standing};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Makes up a clinic.
pub(super) fn clinic(chance: &mut StdRng) -> ClinicSetting {
    let mut lists = vec![list(chance, "news", 0, None)];
    if chance.random_bool(0.5) {
        let stage = chance.random_range(1..4);
        lists.push(list(chance, "texts", stage, None));
    }
    if chance.random_bool(0.3) {
        lists.push(list(chance, "dental", 0, Some("dental".to_owned())));
    }
    let count = chance.random_range(3..12);
    ClinicSetting {
        lists,
        in_flight: chance.random_range(1..6),
        job_from: if chance.random_bool(0.35) { 3 } else { 200 },
        no_brake: chance.random_bool(0.6),
        patients: (0..count).map(|number| patient(chance, number)).collect(),
    }
}

fn pick<T: Clone>(chance: &mut StdRng, from: &[T]) -> T {
    from[chance.random_range(0..from.len())].clone()
}

fn list(chance: &mut StdRng, slug: &str, stage: usize, tag: Option<String>) -> ListSetting {
    ListSetting {
        slug: slug.to_owned(),
        stage,
        unknown: pick(chance, &["report", "keep", "archive"]).to_owned(),
        unproven: pick(chance, &["archive_and_invite", "archive_and_invite", "hold"]).to_owned(),
        soft: pick(chance, &["refuse", "refuse", "pending", "direct"]).to_owned(),
        on_drop: pick(chance, &["archive", "archive", "archive", "unsubscribe", "erase"])
            .to_owned(),
        on_return: pick(chance, &["invite", "restore"]).to_owned(),
        expires_days: pick(chance, &[2, 3, 30]),
        tag,
    }
}

fn patient(chance: &mut StdRng, number: usize) -> PatientSetting {
    let shares = (number > 0 && chance.random_bool(0.2)).then(|| chance.random_range(0..number));
    let member = chance.random_bool(0.4).then(|| {
        pick(
            chance,
            &[
                Standing::Subscribed,
                Standing::Subscribed,
                Standing::Subscribed,
                Standing::Unsubscribed,
                Standing::Cleaned,
                Standing::Archived,
            ],
        )
    });
    PatientSetting {
        says: says(chance),
        age: age(chance),
        status: if chance.random_bool(0.85) { PatientStatus::Active } else { standing(chance) },
        shares,
        member,
    }
}

fn age(chance: &mut StdRng) -> u32 {
    if chance.random_bool(0.12) { chance.random_range(3..16) } else { chance.random_range(17..80) }
}

fn says(chance: &mut StdRng) -> Says {
    pick(
        chance,
        &[
            Says::Yes,
            Says::Yes,
            Says::Yes,
            Says::Yes,
            Says::Flag,
            Says::Customer,
            Says::NotAsked,
            Says::No,
            Says::Objects,
        ],
    )
}

fn standing(chance: &mut StdRng) -> PatientStatus {
    pick(
        chance,
        &[
            PatientStatus::Active,
            PatientStatus::Active,
            PatientStatus::Archived,
            PatientStatus::Archived,
            PatientStatus::Merged,
            PatientStatus::Deceased,
            PatientStatus::Deleted,
        ],
    )
}

/// Makes up what happens: the first days by the book, then life and weather.
pub(super) fn steps(chance: &mut StdRng, clinics: &[ClinicSetting], count: usize) -> Vec<Step> {
    let run = |full| What::Runs { worker: 0, full, dies_at: None };
    let by_the_book = [
        (0, run(true)),
        (10 * MINUTE, What::Admin(Admin::Approves)),
        (11 * MINUTE, run(true)),
        (20 * MINUTE, What::Admin(Admin::Registers)),
    ];
    let mut steps: Vec<(u64, What)> = by_the_book.to_vec();
    if chance.random_bool(0.3) {
        steps.push((25 * MINUTE, What::BackedUp));
    }
    let mut at = 30 * MINUTE;
    while steps.len() < count {
        at += match chance.random_range(0..10) {
            0..4 => chance.random_range(0..3_000),
            4..8 => chance.random_range(3_000..20 * MINUTE),
            _ => chance.random_range(20 * MINUTE..14 * HOUR),
        };
        let what = step(chance, clinics);
        steps.push((at, what));
        if matches!(what, What::Runs { .. }) && chance.random_bool(0.25) {
            let again =
                What::Runs { worker: 1, full: chance.random_bool(0.5), dies_at: dies(chance) };
            if chance.random_bool(0.4) {
                // The first stands still for longer than its lease.
                let seconds = chance.random_range(120..240);
                steps.push((at + chance.random_range(200..2_500), What::Stalls { seconds }));
                steps.push((at + chance.random_range(65_000..100_000), again));
            } else {
                steps.push((at + chance.random_range(0..2_000), again));
            }
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    let numbered = steps.into_iter().enumerate();
    numbered.map(|(number, (at, what))| Step { number, at, what }).collect()
}

fn dies(chance: &mut StdRng) -> Option<u32> {
    chance.random_bool(0.2).then(|| chance.random_range(1..400))
}

fn step(chance: &mut StdRng, clinics: &[ClinicSetting]) -> What {
    let clinic = chance.random_range(0..clinics.len());
    let of = &clinics[clinic];
    let patient = chance.random_range(0..of.patients.len() + 3);
    let list = chance.random_range(0..of.lists.len());
    match chance.random_range(0..105) {
        0..22 => What::Does { clinic, list, patient, deed: deed(chance) },
        22..26 => {
            let number = chance.random_range(0..3);
            let deed = pick(chance, &[Deed::SignsUp, Deed::IsAdded, Deed::Refuses, Deed::Agrees]);
            What::Stranger { clinic, list, number, deed }
        }
        26..28 => What::MovesThere { clinic, list, patient },
        28..36 => {
            let channel = pick(chance, &[Channel::Email, Channel::Email, Channel::Sms]);
            What::Says { clinic, patient, channel, says: says(chance) }
        }
        36..44 => What::Becomes { clinic, patient, status: standing(chance) },
        44..52 => What::Record { clinic, patient, change: change(chance, of) },
        52..55 => {
            let shares = chance.random_bool(0.3).then(|| chance.random_range(0..of.patients.len()));
            What::Enters { clinic, says: says(chance), shares, age: age(chance) }
        }
        55..73 => What::Runs {
            worker: chance.random_range(0..2),
            full: chance.random_bool(0.3),
            dies_at: dies(chance),
        },
        73..82 => What::Delivers,
        82..86 => What::Admin(pick(
            chance,
            &[
                Admin::Approves,
                Admin::Approves,
                Admin::Refuses,
                Admin::Accepts,
                Admin::Registers,
                Admin::Rotates,
                Admin::Reviews,
            ],
        )),
        86..96 => weather(chance),
        96 => What::ClockJumps { seconds: chance.random_range(-400..400) },
        97 => What::FlagsInBulk { clinic },
        98..100 => What::Restarts,
        100 => What::BackedUp,
        101 | 102 => {
            let channel = pick(chance, Channel::ALL);
            What::TakesDown { clinic, patient, channel, lifts: chance.random_bool(0.5) }
        }
        _ => What::PutBack,
    }
}

/// Webhooks and jobs come seldom, so what befalls them stays longer.
fn weather(chance: &mut StdRng) -> What {
    let kind = pick(chance, &Kind::weather());
    let seldom = matches!(
        kind,
        Kind::HookLost | Kind::HookTwice | Kind::HooksReversed | Kind::HookForged | Kind::JobLost
    );
    let minutes = chance.random_range(1..180) * if seldom { 20 } else { 1 };
    What::Weather { kind, minutes, one_in: chance.random_range(1..if seldom { 3 } else { 8 }) }
}

fn deed(chance: &mut StdRng) -> Deed {
    pick(
        chance,
        &[
            Deed::Agrees,
            Deed::Agrees,
            Deed::Agrees,
            Deed::Agrees,
            Deed::Agrees,
            Deed::Agrees,
            Deed::Refuses,
            Deed::Refuses,
            Deed::Refuses,
            Deed::RefusesInOwnWords,
            Deed::Complains,
            Deed::Bounces,
            Deed::SignsUp,
            Deed::SignsUp,
            Deed::Starts,
            Deed::IsAdded,
            Deed::IsAdded,
            Deed::IsRemoved,
            Deed::IsErased,
            Deed::IsOptedOut,
            Deed::IsRefused,
        ],
    )
}

fn change(chance: &mut StdRng, clinic: &ClinicSetting) -> Change {
    match chance.random_range(0..10) {
        0 => Change::Name,
        1 | 2 => Change::Email,
        3 => Change::Mobile,
        4 => Change::Joins(chance.random_range(0..clinic.patients.len())),
        5 => Change::Restricted(chance.random_bool(0.5)),
        6 => Change::Policy(pick(chance, &[Some(true), Some(false), None])),
        7 | 8 => Change::Tag(chance.random_bool(0.5)),
        _ => Change::Vanishes,
    }
}
