//! Logs to standard error, readable or JSON; traces and figures to an OpenTelemetry collector where
//! there is one. Never with personal data.

#[cfg(feature = "otlp")]
pub mod otlp;

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

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
    #[value(alias = "pretty")]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is to be ended when the process ends.
#[derive(Debug)]
#[must_use = "what was traced last is sent when it is ended"]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    traces: Option<otlp::Traces>,
}

/// Starts logging, and tracing where a collector is named; needs the async runtime. A filter that
/// cannot be read falls back to warnings, and says so.
pub fn init(options: &LogOptions) -> Telemetry {
    let filter = EnvFilter::try_new(&options.filter).unwrap_or_else(|error| {
        eprintln!("warning: --log could not be read ({error}); logging warnings only");
        EnvFilter::new("warn")
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match options.format {
        LogFormat::Text => {
            lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed()
        }
        LogFormat::Json => lines.json().boxed(),
    };
    // Spans are for traces: no line repeats them.
    let lines = lines.with_filter(filter.and(filter_fn(|metadata| metadata.is_event())));
    let logging = tracing_subscriber::registry().with(lines);
    #[cfg(feature = "otlp")]
    let (spans, traces) = otlp::Traces::of_process().unzip();
    #[cfg(feature = "otlp")]
    let logging = logging.with(spans);
    // A second start (in tests) is harmless: the first subscriber stays.
    drop(logging.try_init());
    Telemetry {
        #[cfg(feature = "otlp")]
        traces,
    }
}

impl Telemetry {
    /// Sends what was traced last, for two seconds at most.
    pub fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}

/// Logs that something panicked, and where. What it panicked with may hold personal data: nobody says it.
pub fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    tracing::error!(place, thread, "a thread panicked: please report its place");
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_told_with_its_place_and_never_with_what_it_holds() {
        let log = Log::default();
        let kept = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || kept.clone()).finish();
        let usual = std::panic::take_hook();
        let mine = std::thread::current().id();
        // Other tests may panic meanwhile, and are told as usual.
        std::panic::set_hook(Box::new(move |panic| {
            if std::thread::current().id() == mine { log_panic(panic) } else { usual(panic) }
        }));
        let panicked = tracing::subscriber::with_default(subscriber, || {
            std::panic::catch_unwind(|| panic!("ann{}", "@post.test"))
        });
        drop(std::panic::take_hook());
        assert!(panicked.is_err());
        let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(
            told.contains("src/telemetry/mod.rs:") && told.contains("a_panic_is_told"),
            "{told}"
        );
        assert!(!told.contains("post.test"), "{told}");
    }
}
