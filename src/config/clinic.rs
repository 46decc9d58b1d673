//! A clinic's file in `clinics/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use super::deployment::{Deployment, base};
use super::parts::is_slug;
use super::section::{File, Section};
use super::url::DatabaseUrl;
use super::{ClinicConfig, Problem, SourceKind, SourceSettings, account, list};
use crate::domain::NoteKind;
use crate::domain::policy::OptOutScope;
use crate::patients::nearest::nearest;

/// Reads every clinic's file. A file with mistakes that leave no clinic is left out; the mistakes
/// are added to `problems` either way.
pub(super) fn read_all(
    path: &Path,
    deployment: &Deployment,
    problems: &mut Vec<Problem>,
) -> Vec<ClinicConfig> {
    let base = base(path);
    let mut clinics: Vec<ClinicConfig> = Vec::new();
    let files = files(&deployment.clinics_dirs, problems);
    if files.is_empty() && problems.is_empty() {
        let folder = deployment.clinics_dirs.first().map_or(path, PathBuf::as_path);
        problems.push(Problem::of_file(
            folder,
            "holds no clinic (*.toml)",
            "`listwarden init` writes an example to start from",
        ));
    }
    for file in files {
        let Some(clinic) = read(&file, &base, problems) else { continue };
        if let Some(same) = clinics.iter().find(|other| other.slug == clinic.slug) {
            let what =
                format!("names its clinic `{}`, as {} does", clinic.slug, same.path.display());
            problems.push(Problem::of_file(&clinic.path, &what, "Give one of them another name"));
        }
        clinics.push(clinic);
    }
    clinics
}

fn files(dirs: &[PathBuf], problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for dir in dirs {
        match std::fs::read_dir(dir) {
            Ok(entries) => files.extend(entries.flatten().map(|entry| entry.path())),
            Err(error) => {
                let what = format!("cannot be read ({})", error.kind());
                problems.push(Problem::of_file(
                    dir,
                    &what,
                    "Create the folder, or correct clinics_dir",
                ));
            }
        }
    }
    let is_clinic = |file: &PathBuf| {
        let hidden = file.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        !hidden && file.extension().is_some_and(|extension| extension == "toml")
    };
    files.retain(is_clinic);
    files.sort();
    files
}

fn read(path: &Path, base: &Path, problems: &mut Vec<Problem>) -> Option<ClinicConfig> {
    let file = File::read(path).map_err(|problem| problems.push(problem)).ok()?;
    let clinic = file.parse(|top| clinic(top, base));
    problems.extend(file.problems());
    clinic
}

fn clinic(top: Section<'_>, base: &Path) -> Option<ClinicConfig> {
    let path = top.path().to_owned();
    let slug = slug(&top, &path);
    let title = top.text("title");
    let country = country(&top);
    let time_zone = time_zone(&top);
    let age = u8::try_from(top.number("age_of_consent", 16, 13..=25)).unwrap_or(16);
    let source = source(top.section("source"), base, &slug);
    let sections = top.section("accounts").sections();
    let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
    let accounts: BTreeMap<_, _> =
        sections.into_iter().filter_map(|(name, section)| account::read(name, &section)).collect();
    let title = title.unwrap_or_else(|| slug.clone());
    let of_clinic = list::OfClinic {
        title: title.clone(),
        age_of_consent: age,
        time_zone: time_zone.unwrap_or_default(),
    };
    let lists = top.section("lists");
    let lists = lists
        .sections()
        .into_iter()
        .filter_map(|(name, section)| list::read(name, section, &of_clinic, &accounts, &names))
        .collect();
    let opt_out_scope = top.word("opt_out_scope", OptOutScope::Channel);
    top.end();
    Some(ClinicConfig {
        title,
        opt_out_scope,
        path,
        slug,
        country,
        time_zone: time_zone?,
        source: source?,
        accounts,
        lists,
    })
}

fn slug(top: &Section<'_>, path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let given = top.text("name");
    if given.is_none() && top.item("name").is_none() && !is_slug(&stem) {
        top.missing("name", "The file's own name is not usable as the clinic's name: add name = \"…\" of small letters, digits, - and _");
    }
    let slug = given.unwrap_or(stem);
    if top.item("name").is_some() {
        top.check_slug("name", &slug);
    }
    slug
}

fn country(top: &Section<'_>) -> Option<String> {
    let country = top.text("country")?.to_uppercase();
    let known = country.len() == 2 && country.parse::<phonenumber::country::Id>().is_ok();
    if !known {
        top.problem(
            "country",
            "is no country with a numbering plan",
            "Use the two letters of ISO 3166, such as GB",
        );
    }
    known.then_some(country)
}

fn time_zone(top: &Section<'_>) -> Option<Tz> {
    const CURE: &str = "Use an IANA name, such as Europe/London";
    let name = top.required("time_zone", CURE)?;
    name.parse().ok().or_else(|| {
        let meant = nearest(&name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let cure = meant.map_or_else(|| CURE.to_owned(), |meant| format!("Did you mean {meant}?"));
        top.problem("time_zone", "is no time zone", &cure);
        None
    })
}

fn source(section: Section<'_>, base: &Path, slug: &str) -> Option<SourceSettings> {
    const KINDS: &str = "Write kind = \"sql\" (the clinic's own database, docs/view-contract.md) or \"reference\" (a small one of ours)";
    let kind = match section.required("kind", KINDS).as_deref() {
        Some("sql") => Some(SourceKind::Sql),
        Some("reference") => Some(SourceKind::Reference),
        Some(_) => {
            section.problem("kind", "is no kind of source that is known", KINDS);
            None
        }
        None => None,
    };
    let own = format!("sqlite://{slug}-patients.db");
    let default = (kind != Some(SourceKind::Sql)).then_some(own.as_str());
    let url = DatabaseUrl::read(&section, base, default);
    let page_size = section.number("page_size", 1000, 1..=10_000);
    let overlap = section.duration("overlap", "5m", "0s");
    let notes = notes(&section);
    section.end();
    Some(SourceSettings { kind: kind?, url: url?, page_size, overlap, notes })
}

/// Reads what the clinic's records are told of beside opt-outs.
fn notes(section: &Section<'_>) -> BTreeSet<NoteKind> {
    let choices = NoteKind::ALL.iter().copied().filter(|kind| !kind.is_opt_out());
    if section.item("notes").is_none() {
        return choices.filter(|kind| *kind != NoteKind::Invited).collect();
    }
    let given = section.text_set("notes");
    let known: BTreeSet<NoteKind> = choices.filter(|kind| given.contains(kind.word())).collect();
    if known.len() < given.len() {
        section.problem(
            "notes",
            "names what is none of the notes that can be chosen",
            "Use any of \"invited\", \"confirmed\", \"bounced\", \"address_changed\"; opt-outs are always told",
        );
    }
    known
}
