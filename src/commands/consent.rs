//! `consent record`: consent given in person, with the evidence that makes it explicit (L3).

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::acting::{Deed, whoever};
use super::console::say;
use super::{Common, Deployment, Exit};
use crate::config::ClinicConfig;
use crate::domain::{
    Actor, Because, Channel, ClinicId, Draft, EventId, EventKind, PatientId, TimeSource,
};
use crate::rights::effect::idle_consent;
use crate::rights::{Effect, Idle};

/// Records consent given in person.
#[derive(Debug, Subcommand)]
pub enum Consent {
    /// Records one patient's consent for one channel.
    Record(Record),
}

/// What was said, by whom, to whom.
#[derive(Debug, Clone, Args)]
pub struct Record {
    /// The patient, by the clinic's id.
    #[arg(long)]
    pub patient: String,
    /// The channel: email or sms.
    #[arg(long)]
    pub channel: Channel,
    /// Who took it down.
    #[arg(long, value_parser = whoever)]
    pub by: String,
    /// How it was given: in person, by telephone, on paper.
    #[arg(long)]
    pub method: String,
    /// The wording that was read or shown, or its version.
    #[arg(long)]
    pub wording: String,
    /// When, as RFC 3339; now, if left out.
    #[arg(long)]
    pub at: Option<DateTime<Utc>>,
    /// Accept it as lifting an earlier objection or complaint, and say why (L11).
    #[arg(long, value_name = "REASON")]
    pub lifts_objection: Option<String>,
}

/// Records it in the ledger; the next run acts on it.
pub async fn run(common: &Common, consent: Consent) -> anyhow::Result<Exit> {
    let Consent::Record(given) = consent;
    let deployment = Deployment::open(common).await?;
    if given.at.is_some_and(|at| at > deployment.clock().now()) {
        anyhow::bail!("--at lies in the future: consent cannot be given there");
    }
    let clinic = deployment.only_clinic()?;
    let slug = &clinic.slug;
    let recorded = record(&deployment, clinic, &given).await?.with_context(|| {
        format!(
            "clinic `{slug}` has no such patient; the id is its own, as `patients show` takes it"
        )
    })?;
    say(
        common.json,
        &serde_json::json!({
            "recorded": recorded.event, "clinic": slug, "patient": given.patient,
            "effect": if recorded.idle.is_some() { Effect::None } else { Effect::Follows },
            "why": recorded.idle.map(Idle::sentence),
        }),
        format_args!(
            "Recorded for patient {} of clinic `{slug}` as {}. {}",
            given.patient,
            recorded.event,
            recorded.idle.map_or(
                "The next run acts on it, where nothing else keeps the patient off the list.",
                Idle::sentence
            )
        ),
    )?;
    Ok(Exit::InStep)
}

/// What was recorded.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// The line of the ledger.
    pub event: EventId,
    /// Why it changes nothing, if so.
    pub idle: Option<Idle>,
}

/// Records what a patient of the clinic said; none where it has no such patient.
pub async fn record(
    deployment: &Deployment,
    clinic: &ClinicConfig,
    record: &Record,
) -> anyhow::Result<Option<Recorded>> {
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let Some(patient) = deployment.store.patient_find(id, &record.patient).await? else {
        return Ok(None);
    };
    if patient.record.is_named_in(&record.by) {
        anyhow::bail!("--by names the patient: say who took it down; it stays on record");
    }
    let told = [Some(&record.method), Some(&record.wording), record.lifts_objection.as_ref()];
    let named = told.into_iter().flatten().any(|told| patient.record.is_named_in(told));
    let reason = record.lifts_objection.as_deref().map(Because::parse).transpose();
    let deed = Deed {
        reason: reason.clone().ok().flatten().filter(|_| !named),
        ..Deed::new("consent record", &record.by).of(id, patient.id.to_string())
    };
    let recording = async {
        if named {
            anyhow::bail!(
                "--method, --wording or the reason names the patient: it stays on record"
            );
        }
        let lifts = reason.context("--lifts-objection")?;
        append(deployment, id, patient.id, record, lifts).await
    };
    deployment.on_record(deed, recording).await.map(Some)
}

async fn append(
    deployment: &Deployment,
    id: ClinicId,
    patient: PatientId,
    record: &Record,
    lifts: Option<Because>,
) -> anyhow::Result<Recorded> {
    let now = deployment.clock().now();
    let contacts = deployment.store.contacts_of_patient(id, patient).await?;
    let contact = contacts
        .iter()
        .find(|contact| contact.channel == record.channel)
        .with_context(|| format!("the patient has no address for {}", record.channel))?;
    let mut draft =
        Draft::new(EventKind::Granted, Actor::Person, TimeSource::Listwarden, "consent record");
    draft.channel = Some(record.channel);
    draft.contact = Some(contact.id);
    draft.patient = Some(patient);
    draft.explicit = true;
    draft.method = Some(record.method.clone());
    draft.wording = Some(record.wording.clone());
    draft.evidence = Some(format!("taken down by {}", record.by));
    draft.accepted = lifts.is_some();
    draft.reason = lifts.map(|reason| reason.text().to_owned());
    draft.occurred_at = Some(record.at.unwrap_or(now));
    let event = EventId(deployment.clock().id());
    draft.unique = format!("consent record/{event}");
    deployment.store.ledger_append(None, id, vec![draft.into_event(event, now)]).await?;
    let idle = idle_consent(&deployment.store, id, contact.id, event).await?;
    Ok(Recorded { event, idle })
}
