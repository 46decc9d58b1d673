//! Links by class, as a small stacked bar with the same in words.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::parts::class_words;
use crate::domain::Class;

/// Returns the bar, as wide as it is shown.
pub(super) fn bar(classes: &BTreeMap<Class, u64>) -> Markup {
    let total: u64 = classes.values().sum();
    let mut from = 0;
    let parts: Vec<(Class, u64, u64)> = classes
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(class, count)| {
            let part = (*class, from, *count);
            from += count;
            part
        })
        .collect();
    html! {
        svg.bar role="img" aria-label=(in_words(classes)) viewBox={ "0 0 " (total.max(1)) " 1" }
            preserveAspectRatio="none" {
            @for (class, from, count) in parts {
                rect class={ "c-" (class.word()) } x=(from) width=(count) height="1" {}
            }
        }
    }
}

fn in_words(classes: &BTreeMap<Class, u64>) -> String {
    let parts: Vec<String> = classes
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(class, count)| format!("{count} {}", class_words(*class)))
        .collect();
    if parts.is_empty() { "nobody".to_owned() } else { parts.join(", ") }
}

/// Returns each class with its colour, its name and how many there are.
pub(super) fn legend(classes: &BTreeMap<Class, u64>) -> Markup {
    html! {
        ul.legend {
            @for (class, count) in classes.iter().filter(|(_, count)| **count > 0) {
                li {
                    svg.key viewBox="0 0 1 1" aria-hidden="true" {
                        rect class={ "c-" (class.word()) } width="1" height="1" {}
                    }
                    b { (count) } " " (class_words(*class))
                }
            }
        }
    }
}
