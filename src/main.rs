//! Entry point: reads the command line and runs one command.

use std::process::ExitCode;

use clap::Parser;
use listwarden::commands::{Cli, Exit};

fn main() -> ExitCode {
    // Databases and files that are made here hold patients' data: for their owner alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    tell_of_panics();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime could not be started: {error}");
            return Exit::Error.into();
        }
    };
    let entered = runtime.enter();
    let telemetry = listwarden::telemetry::init(&cli.log);
    drop(entered);
    let ended = runtime.block_on(cli.run());
    telemetry.end();
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::of(&error).into()
        }
    }
}

/// Ends the process, as other tools do, when what it prints to has gone: `listwarden report | head`.
/// Any other panic is logged without what it holds.
fn tell_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to") && said.contains("Broken pipe") {
            std::process::exit(128 + 13);
        }
        listwarden::telemetry::log_panic(panic);
    }));
}
