//! Sends figures away: to a Prometheus Pushgateway when a run has ended, to an OpenTelemetry collector
//! also from time to time.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;

use super::Deployment;
#[cfg(feature = "otlp")]
use crate::clock::Clock;
use crate::clock::timeout;
#[cfg(feature = "otlp")]
use crate::http::metrics::{Family, Figures};
use crate::http::metrics::{TEXT, Watched, text};
use crate::providers::base_url;
#[cfg(feature = "otlp")]
use crate::telemetry::otlp::Collector;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to gather figures for a collector.
#[cfg(feature = "otlp")]
const GATHERED: Duration = Duration::from_secs(3);

/// Replaces the figures of the group `instance` by those of `watched`. A failure is a warning: the run
/// is what counts.
pub(super) async fn push(deployment: &Deployment, gateway: &str, instance: &str, watched: Watched) {
    let pushed = try_push(deployment, gateway, instance, watched);
    let failed = match timeout(deployment.clock(), PATIENCE, pushed).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "it took too long".to_owned(),
    };
    tracing::warn!(
        problem = failed,
        "the figures could not be pushed; they are in the store, where `listwarden serve` finds them"
    );
}

async fn try_push(
    deployment: &Deployment,
    gateway: &str,
    instance: &str,
    watched: Watched,
) -> anyhow::Result<()> {
    let figures = deployment.figures(move || watched.clone()).of_store().await?;
    let gateway = base_url(gateway).context("the gateway's address is no plain http(s) URL")?;
    // Whoever shares a gateway writes a group of its own into the URL.
    let job = if gateway.contains("/metrics/job/") { "" } else { "/metrics/job/listwarden" };
    let request = Request::put(format!("{gateway}{job}/instance/{instance}"))
        .header(CONTENT_TYPE, TEXT)
        .body(Bytes::from(text(&figures)))?;
    let answer = deployment.transport().send(request).await?;
    if !answer.status().is_success() {
        bail!("the gateway answered {}", answer.status());
    }
    Ok(())
}

/// Sends the figures of `watched` to the collector that the environment names, if it does.
#[cfg(feature = "otlp")]
pub(super) async fn export(deployment: &Deployment, instance: &str, watched: Watched) {
    let Some(collector) = Collector::of_process(&format!("reconcile-{instance}")) else { return };
    let figures = deployment.figures(move || watched.clone());
    export_to(&collector, deployment.clock(), &figures, &[]).await.unwrap_or_else(warn);
}

/// Sends figures and what the process knows by itself, for a few seconds at most.
#[cfg(feature = "otlp")]
pub(super) async fn export_to(
    collector: &Collector,
    clock: &dyn Clock,
    figures: &Figures,
    own: &[Family],
) -> Result<(), String> {
    let gathered = timeout(clock, GATHERED, figures.of_store()).await;
    let gathered = gathered.map_err(|_| "the store took too long".to_owned())?;
    let gathered = gathered.map_err(|error| error.to_string())?;
    let now = clock.now();
    let metrics = gathered.iter().chain(own).map(|family| family.otlp(now)).collect();
    collector.take(metrics).await
}

/// Says that figures did not arrive.
#[cfg(feature = "otlp")]
pub(super) fn warn(problem: String) {
    tracing::warn!(problem, "the figures were not sent to the collector; they are in the store");
}
