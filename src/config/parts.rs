//! The kinds of value a key can have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{NaiveDate, TimeDelta};
use toml_edit::Item;

use super::duration;
use super::section::Section;
use crate::domain::text::UnknownWord;

impl Section<'_> {
    /// Reads text; blank is a mistake.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        match self.item(key)?.as_str().map(str::trim) {
            Some("") => self.problem(key, "is empty", "Fill it, or remove the line"),
            Some(text) => return Some(text.to_owned()),
            None => self.wrong(key, "is text", "Put it in quotation marks"),
        }
        None
    }

    /// Reads text that has to be there.
    pub(super) fn required(&self, key: &str, cure: &str) -> Option<String> {
        if self.item(key).is_none() {
            self.missing(key, cure);
        }
        self.text(key)
    }

    /// Reads `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        let Some(item) = self.item(key) else { return default };
        item.as_bool().unwrap_or_else(|| {
            self.wrong(key, "is true or false", "Write true or false, without quotation marks");
            default
        })
    }

    /// Reads a whole number within `range`.
    pub(super) fn number(&self, key: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(item) = self.item(key) else { return default };
        let number = item.as_integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let cure = format!("Write a number, the usual one is {default}");
            self.wrong(key, &format!("is a whole number from {least} to {most}"), &cure);
            default
        })
    }

    /// Reads a duration such as `30d` of at least `least`.
    pub(super) fn duration(&self, key: &str, default: &str, least: &str) -> TimeDelta {
        let usual = duration::parse(default).unwrap_or_default();
        let Some(item) = self.item(key) else { return usual };
        let read = item.as_str().and_then(duration::parse);
        read.filter(|read| *read >= duration::parse(least).unwrap_or_default()).unwrap_or_else(
            || {
                let cure = format!("Write a number and s, m, h, d or w, such as \"{default}\"");
                self.wrong(key, &format!("is a duration of at least {least}"), &cure);
                usual
            },
        )
    }

    /// Reads one of the words of an enum.
    pub(super) fn word<T: FromStr<Err = UnknownWord>>(&self, key: &str, default: T) -> T {
        let Some(text) = self.item(key).and_then(|_| self.text(key)) else { return default };
        text.parse().unwrap_or_else(|unknown: UnknownWord| {
            let cure = format!("Use one of: {}", unknown.choices.join(", "));
            self.problem(key, "has a value that is not known", &cure);
            default
        })
    }

    /// Reads a word that the clinic has to choose; `choices` explains them.
    pub(super) fn choice<T: FromStr<Err = UnknownWord>>(
        &self,
        key: &str,
        choices: &str,
    ) -> Option<T> {
        let Some(item) = self.item(key) else {
            self.missing(key, choices);
            return None;
        };
        let word = item.as_str().and_then(|text| text.trim().parse().ok());
        if word.is_none() {
            self.problem(key, "is not chosen yet, or not one of the choices", choices);
        }
        word
    }

    /// Reads a day, as TOML's own date or as text.
    pub(super) fn day(&self, key: &str) -> Option<NaiveDate> {
        let item = self.item(key)?;
        let native = item.as_datetime().filter(|at| at.time.is_none()).map(ToString::to_string);
        let text = native.or_else(|| item.as_str().map(|text| text.trim().to_owned()));
        let day = text.and_then(|text| text.parse().ok());
        if day.is_none() {
            self.wrong(key, "is a date", "Write it as 2024-05-25");
        }
        day
    }

    /// Reads a list of texts.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let Some(item) = self.item(key) else { return Vec::new() };
        let texts = item.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(|text| text.trim().to_owned())).collect()
        });
        texts
            .filter(|texts: &Vec<String>| texts.iter().all(|text| !text.is_empty()))
            .unwrap_or_else(|| {
                self.wrong(key, "is a list of texts", "Write it as [\"one\", \"two\"]");
                Vec::new()
            })
    }

    /// Reads a list of texts whose order does not matter.
    pub(super) fn text_set(&self, key: &str) -> BTreeSet<String> {
        self.texts(key).into_iter().collect()
    }

    /// Reads a table of texts.
    pub(super) fn text_map(&self, key: &str) -> BTreeMap<String, String> {
        let table = self.section(key);
        let names: Vec<String> = match self.item(key).and_then(Item::as_table_like) {
            Some(table) => table.iter().map(|(name, _)| name.to_owned()).collect(),
            None => Vec::new(),
        };
        names.into_iter().filter_map(|name| table.text(&name).map(|text| (name, text))).collect()
    }

    /// Reads a name that may stand in file names, commands and logs.
    pub(super) fn check_slug(&self, key: &str, name: &str) -> bool {
        let sound = is_slug(name);
        if !sound {
            let cure =
                "Use up to 40 small letters, digits, - and _, beginning with a letter or digit";
            self.problem(key, "is not usable as a name", cure);
        }
        sound
    }
}

/// Tells whether `name` may stand in file names, commands and logs.
pub(super) fn is_slug(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.len() <= 40
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
}
