//! Traces and figures as an OpenTelemetry collector gets them: what a run consists of, the figures that
//! Prometheus gets, and nothing about anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use listwarden::clock::{Clock, SystemClock};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;

use super::{Engine, KEY, PATIENTS, Serving, World, address, eventually};

/// What arrived, as bytes, by its path.
type Arrived = Arc<Mutex<Vec<(&'static str, Bytes)>>>;

/// A collector that keeps what it gets, from those who have its key.
struct Collector {
    url: String,
    arrived: Arrived,
}

async fn take(path: &'static str, arrived: Arrived, headers: HeaderMap, body: Bytes) -> StatusCode {
    let fits = headers["content-type"] == "application/x-protobuf";
    if !fits || headers.get("x-key").is_none_or(|key| key != "let me in") {
        return StatusCode::FORBIDDEN;
    }
    arrived.lock().unwrap().push((path, body));
    StatusCode::OK
}

impl Collector {
    async fn start() -> Self {
        let arrived = Arrived::default();
        let on = |path| {
            post(move |State(arrived): State<Arrived>, headers: HeaderMap, body: Bytes| {
                take(path, arrived, headers, body)
            })
        };
        let routes = axum::Router::new()
            .route("/v1/traces", on("traces"))
            .route("/v1/metrics", on("metrics"))
            .with_state(arrived.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes).await });
        Self { url, arrived }
    }

    fn bodies(&self, path: &str) -> Vec<Bytes> {
        let arrived = self.arrived.lock().unwrap();
        arrived.iter().filter(|(at, _)| *at == path).map(|(_, body)| body.clone()).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies("traces").into_iter();
        let requests = bodies.map(|body| ExportTraceServiceRequest::decode(body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| {
            assert_eq!(said(&resource.resource.unwrap().attributes)["service.name"], "listwarden");
            resource.scope_spans
        });
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// The last figures of each resource, by its instance.
    fn metrics(&self) -> BTreeMap<String, Vec<Metric>> {
        let bodies = self.bodies("metrics").into_iter();
        let requests = bodies.map(|body| ExportMetricsServiceRequest::decode(body).unwrap());
        let resources = requests.flat_map(|request| request.resource_metrics);
        let by_instance = resources.map(|mut resource| {
            let who = said(&resource.resource.unwrap().attributes);
            (who["service.instance.id"].clone(), resource.scope_metrics.remove(0).metrics)
        });
        by_instance.collect()
    }

    /// Whatever arrived, as one text.
    fn everything(&self) -> String {
        let traces = self.bodies("traces").into_iter();
        let traces = traces.map(|body| format!("{:?}", ExportTraceServiceRequest::decode(body)));
        let metrics = self.bodies("metrics").into_iter();
        let metrics =
            metrics.map(|body| format!("{:?}", ExportMetricsServiceRequest::decode(body)));
        traces.chain(metrics).collect()
    }
}

fn said(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &KeyValue| match value.value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => panic!("{} is {other:?}", value.key),
    };
    attributes.iter().map(|value| (value.key.clone(), text(value))).collect()
}

/// Figures without labels or with them, by name and labels, as whole numbers; of a histogram its count.
fn values(metrics: &[Metric]) -> BTreeMap<(String, Vec<String>), i64> {
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt;
    let labels = |attributes: &[KeyValue]| -> Vec<String> {
        said(attributes).into_iter().map(|(label, value)| format!("{label}={value}")).collect()
    };
    let mut values = BTreeMap::new();
    for metric in metrics {
        let numbers = match metric.data.as_ref().unwrap() {
            Data::Gauge(gauge) => &gauge.data_points,
            Data::Sum(sum) => &sum.data_points,
            Data::Histogram(histogram) => {
                for point in &histogram.data_points {
                    let key = (metric.name.clone(), labels(&point.attributes));
                    values.insert(key, i64::try_from(point.count).unwrap());
                }
                continue;
            }
            other => panic!("{other:?}"),
        };
        for point in numbers {
            let Some(AsInt(number)) = point.value else { panic!("{point:?}") };
            values.insert((metric.name.clone(), labels(&point.attributes)), number);
        }
    }
    values
}

impl World {
    fn program(&self, arguments: &[&str], collector: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_listwarden"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=let%20me%20in");
        command.env("OTEL_METRIC_EXPORT_INTERVAL", "500");
        command
    }

    fn runs(&self, collector: &str) -> Output {
        let mut command = self.program(&["reconcile", "--full", "--log", "trace"], collector);
        tokio::task::block_in_place(|| command.output().unwrap())
    }
}

on_both_engines! {
    async fn a_trace_shows_what_a_run_consists_of_and_names_nobody(world: World) {
        let collector = Collector::start().await;
        world.simulator.contact(&world.lists[0], &address(4)).unsubscribe().unwrap();
        let ran = world.runs(&collector.url);
        assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
        let spans = collector.spans();
        let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|s| (&s.span_id[..], s)).collect();
        let mut lines = BTreeSet::new();
        for span in &spans {
            let mut line = vec![span.name.as_str()];
            let mut above = by_id.get(&span.parent_span_id[..]);
            while let Some(span) = above {
                line.insert(0, &span.name);
                above = by_id.get(&span.parent_span_id[..]);
            }
            lines.insert(line.join(" > "));
        }
        for line in [
            "run > page of patients",
            "run > list > page of members > request",
            "run > list > lot > request",
        ] {
            assert!(lines.contains(line), "{lines:#?}");
        }
        let of = |name: &str| {
            spans.iter().filter(|span| span.name == name).map(|span| said(&span.attributes)).collect::<Vec<_>>()
        };
        let lists: BTreeSet<_> = of("list").into_iter().map(|list| (list["list"].clone(), list["outcome"].clone())).collect();
        let in_step = |list: &str| (list.to_owned(), "in_step".to_owned());
        assert_eq!(lists, [in_step("news"), in_step("recalls")].into());
        let requests = of("request");
        assert!(requests.iter().any(|r| r["url.template"] == "/3.0/lists/{}/members"), "{requests:?}");
        assert!(requests.iter().all(|r| r["result"] == "ok" && r["http.response.status_code"] == "200"), "{requests:?}");
        let known = [
            "account", "clinic", "full", "http.request.method", "http.response.status_code", "list",
            "operations", "outcome", "provider", "result", "run", "url.template",
        ];
        for attribute in spans.iter().flat_map(|span| said(&span.attributes).into_keys()) {
            assert!(known.contains(&attribute.as_str()), "{attribute} is new: does it name anybody?");
        }
        assert!(spans.iter().all(|span| span.events.is_empty()));
        let everything = collector.everything();
        for n in 0..PATIENTS {
            assert!(!everything.contains(&address(n)), "an address arrived");
        }
        for name in ["Ann", "Lee", "@", KEY, &world.lists[0], "let me in"] {
            assert!(!everything.contains(name), "`{name}` arrived");
        }
        world.end().await;
    }

    async fn figures_arrive_as_prometheus_reads_them(world: World) {
        let collector = Collector::start().await;
        assert_eq!(world.runs(&collector.url).status.code(), Some(0));
        let of_run = collector.metrics().remove("reconcile-1-of-1").unwrap();
        let turns = |outcome: &str| ("listwarden_runs_total".to_owned(), vec![format!("outcome={outcome}")]);
        assert!(values(&of_run)[&turns("in_step")] >= 2);
        let mut serving = world.exports(&collector.url).await;
        let instance = || collector.metrics().into_iter().find(|(of, _)| !of.starts_with("reconcile"));
        eventually("a serving process sends its own", async || instance().is_some()).await;
        serving.signal("-TERM");
        assert_eq!(tokio::task::block_in_place(|| serving.child.wait().unwrap()).code(), Some(0));
        let again = world.serves(world.port).await;
        let (_, text) = again.figures_text().await;
        let sent = values(&instance().unwrap().1);
        let mut shown = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            if ["_bucket", "_sum"].iter().any(|end| name.ends_with(end)) {
                continue;
            }
            let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
            let mut labels: Vec<String> = labels.map(|label| label.replace('"', "")).collect();
            labels.sort();
            let name = name.strip_suffix("_count").unwrap_or(name).to_owned();
            shown.insert((name, labels), value.parse::<i64>().unwrap());
        }
        assert_eq!(sent.keys().collect::<Vec<_>>(), shown.keys().collect::<Vec<_>>());
        let still = |name: &str| !name.contains("provider") && !name.contains("unpropagated");
        for (key, value) in shown.iter().filter(|((name, _), _)| still(name)) {
            assert_eq!(sent[key], *value, "{key:?}");
        }
        drop(again);
        world.end().await;
    }
}

impl World {
    async fn exports(&self, collector: &str) -> Serving {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut command = self.program(&["serve", "--listen", &listen], collector);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let serving = Serving { child: command.spawn().unwrap(), port: self.port, metrics: 0 };
        eventually("the server is ready", async || serving.get("/readyz").await == 200).await;
        serving
    }
}

/// A collector that takes a connection and says nothing, ever.
async fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("http://{}", listener.local_addr().unwrap()), listener)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_down_silent_or_refuses_changes_no_exit_code_and_keeps_nobody_waiting()
{
    let world = World::new(Engine::Sqlite, PATIENTS).await;
    let refusing = Collector::start().await;
    let (silent, _open) = silent().await;
    for url in ["http://127.0.0.1:1", &silent, "no url", &format!("{}/elsewhere", refusing.url)] {
        let began = SystemClock.now();
        let ran = world.runs(url);
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(0), "{url}: {told}");
        let warned = told.contains("were not sent to the collector");
        assert!(warned, "{url}: {told}");
        let took = SystemClock.now() - began;
        assert!(took.to_std().unwrap() < Duration::from_secs(20), "{url}: {took}");
        assert!(!told.contains("let me in"), "{told}");
    }
    world.end().await;
}
