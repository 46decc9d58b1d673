//! What a person sees: progress with time left on a terminal, plain lines elsewhere, tables.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ContentArrangement, Table};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::reconcile::Progress;

/// Shows progress on standard error: bars on a terminal, a line a stage elsewhere.
pub struct Console {
    bars: MultiProgress,
    open: Mutex<BTreeMap<(String, &'static str), ProgressBar>>,
    terminal: bool,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

impl Default for Console {
    fn default() -> Self {
        Self {
            bars: MultiProgress::new(),
            open: Mutex::default(),
            terminal: std::io::IsTerminal::is_terminal(&std::io::stderr()),
        }
    }
}

impl Console {
    /// Ends every bar; what was printed stays.
    pub fn finish(&self) {
        for (_, bar) in std::mem::take(&mut *self.open()) {
            bar.finish_and_clear();
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, &'static str), ProgressBar>> {
        self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn bar(&self, of: &str, doing: &'static str, total: Option<u64>) -> ProgressBar {
        let style = if total.is_some() {
            "{prefix} {msg:<16} {bar:30} {human_pos}/{human_len}  {eta} left"
        } else {
            "{prefix} {msg:<16} {spinner} {human_pos}"
        };
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.set_prefix(of.to_owned());
        bar.set_message(doing);
        self.bars.add(bar)
    }
}

impl Progress for Console {
    fn at(&self, of: &str, doing: &'static str, done: u64, total: Option<u64>) {
        if !self.terminal {
            // One line when a stage is through; a log that grows by the page helps nobody.
            if total.is_some_and(|total| done >= total) && done > 0 {
                tracing::info!("{of}: {done} {doing}");
            }
            return;
        }
        let mut open = self.open();
        let key = (of.to_owned(), doing);
        let bar = open.entry(key).or_insert_with(|| self.bar(of, doing, total)).clone();
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    }

    fn note(&self, sentence: &str) {
        // Standard error may be closed; there is nobody to tell then.
        let told = self.bars.println(sentence);
        if told.is_err() || !self.terminal {
            eprintln!("{sentence}");
        }
    }
}

/// A table is not folded to fit into less.
const NARROWEST: u16 = 60;

/// Starts a table for a terminal.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.map(Cell::new));
    // Some terminals say they are no column wide (`kubectl exec -t`, `script`).
    if table.width().is_none_or(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// Says what was done: a sentence for people, or the same as JSON for machines.
pub fn say(
    json: bool,
    value: &impl serde::Serialize,
    sentence: impl fmt::Display,
) -> anyhow::Result<()> {
    if json {
        return print_json(value);
    }
    println!("{sentence}");
    Ok(())
}

/// Prints a value as JSON on standard output.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
