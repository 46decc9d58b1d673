//! `rehearse`: whole worlds made up from seeds, the real program in them, everything going wrong, and
//! the law checked at every step.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::Exit;
use crate::rehearsal::faults::Kind;
use crate::rehearsal::ground::Ground;
use crate::rehearsal::history::History;
use crate::rehearsal::shrink::shrink;
use crate::rehearsal::{Breach, Played, play};

/// Which worlds.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// One world, by its seed; its journal is printed.
    #[arg(long, conflicts_with_all = ["from", "history"])]
    seed: Option<u64>,
    /// The first seed of many worlds.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many worlds.
    #[arg(long, default_value_t = 20)]
    worlds: u64,
    /// For so many minutes, however many worlds that is.
    #[arg(long)]
    minutes: Option<u64>,
    /// How much happens in a world.
    #[arg(long, default_value_t = 80)]
    steps: usize,
    /// Only these steps of the seed's history, by number.
    #[arg(long, value_delimiter = ',', requires = "seed")]
    only: Option<Vec<usize>>,
    /// Where the databases lie: `sqlite`, or the URL of a PostgreSQL server on which databases may be
    /// made.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// Replays the history in a file.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Writes the journal of one world to a file, instead of printing it.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Writes the shortest failing history to this folder.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Worlds played at once.
    #[arg(long)]
    threads: Option<usize>,
    /// Goes on after a failure.
    #[arg(long)]
    keep_going: bool,
    /// Reports a failure as it is, without looking for a shorter history.
    #[arg(long)]
    as_is: bool,
}

/// Rehearses.
pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let options = Arc::new(options);
    let worker = options.clone();
    let passed = tokio::task::spawn_blocking(move || match one(&worker)? {
        Some(history) => rehearse_one(&worker, &history),
        None => rehearse_many(&worker),
    });
    Ok(if passed.await?? { Exit::InStep } else { Exit::Error })
}

/// Returns the one world that was asked for, if it was one.
fn one(options: &Options) -> anyhow::Result<Option<History>> {
    if let Some(path) = &options.history {
        let text = fs::read_to_string(path)
            .with_context(|| format!("`{}` cannot be read", path.display()))?;
        let history = serde_json::from_str(&text)
            .with_context(|| format!("`{}` is no history", path.display()))?;
        return Ok(Some(history));
    }
    let Some(seed) = options.seed else { return Ok(None) };
    let whole = History::of(seed, options.steps);
    Ok(Some(match &options.only {
        Some(only) => {
            let missing = only.iter().find(|n| whole.steps.iter().all(|step| step.number != **n));
            if let Some(missing) = missing {
                anyhow::bail!(
                    "--only names step {missing}, which the history of seed {seed} does not have: give the --steps that it was found with"
                );
            }
            whole.only(|step| only.contains(&step.number))
        }
        None => whole,
    }))
}

fn ground(options: &Options) -> anyhow::Result<Ground> {
    Ground::new(Ground::server_of(&options.database)?)
}

/// One thread's own runtime: who takes turns on it waits for nobody else.
fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn rehearse_one(options: &Options, history: &History) -> anyhow::Result<bool> {
    on_one_thread(async {
        let ground = ground(options)?;
        let played = play(history, &ground).await?;
        match &options.journal {
            Some(path) => fs::write(path, &played.journal)
                .with_context(|| format!("`{}` cannot be written", path.display()))?,
            None => print!("{}", played.journal),
        }
        let passed = played.breaches.is_empty();
        if !passed {
            fails(options, history, &played, &ground).await?;
        }
        ground.clear().await?;
        let mut sum = Sum::default();
        sum.add(history, &played);
        println!("{}", sum.told());
        Ok(passed)
    })
}

/// After so many worlds it is told how many there were.
const PROGRESS: u64 = 500;

/// Everything that many worlds came to.
#[derive(Debug, Default)]
struct Sum {
    worlds: u64,
    steps: u64,
    turns: u64,
    opt_outs: u64,
    erasures: u64,
    failed: Vec<u64>,
    faults: BTreeMap<Kind, u64>,
    checked: BTreeMap<&'static str, u64>,
}

impl Sum {
    /// Adds one world; returns a line for whoever waits, now and then.
    fn add(&mut self, history: &History, played: &Played) -> Option<String> {
        self.worlds += 1;
        self.failed.extend((!played.breaches.is_empty()).then_some(history.seed));
        self.steps += played.steps;
        self.turns += played.turns;
        self.opt_outs += played.opt_outs;
        self.erasures += played.erasures;
        for (kind, count) in &played.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (law, count) in &played.checked {
            *self.checked.entry(law).or_default() += count;
        }
        let (worlds, failed) = (self.worlds, self.failed.len());
        worlds.is_multiple_of(PROGRESS).then(|| format!("{worlds} worlds, {failed} failed"))
    }

    fn told(&self) -> String {
        let faults: Vec<String> =
            self.faults.iter().map(|(kind, count)| format!("{} {count}", kind.word())).collect();
        let laws: Vec<String> =
            self.checked.iter().map(|(law, count)| format!("  {count:>9}  {law}")).collect();
        format!(
            "worlds {}, steps {}, turns {}, opt-outs {}, erasures {}\nfaults: {}\nlaws checked:\n{}",
            self.worlds,
            self.steps,
            self.turns,
            self.opt_outs,
            self.erasures,
            faults.join(", "),
            laws.join("\n")
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "how long it may take is real time")]
fn rehearse_many(options: &Options) -> anyhow::Result<bool> {
    let threads =
        options.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let next = AtomicU64::new(options.from);
    let over = AtomicBool::new(false);
    let sum = Mutex::new(Sum::default());
    let begun = Instant::now();
    let ends = |seed: u64| match options.minutes {
        Some(minutes) => begun.elapsed() > Duration::from_secs(60 * minutes),
        None => seed >= options.from + options.worlds,
    };
    let work = |nth: usize| {
        stay_on_one_processor(nth);
        on_one_thread(async {
            let ground = ground(options)?;
            while !over.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if ends(seed) {
                    break;
                }
                let history = History::of(seed, options.steps);
                let played = play(&history, &ground).await?;
                let so_far =
                    sum.lock().unwrap_or_else(PoisonError::into_inner).add(&history, &played);
                if let Some(so_far) = so_far {
                    eprintln!("{so_far}");
                }
                if !played.breaches.is_empty() {
                    over.fetch_or(!options.keep_going, Ordering::Relaxed);
                    fails(options, &history, &played, &ground).await?;
                }
            }
            ground.clear().await
        })
    };
    let done: Vec<anyhow::Result<()>> = std::thread::scope(|scope| {
        let play = |nth| scope.spawn(move || work(nth));
        let threads: Vec<_> = (0..threads.unwrap_or(1)).map(play).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a world panicked")))
        };
        threads.into_iter().map(join).collect()
    });
    done.into_iter().collect::<anyhow::Result<()>>()?;
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{}", sum.told());
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    println!("{} worlds a minute", sum.worlds * 60_000 / millis.max(1));
    if !sum.failed.is_empty() {
        println!("failed: {:?}", sum.failed);
    }
    Ok(sum.failed.is_empty())
}

/// Keeps the thread, and those of the databases it opens, on one processor: a world goes from one to the
/// other and back at each statement, which takes a quarter longer where a second processor must be woken.
///
/// Where that cannot be had, worlds are only slower.
#[cfg(target_os = "linux")]
fn stay_on_one_processor(nth: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let Ok(allowed) = sched_getaffinity(None) else { return };
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    if let Some(cpu) = nth.checked_rem(allowed.len()).and_then(|nth| allowed.get(nth)) {
        let mut one = CpuSet::new();
        one.set(*cpu);
        sched_setaffinity(None, &one).ok();
    }
}

#[cfg(not(target_os = "linux"))]
const fn stay_on_one_processor(_nth: usize) {}

/// Tells of a failure: the law, the shortest history, and how to see it again.
async fn fails(
    options: &Options,
    history: &History,
    played: &Played,
    ground: &Ground,
) -> anyhow::Result<()> {
    let Some(first) = played.breaches.first() else { return Ok(()) };
    let shortest =
        if options.as_is { history.clone() } else { shrink(history, first.law, ground).await? };
    println!("{}", told(options, &shortest, &played.breaches));
    if let Some(folder) = &options.keep {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("seed-{}.json", history.seed));
        fs::write(&path, serde_json::to_string_pretty(&shortest)? + "\n")?;
        println!("kept as {}", path.display());
    }
    Ok(())
}

fn told(options: &Options, history: &History, breaches: &[Breach]) -> String {
    let mut text = format!("seed {} breaks the law:\n", history.seed);
    for breach in breaches {
        text.extend([format!("  {breach}\n")]);
    }
    text += "the shortest history found that breaks the first of them:\n";
    for step in &history.steps {
        text.extend([format!("  {step}\n")]);
    }
    let only: Vec<String> = history.steps.iter().map(|step| step.number.to_string()).collect();
    text.extend([format!(
        "see it again: listwarden rehearse --seed {} --steps {} --only {}",
        history.seed,
        options.steps,
        only.join(",")
    )]);
    text
}
