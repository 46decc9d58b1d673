//! Admins: they approve, refuse, accept, and look after the webhooks. And the weather, which nobody
//! looks after.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use super::records::id;
use crate::clock::Clock;
use crate::commands::consent::{self, Record};
use crate::commands::{Deployment, webhook};
use crate::domain::{Channel, PatientStatus, RunId};
use crate::rehearsal::books::{Act, Line};
use crate::rehearsal::faults::Kind;
use crate::rehearsal::history::Admin;
use crate::rehearsal::turnstile::WorldClock;
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
            Admin::Reviews => reviews(&deployment).await,
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

    /// Takes down what a patient said in person, with evidence.
    pub(super) async fn takes_down_in_person(
        &self,
        clinic: usize,
        patient: usize,
        channel: Channel,
        lifts: bool,
    ) -> anyhow::Result<String> {
        let record = self.books().records.get(&(clinic, patient)).cloned().flatten();
        let record = record.filter(|record| record.status == PatientStatus::Active);
        let Some(record) = record else { return Ok("nothing".to_owned()) };
        let deployment = self.process().await?;
        let given = Record {
            patient: id(patient),
            channel,
            by: "reception".to_owned(),
            method: "in person".to_owned(),
            wording: "v3".to_owned(),
            at: None,
            lifts_objection: lifts.then(|| "the patient asked for it".to_owned()),
        };
        let config = deployment.clinics().nth(clinic).context("the clinic is configured")?;
        let address = record.address(channel).map(|address| address.expose().to_owned());
        let act = if lifts { Act::Accepted } else { Act::TakenDown };
        let mut line = Line::new(clinic, channel, act, self.now());
        line.patient = Some(patient);
        line.address = address;
        // Across two clocks our own is believed, however it jumped (L2).
        line.claimed = WorldClock::ours(&self.turnstile).now();
        let done = consent::record(&deployment, config, &given).await;
        deployment.store.close().await;
        if matches!(done, Ok(None)) {
            return Ok("nothing".to_owned());
        }
        // What failed may have come as far as the ledger.
        self.books().write(line);
        done?;
        Ok(format!(
            "an admin takes down the consent of patient {patient} of c{clinic} to {channel}"
        ))
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
        self.books().registering = true;
        let said = if anew {
            webhook::rotate(deployment, None).await.map(|rotated| rotated.said)
        } else {
            webhook::register(deployment, None).await
        };
        self.books().registering = false;
        let said = said?;
        self.books().unsigned = false;
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

    pub(super) fn stalls(&self, seconds: u32) -> String {
        self.hold_up(Duration::from_secs(seconds.into()));
        format!("whoever next asks the store stands still for {seconds} s")
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

/// Looks at everything that waits for a look.
async fn reviews(deployment: &Deployment) -> anyhow::Result<String> {
    let mut closed = 0;
    for clinic in deployment.clinics() {
        let (id, _) = deployment.known_lists(clinic).await?;
        for review in deployment.store.reviews_open(id).await? {
            deployment.store.review_close(id, review.id, "looked at").await?;
            closed += 1;
        }
    }
    Ok(format!("an admin looks at {closed} messages"))
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
