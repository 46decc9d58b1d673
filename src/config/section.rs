//! Reads a table of a TOML file, key by key, and collects every mistake on the way.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use super::Problem;
use crate::patients::nearest::nearest;

/// A file, and the mistakes found in it so far.
pub(super) struct File {
    pub(super) path: PathBuf,
    text: String,
    problems: RefCell<Vec<Problem>>,
}

impl File {
    /// Reads the file; tells why where it cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        const CURE: &str = "Check its name and who may read it; `listwarden init` writes a new one";
        let text = std::fs::read_to_string(path).map_err(|error| {
            Problem::of_file(path, &format!("cannot be read ({})", error.kind()), CURE)
        })?;
        Ok(Self { path: path.to_owned(), text, problems: RefCell::default() })
    }

    /// Parses the text as TOML; `read` gets its top table.
    pub(super) fn parse<T>(&self, read: impl FnOnce(Section<'_>) -> Option<T>) -> Option<T> {
        match Document::parse(self.text.as_str()) {
            Err(error) => {
                // Only the message: the error's own text quotes the line, which may hold a secret.
                let what = format!("not valid TOML: {}", one_line(error.message()));
                self.report("", error.span(), what, "Correct the syntax (https://toml.io)");
                None
            }
            Ok(document) => {
                let table = document.as_table();
                read(Section {
                    file: self,
                    path: String::new(),
                    table: Some(table),
                    span: None,
                    known: RefCell::default(),
                })
            }
        }
    }

    pub(super) fn problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    fn report(&self, key: &str, span: Option<Range<usize>>, what: String, cure: &str) {
        self.problems.borrow_mut().push(Problem {
            file: self.path.clone(),
            place: span.map(|span| self.place(span.start)),
            key: key.to_owned(),
            what,
            cure: cure.to_owned(),
        });
    }

    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

fn json(item: &Item) -> serde_json::Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect();
    }
    if let Some(items) = item.as_array() {
        return items.iter().map(|value| json(&Item::Value(value.clone()))).collect();
    }
    let number = || item.as_integer().map(Into::into).or_else(|| item.as_float().map(Into::into));
    let text = || {
        item.as_str().map(Into::into).or_else(|| item.as_datetime().map(|at| at.to_string().into()))
    };
    item.as_bool().map(Into::into).or_else(number).or_else(text).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A table of a file. Reading a key makes it known; [`Section::end`] reports the others.
pub(super) struct Section<'a> {
    file: &'a File,
    path: String,
    /// None where the table is absent: every key of it is.
    table: Option<&'a dyn TableLike>,
    span: Option<Range<usize>>,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Section<'a> {
    /// Tells whether the table is in the file.
    pub(super) fn is_there(&self) -> bool {
        self.table.is_some()
    }

    pub(super) fn item(&self, key: &str) -> Option<&'a Item> {
        self.known.borrow_mut().insert(key.to_owned());
        self.table.and_then(|table| table.get(key)).filter(|item| !item.is_none())
    }

    /// Reads a table inside this one; an absent one reads as empty.
    pub(super) fn section(&self, key: &str) -> Section<'a> {
        let item = self.item(key);
        let table = item.and_then(Item::as_table_like);
        if item.is_some() && table.is_none() {
            self.wrong(key, "is a table", &format!("Write [{}]", self.key(key)));
        }
        let span = self.span_of(key);
        Section { file: self.file, path: self.key(key), table, span, known: RefCell::default() }
    }

    /// Reads every table inside this one, by name.
    pub(super) fn sections(&self) -> Vec<(&'a str, Section<'a>)> {
        let names: Vec<&'a str> =
            self.table.iter().flat_map(|table| table.iter()).map(|(k, _)| k).collect();
        names.into_iter().map(|name| (name, self.section(name))).collect()
    }

    /// Takes every key that nobody has read yet as JSON, for a part that checks them itself.
    pub(super) fn rest(&self) -> serde_json::Map<String, serde_json::Value> {
        let keys: Vec<&str> =
            self.table.iter().flat_map(|table| table.iter()).map(|(k, _)| k).collect();
        let unread = |key: &&str| !self.known.borrow().contains(*key);
        let unread: Vec<&str> = keys.into_iter().filter(unread).collect();
        unread.into_iter().filter_map(|key| Some((key.to_owned(), json(self.item(key)?)))).collect()
    }

    /// Reports every key that nobody read.
    pub(super) fn end(self) {
        let known = self.known.borrow();
        for (key, _) in self.table.iter().flat_map(|table| table.iter()) {
            if known.contains(key) {
                continue;
            }
            let cure = match nearest(key, known.iter().map(String::as_str)) {
                Some(meant) => format!("Did you mean `{meant}`?"),
                None => {
                    format!("Known here: {}", known.iter().cloned().collect::<Vec<_>>().join(", "))
                }
            };
            self.problem(key, "is no key that is known here", &cure);
        }
    }

    /// Reports a mistake about `key`, at its place.
    pub(super) fn problem(&self, key: &str, what: &str, cure: &str) {
        let span = self.span_of(key).or_else(|| self.span.clone());
        self.file.report(&self.key(key), span, what.to_owned(), cure);
    }

    /// Reports that `key` has not the type it should have.
    pub(super) fn wrong(&self, key: &str, should_be: &str, cure: &str) {
        self.problem(key, &format!("{should_be}, but something else stands there"), cure);
    }

    /// Reports that `key` is not there.
    pub(super) fn missing(&self, key: &str, cure: &str) {
        self.problem(key, "is missing", cure);
    }

    pub(super) fn path(&self) -> &'a Path {
        &self.file.path
    }

    fn key(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (_, true) => self.path.clone(),
            _ => format!("{}.{key}", self.path),
        }
    }

    fn span_of(&self, key: &str) -> Option<Range<usize>> {
        let (name, item) = self.table?.get_key_value(key)?;
        name.span().or_else(|| item.span())
    }
}

/// Finds the line and column of a key in a file, for a mistake that shows only among files.
pub(super) fn place_of(path: &Path, keys: &[&str]) -> Option<(usize, usize)> {
    let file = File::read(path).ok()?;
    let document = Document::parse(file.text.as_str()).ok()?;
    let mut table: &dyn TableLike = document.as_table();
    let (last, parents) = keys.split_last()?;
    for key in parents {
        table = table.get(key)?.as_table_like()?;
    }
    let (name, item) = table.get_key_value(last)?;
    Some(file.place(name.span().or_else(|| item.span())?.start))
}
