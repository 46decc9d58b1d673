//! `bench`: what a run costs, against a simulated provider over real HTTP on this machine.
//!
//! This process holds the provider and the clinics' staff. Each run is the program itself in a
//! process of its own, started as anybody starts it; so is whoever is measured beside it.

mod crowd;
mod download;
mod pages;
mod process;
mod table;
mod world;

use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;

use self::pages::View;
use self::process::{Costs, measure};
use self::table::{Row, Sample};
use self::world::{Shape, World};
use super::console::print_json;
use super::{Common, Exit};
use crate::rehearsal::ground::Ground;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Members of one clinic's list; as many patients have it.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    members: Vec<usize>,
    /// Instead, so many clinics on one store, of 500 patients each.
    #[arg(long, conflicts_with = "members")]
    clinics: Option<usize>,
    /// How many workers share the clinics, each a process with its part.
    #[arg(long, value_delimiter = ',', default_value = "1", requires = "clinics")]
    workers: Vec<usize>,
    /// Milliseconds each request takes.
    #[arg(long, value_delimiter = ',', default_value = "0,200")]
    latency_ms: Vec<u64>,
    /// Where the databases lie: `sqlite` (files in the folder for temporary ones), or the URL of a
    /// PostgreSQL server on which databases may be made.
    #[arg(long, default_value = "sqlite")]
    database: String,
    /// How often each run is made; medians are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A command that does the same work, measured beside on an audience of its own, as NAME=COMMAND;
    /// benches/peers/sweep.sh shows how.
    #[arg(long, conflicts_with = "clinics")]
    peer: Vec<Peer>,
    /// A command that only downloads the members.
    #[arg(long, conflicts_with = "clinics")]
    puller: Vec<Peer>,
    /// How often each view of the admin page is asked for after the runs; none is, if not said.
    #[arg(long, default_value_t = 0)]
    pages: usize,
    /// A command that is called with `on` before each round and with `off` after it, to keep others
    /// quiet meanwhile.
    #[arg(long)]
    around: Option<String>,
}

/// Who is measured beside us.
#[derive(Debug, Clone)]
struct Peer {
    name: String,
    command: String,
}

impl FromStr for Peer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, command) = text.split_once('=').ok_or("write NAME=COMMAND")?;
        Ok(Self { name: name.to_owned(), command: command.to_owned() })
    }
}

/// Patients of the clinic whose first sync is measured, and of each of many clinics.
const FIRST_SYNC: usize = 1_000;
const OF_MANY: usize = 500;

const DONE: &[i32] = &[0];
/// A first plan waits for an admin.
const DONE_OR_WAITING: &[i32] = &[0, 3];

/// Measures, and prints a table of each world as soon as it is through.
pub async fn run(common: &Common, options: Options) -> anyhow::Result<Exit> {
    ensure!(cfg!(target_os = "linux"), "only Linux says what a process costs");
    let (mut all, mut all_views) = (Vec::new(), Vec::new());
    for shape in shapes(&options) {
        let (rows, views) = measured(shape, &options).await?;
        if !common.json {
            println!("{}\n", table::of(&rows));
            if !views.is_empty() {
                println!("{}\n", pages::table(&shape.to_string(), &views));
            }
        }
        all.extend(rows);
        all_views.extend(views);
    }
    if common.json && options.pages > 0 {
        print_json(&serde_json::json!({ "runs": all, "views": all_views }))?;
    } else if common.json {
        print_json(&all)?;
    }
    Ok(Exit::InStep)
}

fn shapes(options: &Options) -> Vec<Shape> {
    let others = options.peer.len() + options.puller.len();
    let mut shapes = Vec::new();
    for &latency_ms in &options.latency_ms {
        let one = Shape { clinics: 1, members: FIRST_SYNC, unsynced: true, latency_ms, others: 0 };
        if let Some(clinics) = options.clinics {
            shapes.push(Shape { clinics, members: OF_MANY, unsynced: false, ..one });
            continue;
        }
        shapes.push(one);
        let members = options.members.iter();
        shapes.extend(members.map(|&members| Shape { members, unsynced: false, others, ..one }));
    }
    shapes
}

/// Takes one world through its runs.
async fn measured(shape: Shape, options: &Options) -> anyhow::Result<(Vec<Row>, Vec<View>)> {
    let world = World::new(shape, Ground::server_of(&options.database)?).await?;
    let mut bench = Bench { world, options, rows: Vec::new(), views: Vec::new() };
    let done = bench.through().await;
    done.with_context(|| format!("{shape}; all is left in {}", bench.world.folder().display()))?;
    bench.world.end().await?;
    Ok((bench.rows, bench.views))
}

struct Bench<'a> {
    world: World,
    options: &'a Options,
    rows: Vec<Row>,
    views: Vec<View>,
}

impl Bench<'_> {
    async fn through(&mut self) -> anyhow::Result<()> {
        self.begin().await?;
        if self.world.shape.unsynced {
            return Ok(());
        }
        self.rounds().await?;
        if self.options.pages == 0 { Ok(()) } else { self.pages().await }
    }

    /// The admin page, of the world as it is now.
    async fn pages(&mut self) -> anyhow::Result<()> {
        self.around("on")?;
        let views = pages::measure(&self.world, self.options.pages).await;
        self.around("off")?;
        self.views = views?;
        Ok(())
    }

    /// The first runs: a plan that an admin approves, and what follows from it.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let unsynced = self.world.shape.unsynced;
        let first = if unsynced { "first sync: the plan" } else { "fill" };
        self.own(first, false, 1, DONE_OR_WAITING).await?;
        self.world.approve().await?;
        let second = if unsynced { "first sync: approved" } else { "fill: approved" };
        self.own(second, false, 1, DONE).await?;
        self.world.check_own()
    }

    async fn rounds(&mut self) -> anyhow::Result<()> {
        let one_list = self.world.shape.clinics == 1;
        let recorder = if one_list { Some(self.world.record().await?) } else { None };
        for round in 0..self.options.rounds {
            eprintln!("round {} of {}: {}", round + 1, self.options.rounds, self.world.shape);
            self.around("on")?;
            let download = match &recorder {
                Some(recorder) => Some(recorder.replay().await?),
                None => None,
            };
            let done = self.round(download).await;
            self.around("off")?;
            done?;
        }
        Ok(())
    }

    async fn round(&mut self, download: Option<Duration>) -> anyhow::Result<()> {
        self.world.export()?;
        for workers in self.options.workers.clone() {
            self.own("full sweep", true, workers, DONE).await?.download = download;
        }
        self.pullers("full sweep").await?;
        self.peers("full sweep").await?;
        for workers in self.options.workers.clone() {
            self.world.drift().await?;
            self.own("full sweep, 1 % drift", true, workers, DONE).await?.download = download;
            self.world.check_own()?;
        }
        self.world.export()?;
        self.peers("full sweep, 1 % drift").await?;
        if self.options.peer.is_empty() {
            for workers in self.options.workers.clone() {
                self.world.drift().await?;
                self.own("1 % drift", false, workers, DONE).await?;
                self.world.check_own()?;
            }
        }
        for workers in self.options.workers.clone() {
            self.own("nothing new", false, workers, DONE).await?;
        }
        Ok(())
    }

    /// Runs the program and notes what it cost.
    async fn own(
        &mut self,
        run: &'static str,
        full: bool,
        workers: usize,
        endings: &'static [i32],
    ) -> anyhow::Result<&mut Sample> {
        let part = |n| (workers > 1).then_some((n, workers));
        let commands = (1..=workers).map(|n| self.world.program(full, part(n)));
        let commands = commands.collect::<Result<_, _>>()?;
        let by = match workers {
            1 => "listwarden".to_owned(),
            several => format!("listwarden, {several} workers"),
        };
        self.note(run, by, commands, endings).await
    }

    async fn peers(&mut self, run: &'static str) -> anyhow::Result<()> {
        for (n, peer) in self.options.peer.iter().enumerate() {
            self.other(run, n, peer).await?;
            let checked = self.world.check_other(n);
            checked.with_context(|| format!("`{}` did not do its work", peer.name))?;
        }
        Ok(())
    }

    async fn pullers(&mut self, run: &'static str) -> anyhow::Result<()> {
        for (n, peer) in self.options.puller.iter().enumerate() {
            self.other(run, self.options.peer.len() + n, peer).await?;
        }
        Ok(())
    }

    async fn other(&mut self, run: &'static str, n: usize, peer: &Peer) -> anyhow::Result<()> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {}", peer.command)]).stdout(Stdio::null());
        self.world.equip(&mut command, n)?;
        self.note(run, peer.name.clone(), vec![command], DONE).await?;
        Ok(())
    }

    async fn note(
        &mut self,
        run: &'static str,
        by: String,
        commands: Vec<Command>,
        endings: &'static [i32],
    ) -> anyhow::Result<&mut Sample> {
        self.world.forget_requests();
        // The provider answers on the other threads meanwhile.
        let costs = tokio::task::spawn_blocking(move || measure(commands, endings)).await?;
        let costs: Costs = costs.with_context(|| format!("{run}, {by}"))?;
        let sample = Sample::new(costs, &self.world.requests());
        let place = self.rows.iter().position(|row| row.run == run && row.by == by);
        let place = place.unwrap_or_else(|| {
            self.rows.push(Row::new(self.world.shape, run, by));
            self.rows.len() - 1
        });
        Ok(self.rows[place].add(sample))
    }

    fn around(&self, word: &str) -> anyhow::Result<()> {
        let Some(command) = &self.options.around else { return Ok(()) };
        let status = Command::new("sh").args(["-c", &format!("{command} {word}")]).status()?;
        ensure!(status.success(), "`{command} {word}` ended with {status}");
        Ok(())
    }
}
