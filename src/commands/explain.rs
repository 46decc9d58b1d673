//! `explain`: why a person is, or is not, on each list.

use clap::Args;
use serde::Serialize;

use super::console::print_json;
use super::reconcile::spoken;
use super::{Common, Deployment, Exit};
use crate::domain::{Actor, Event, EventKind, OptOutKind};
use crate::reconcile::{Erasing, Explanation, KeptOff, ListWord, Who};

/// Whom to explain.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// An e-mail address, a phone number with +, or the clinic's id of a patient.
    pub who: String,
}

/// What a clinic knows of somebody, and the ledger's lines about them, the oldest first.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    known: Explanation,
    ledger: Vec<Event>,
}

/// Explains.
pub async fn run(common: &Common, options: Options) -> anyhow::Result<Exit> {
    explain(&Deployment::open(common).await?, &options.who, common.json).await
}

/// Explains somebody to every clinic that knows them.
pub async fn explain(deployment: &Deployment, who: &str, json: bool) -> anyhow::Result<Exit> {
    let mut found = Vec::new();
    for clinic in deployment.clinics() {
        let (id, lists) = deployment.known_lists(clinic).await?;
        let who = Who::read(who, clinic.country.as_deref());
        let reconciler = deployment.reconciler();
        if let Some(known) = reconciler.explain(id, &lists, &who).await? {
            let ledger = reconciler.on_record_of(id, &who).await?;
            found.push((clinic.slug.clone(), Told { known, ledger }));
        }
    }
    if found.is_empty() {
        anyhow::bail!(
            "nobody by that address or patient id is known, to the clinic or on its lists as last read (a phone number begins with +)"
        );
    }
    if json {
        let found: std::collections::BTreeMap<_, _> = found.into_iter().collect();
        print_json(&found)?;
    } else {
        for (clinic, Told { known, ledger }) in &found {
            print(clinic, known, ledger);
        }
    }
    Ok(Exit::InStep)
}

fn print(clinic: &str, known: &Explanation, ledger: &[Event]) {
    println!("clinic `{clinic}`");
    if known.contacts.is_empty() && known.patients.is_empty() && known.lists.is_empty() {
        println!("  nobody is known by that address, to the clinic or on its lists");
    } else if known.lists.is_empty() {
        println!("  known, and on no list");
    }
    known.erased.iter().for_each(print_erasing);
    known.lists.iter().for_each(print_word);
    known.kept_off.iter().for_each(print_kept_off);
    if !ledger.is_empty() {
        println!("  on record:");
    }
    ledger.iter().for_each(print_event);
}

fn print_word(word: &ListWord) {
    let there = word
        .there
        .map_or_else(|| "was never seen".to_owned(), |status| format!("is {}", status.word()));
    println!("  list `{}`: {} {there} there; {}", word.list, word.contact, spoken(word.class));
    for because in &word.reasons {
        println!("    because: {} ({})", because.sentence, because.law);
    }
    match (&word.next, &word.waits_for) {
        (Some(next), Some(why)) => println!("    it could not be done: {next}: {why}"),
        (Some(next), None) if word.held_back.is_some() => {
            println!("    once an admin approves, a run would: {next}");
        }
        (Some(next), None) => println!("    the next run would: {next}"),
        (None, _) => {}
    }
}

fn print_erasing(erasing: &Erasing) {
    let (patient, day) = (erasing.patient, "%Y-%m-%d %H:%M UTC");
    match (erasing.erased_at, erasing.asked_at) {
        (Some(at), _) => println!("  patient {patient} was erased on {}", at.format(day)),
        (None, Some(at)) => {
            println!("  patient {patient} is being erased, as asked on {}", at.format(day));
        }
        (None, None) => {}
    }
}

fn print_kept_off(kept: &KeptOff) {
    let since = kept.since.format("%Y-%m-%d %H:%M UTC");
    let lifted = if kept.lifted { "; a newer consent lifts it" } else { "" };
    let kind = kept.kind.map_or("suppressed", OptOutKind::word);
    println!("  by the hash {} of the address: {kind} since {since}{lifted}", kept.mark);
}

fn print_event(event: &Event) {
    let at = event.draft.occurred_at.unwrap_or(event.recorded_at).format("%Y-%m-%d %H:%M");
    let how = event.draft.method.as_deref().map(|method| format!(", {method}")).unwrap_or_default();
    let proof = event.draft.evidence.as_deref().map(|proof| format!("; {proof}"));
    let by = if event.draft.actor == Actor::Listwarden { "by" } else { "by the" };
    println!(
        "    {at}  {} {by} {} ({}{how}{})",
        event.draft.kind,
        event.draft.actor,
        event.draft.source,
        proof.unwrap_or_default()
    );
    if event.draft.kind == EventKind::Confirmed
        && let Some(wording) = &event.draft.wording
    {
        println!("      asked: {wording}");
    }
}
