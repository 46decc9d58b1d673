//! Pushes figures to a Prometheus Pushgateway when a run has ended.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;

use super::Deployment;
use crate::clock::timeout;
use crate::http::metrics::{TEXT, Watched};
use crate::providers::base_url;

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(10);

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
        .body(Bytes::from(figures))?;
    let answer = deployment.transport().send(request).await?;
    if !answer.status().is_success() {
        bail!("the gateway answered {}", answer.status());
    }
    Ok(())
}
