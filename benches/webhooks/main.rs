//! What the webhook receiver takes, beside Express; and how long an opt-out travels to every list.
//!
//! `benches/peers/receiver.sh` brings what this needs (wrk, node, PostgreSQL) and calls it.
//! The receivers are processes of their own, as they would run; the provider is simulated here.

mod opt_outs;
mod receivers;
mod world;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Parser, ValueEnum};

#[derive(Debug, Parser)]
struct Options {
    /// Where `express.js`, its modules and `deliveries.lua` are.
    #[arg(long, default_value = "benches/peers")]
    peers: PathBuf,
    /// The program under measure.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_listwarden"))]
    binary: PathBuf,
    /// Rounds of each receiver, one after the other; of their figures the medians are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds a round.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Members of the list that deliveries are about.
    #[arg(long, default_value_t = 10_000)]
    members: usize,
    /// After each round of `serve`, wait until all that was told is carried out, and say how long that took.
    #[arg(long)]
    drain: bool,
    /// Opt-outs whose way is followed.
    #[arg(long, default_value_t = 200)]
    opt_outs: usize,
    /// What each request to the provider takes; real ones are about as far away.
    #[arg(long, default_value_t = 200)]
    latency_ms: u64,
    /// One engine.
    #[arg(long)]
    engine: Option<Engine>,
    /// One half.
    #[arg(long)]
    only: Option<Half>,
    /// Cargo says so to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    Receivers,
    OptOuts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let engines = [Engine::Postgres, Engine::Sqlite];
        let asked = |engine: &Engine| options.engine.is_none_or(|one| one == *engine);
        if options.only != Some(Half::OptOuts) {
            println!("{}", receivers::HEAD);
            for engine in engines.into_iter().filter(asked) {
                receivers::compare(&options, engine).await?;
            }
        }
        if options.only != Some(Half::Receivers) {
            println!("\n{}", opt_outs::HEAD);
            for engine in engines.into_iter().filter(asked) {
                opt_outs::follow(&options, engine).await?;
            }
        }
        Ok(())
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn instant() -> Instant {
    Instant::now()
}

/// The value below which `share` of the values are.
fn percentile<T: Copy + PartialOrd>(values: &mut [T], share: f64) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a few hundred values"
    )]
    let place = ((values.len() - 1) as f64 * share).round() as usize;
    values[place]
}
