//! How many members were not as they should be, run by run: a plot, and the same as a table.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use maud::{Markup, html};

use super::super::runs::RunView;
use super::parts::when;
use crate::domain::Class;
use crate::reconcile::drift;

const WIDTH: u64 = 600;
const HEIGHT: u64 = 120;

/// Returns the plot of runs that are given the newest first; nothing where there are too few.
pub(super) fn plot(runs: &[RunView], zone: Tz) -> Markup {
    let mut counted: Vec<(&RunView, u64)> =
        runs.iter().filter_map(|run| Some((run, drift_of(run)?))).collect();
    counted.reverse();
    let (Some((first, _)), Some((last, now))) = (counted.first(), counted.last()) else {
        return html! { p.quiet { "No run has counted yet." } };
    };
    let most = counted.iter().map(|(_, drift)| *drift).max().unwrap_or_default();
    let label = format!("Drift over {} runs: at most {most}, now {now}", counted.len());
    html! {
        @if counted.len() > 1 {
            figure.plot {
                svg role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) }
                    preserveAspectRatio="none" {
                    line.axis x1="0" x2=(WIDTH) y1=(HEIGHT - 1) y2=(HEIGHT - 1) {}
                    polyline points=(points(&counted, most)) {}
                }
                figcaption {
                    span { (when(first.began_at, zone)) } span { "at most " b { (most) } }
                    span { (when(last.began_at, zone)) }
                }
            }
        }
        details {
            summary { "The same as a table" }
            table {
                thead { tr { th scope="col" { "Run" } th scope="col" { "Not as they should be" } } }
                tbody {
                    @for (run, drift) in counted.iter().rev() {
                        tr { td { (when(run.began_at, zone)) } td.number { (drift) } }
                    }
                }
            }
        }
    }
}

/// Steps rather than slopes: between two runs nothing is known.
fn points(counted: &[(&RunView, u64)], most: u64) -> String {
    let (steps, most) = (counted.len() as u64, most.max(1));
    let mut points = Vec::new();
    let mut before = None;
    for ((_, drift), step) in counted.iter().zip(0..) {
        let (x, y) = (step * WIDTH / steps, HEIGHT - 2 - drift * (HEIGHT - 6) / most);
        if let Some(before) = before {
            points.push(format!("{x},{before}"));
        }
        points.push(format!("{x},{y}"));
        before = Some(y);
    }
    points.extend(before.map(|y| format!("{WIDTH},{y}")));
    points.join(" ")
}

fn drift_of(run: &RunView) -> Option<u64> {
    let classes = run.summary.as_ref()?.get("classes")?;
    let classes: BTreeMap<Class, u64> = serde_json::from_value(classes.clone()).ok()?;
    (!classes.is_empty()).then(|| drift(&classes))
}
