//! An audience belongs to one list, or every list that uses it says so (L27).

use std::collections::BTreeMap;
use std::fmt;

use super::section::Section;
use super::{ClinicConfig, ListConfig, Problem};

/// A list by its clinic's name and its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListRef {
    /// The clinic.
    pub clinic: String,
    /// The list.
    pub list: String,
}

impl fmt::Display for ListRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.clinic, self.list)
    }
}

impl ListRef {
    pub(super) fn read_all(section: &Section<'_>) -> Vec<Self> {
        let texts = section.texts("shared_with");
        let read = |text: &String| {
            let (clinic, list) = text.split_once('/')?;
            Some(Self { clinic: clinic.trim().to_owned(), list: list.trim().to_owned() })
        };
        let lists: Option<Vec<Self>> = texts.iter().map(read).collect();
        lists.unwrap_or_else(|| {
            section.problem(
                "shared_with",
                "holds something that names no list",
                "Write each as \"clinic/list\"",
            );
            Vec::new()
        })
    }
}

/// A list with what it is compared by.
struct Use<'a> {
    clinic: &'a ClinicConfig,
    list: &'a ListConfig,
    name: ListRef,
}

/// Finds audiences that several lists use without saying so, and sharing that is not one.
pub(super) fn check(clinics: &[ClinicConfig], problems: &mut Vec<Problem>) {
    let mut audiences: BTreeMap<(&str, &str), Vec<Use<'_>>> = BTreeMap::new();
    for clinic in clinics {
        for list in &clinic.lists {
            let provider = clinic.accounts.get(&list.account).map_or("", |a| a.provider.as_str());
            let name = ListRef { clinic: clinic.slug.clone(), list: list.slug.clone() };
            let used = Use { clinic, list, name };
            audiences.entry((provider, &list.audience)).or_default().push(used);
        }
    }
    for lists in audiences.values() {
        for one in lists {
            undeclared(one, lists, problems);
            unfounded(one, lists, problems);
        }
    }
}

fn undeclared(one: &Use<'_>, lists: &[Use<'_>], problems: &mut Vec<Problem>) {
    for other in lists.iter().filter(|other| other.name != one.name) {
        if one.list.shared_with.contains(&other.name) {
            continue;
        }
        let what = format!(
            "the audience is also that of {}, in {}",
            other.name,
            other.clinic.path.display()
        );
        let cure = format!(
            "Give it an audience of its own, or write shared_with = [\"{}\"] here and [\"{}\"] there",
            other.name, one.name
        );
        problems.push(about(one, "audience", what, cure));
    }
}

fn unfounded(one: &Use<'_>, lists: &[Use<'_>], problems: &mut Vec<Problem>) {
    for name in &one.list.shared_with {
        if *name != one.name && lists.iter().any(|other| other.name == *name) {
            continue;
        }
        let what =
            format!("{name} does not use this audience, or is no list (or its file has mistakes)");
        let cure = "Correct it to a list on the same audience, or remove it".to_owned();
        problems.push(about(one, "shared_with", what, cure));
    }
}

fn about(one: &Use<'_>, key: &str, what: String, cure: String) -> Problem {
    let place = super::section::place_of(&one.clinic.path, &["lists", &one.list.slug, key]);
    let key = format!("lists.{}.{key}", one.list.slug);
    Problem { file: one.clinic.path.clone(), place, key, what, cure }
}
