//! `patient …`: what a patient may ask of the clinic about their own data.

use std::path::PathBuf;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use super::acting::{By, Deed, whoever};
use super::console::{print_json, say};
use super::{Common, Deployment, Exit};
use crate::domain::{Because, Channel};
use crate::rights::archive::write_new;
use crate::rights::{ArchiveError, Desk, Receipt, TakenDown, Wish, Written};

/// Answers what a patient asks about their own data.
#[derive(Debug, Subcommand)]
pub enum Patient {
    /// Writes everything that is held of one patient into a zip file (GDPR Art. 15, 20).
    Export(Export),
    /// Erases one patient: at the providers first, each verified, then here (Art. 17). Run again, it
    /// goes on where it was.
    Erase(Erase),
    /// Restricts the processing of a patient's data: off every list, kept here (Art. 18).
    Restrict(Word),
    /// Lifts a restriction that was taken down here.
    Unrestrict(Word),
    /// Takes down that a patient objects to marketing, on every channel (Art. 21).
    Object(Word),
    /// Takes down what a patient prefers: it lists nobody, and with --not keeps them off.
    Prefer(Prefer),
}

/// Which patient.
#[derive(Debug, Clone, Args)]
pub struct Whom {
    /// The clinic's short name.
    #[arg(value_name = "CLINIC")]
    of: String,
    /// The patient, by the clinic's own id.
    patient: String,
}

/// What to export, and where to.
#[derive(Debug, Clone, Args)]
pub struct Export {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    by: By,
    /// The file to write; one that is there is not written over.
    #[arg(long, value_name = "FILE.zip")]
    out: PathBuf,
}

/// Whom to erase, or why not.
#[derive(Debug, Clone, Args)]
#[group(id = "why", required = true, multiple = false, args = ["reason", "refuse"])]
pub struct Erase {
    #[command(flatten)]
    whom: Whom,
    /// Who takes it down.
    #[arg(long, value_parser = whoever)]
    by: String,
    /// Why: how it was asked for, and where that can be looked up. Name nobody: it stays on record.
    #[arg(long)]
    reason: Option<String>,
    /// Refuse it because of this duty to keep: the patient objects and is restricted instead.
    #[arg(long, value_name = "REASON")]
    refuse: Option<String>,
}

/// What a patient said, and who took it down.
#[derive(Debug, Clone, Args)]
pub struct Word {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    said: Said,
}

/// Who took it down, and what proves it.
#[derive(Debug, Clone, Args)]
pub struct Said {
    /// Who takes it down.
    #[arg(long, value_parser = whoever)]
    by: String,
    /// How it was said, and where that can be looked up: a letter, a note of a call. No address, no
    /// number.
    #[arg(long)]
    evidence: String,
    /// When, as RFC 3339; now, if left out.
    #[arg(long)]
    at: Option<DateTime<Utc>>,
}

/// What a patient prefers.
#[derive(Debug, Clone, Args)]
pub struct Prefer {
    #[command(flatten)]
    word: Word,
    /// The channel: email or sms.
    #[arg(long)]
    channel: Channel,
    /// Only about this purpose, as the lists name theirs.
    #[arg(long)]
    purpose: Option<String>,
    /// They would rather not: off the channel's lists, with --purpose off those of the purpose.
    #[arg(long)]
    not: bool,
}

/// Nobody knows the patient.
const NOBODY: &str = "the clinic has no such patient; the id is the clinic's own";

/// Runs the subcommand.
pub async fn run(common: &Common, patient: Patient) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    match patient {
        Patient::Export(export) => {
            let Export { whom, by, .. } = &export;
            let deed = deed(&deployment, ("patient export", &by.by), whom, None).await?;
            deployment.on_record(deed, self::export(&deployment, &export, common.json)).await
        }
        Patient::Erase(asked) => {
            let Erase { whom, by, reason, refuse } = &asked;
            let why = reason.as_deref().or(refuse.as_deref());
            let deed = deed(&deployment, ("patient erase", by), whom, why).await?;
            deployment.on_record(deed, self::erase(&deployment, &asked, common.json)).await
        }
        Patient::Restrict(word) => {
            take_down(&deployment, "patient restrict", &word, Wish::Restrict, common.json).await
        }
        Patient::Unrestrict(word) => {
            take_down(&deployment, "patient unrestrict", &word, Wish::Unrestrict, common.json).await
        }
        Patient::Object(word) => {
            take_down(&deployment, "patient object", &word, Wish::Object, common.json).await
        }
        Patient::Prefer(prefer) => {
            let Prefer { word, channel, purpose, not } = prefer;
            let wish = if not {
                Wish::NotBy { channel, purpose }
            } else {
                Wish::Gladly { channel, purpose }
            };
            take_down(&deployment, "patient prefer", &word, wish, common.json).await
        }
    }
}

/// Says what is done about a patient, whom the audit log names by our id.
async fn deed<'a>(
    deployment: &Deployment,
    (what, by): (&'static str, &'a str),
    whom: &Whom,
    reason: Option<&str>,
) -> anyhow::Result<Deed<'a>> {
    let clinic = deployment.expect_clinic(&whom.of)?;
    let id = deployment.store.clinic_ensure(&clinic.slug).await?;
    let patient = deployment.store.patient_find(id, &whom.patient).await?;
    if patient.as_ref().is_some_and(|patient| patient.record.is_named_in(by)) {
        anyhow::bail!("--by names the patient: say who acts; it stays on record after an erasure");
    }
    // The log outlives an erasure: a reason that names the patient is refused, and is not in it either.
    let named = |reason: &Because| {
        patient.as_ref().is_some_and(|patient| patient.record.is_named_in(reason.text()))
    };
    let reason = reason.and_then(|reason| Because::parse(reason).ok());
    let reason = reason.filter(|reason| !named(reason));
    let subject = patient.map(|patient| patient.id.to_string());
    Ok(Deed { reason, ..Deed::new(what, by).of(id, subject) })
}

async fn desk<'a>(deployment: &'a Deployment, whom: &Whom) -> anyhow::Result<Desk<'a>> {
    let clinic = deployment.expect_clinic(&whom.of)?;
    let reconciler = deployment.reconciler().attending(deployment.roster().await);
    Ok(Desk { reconciler, clinic, patience: None })
}

async fn export(deployment: &Deployment, export: &Export, json: bool) -> anyhow::Result<Exit> {
    let path = export.out.display().to_string();
    if export.out.exists() {
        return Err(ArchiveError::Exists { path }.into());
    }
    let desk = desk(deployment, &export.whom).await?;
    let dossier = desk.dossier(&export.whom.patient).await?.context(NOBODY)?;
    write_new(&export.out, &dossier.zip()?)?;
    say(
        json,
        &json!({
            "file": path,
            "ledger_lines": dossier.ledger.len(),
            "changes": dossier.changes.len(),
        }),
        format_args!("Written to `{path}`: only you can read the file. Hand it over safely."),
    )?;
    Ok(Exit::InStep)
}

async fn erase(deployment: &Deployment, asked: &Erase, json: bool) -> anyhow::Result<Exit> {
    let Erase { whom, by, reason, refuse } = asked;
    let desk = desk(deployment, whom).await?;
    // It outlives the erasure.
    let option = if refuse.is_some() { "--refuse" } else { "--reason" };
    let why = refuse.as_deref().or(reason.as_deref()).unwrap_or_default();
    let why = Because::parse(why).context(option)?;
    if refuse.is_some() {
        let written = desk.refuse_erasure(&whom.patient, by, &why).await?;
        return tell(&written.context(NOBODY)?, json);
    }
    let receipt = desk.erase(&whom.patient, by, &why).await?.context(NOBODY)?;
    if json {
        print_json(&receipt)?;
    } else {
        print(&receipt);
    }
    Ok(if receipt.done { Exit::InStep } else { Exit::ParkedRemovals })
}

fn print(receipt: &Receipt) {
    let at = |at: Option<DateTime<Utc>>| {
        at.map_or_else(String::new, |at| at.format(" (%Y-%m-%d %H:%M UTC)").to_string())
    };
    println!("clinic `{}`, patient `{}`", receipt.clinic, receipt.patient);
    println!("  asked for{}", at(receipt.asked_at));
    for list in &receipt.lists {
        println!("  list `{}`: {}{}", list.list, list.state.words(), at(list.verified_at));
    }
    println!("  addresses erased here: {}", receipt.addresses_erased);
    if receipt.addresses_of_others > 0 {
        println!("  addresses that stay another person's: {}", receipt.addresses_of_others);
    }
    println!(
        "  the record here: {}{}",
        if receipt.record_erased_at.is_some() { "erased" } else { "not yet erased" },
        at(receipt.record_erased_at)
    );
    for remains in &receipt.remains {
        println!(
            "  remains: a hash of the {} address under key `{}`, {}…",
            remains.channel,
            remains.key,
            remains.hash.get(..16).unwrap_or(&remains.hash)
        );
    }
    for remains in &receipt.also_remains {
        println!("  remains: {remains}");
    }
    if let Some(note) = receipt.note {
        println!("{note}");
    }
    if !receipt.done {
        println!("Not done yet. Every run goes on with it; run this again to see how far it is.");
    }
}

async fn take_down(
    deployment: &Deployment,
    what: &'static str,
    word: &Word,
    wish: Wish,
    json: bool,
) -> anyhow::Result<Exit> {
    let Word { whom, said } = word;
    let deed = deed(deployment, (what, &said.by), whom, Some(&said.evidence)).await?;
    let taking_down = async {
        let desk = desk(deployment, whom).await?;
        let evidence = Because::parse(&said.evidence).context("--evidence")?;
        let taken = TakenDown { by: &said.by, evidence: &evidence, at: said.at };
        let written = desk.take_down(&whom.patient, &wish, &taken).await?;
        tell(&written.context(NOBODY)?, json)
    };
    deployment.on_record(deed, taking_down).await
}

fn tell(written: &Written, json: bool) -> anyhow::Result<Exit> {
    let ids: Vec<String> = written.events.iter().map(ToString::to_string).collect();
    let then = match written.why {
        Some(why) => why,
        None if written.left => "Something is left to the next run.",
        None => "The lists have followed.",
    };
    say(json, written, format_args!("Recorded as {}. {then}", ids.join(", ")))?;
    Ok(Exit::InStep)
}
