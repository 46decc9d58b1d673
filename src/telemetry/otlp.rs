//! OpenTelemetry: traces and figures to a collector, by OTLP over HTTP (protobuf), as the usual
//! `OTEL_*` variables say. Nothing is sent where they name no collector.
//!
//! A collector that is slow or down costs a warning: spans wait in a bounded queue that a thread of
//! its own empties, and whatever is sent at the end has a deadline.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;
use percent_encoding::percent_decode_str;
use prost::Message;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::clock::{SystemClock, timeout};
use crate::providers::Transport;
use crate::providers::transport::HttpTransport;

/// How long a collector may take for one request.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the last spans may take when the process ends.
const LAST: Duration = Duration::from_secs(2);
/// How often figures are sent, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise.
const INTERVAL: Duration = Duration::from_mins(1);
/// How often they are at most.
const SHORTEST: Duration = Duration::from_secs(1);

/// Spans on their way to a collector.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send spans, if the environment names a collector for them; needs the async runtime.
    pub(super) fn of_process<S>() -> Option<(Box<dyn Layer<S> + Send + Sync>, Self)>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        endpoint(&variable, "TRACES")?;
        let began = Self::begin();
        began.inspect_err(|problem| eprintln!("warning: nothing is traced: {problem}")).ok()
    }

    fn begin<S>() -> Result<(Box<dyn Layer<S> + Send + Sync>, Self), String>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let transport = HttpTransport::new().map_err(|error| error.to_string())?;
        let sender = Sender {
            runtime: Handle::current(),
            transport: Arc::new(transport),
            well: AtomicBool::new(true),
        };
        let exporter = SpanExporter::builder().with_http().with_http_client(sender);
        let exporter = exporter.build().map_err(|_| "an OTEL_EXPORTER_OTLP_* variable is wrong")?;
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("listwarden"))
            .with_location(false)
            .with_threads(false)
            .with_level(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        // Ours alone: what libraries say of a request may hold more than we tell anybody.
        let ours = filter_fn(|metadata| {
            metadata.is_span() && metadata.target().split("::").next() == Some("listwarden")
        });
        Ok((layer.with_filter(ours).boxed(), Self(provider)))
    }

    pub(super) fn end(self) {
        self.0.shutdown_with_timeout(LAST).ok();
    }
}

/// What spans are sent by: the program's own HTTP, on its own runtime.
struct Sender {
    runtime: Handle,
    transport: Arc<HttpTransport>,
    well: AtomicBool,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Sender {
    /// Sends, and warns once of each time that the collector does not take spans any more.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let transport = self.transport.clone();
        let sent = self.runtime.spawn(async move { send(transport.as_ref(), request).await });
        let sent = sent.await.unwrap_or_else(|_| Err("the process ends".to_owned()));
        let was_well = self.well.swap(sent.is_ok(), Ordering::Relaxed);
        if let Err(problem) = &sent
            && was_well
        {
            tracing::warn!(problem, "traces are lost: the collector did not take them");
        }
        sent.map_err(Into::into)
    }
}

/// Says why it did not work; never where the collector is, which may hold a secret.
async fn send(
    transport: &HttpTransport,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, String> {
    match timeout(&SystemClock, PATIENCE, transport.send(request)).await {
        Ok(Ok(answer)) if answer.status().is_success() => Ok(answer),
        Ok(Ok(answer)) => Err(format!("it answered {}", answer.status())),
        Ok(Err(_)) => Err("it could not be reached".to_owned()),
        Err(_) => Err("it took too long".to_owned()),
    }
}

/// Takes figures, which are gathered elsewhere.
pub struct Collector {
    url: String,
    headers: HeaderMap,
    resource: ProtoResource,
    transport: HttpTransport,
    /// How often it is to get them.
    pub every: Duration,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl Collector {
    /// Returns the collector that the environment names for figures; they are those of `instance`,
    /// unless the environment says `service.instance.id`.
    #[must_use]
    pub fn of_process(instance: &str) -> Option<Self> {
        Self::of(&variable, resource(), instance)
    }

    fn of(
        variable: &dyn Fn(&str) -> Option<String>,
        resource: Resource,
        instance: &str,
    ) -> Option<Self> {
        let url = endpoint(variable, "METRICS")?;
        let resource = or(resource, "service.instance.id", instance);
        let given = of_signal(variable, "METRICS", "HEADERS").unwrap_or_default();
        let mut headers = headers(&given);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let every = variable("OTEL_METRIC_EXPORT_INTERVAL").and_then(|text| text.parse().ok());
        Some(Self {
            url,
            headers,
            resource: ProtoResource {
                attributes: ResourceAttributesWithSchema::from(&resource).attributes.0,
                ..ProtoResource::default()
            },
            transport: HttpTransport::new().ok()?,
            every: every.map_or(INTERVAL, Duration::from_millis).max(SHORTEST),
        })
    }

    /// Sends figures.
    pub async fn take(&self, metrics: Vec<Metric>) -> Result<(), String> {
        let scope = InstrumentationScope {
            name: "listwarden".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let scope = ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() };
        let figures = ResourceMetrics {
            resource: Some(self.resource.clone()),
            scope_metrics: vec![scope],
            ..ResourceMetrics::default()
        };
        let body = ExportMetricsServiceRequest { resource_metrics: vec![figures] };
        let mut request = Request::post(&self.url)
            .body(Bytes::from(body.encode_to_vec()))
            .map_err(|_| "its address is no URL".to_owned())?;
        *request.headers_mut() = self.headers.clone();
        send(&self.transport, request).await.map(drop)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Returns where a signal goes: to an address of its own, or to its path below that of all.
fn endpoint(variable: &dyn Fn(&str) -> Option<String>, signal: &str) -> Option<String> {
    let says =
        |name: &str, word: &str| variable(name).is_some_and(|said| said.eq_ignore_ascii_case(word));
    if says("OTEL_SDK_DISABLED", "true") || says(&format!("OTEL_{signal}_EXPORTER"), "none") {
        return None;
    }
    variable(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")).or_else(|| {
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        Some(format!("{}/v1/{}", base.trim_end_matches('/'), signal.to_lowercase()))
    })
}

/// Returns what is set for one signal, or else for all.
fn of_signal(
    variable: &dyn Fn(&str) -> Option<String>,
    signal: &str,
    what: &str,
) -> Option<String> {
    variable(&format!("OTEL_EXPORTER_OTLP_{signal}_{what}"))
        .or_else(|| variable(&format!("OTEL_EXPORTER_OTLP_{what}")))
}

/// Reads `name=value` pairs with commas between them, values percent-encoded.
fn headers(text: &str) -> HeaderMap {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
    };
    text.split(',').filter_map(pair).collect()
}

/// Says who sends, as `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have it.
fn resource() -> Resource {
    let named = variable("OTEL_SERVICE_NAME").map(|name| KeyValue::new("service.name", name));
    let said = Resource::builder_empty()
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(named)
        .build();
    let said = or(said, "service.name", "listwarden");
    or(said, "service.version", env!("CARGO_PKG_VERSION"))
}

/// Adds an attribute unless it is there.
fn or(resource: Resource, key: &'static str, value: &str) -> Resource {
    if resource.get(&key.into()).is_some() {
        return resource;
    }
    let said = resource.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let more = KeyValue::new(key, value.to_owned());
    Resource::builder_empty().with_attributes(said.chain([more])).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> Option<String> {
        let value = match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => "http://collector.test:4318/",
            "OTEL_EXPORTER_OTLP_HEADERS" => "authorization=Bearer%20x, x-scope = 1",
            "OTEL_METRIC_EXPORT_INTERVAL" => "5000",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn the_collector_is_read_from_opentelemetry_s_own_variables() {
        let collector = Collector::of(&set, Resource::builder_empty().build(), "a").unwrap();
        assert_eq!(collector.url, "http://collector.test:4318/v1/metrics");
        assert_eq!(collector.headers["authorization"], "Bearer x");
        assert_eq!(collector.headers["x-scope"], "1");
        assert_eq!(collector.every, Duration::from_secs(5));
        assert_eq!(collector.resource.attributes[0].key, "service.instance.id");
        assert!(!format!("{collector:?}").contains("Bearer"));
        assert!(Collector::of(&|_| None, Resource::builder_empty().build(), "a").is_none());
        let at_once = |name: &str| match name {
            "OTEL_METRIC_EXPORT_INTERVAL" => Some("0".to_owned()),
            other => set(other),
        };
        let collector = Collector::of(&at_once, Resource::builder_empty().build(), "a").unwrap();
        assert_eq!(collector.every, SHORTEST);
    }

    #[test]
    fn a_signal_may_go_elsewhere_or_nowhere() {
        let and = |more: &'static str, value: &'static str| {
            move |name: &str| if name == more { Some(value.to_owned()) } else { set(name) }
        };
        let own = and("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces.test/in");
        assert_eq!(endpoint(&own, "TRACES").unwrap(), "http://traces.test/in");
        assert_eq!(endpoint(&and("OTEL_TRACES_EXPORTER", "none"), "TRACES"), None);
        assert!(endpoint(&and("OTEL_TRACES_EXPORTER", "none"), "METRICS").is_some());
        assert_eq!(endpoint(&and("OTEL_SDK_DISABLED", "true"), "METRICS"), None);
    }
}
