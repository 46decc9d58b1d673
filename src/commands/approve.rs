//! `approve` and `refuse`: what an admin says to a plan that waits (L20, L23).

use anyhow::{Context, bail};
use chrono::TimeDelta;
use clap::Args;

use super::{Common, Deployment, Exit};
use crate::domain::RunId;

/// What to approve.
#[derive(Debug, Clone, Args)]
pub struct Approve {
    /// The plan's id; or `source:CLINIC` to accept a shrunken patient source, or
    /// `withdrawals:CLINIC` to accept withdrawals by bare flags in bulk.
    plan: String,
    /// For how many hours the approval lasts; what is not done by then waits again.
    #[arg(long, default_value_t = 24)]
    hours: i64,
    /// Who approves.
    #[arg(long, env = "USER", default_value = "admin")]
    by: String,
}

/// What to refuse.
#[derive(Debug, Clone, Args)]
pub struct Refuse {
    /// The plan's id.
    plan: RunId,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Who refuses.
    #[arg(long, env = "USER", default_value = "admin")]
    by: String,
}

/// Approves; the next run plans again and carries out what is still in the approved set.
pub async fn approve(common: &Common, options: Approve) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let until = deployment.clock().now() + TimeDelta::hours(options.hours);
    if let Some((what, slug)) = options.plan.split_once(':') {
        if !matches!(what, "source" | "withdrawals") {
            bail!("approve a plan's id, source:CLINIC or withdrawals:CLINIC");
        }
        let clinic = deployment
            .clinics()
            .find(|clinic| clinic.slug == slug)
            .with_context(|| format!("there is no clinic `{slug}`"))?;
        let id = deployment.store.clinic_ensure(&clinic.slug).await?;
        deployment.store.acceptance_open(id, what, until, &options.by).await?;
        println!("Accepted for {} hours. Now run: listwarden reconcile --full", options.hours);
        return Ok(Exit::InStep);
    }
    let plan: RunId = options
        .plan
        .parse()
        .context("that is no plan's id: `listwarden reconcile` prints it where one waits")?;
    approve_plan(&deployment, plan, options.hours, &options.by).await
}

/// Approves one plan.
pub async fn approve_plan(
    deployment: &Deployment,
    plan: RunId,
    hours: i64,
    by: &str,
) -> anyhow::Result<Exit> {
    let until = deployment.clock().now() + TimeDelta::hours(hours);
    let changes = deployment.store.approve(plan, until, by).await?;
    println!("Approved: {changes} changes, for {hours} hours. Now run: listwarden reconcile");
    Ok(Exit::InStep)
}

/// Refuses; nothing of the plan is done, and the next run plans and waits again.
pub async fn refuse(common: &Common, options: Refuse) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let changes = deployment.store.refuse(options.plan, &options.by, &options.reason).await?;
    println!("Refused: {changes} changes. The next run plans afresh and waits again.");
    Ok(Exit::InStep)
}
