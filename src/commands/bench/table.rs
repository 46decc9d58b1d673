//! What was measured, as rows of medians.

use std::fmt;
use std::time::Duration;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::process::Costs;
use super::world::Shape;
use crate::simulator::mailchimp::Counters;

/// What one run came to.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    costs: Costs,
    pages: u64,
    other: u64,
    writes: u64,
    /// How long the bare download of the same pages took just before.
    pub download: Option<Duration>,
}

impl Sample {
    /// Puts together what the kernel and the provider counted.
    pub fn new(costs: Costs, requests: &Counters) -> Self {
        let pages = requests.by_route.get("GET /lists/{list_id}/members");
        let pages = pages.copied().unwrap_or_default();
        Self {
            costs,
            pages,
            other: requests.total - pages,
            writes: requests.writes,
            download: None,
        }
    }
}

/// One kind of run in one world.
#[derive(Debug)]
pub struct Row {
    shape: Shape,
    /// What was run.
    pub run: &'static str,
    /// Who ran.
    pub by: String,
    samples: Vec<Sample>,
}

impl Row {
    /// Has no samples yet.
    pub const fn new(shape: Shape, run: &'static str, by: String) -> Self {
        Self { shape, run, by, samples: Vec::new() }
    }

    /// Adds what one run came to.
    pub fn add(&mut self, sample: Sample) -> &mut Sample {
        self.samples.push(sample);
        let last = self.samples.len() - 1;
        &mut self.samples[last]
    }

    fn median<T: Ord + Copy + Default>(&self, of: impl Fn(&Sample) -> T) -> T {
        let mut values: Vec<T> = self.samples.iter().map(of).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or_default()
    }

    fn wall(&self) -> Duration {
        self.median(|sample| sample.costs.wall)
    }

    fn cpu(&self) -> Duration {
        self.median(|sample| sample.costs.cpu)
    }

    fn peak_kib(&self) -> u64 {
        self.median(|sample| sample.costs.peak_kib)
    }

    fn download(&self) -> Option<Duration> {
        self.median(|sample| sample.download)
    }

    fn cpu_each(&self) -> String {
        match self.shape.clinics {
            1 => format!("{:.1} µs", micros(self.cpu()) / number(self.shape.members)),
            lists => format!("{:.2} ms a list", micros(self.cpu()) / 1000.0 / number(lists)),
        }
    }

    fn cells(&self) -> [String; 11] {
        let download = self.download();
        let ratio = download.map(|download| self.wall().as_secs_f64() / download.as_secs_f64());
        [
            self.run.to_owned(),
            self.by.clone(),
            seconds(self.wall()),
            seconds(self.cpu()),
            self.cpu_each(),
            self.median(|sample| sample.pages).to_string(),
            self.median(|sample| sample.other).to_string(),
            self.median(|sample| sample.writes).to_string(),
            format!("{:.1} MiB", number(self.peak_kib()) / 1024.0),
            download.map(seconds).unwrap_or_default(),
            ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        ]
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = |time: Duration| micros(time) / 1000.0;
        let mut row = serializer.serialize_struct("Row", 13)?;
        row.serialize_field("clinics", &self.shape.clinics)?;
        row.serialize_field("members", &self.shape.members)?;
        row.serialize_field("latency_ms", &self.shape.latency_ms)?;
        row.serialize_field("run", self.run)?;
        row.serialize_field("by", &self.by)?;
        row.serialize_field("rounds", &self.samples.len())?;
        row.serialize_field("wall_ms", &millis(self.wall()))?;
        row.serialize_field("cpu_ms", &millis(self.cpu()))?;
        row.serialize_field("page_requests", &self.median(|sample| sample.pages))?;
        row.serialize_field("other_requests", &self.median(|sample| sample.other))?;
        row.serialize_field("writes", &self.median(|sample| sample.writes))?;
        row.serialize_field("peak_kib", &self.peak_kib())?;
        row.serialize_field("download_ms", &self.download().map(millis))?;
        row.end()
    }
}

/// Puts the rows of one world in a table, which is Markdown too.
pub fn of(rows: &[Row]) -> Table {
    let mut table = Table::new();
    let world = rows.first().map(|row| row.shape.to_string()).unwrap_or_default();
    let header = [
        world.as_str(),
        "by",
        "wall",
        "CPU",
        "CPU each",
        "pages",
        "other",
        "writes",
        "peak",
        "download",
        "x",
    ];
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table.add_rows(rows.iter().map(Row::cells));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (members, latency) = (self.members, self.latency_ms);
        match self.clinics {
            1 if self.unsynced => write!(f, "{members} patients, {latency} ms"),
            1 => write!(f, "{members} members, {latency} ms"),
            clinics => write!(f, "{clinics} clinics of {members}, {latency} ms"),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn number(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::MAX, f64::from)
}
