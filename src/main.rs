//! Entry point: reads the command line and runs one command.

use std::process::ExitCode;

use clap::Parser;
use listwarden::commands::{Cli, Exit};

fn main() -> ExitCode {
    let cli = Cli::parse();
    listwarden::telemetry::init(&cli.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the async runtime could not be started: {error}");
            return Exit::Error.into();
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            Exit::of(&error).into()
        }
    }
}
