//! A history played from beginning to end: life, then calm, then the laws.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use chrono::TimeDelta;

use super::faults::Kind;
use super::ground::Ground;
use super::history::{History, What};
use super::laws::{Breach, rest, standing};
use super::scheduler::{Restless, Scheduler};
use super::world::World;

/// What came of a history.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// The laws that were broken, in the order of finding.
    pub breaches: Vec<Breach>,
    /// What happened, line by line.
    pub journal: String,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<Kind, u64>,
    /// How often each law was checked.
    pub checked: BTreeMap<&'static str, u64>,
    /// Steps taken.
    pub steps: u64,
    /// Turns given to actors.
    pub turns: u64,
    /// Opt-outs and erasures that were made.
    pub opt_outs: u64,
    /// Patients deleted.
    pub erasures: u64,
}

/// Plays a history in a world of its own.
pub async fn play(history: &History, ground: &Ground) -> anyhow::Result<Played> {
    let world = Arc::new(World::of(Arc::new(history.clone()), ground).await?);
    let listening = tracing::dispatcher::set_default(&world.said.listening());
    let mut scheduler = Scheduler::new(world.turnstile.clone());
    let done = live(&world, &mut scheduler).await;
    if let Err(Restless) = done {
        world.breach("L24 the program comes to rest", "it never stopped taking turns".to_owned());
    }
    let turns = scheduler.turns();
    drop(scheduler);
    drop(listening);
    world.said.hear("");
    let journal = world.journal.lock().unwrap_or_else(PoisonError::into_inner).text();
    let (opt_outs, erasures) = world.books().counts();
    let played = Played {
        breaches: world.lookout.breaches(),
        journal,
        faults: world.weather.struck(),
        checked: world.lookout.checked(),
        steps: history.steps.len() as u64,
        turns,
        opt_outs,
        erasures,
    };
    if let Some(world) = Arc::into_inner(world) {
        world.ends().await?;
    }
    Ok(played)
}

async fn live(world: &Arc<World>, scheduler: &mut Scheduler<'_>) -> Result<(), Restless> {
    let begin = world.now();
    let settled = world.clone();
    let begun = async move {
        if let Err(error) = settled.settles().await {
            settled.breach("the world begins", format!("{error:#}"));
        }
    };
    scheduler.begin(begun, None).await?;
    for step in &world.history.steps {
        let at = begin + TimeDelta::milliseconds(i64::try_from(step.at).unwrap_or(i64::MAX));
        scheduler.run_until(at).await?;
        world.turnstile.advance_to(at);
        if step.what == What::PutBack && world.is_backed_up() {
            scheduler.kill_all();
        }
        let dies_at = match step.what {
            What::Runs { dies_at, .. } => dies_at,
            _ => None,
        };
        scheduler.begin(world.clone().does(step.clone()), dies_at).await?;
    }
    world.weather.clears_up();
    scheduler.run_out().await?;
    let stopped = Arc::new(Mutex::new(false));
    let calm = world.clone();
    let through = stopped.clone();
    let comes_to_rest = async move {
        rest::judge(&calm).await;
        *through.lock().unwrap_or_else(PoisonError::into_inner) = true;
    };
    scheduler.begin(comes_to_rest, None).await?;
    scheduler.run_out().await?;
    if *stopped.lock().unwrap_or_else(PoisonError::into_inner) {
        standing::judge(&world.lookout);
        Ok(())
    } else {
        Err(Restless)
    }
}
