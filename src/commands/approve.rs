//! `approve` and `refuse`: what an admin says to a plan that waits (L20, L23).

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use serde_json::json;

use super::acting::{Deed, whoever};
use super::console::say;
use super::{Common, Deployment, Exit, NotConfigured};
use crate::domain::{Because, ClinicId, RunId};
use crate::store::{Acceptable, StoreError};

/// What to approve.
#[derive(Debug, Clone, Args)]
pub struct Approve {
    /// The plan's id; or `source:CLINIC` to accept a shrunken patient source,
    /// `withdrawals:CLINIC` to accept withdrawals by bare flags in bulk, or `members:CLINIC/LIST`
    /// to accept that so many members are gone from a list at the provider.
    plan: String,
    /// For how many hours it holds, if not as long as `approval_lasts` in the configuration says;
    /// what is not done by then waits again.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    hours: Option<u16>,
    /// Who approves.
    #[arg(long, env = "USER", default_value = "admin", value_parser = whoever)]
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
    #[arg(long, env = "USER", default_value = "admin", value_parser = whoever)]
    by: String,
}

/// Approves; the next run plans again and carries out what is still in the approved set.
pub async fn approve(common: &Common, options: Approve) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let lasts = options.hours.map(|hours| TimeDelta::hours(i64::from(hours)));
    let until = deployment.clock().now() + lasts.unwrap_or(deployment.config.run.approval_lasts);
    if let Some((what, of)) = options.plan.split_once(':') {
        let (clinic, what) = acceptable(&deployment, what, of).await?;
        let subject = format!("{}, until {}", options.plan, at(until));
        let deed = Deed::new("approve", &options.by).of(clinic, subject);
        let accepting = async {
            deployment.store.acceptance_open(clinic, what, until, &options.by).await?;
            say(
                common.json,
                &json!({ "accepted": options.plan, "until": until }),
                format_args!("Accepted until {}. Now run: listwarden reconcile --full", at(until)),
            )?;
            Ok(Exit::InStep)
        };
        return deployment.on_record(deed, accepting).await;
    }
    let plan: RunId = options
        .plan
        .parse()
        .context("that is no plan's id: `listwarden reconcile` prints it where one waits")?;
    let deed = deed(&deployment, "approve", &options.by, plan).await?;
    let subject = Some(format!("{plan}, until {}", at(until)));
    let approving = approve_plan(&deployment, plan, until, &options.by, common.json);
    deployment.on_record(Deed { subject, ..deed }, approving).await
}

/// Says what is done about a plan; one that is nowhere is of no clinic.
async fn deed<'a>(
    deployment: &Deployment,
    what: &'static str,
    by: &'a str,
    plan: RunId,
) -> anyhow::Result<Deed<'a>> {
    let (deed, subject) = (Deed::new(what, by), Some(plan.to_string()));
    Ok(match deployment.store.run(plan).await {
        Ok(run) => deed.of(run.clinic, subject),
        Err(StoreError::Missing { .. }) => Deed { subject, ..deed },
        Err(error) => return Err(error.into()),
    })
}

/// Reads what is to be accepted, and of which clinic.
async fn acceptable(
    deployment: &Deployment,
    what: &str,
    of: &str,
) -> anyhow::Result<(ClinicId, Acceptable)> {
    let (clinic, list) = match (what, of.split_once('/')) {
        ("source" | "withdrawals", None) => (of, None),
        ("members", Some((clinic, list))) => (clinic, Some(list)),
        _ => bail!("approve a plan's id, source:CLINIC, withdrawals:CLINIC or members:CLINIC/LIST"),
    };
    let config = deployment.expect_clinic(clinic)?;
    let (id, lists) = deployment.known_lists(config).await?;
    let accepted = match list {
        None if what == "source" => Acceptable::Source,
        None => Acceptable::Withdrawals,
        Some(slug) => {
            let list = lists.iter().find(|list| list.row.slug == slug);
            let names = lists.iter().map(|list| list.row.slug.as_str());
            Acceptable::Members(list.ok_or_else(|| NotConfigured::list(slug, names))?.row.id)
        }
    };
    Ok((id, accepted))
}

/// Approves one plan.
pub async fn approve_plan(
    deployment: &Deployment,
    plan: RunId,
    until: DateTime<Utc>,
    by: &str,
    json: bool,
) -> anyhow::Result<Exit> {
    let changes = deployment.store.approve(plan, until, by).await?;
    say(
        json,
        &json!({ "approved": plan, "changes": changes, "until": until }),
        format_args!(
            "Approved: {changes} changes, until {}. Now run: listwarden reconcile",
            at(until)
        ),
    )?;
    Ok(Exit::InStep)
}

/// Refuses; nothing of the plan is done, and the next run plans and waits again.
pub async fn refuse(common: &Common, options: Refuse) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    let reason = Because::parse(&options.reason);
    let deed = deed(&deployment, "refuse", &options.by, options.plan).await?;
    let deed = Deed { reason: reason.clone().ok(), ..deed };
    let refusing = async {
        let reason = reason.context("--reason")?;
        let changes = deployment.store.refuse(options.plan, &options.by, reason.text()).await?;
        say(
            common.json,
            &json!({ "refused": options.plan, "changes": changes }),
            format_args!("Refused: {changes} changes. The next run plans afresh and waits again."),
        )?;
        Ok(Exit::InStep)
    };
    deployment.on_record(deed, refusing).await
}

fn at(until: DateTime<Utc>) -> impl std::fmt::Display {
    until.format("%Y-%m-%d %H:%M UTC")
}
