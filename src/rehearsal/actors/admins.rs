//! Admins: they approve, refuse, accept, and look after the webhooks. And the weather, which nobody
//! looks after.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::commands::{Deployment, webhook};
use crate::domain::RunId;
use crate::rehearsal::faults::Kind;
use crate::rehearsal::history::Admin;
use crate::rehearsal::world::World;
use crate::store::{Acceptable, ListRow};

impl World {
    /// An admin acts.
    pub(super) async fn admin(self: &Arc<Self>, admin: Admin) -> anyhow::Result<String> {
        let deployment = self.process().await?;
        let done = match admin {
            Admin::Approves => self.approves(&deployment).await,
            Admin::Refuses => refuses(&deployment).await,
            Admin::Accepts => accepts(&deployment).await,
            Admin::Registers => self.registers(&deployment, false).await,
            Admin::Rotates => self.registers(&deployment, true).await,
        };
        deployment.store.close().await;
        done
    }

    /// Approves every plan that waits, or that the brake holds.
    pub async fn approves(&self, deployment: &Deployment) -> anyhow::Result<String> {
        let until = deployment.clock().now() + TimeDelta::hours(24);
        let mut approved = 0;
        for clinic in deployment.clinics() {
            let (_, lists) = deployment.known_lists(clinic).await?;
            for list in lists {
                let Some(run) = plan_waiting(deployment, &list.row).await? else { continue };
                if deployment.store.approve(run, until, "admin").await.is_ok() {
                    approved += 1;
                }
            }
        }
        Ok(format!("an admin approves {approved} plans"))
    }

    /// Makes the webhooks, or makes them anew; enters by hand what has no API.
    async fn registers(
        self: &Arc<Self>,
        deployment: &Deployment,
        anew: bool,
    ) -> anyhow::Result<String> {
        if self.server().is_none() {
            self.starts_serving().await?;
        }
        let said = if anew {
            webhook::rotate(deployment, None).await?
        } else {
            webhook::register(deployment, None).await?
        };
        for line in &said {
            let url = line.split_whitespace().find(|word| word.starts_with("http"));
            let place = line.strip_prefix('c').and_then(|line| line.split('/').next());
            let place = place.and_then(|place| place.parse().ok());
            let (Some(url), Some(place)) = (url, place) else { continue };
            for stage in &self.stages {
                if line.contains(&format!("/{}", stage.host().trim_end_matches(".test"))) {
                    stage.is_told_where(place, url).await;
                }
            }
        }
        Ok(format!("an admin {} webhooks", if anew { "renews" } else { "registers" }))
    }

    pub(super) fn weather_comes(&self, kind: Kind, minutes: u32, one_in: u32) -> String {
        self.weather.comes(kind, self.now() + TimeDelta::minutes(minutes.into()), one_in);
        format!("{} for {minutes} minutes, one in {one_in}", kind.word())
    }

    pub(super) fn clock_jumps(&self, seconds: i32) -> String {
        self.weather.count(Kind::ClockJump);
        self.turnstile.skew(TimeDelta::seconds(seconds.into()));
        format!("our clock is off by {seconds} s")
    }
}

/// Finds the plan that waits; of a list that was never approved the latest, which may be empty.
async fn plan_waiting(deployment: &Deployment, list: &ListRow) -> anyhow::Result<Option<RunId>> {
    let open = deployment.store.plan_open(list).await?;
    if open.is_some() || list.approved_at.is_some() {
        return Ok(open);
    }
    let runs = deployment.store.runs(list.clinic, 20).await?;
    Ok(runs.into_iter().find(|run| run.list == Some(list.id)).map(|run| run.id))
}

async fn refuses(deployment: &Deployment) -> anyhow::Result<String> {
    let mut refused = 0;
    for clinic in deployment.clinics() {
        let (_, lists) = deployment.known_lists(clinic).await?;
        for list in lists {
            let Some(run) = deployment.store.plan_open(&list.row).await? else { continue };
            deployment.store.refuse(run, "admin", "not today").await?;
            refused += 1;
        }
    }
    Ok(format!("an admin refuses {refused} plans"))
}

/// Accepts that so much changed at once.
pub async fn accepts(deployment: &Deployment) -> anyhow::Result<String> {
    let until = deployment.clock().now() + TimeDelta::hours(2);
    for clinic in deployment.clinics() {
        let (id, lists) = deployment.known_lists(clinic).await?;
        let mut what = vec![Acceptable::Source, Acceptable::Withdrawals];
        what.extend(lists.iter().map(|list| Acceptable::Members(list.row.id)));
        for what in what {
            deployment.store.acceptance_open(id, what, until, "admin").await?;
        }
    }
    Ok("an admin accepts what is too much at once".to_owned())
}
