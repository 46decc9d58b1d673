//! Judged after the faults have stopped: within some runs the world is in step, a further run changes
//! nothing, the ledger holds, and every report adds up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::Timelike;

use crate::commands::Deployment;
use crate::domain::{Address, Channel, Class, PatientStatus};
use crate::rehearsal::actors::{Ran, accepts, id};
use crate::rehearsal::books::Act;
use crate::rehearsal::world::World;

/// Runs in which the world must be in step, once nothing goes wrong any more.
const RUNS: usize = 8;
/// Time between them.
const BETWEEN: Duration = Duration::from_hours(1);
/// The hour of the day at which they begin: texts may be sent from then on.
const MORNING: u32 = 10;

/// Lets the world come to rest, and judges how it stands then.
pub async fn judge(world: &Arc<World>) {
    if let Err(error) = comes_to_rest(world).await {
        world.breach("L24 the world comes to rest", format!("{error:#}"));
    }
}

async fn comes_to_rest(world: &Arc<World>) -> anyhow::Result<()> {
    world.is_doctored_in_life();
    world.turnstile.skew(chrono::TimeDelta::zero());
    let deployment = world.process().await?;
    let clock = deployment.reconciler().clock.clone();
    let mut ran = Ran::default();
    let mut further = None;
    while world.now().hour() != MORNING {
        clock.sleep(Duration::from_mins(15)).await;
    }
    for _ in 0..RUNS {
        clock.sleep(BETWEEN).await;
        world.delivers().await?;
        world.approves(&deployment).await?;
        accepts(&deployment).await?;
        ran = world.run_on(&deployment, true).await;
        world.note(format!("calm: {}", ran.told()));
        if !ran.is_in_step() {
            continue;
        }
        further = changes_more(world, &deployment).await;
        if further.is_none() {
            break;
        }
    }
    let in_step = ran.is_in_step();
    world.lookout.check(
        "L24 within some runs the world is in step",
        (!in_step).then(|| format!("after {RUNS} runs: {}", ran.told())),
    );
    if in_step {
        world.lookout.check("L24 a further run changes nothing", further);
    }
    world.is_doctored_at_rest().await?;
    the_ledger_holds(world, &deployment).await?;
    reports_add_up(world, &deployment, in_step).await?;
    super::parked::judge(world, &deployment).await?;
    every_delivery_is_kept(world).await?;
    the_clinic_hears_every_no(world).await?;
    queues_are_empty(world, &deployment).await?;
    tells_runs(world, &deployment).await?;
    deployment.store.close().await;
    Ok(())
}

/// Writes every run with all that it planned into the journal, by run and by place in its plan.
async fn tells_runs(world: &World, deployment: &Deployment) -> anyhow::Result<()> {
    for clinic in deployment.clinics() {
        let (id, lists) = deployment.known_lists(clinic).await?;
        for run in deployment.store.runs(id, 1_000).await?.into_iter().rev() {
            let of = lists.iter().find(|list| Some(list.row.id) == run.list);
            let list = of.map_or("", |list| list.row.slug.as_str());
            let (began, outcome) = (run.began_at, run.outcome.unwrap_or_default());
            world.note(format!("run of {}/{list} at {began}: {outcome}", clinic.slug));
            for row in deployment.store.journal(run.id, -1, 1_000).await? {
                let (ordinal, link, verb) = (row.ordinal, row.link, row.verb);
                let (reason, state) = (row.reason, row.state);
                world.note(format!("  {ordinal} {link} {verb} {reason} {state}"));
            }
        }
    }
    Ok(())
}

fn writes(world: &World) -> usize {
    world.stages.iter().map(|stage| stage.writes()).sum()
}

/// L24: makes one run more, and says what it changed; none where nothing.
async fn changes_more(world: &Arc<World>, deployment: &Deployment) -> Option<String> {
    let before = writes(world);
    let ran = world.run_on(deployment, true).await;
    let after = writes(world);
    (after != before || !ran.is_in_step())
        .then(|| format!("{} writes: {}", after - before, ran.told()))
}

/// L1.
async fn the_ledger_holds(world: &World, deployment: &Deployment) -> anyhow::Result<()> {
    for clinic in deployment.clinics() {
        let (id, _) = deployment.known_lists(clinic).await?;
        let verified = deployment.store.ledger_verify(id).await;
        let broken = match &verified {
            Ok(verified) => verified.first_bad.map(|line| format!("{}: line {line}", clinic.slug)),
            Err(error) => Some(format!("{}: {error}", clinic.slug)),
        };
        world.lookout.check("L1 the ledger verifies", broken);
    }
    Ok(())
}

/// L26.
async fn reports_add_up(
    world: &World,
    deployment: &Deployment,
    in_step: bool,
) -> anyhow::Result<()> {
    for clinic in deployment.clinics() {
        let (id, lists) = deployment.known_lists(clinic).await?;
        for attested in deployment.reconciler().attest(id, &lists).await? {
            let place = format!("{}/{}", clinic.slug, attested.list);
            let Some(classes) = &attested.classes else {
                world.lookout.check(
                    "L26 a fresh reading is known",
                    in_step.then(|| format!("{place}: unknown after full runs")),
                );
                continue;
            };
            let sum: u64 = classes.values().sum();
            world.lookout.check(
                "L26 classes add up to the total",
                (sum != attested.total).then(|| format!("{place}: {sum} of {}", attested.total)),
            );
            let held_up: u64 = [Class::Waiting, Class::Braked]
                .iter()
                .filter_map(|class| attested.count(*class))
                .sum();
            world.lookout.check(
                "L23 nothing waits once an admin decided",
                (in_step && held_up > 0).then(|| format!("{place}: {held_up}")),
            );
            let dropped = attested.count(Class::HeldButDropped).unwrap_or_default();
            world.lookout.check(
                "L26 nobody is held but dropped",
                (in_step && dropped > 0).then(|| format!("{place}: {dropped}")),
            );
            world.lookout.check(
                "L26 no removal stays parked",
                (in_step && attested.parked_removals > 0)
                    .then(|| format!("{place}: {}", attested.parked_removals)),
            );
        }
    }
    Ok(())
}

/// L1: what was answered with 2xx is in the store.
async fn every_delivery_is_kept(world: &World) -> anyhow::Result<()> {
    let acknowledged = world.books().acknowledged.len();
    let kept = world.rows_of("deliveries").await?;
    world.lookout.check(
        "L1 no acknowledged event is lost",
        (kept < acknowledged).then(|| format!("{acknowledged} answered with 2xx, {kept} kept")),
    );
    Ok(())
}

/// L15: the clinic's own record hears of every no that somebody said at a provider.
async fn the_clinic_hears_every_no(world: &World) -> anyhow::Result<()> {
    for (place, clinic) in world.clinics.iter().enumerate() {
        let told: BTreeSet<String> = clinic
            .feedback()
            .await?
            .into_iter()
            .filter(|line| ["withdrawn", "complained", "objected"].contains(&line.kind.as_str()))
            .map(|line| line.patient_id)
            .collect();
        let missing = {
            let books = world.books();
            let noes = books.lines.iter().filter(|line| {
                line.clinic == place
                    && matches!(line.act, Act::OptedOut | Act::Complained)
                    && line.patient.is_some()
                    && line.channel == Channel::Email
            });
            let mut unheard = noes.filter(|line| {
                let patient = line.patient.unwrap_or_default();
                let record = books.records.get(&(place, patient)).and_then(Option::as_ref);
                let active = record.is_some_and(|record| record.status == PatientStatus::Active);
                let still = record.and_then(|record| record.address(line.channel));
                let same = still.map(Address::expose) == line.address.as_deref();
                let said_to_clinic = books.of(place, line.channel).any(|other| {
                    other.patient == line.patient
                        && other.list.is_none()
                        && other.at >= line.at - chrono::TimeDelta::days(60)
                        && !matches!(other.act, Act::Yes | Act::TakenDown | Act::Accepted)
                });
                active
                    && same
                    && !said_to_clinic
                    && !books.is_covered_up(line)
                    && !books.is_of_an_unread_holder(line)
                    && !told.contains(&id(patient))
            });
            unheard.next().map(|line| (line.patient, line.act))
        };
        world.lookout.check(
            "L15 the clinic hears every no",
            missing.map(|(patient, act)| format!("c{place}, patient {patient:?}: {act:?}")),
        );
    }
    Ok(())
}

/// Nothing piles up.
async fn queues_are_empty(world: &World, deployment: &Deployment) -> anyhow::Result<()> {
    let waiting = deployment.store.clinics_waiting().await?;
    world.lookout.check(
        "L24 nothing piles up",
        (!waiting.is_empty()).then(|| format!("{} clinics still wait", waiting.len())),
    );
    Ok(())
}
