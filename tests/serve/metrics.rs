//! Figures as Prometheus reads them: what the documentation promises, and nothing about anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::put;
use listwarden::domain::{Class, MemberStatus, Origin};
use listwarden::http::Verdict;
use listwarden::providers::PROVIDERS;
use listwarden::simulator::mailchimp::{Fault, Rule};

use super::{Delivery, Engine, KEY, PATIENTS, Serving, World, address, client, eventually};

/// What a scrape showed.
#[derive(Debug, Clone)]
struct Figures {
    kinds: BTreeMap<String, String>,
    /// Whole seconds where it is a sum of durations.
    samples: BTreeMap<String, i64>,
}

impl Figures {
    fn read(text: &str) -> Self {
        let (mut kinds, mut samples) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            } else if !line.starts_with('#') {
                let (sample, value) = line.rsplit_once(' ').unwrap();
                let whole = value.split('.').next().unwrap();
                let again = samples.insert(sample.to_owned(), whole.parse().unwrap());
                assert!(again.is_none(), "{sample} twice");
            }
        }
        Self { kinds, samples }
    }

    fn value(&self, sample: &str) -> i64 {
        self.samples.get(sample).copied().unwrap_or_default()
    }

    /// Every label with its values, by family.
    fn labels(&self) -> BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> {
        let mut all: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
        for sample in self.samples.keys() {
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let of_histogram = ["_bucket", "_sum", "_count"].map(|end| name.strip_suffix(end));
            let family = of_histogram.into_iter().flatten().find(|f| self.kinds.contains_key(*f));
            let known = all.entry(family.unwrap_or(name)).or_default();
            for label in labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty())
            {
                let (label, value) = label.split_once("=\"").unwrap();
                known.entry(label).or_default().insert(value.trim_end_matches('"'));
            }
        }
        all
    }
}

impl Serving {
    pub(super) async fn figures_text(&self) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics);
        let answer = client().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn figures(&self) -> Figures {
        let (status, text) = self.figures_text().await;
        assert_eq!(status, 200, "{text}");
        Figures::read(&text)
    }

    async fn shows(&self, sample: &str, holds: impl Fn(i64) -> bool) {
        let what = format!("{sample} is as it should be");
        eventually(&what, async || holds(self.figures().await.value(sample))).await;
    }
}

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The table of docs/operations/metrics.md: each name with its labels.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = file("docs/operations/metrics.md");
    let rows = text.lines().filter(|line| line.starts_with("| `listwarden_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[2].split(',').map(|label| label.trim().trim_matches('`').to_owned());
        (cells[1].trim_matches('`').to_owned(), labels.filter(|l| !l.is_empty()).collect())
    })
    .collect()
}

/// What was pushed: paths and bodies.
type Pushed = Arc<Mutex<Vec<(String, String)>>>;

/// A gateway that keeps what is pushed to it.
async fn gateway() -> (String, Pushed) {
    let pushed = Pushed::default();
    let keep = |State(pushed): State<Pushed>, path: axum::extract::Path<String>, body: String| async move {
        pushed.lock().unwrap().push((path.0, body));
    };
    let routes = axum::Router::new().route("/{*path}", put(keep)).with_state(pushed.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, routes).await });
    (url, pushed)
}

const BOUND: &str = "le";

/// Every value of every label is a word of ours, a name of the configuration or a number.
fn says_nothing_about_anybody(text: &str) {
    for n in 0..PATIENTS {
        assert!(!text.contains(&address(n)), "an address is shown");
    }
    for name in ["Ann", "Lee", "@", "website form", KEY] {
        assert!(!text.contains(name), "`{name}` is shown");
    }
    let outcomes =
        ["in_step", "busy", "interrupted", "waiting", "braked", "parked_removals", "failed"];
    let results = ["ok", "not_found", "refused", "throttled", "failed", "unreachable", "broken"];
    let words = |label: &str| -> BTreeSet<&str> {
        match label {
            "list" => ["riverside/news", "riverside/recalls"].into(),
            "class" => Class::ALL.iter().map(|class| class.word()).collect(),
            "status" => MemberStatus::ALL.iter().map(|s| s.word()).chain(["unseen"]).collect(),
            "provider" => PROVIDERS.iter().map(|provider| provider.name).collect(),
            "result" => Verdict::ALL.iter().map(|v| v.word()).chain(results).collect(),
            "outcome" => outcomes.into(),
            "version" => [env!("CARGO_PKG_VERSION")].into(),
            other => panic!("a label that nobody knows: {other}"),
        }
    };
    let figures = Figures::read(text);
    for (family, labels) in figures.labels() {
        for (label, values) in labels {
            if label == BOUND {
                assert!(values.iter().all(|bound| bound.parse::<f64>().is_ok()), "{values:?}");
                continue;
            }
            let known = words(label);
            assert!(values.is_subset(&known), "{family}: {label} is one of {values:?}");
        }
    }
}

on_both_engines! {
    async fn every_figure_of_the_documentation_is_shown_and_no_other(world: World) {
        world.simulator.script(Rule::next(Fault::TooManyRequests { retry_after: None }));
        let (gateway, pushed) = gateway().await;
        let ran = world.command(&["reconcile", "--full", "--pushgateway", &gateway]);
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        let serving = world.serves(world.port).await;
        let endpoints = world.registers().await;
        let endpoint = endpoints.iter().find(|e| e.origin == Origin::Contact).unwrap();
        Delivery::unsubscribe(endpoint, 3).sent(&client(), world.port).await;
        let propagated = "listwarden_opt_out_propagation_seconds_count";
        serving.shows(propagated, |n| n >= 1).await;

        let (_, text) = serving.figures_text().await;
        says_nothing_about_anybody(&text);
        let figures = Figures::read(&text);
        let documented = documented();
        assert_eq!(figures.kinds.keys().collect::<Vec<_>>(), documented.keys().collect::<Vec<_>>());
        for (family, labels) in figures.labels() {
            let shown: BTreeSet<String> = labels.into_keys().map(str::to_owned).collect();
            let mut promised = documented[family].clone();
            if figures.kinds[family] == "histogram" {
                promised.insert(BOUND.to_owned());
            }
            assert_eq!(shown, promised, "{family}");
        }
        for verdict in Verdict::ALL {
            let said = format!("`{}`", verdict.word());
            assert!(file("docs/operations/metrics.md").contains(&said), "{said} is not documented");
        }
        let one = |name: &str| figures.value(name);
        assert_eq!(one("listwarden_provider_throttles_total{provider=\"mailchimp\"}"), 1);
        assert_eq!(one("listwarden_held_but_dropped{list=\"riverside/news\"}"), 0);
        assert!(one("listwarden_ledger_verified_timestamp_seconds") > 1, "by the run that read all");
        assert!(one("listwarden_last_success_timestamp_seconds{list=\"riverside/news\"}") > 1);

        let pushed = std::mem::take(&mut *pushed.lock().unwrap());
        let [(path, body)] = &pushed[..] else { panic!("pushed {} times", pushed.len()) };
        assert_eq!(path, "metrics/job/listwarden/instance/1-of-1");
        says_nothing_about_anybody(body);
        let pushed = Figures::read(body);
        assert!(pushed.value("listwarden_runs_total{outcome=\"in_step\"}") >= 2);
        let of_process = ["listwarden_build_info", "listwarden_webhook_deliveries_total"];
        let rest = documented.keys().filter(|name| !of_process.contains(&name.as_str()));
        assert_eq!(pushed.kinds.keys().collect::<Vec<_>>(), rest.collect::<Vec<_>>());
        drop(serving);
        world.end().await;
    }

    async fn what_runs_counted_is_added_up_and_shown_by_whoever_serves(world: World) {
        let serving = world.serves(world.port).await;
        let in_step = "listwarden_runs_total{outcome=\"in_step\"}";
        let ok = "listwarden_provider_requests_total{provider=\"mailchimp\",result=\"ok\"}";
        let before = serving.figures().await;
        // A gateway that is not there costs a warning, and nothing else.
        for _ in 0..2 {
            let ran = world.command(&["reconcile", "--pushgateway", "http://127.0.0.1:1"]);
            assert_eq!(ran.status.code(), Some(0));
            let told = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(told.contains("could not be pushed"), "{told}");
        }
        serving.shows(in_step, |runs| runs >= before.value(in_step) + 4).await;
        let figures = serving.figures().await;
        assert!(figures.value(ok) >= before.value(ok) + 4, "two requests a list and run");
        let took = "listwarden_run_duration_seconds_bucket{le=\"+Inf\"}";
        assert_eq!(figures.value(took), figures.value("listwarden_run_duration_seconds_count"));
        drop(serving);
        world.end().await;
    }

    async fn deliveries_are_counted_by_what_became_of_them(world: World) {
        let serving = world.serves(world.port).await;
        let endpoints = world.registers().await;
        let endpoint = endpoints.iter().find(|e| e.origin == Origin::Contact).unwrap();
        let client = client();
        let genuine = Delivery::unsubscribe(endpoint, 5);
        let forged = Delivery { body: format!("{}&x=1", genuine.body), ..genuine.clone() };
        for (delivery, status) in [(&genuine, 200), (&genuine, 200), (&forged, 401)] {
            assert_eq!(delivery.sent(&client, world.port).await, status);
        }
        assert_eq!(serving.get(&format!("/webhooks/{}", "0".repeat(48))).await, 404);
        let figures = serving.figures().await;
        let result = |word: &str| {
            figures.value(&format!("listwarden_webhook_deliveries_total{{result=\"{word}\"}}"))
        };
        assert_eq!(["accepted", "repeated", "refused_signature"].map(result), [1, 1, 1]);
        let statuses = "listwarden_members{list=\"riverside/recalls\",class=\"in_step\",\
                        status=\"unsubscribed\"}";
        eventually("it is in step", async || {
            world.command(&["reconcile"]);
            serving.figures().await.value(statuses) == 1
        })
        .await;
        serving.shows("listwarden_inbox_depth", |waiting| waiting == 0).await;
        // Each port answers for its own.
        assert_eq!(serving.get("/metrics").await, 404);
        let there = format!("http://127.0.0.1:{}", serving.metrics);
        for path in [genuine.path.as_str(), "/readyz"] {
            let answer = client.post(format!("{there}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
        drop(serving);
        world.end().await;
    }

    async fn an_opt_out_that_cannot_be_made_shows_until_it_is(world: World) {
        let serving = world.serves(world.port).await;
        let endpoints = world.registers().await;
        let endpoint = endpoints.iter().find(|e| e.origin == Origin::Contact).unwrap();
        world.simulator.script(Rule::next(Fault::BadGateway).times(10_000));
        assert_eq!(Delivery::unsubscribe(endpoint, 9).sent(&client(), world.port).await, 200);
        let waits = "listwarden_opt_out_oldest_unpropagated_seconds{list=\"riverside/recalls\"}";
        serving.shows(waits, |seconds| seconds >= 1).await;
        let through = "listwarden_opt_out_propagation_seconds_count";
        assert_eq!(serving.figures().await.value(through), 0);
        world.simulator.clear_faults();
        eventually("it is everywhere", async || {
            world.command(&["reconcile"]);
            serving.figures().await.value(waits) == 0
        })
        .await;
        serving.shows(through, |n| n == 1).await;
        let sum = "listwarden_opt_out_propagation_seconds_sum";
        assert!(serving.figures().await.value(sum) >= 1);
        drop(serving);
        world.end().await;
    }

    async fn a_key_that_is_refused_and_a_broken_ledger_show_until_they_are_mended(world: World) {
        let serving = world.serves(world.port).await;
        let refused = "listwarden_credential_refused{list=\"riverside/news\"}";
        let broken = "listwarden_ledger_broken";
        let secret = world.folder.path().join("secrets/riverside/mailchimp");
        fs::write(&secret, "f".repeat(32) + "-us6").unwrap();
        assert_eq!(world.command(&["reconcile"]).status.code(), Some(1));
        serving.shows(refused, |refused| refused == 1).await;
        fs::write(&secret, KEY).unwrap();
        assert_eq!(world.command(&["reconcile"]).status.code(), Some(0));
        serving.shows(refused, |refused| refused == 0).await;
        for (mac, exit) in [("'x' || mac", 1), ("substr(mac, 2)", 0)] {
            world.tampers(&format!("UPDATE ledger SET mac = {mac} WHERE seq = 1")).await;
            assert_eq!(world.command(&["ledger", "verify"]).status.code(), Some(exit));
            serving.shows(broken, |broken| broken == i64::from(exit)).await;
        }
        // Without the store's there are none: an alert could not come, and would not be missed.
        world.tampers("ALTER TABLE tallies RENAME TO elsewhere").await;
        eventually("nothing is shown", async || serving.figures_text().await.0 == 503).await;
        drop(serving);
        world.end().await;
    }
}

#[test]
fn rules_and_dashboard_ask_for_figures_of_the_documentation() {
    let documented = documented();
    for path in ["charts/listwarden/files/rules.yaml", "charts/listwarden/files/dashboard.json"] {
        let text = file(path);
        let mut asked = BTreeSet::new();
        for (at, _) in text.match_indices("listwarden_") {
            let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            asked.insert(text[at..][..end.unwrap()].trim_end_matches("_bucket").to_owned());
        }
        assert!(asked.len() > 5, "{path}");
        let unknown: Vec<_> = asked.iter().filter(|name| !documented.contains_key(*name)).collect();
        assert!(unknown.is_empty(), "{path} asks for {unknown:?}");
    }
}
