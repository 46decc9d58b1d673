//! Figures for Prometheus: of lists, inbox and ledgers as the store has them, of all runs as they
//! were added up there, and of the deliveries that this process took.
//!
//! A scrape reads a few short tables; links are counted only where a turn has ended since, and for a
//! short time at once. No label names anybody: lists, providers and words of ours are all there is.

mod exposition;
mod lists;
#[cfg(feature = "otlp")]
mod otlp;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::sync::Mutex;

pub use self::exposition::Family;
use self::lists::{Standing, seconds};
use super::webhooks::{Receiver, Verdict};
use crate::clock::{SharedClock, timeout};
use crate::domain::ListId;
use crate::store::tally::{INFINITE, SUM};
use crate::store::{Counter, Links, ListFigures, Store, StoreError, Tally};

/// How long what was gathered is shown again.
const KEPT: TimeDelta = TimeDelta::seconds(5);
/// How long links are counted for one scrape; the lists that are left follow with the next.
const COUNTING: TimeDelta = TimeDelta::seconds(2);
/// How long a scrape may take; Prometheus gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);

/// The media type of the text.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The lists of the configuration, `(clinic, list)`, and how old a reading of them may be.
pub type Watched = BTreeMap<(String, String), TimeDelta>;

/// Gathers figures.
pub struct Figures {
    store: Store,
    clock: SharedClock,
    watched: Box<dyn Fn() -> Watched + Send + Sync>,
    most: u32,
    gathered: Mutex<Gathered>,
}

/// What was gathered last.
#[derive(Default)]
struct Gathered {
    at: Option<DateTime<Utc>>,
    families: Arc<[Family]>,
    counted: BTreeMap<ListId, (Option<DateTime<Utc>>, Links)>,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

impl Figures {
    /// Prepares to gather figures of the lists that `watched` returns, each by itself up to `most`.
    pub fn new(
        store: Store,
        clock: SharedClock,
        watched: impl Fn() -> Watched + Send + Sync + 'static,
        most: u32,
    ) -> Self {
        Self { store, clock, watched: Box::new(watched), most, gathered: Mutex::default() }
    }

    /// Returns what the store has; a few seconds old at most.
    pub async fn of_store(&self) -> Result<Arc<[Family]>, StoreError> {
        let mut gathered = self.gathered.lock().await;
        let now = self.clock.now();
        let fresh = |at: DateTime<Utc>| (TimeDelta::zero()..KEPT).contains(&(now - at));
        if !gathered.at.is_some_and(fresh) {
            let mut families =
                lists::families(&self.standings(&mut gathered).await?, self.most, now);
            families.extend(of_tallies(&self.store.tallies().await?));
            families.extend(self.of_deployment().await?);
            gathered.families = families.into();
            gathered.at = Some(now);
        }
        Ok(gathered.families.clone())
    }

    /// Returns how the lists of the configuration stand.
    async fn standings(&self, gathered: &mut Gathered) -> Result<Vec<Standing>, StoreError> {
        let watched = (self.watched)();
        let mut rows = self.store.figures_of_lists().await?;
        rows.retain(|row| watched.contains_key(&(row.clinic.clone(), row.list.clone())));
        self.count_links(&rows, gathered).await?;
        let lists: BTreeMap<_, _> = self.store.spreading_on_lists().await?.into_iter().collect();
        let untold: BTreeMap<_, _> = self.store.spreading_untold().await?.into_iter().collect();
        let standing = |row: ListFigures| Standing {
            links: gathered.counted.get(&row.list_id).map(|(_, links)| links.clone()),
            opt_out: [lists.get(&row.list_id), untold.get(&row.clinic_id)]
                .into_iter()
                .flatten()
                .min()
                .copied(),
            freshness: watched[&(row.clinic.clone(), row.list.clone())],
            row,
        };
        Ok(rows.into_iter().map(standing).collect())
    }

    /// Counts the links of lists that had a turn since they were counted, those that were never
    /// counted first, as far as there is time.
    async fn count_links(
        &self,
        rows: &[ListFigures],
        gathered: &mut Gathered,
    ) -> Result<(), StoreError> {
        let counted = &mut gathered.counted;
        counted.retain(|list, _| rows.iter().any(|row| row.list_id == *list));
        let at = |row: &ListFigures| counted.get(&row.list_id).map(|(at, _)| *at);
        let mut due: Vec<_> = rows.iter().filter(|row| at(row) != Some(row.turned_at)).collect();
        due.sort_by_key(|row| at(row));
        let until = self.clock.now() + COUNTING;
        for row in due {
            let links = self.store.figures_of_links(row.clinic_id, row.list_id).await?;
            counted.insert(row.list_id, (row.turned_at, links));
            if self.clock.now() >= until {
                break;
            }
        }
        Ok(())
    }

    async fn of_deployment(&self) -> Result<[Family; 3], StoreError> {
        let mut inbox = Family::gauge(
            "listwarden_inbox_depth",
            "Deliveries that are kept and not attended to yet.",
        );
        let mut verified = Family::gauge(
            "listwarden_ledger_verified_timestamp_seconds",
            "When the ledger was last verified: of several clinics' the one verified longest ago.",
        );
        let mut broken = Family::gauge(
            "listwarden_ledger_broken",
            "1 if a line of a ledger, or of the audit log, did not fit when it was last looked at.",
        );
        inbox.add(&[], self.store.figures_of_inbox().await?);
        let watched: BTreeSet<String> =
            (self.watched)().into_keys().map(|(clinic, _)| clinic).collect();
        let mut ledgers = self.store.figures_of_ledgers().await?;
        ledgers.retain(|ledger| watched.contains(&ledger.clinic));
        let oldest = ledgers.iter().map(|ledger| ledger.verified_at).min().flatten();
        verified.add(&[], seconds(oldest));
        let audit = self.store.audit_bad_line().await?;
        let bad = audit.is_some() || ledgers.iter().any(|ledger| ledger.bad_line.is_some());
        broken.add(&[], u8::from(bad));
        Ok([inbox, verified, broken])
    }
}

/// Returns what was counted over all runs and processes.
fn of_tallies(tally: &Tally) -> [Family; 6] {
    let mut requests =
        Family::counter("listwarden_provider_requests_total", "Requests to providers, by result.");
    for (provider, result, n) in tally.of(Counter::Requests) {
        requests.add(&[("provider", provider), ("result", result)], n);
    }
    let mut throttles = Family::counter(
        "listwarden_provider_throttles_total",
        "Answers of providers that asked us to wait.",
    );
    for (provider, _, n) in tally.of(Counter::Throttles) {
        throttles.add(&[("provider", provider)], n);
    }
    let mut runs =
        Family::counter("listwarden_runs_total", "Turns of lists in runs, by how they ended.");
    for (outcome, _, n) in tally.of(Counter::Runs) {
        runs.add(&[("outcome", outcome)], n);
    }
    let mut request_time = Family::histogram(
        "listwarden_provider_request_duration_seconds",
        "How long requests to providers took.",
    );
    let mut run_time = Family::histogram(
        "listwarden_run_duration_seconds",
        "How long the turns of lists in runs took.",
    );
    let mut propagation = Family::histogram(
        "listwarden_opt_out_propagation_seconds",
        "How long opt-outs took from being known until they were everywhere.",
    );
    histogram(&mut request_time, tally, Counter::RequestTime, Some("provider"));
    histogram(&mut run_time, tally, Counter::RunTime, None);
    histogram(&mut propagation, tally, Counter::Propagation, None);
    [requests, throttles, runs, request_time, run_time, propagation]
}

/// Adds the histogram of each label, with every bucket; one without a label is there from the start.
fn histogram(family: &mut Family, tally: &Tally, counter: Counter, label: Option<&'static str>) {
    let mut parts: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    if label.is_none() {
        parts.insert("", BTreeMap::new());
    }
    for (of, part, n) in tally.of(counter) {
        parts.entry(of).or_default().insert(part, n);
    }
    for (of, counts) in parts {
        let bounds = counter.buckets().iter().copied().chain([INFINITE]);
        let count = |part| counts.get(part).copied().unwrap_or_default();
        let buckets = bounds.map(|bound| (bound, count(bound))).collect();
        let labels: Vec<_> = label.into_iter().map(|label| (label, of)).collect();
        family.add_buckets(&labels, buckets, count(SUM));
    }
}

/// Returns what this process knows by itself, of the deliveries that `receiver` took.
#[must_use]
pub fn of_process(receiver: &Receiver) -> [Family; 2] {
    let mut deliveries = Family::counter(
        "listwarden_webhook_deliveries_total",
        "Deliveries to this process, by what became of them.",
    );
    for verdict in Verdict::ALL {
        deliveries.add(&[("result", verdict.word())], receiver.counts().of(*verdict));
    }
    let mut build = Family::gauge("listwarden_build_info", "The program's version; always 1.");
    build.add(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    [deliveries, build]
}

/// Returns the routes of the port for figures.
pub fn router(figures: Arc<Figures>, receiver: Arc<Receiver>) -> Router {
    Router::new().route("/metrics", get(show)).with_state((figures, receiver))
}

/// Shows all figures, or none: without the store's an alert could not come, and would not be missed.
async fn show(State((figures, receiver)): State<(Arc<Figures>, Arc<Receiver>)>) -> Response {
    let gathered = timeout(figures.clock.as_ref(), PATIENCE, figures.of_store()).await;
    let mut text = match gathered {
        Ok(Ok(families)) => text(&families),
        Ok(Err(error)) => {
            tracing::error!(%error, "the figures could not be gathered");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Err(_) => {
            tracing::error!("the store took too long to gather the figures");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    text.push_str(&self::text(&of_process(&receiver)));
    ([(CONTENT_TYPE, TEXT)], text).into_response()
}

/// Returns families as text for Prometheus.
#[must_use]
pub fn text(families: &[Family]) -> String {
    families.iter().map(ToString::to_string).collect()
}
