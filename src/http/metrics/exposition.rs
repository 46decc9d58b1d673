//! The text that Prometheus reads: families of samples, format 0.0.4.
//!
//! Written here rather than by a crate: what is shown are rows of the store, and a registry would be
//! one more copy of them.

use std::fmt::{self, Write as _};

/// A figure's name, kind, and what it is.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: String,
}

/// The labels of a sample.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Family {
    /// A figure that goes up and down.
    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: "gauge", help, samples: String::new() }
    }

    /// A figure that only grows.
    pub(super) fn counter(name: &'static str, help: &'static str) -> Self {
        Self { kind: "counter", ..Self::gauge(name, help) }
    }

    /// Counts by how long something took.
    pub(super) fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { kind: "histogram", ..Self::gauge(name, help) }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, labels: Labels<'_>, value: impl fmt::Display) {
        self.line("", labels, value);
    }

    /// Adds the buckets of one histogram, each with what the smaller ones hold, and its sum in
    /// seconds.
    pub(super) fn add_buckets(&mut self, labels: Labels<'_>, buckets: &[(&str, u64)], millis: u64) {
        let mut held = 0;
        for (bound, count) in buckets {
            held += count;
            let with_bound: Vec<_> = labels.iter().copied().chain([("le", *bound)]).collect();
            self.line("_bucket", &with_bound, held);
        }
        self.line("_sum", labels, format_args!("{}.{:03}", millis / 1_000, millis % 1_000));
        self.line("_count", labels, held);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, value: impl fmt::Display) {
        let (name, text) = (self.name, &mut self.samples);
        let mut between = "{";
        let _ = write!(text, "{name}{suffix}");
        for (label, said) in labels {
            let said = said.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(text, "{between}{label}=\"{said}\"");
            between = ",";
        }
        let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, help, samples } = self;
        write!(f, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_prometheus_reads_it() {
        let mut family = Family::gauge("x", "What it is.");
        family.add(&[], 1);
        family.add(&[("a", "b"), ("c", "\"\\\n")], 2.5);
        let text = "# HELP x What it is.\n# TYPE x gauge\nx 1\nx{a=\"b\",c=\"\\\"\\\\\\n\"} 2.5\n";
        assert_eq!(family.to_string(), text);
    }

    #[test]
    fn a_bucket_holds_what_the_smaller_ones_hold() {
        let mut family = Family::histogram("x", "y");
        family.add_buckets(&[("p", "q")], &[("0.5", 2), ("1", 0), ("+Inf", 1)], 61_005);
        let lines: Vec<String> = family.samples.lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "x_bucket{p=\"q\",le=\"0.5\"} 2",
                "x_bucket{p=\"q\",le=\"1\"} 2",
                "x_bucket{p=\"q\",le=\"+Inf\"} 3",
                "x_sum{p=\"q\"} 61.005",
                "x_count{p=\"q\"} 3",
            ]
        );
    }
}
