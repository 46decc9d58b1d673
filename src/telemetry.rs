//! Logs to standard error: readable or JSON, and never with personal data.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How to log.
#[derive(Debug, Clone, Args)]
pub struct LogOptions {
    /// What to log: error, warn, info, debug, or a tracing filter.
    #[arg(
        long = "log",
        global = true,
        env = "LISTWARDEN_LOG",
        default_value = "warn,listwarden=info"
    )]
    pub filter: String,
    /// How a log line looks.
    #[arg(long = "log-format", global = true, env = "LISTWARDEN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. A filter that cannot be read falls back to warnings, and says so.
pub fn init(options: &LogOptions) {
    let filter = EnvFilter::try_new(&options.filter).unwrap_or_else(|error| {
        eprintln!("warning: --log could not be read ({error}); logging warnings only");
        EnvFilter::new("warn")
    });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (in tests) is harmless: the first subscriber stays.
    let started = match options.format {
        LogFormat::Text => {
            builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => builder.json().try_init(),
    };
    drop(started);
}
