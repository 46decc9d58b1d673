//! `report`: the attestation, whose classes add up to the total.

use chrono::{DateTime, Utc};
use clap::Args;

use super::console::{print_json, table};
use super::reconcile::spoken;
use super::{Common, Deployment, Exit};
use crate::domain::Class;
use crate::reconcile::Attestation;
use crate::rights::{self, Exposure, Window};

/// What to report.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Only this list, by its short name.
    #[arg(long)]
    pub list: Option<String>,
    /// Instead: who of this clinic was on a list without a basis, from when to when.
    #[arg(long, value_name = "CLINIC")]
    pub exposure: Option<String>,
    /// With --exposure: only what was so after this, such as 2026-03-01T00:00:00Z.
    #[arg(long, requires = "exposure", value_parser = instant)]
    pub from: Option<DateTime<Utc>>,
    /// With --exposure: only what was so before this, such as 2026-03-31T23:59:59Z.
    #[arg(long, requires = "exposure", value_parser = instant)]
    pub to: Option<DateTime<Utc>>,
    /// With --exposure: name the patients, by the clinic's own ids.
    #[arg(long, requires = "exposure")]
    pub people: bool,
}

/// Reports; the exit code says whether every list is clean.
pub async fn run(common: &Common, options: Options) -> anyhow::Result<Exit> {
    let deployment = Deployment::open(common).await?;
    deployment.expect_list(options.list.as_deref())?;
    if let Some(clinic) = &options.exposure {
        return exposure(&deployment, clinic, &options, common.json).await;
    }
    report(&deployment, options.list.as_deref(), common.json).await
}

/// Attests every list of every clinic, or the one asked for.
pub async fn report(
    deployment: &Deployment,
    list: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    let mut attested = Vec::new();
    for clinic in deployment.clinics() {
        let (id, lists) = deployment.known_lists(clinic).await?;
        let of_clinic = deployment.reconciler().attest(id, &lists).await?;
        attested.extend(of_clinic.into_iter().map(|list| (clinic.slug.clone(), list)));
    }
    attested.retain(|(_, attestation)| list.is_none_or(|slug| slug == attestation.list));
    if json {
        let rows: Vec<_> = attested
            .iter()
            .map(|(clinic, list)| serde_json::json!({ "clinic": clinic, "attestation": list }))
            .collect();
        print_json(&rows)?;
    } else {
        for (clinic, list) in &attested {
            print(clinic, list);
        }
        println!("held but dropped: {}", held_but_dropped(&attested));
    }
    Ok(attested.iter().map(|(_, list)| exit_of(list)).max().unwrap_or(Exit::InStep))
}

/// Tells who was on a list without a basis: what the assessment of a breach begins with.
async fn exposure(
    deployment: &Deployment,
    clinic: &str,
    options: &Options,
    json: bool,
) -> anyhow::Result<Exit> {
    let clinic = deployment.expect_clinic(clinic)?;
    let (_, mut lists) = deployment.known_lists(clinic).await?;
    lists.retain(|list| options.list.as_ref().is_none_or(|slug| *slug == list.row.slug));
    let window = Window { from: options.from, to: options.to };
    let now = deployment.clock().now();
    let exposed =
        rights::exposure::exposure(&deployment.store, &lists, window, options.people, now).await?;
    if json {
        print_json(&exposed)?;
    } else {
        exposed.iter().for_each(print_exposure);
    }
    Ok(Exit::InStep)
}

fn print_exposure(list: &Exposure) {
    println!(
        "list `{}`: {} were listed without a basis, {} still are",
        list.list, list.exposed, list.still
    );
    if list.by_policy > 0 {
        println!(
            "  of these {} are strangers whom `unknown = \"keep\"` leaves there",
            list.by_policy
        );
    }
    for (reason, people) in &list.reasons {
        println!("  {people}: {} ({})", reason.sentence(), reason.law());
    }
    if list.exposed > 0 {
        let until = list.latest.map_or_else(|| "now".to_owned(), |until| at(Some(until)));
        let from =
            list.earliest.map_or_else(|| "an unknown time".to_owned(), |from| at(Some(from)));
        println!("  from {from} until {until}");
    }
    if list.erased > 0 {
        println!("  of {} erased addresses it can no longer be told", list.erased);
    }
    for person in &list.people {
        let who = if person.patients.is_empty() {
            "somebody whom the clinic never knew".to_owned()
        } else {
            format!("patient {}", person.patients.join(", "))
        };
        for stretch in &person.stretches {
            let until = stretch.until.map_or_else(|| "now".to_owned(), |until| at(Some(until)));
            let from = stretch.from.map_or_else(|| "before".to_owned(), |from| at(Some(from)));
            let because: Vec<&str> = stretch.reasons.iter().map(|reason| reason.word()).collect();
            println!("  {who}: from {from} until {until}: {}", because.join(", "));
        }
    }
}

/// Clean is 0, and nothing else is (docs/report.md).
fn exit_of(list: &Attestation) -> Exit {
    let dropped = list.count(Class::HeldButDropped).unwrap_or_default();
    if list.parked_removals > 0 || dropped > 0 {
        Exit::ParkedRemovals
    } else if list.clean {
        Exit::InStep
    } else {
        Exit::Waiting
    }
}

/// Says whether a list is clean, as page and API do.
fn verdict(list: &Attestation) -> String {
    match list.drift {
        None => "unknown: patients or list were not read whole lately".to_owned(),
        Some(_) if list.clean => "clean".to_owned(),
        Some(0) => "not clean".to_owned(),
        Some(links) => format!("not clean: {links} not as they should be"),
    }
}

fn print(clinic: &str, list: &Attestation) {
    println!("clinic `{clinic}`, list `{}`", list.list);
    if let Some(region) = &list.region {
        println!("  the provider keeps its data in: {region}");
    }
    println!("  patients read whole: {}", at(list.patients_read_at));
    println!("  list read whole:     {}", at(list.list_read_at));
    let mut rows = table(["links", "class"]);
    for class in Class::ALL {
        let count = list.count(*class).map_or_else(|| "unknown".to_owned(), |n| n.to_string());
        rows.add_row([count, spoken(*class)]);
    }
    rows.add_row([list.total.to_string(), "total".to_owned()]);
    println!("{rows}");
    if let Some(members) = list.members {
        println!("  on the list at the provider, subscribed or pending: {members}");
    }
    println!("  {}", verdict(list));
    if list.parked_removals > 0 {
        println!("  RED: {} could not be taken off yet; it is tried again", list.parked_removals);
    }
}

fn held_but_dropped(attested: &[(String, Attestation)]) -> String {
    let counts = attested.iter().map(|(_, list)| list.count(Class::HeldButDropped));
    counts.sum::<Option<u64>>().map_or_else(
        || {
            "unknown: both sides were not read whole lately; run `listwarden reconcile --full`"
                .to_owned()
        },
        |count| format!("{count}{}", undecided(attested)),
    )
}

/// Among those whose removal is still to be made or approved may be dropped people: a figure that
/// leaves them out says so (L26).
fn undecided(attested: &[(String, Attestation)]) -> String {
    let open = [Class::Waiting, Class::Braked, Class::Due, Class::Parked].map(|class| {
        let links: u64 = attested.iter().filter_map(|(_, list)| list.count(class)).sum();
        (links > 0).then(|| format!("{links} {}", spoken(class)))
    });
    let open: Vec<String> = open.into_iter().flatten().collect();
    if open.is_empty() {
        return String::new();
    }
    format!(", not counting changes that are still to be made: {}", open.join(", "))
}

fn at(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// Reads an instant of the command line.
fn instant(text: &str) -> Result<DateTime<Utc>, &'static str> {
    text.parse().map_err(|_| "give date and time, such as 2026-03-01T00:00:00Z")
}
