//! Families of samples: as the text that Prometheus reads (format 0.0.4), and as OTLP has them.
//!
//! Written here rather than by a crate: what is shown are rows of the store, and a registry would be
//! one more copy of them.

use std::fmt;

/// A figure's name, kind, and what it is.
#[derive(Debug)]
pub struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// What a figure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Histogram,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// One figure with its labels.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) figure: Figure,
}

#[derive(Debug)]
pub(super) enum Figure {
    Number(i64),
    /// How many are in each bucket alone, by its upper bound, the smallest first; and the sum of all.
    Buckets {
        buckets: Vec<(&'static str, u64)>,
        millis: u64,
    },
}

/// The labels of a sample.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Family {
    /// A figure that goes up and down.
    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, help, samples: Vec::new() }
    }

    /// A figure that only grows.
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, help, samples: Vec::new() }
    }

    /// Counts by how long something took.
    pub(super) const fn histogram(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Histogram, help, samples: Vec::new() }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, labels: Labels<'_>, number: impl TryInto<i64>) {
        let number = number.try_into().unwrap_or(i64::MAX);
        self.sample(labels, Figure::Number(number));
    }

    /// Adds one histogram: how many are in each bucket alone, the smallest first, and the sum.
    pub(super) fn add_buckets(
        &mut self,
        labels: Labels<'_>,
        buckets: Vec<(&'static str, u64)>,
        millis: u64,
    ) {
        self.sample(labels, Figure::Buckets { buckets, millis });
    }

    fn sample(&mut self, labels: Labels<'_>, figure: Figure) {
        let labels = labels.iter().map(|(label, said)| (*label, (*said).to_owned())).collect();
        self.samples.push(Sample { labels, figure });
    }
}

impl Sample {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: fmt::Arguments<'_>,
        bound: Option<&str>,
        value: impl fmt::Display,
    ) -> fmt::Result {
        let labels = self.labels.iter().map(|(label, said)| (*label, said.as_str()));
        let mut between = "{";
        write!(f, "{name}")?;
        for (label, said) in labels.chain(bound.map(|bound| ("le", bound))) {
            let said = said.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(f, "{between}{label}=\"{said}\"")?;
            between = ",";
        }
        writeln!(f, "{} {value}", if between == "{" { "" } else { "}" })
    }

    fn lines(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let (buckets, millis) = match &self.figure {
            Figure::Number(number) => return self.line(f, format_args!("{name}"), None, number),
            Figure::Buckets { buckets, millis } => (buckets, millis),
        };
        // A bucket holds what the smaller ones hold, too.
        let mut held = 0;
        for (bound, count) in buckets {
            held += count;
            self.line(f, format_args!("{name}_bucket"), Some(bound), held)?;
        }
        let sum = format_args!("{}.{:03}", millis / 1_000, millis % 1_000);
        self.line(f, format_args!("{name}_sum"), None, sum)?;
        self.line(f, format_args!("{name}_count"), None, held)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, help, samples } = self;
        writeln!(f, "# HELP {name} {help}\n# TYPE {name} {}", kind.word())?;
        samples.iter().try_for_each(|sample| sample.lines(f, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_prometheus_reads_it() {
        let mut family = Family::gauge("x", "What it is.");
        family.add(&[], 1);
        family.add(&[("a", "b"), ("c", "\"\\\n")], -2);
        let text = "# HELP x What it is.\n# TYPE x gauge\nx 1\nx{a=\"b\",c=\"\\\"\\\\\\n\"} -2\n";
        assert_eq!(family.to_string(), text);
    }

    #[test]
    fn a_bucket_holds_what_the_smaller_ones_hold() {
        let mut family = Family::histogram("x", "y");
        family.add_buckets(&[("p", "q")], vec![("0.5", 2), ("1", 0), ("+Inf", 1)], 61_005);
        let text = family.to_string();
        assert_eq!(
            text.lines().skip(2).collect::<Vec<_>>(),
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
