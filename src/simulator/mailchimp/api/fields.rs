//! `fields` and `exclude_fields`: cutting a resource to what was asked for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::simulator::mailchimp::audience::refusal::FieldError;
use crate::simulator::mailchimp::door::call::Call;
use crate::simulator::mailchimp::door::problem::Problem;

/// Objects whose keys depend on the audience, so that any name below them is fine.
const OPEN: [&str; 2] = ["merge_fields", "interests"];

/// Dotted paths, as a tree; a leaf stands for everything below it.
#[derive(Debug, Clone, Default)]
pub struct Paths(BTreeMap<String, Self>);

/// Which fields of a resource are shown.
#[derive(Debug, Clone)]
pub enum Selection<'a> {
    /// All.
    All,
    /// Only these.
    Only(std::borrow::Cow<'a, Paths>),
    /// All but these.
    Except(std::borrow::Cow<'a, Paths>),
}

impl Paths {
    fn parse(list: &str) -> Self {
        let mut paths = Self::default();
        for path in list.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let mut node = &mut paths;
            for name in path.split('.') {
                node = node.0.entry(name.to_owned()).or_default();
            }
        }
        paths
    }

    fn first_unknown(&self, value: &Value) -> Option<String> {
        match value {
            Value::Object(object) => self.0.iter().find_map(|(name, below)| {
                let Some(value) = object.get(name) else { return Some(name.clone()) };
                (!OPEN.contains(&name.as_str())).then(|| below.first_unknown(value)).flatten()
            }),
            Value::Array(items) => self.first_unknown(items.first()?),
            _ => None,
        }
    }
}

impl Selection<'_> {
    /// Reads the selection a request asks for.
    pub fn of(call: &Call) -> Result<Self, Problem> {
        use std::borrow::Cow::Owned;
        match (call.param("fields"), call.param("exclude_fields")) {
            (None, None) => Ok(Self::All),
            (Some(only), None) => Ok(Self::Only(Owned(Paths::parse(only)))),
            (None, Some(except)) => Ok(Self::Except(Owned(Paths::parse(except)))),
            (Some(_), Some(_)) => {
                Err(Problem::bad_request("Use either fields or exclude_fields, not both."))
            }
        }
    }

    /// Returns the selection below a field, or nothing if the field is not shown.
    #[must_use]
    pub fn below(&self, name: &str) -> Option<Selection<'_>> {
        use std::borrow::Cow::Borrowed;
        match self {
            Self::All => Some(Selection::All),
            Self::Only(paths) => match paths.0.get(name) {
                None => None,
                Some(leaf) if leaf.0.is_empty() => Some(Selection::All),
                Some(more) => Some(Selection::Only(Borrowed(more))),
            },
            Self::Except(paths) => match paths.0.get(name) {
                None => Some(Selection::All),
                Some(leaf) if leaf.0.is_empty() => None,
                Some(more) => Some(Selection::Except(Borrowed(more))),
            },
        }
    }

    /// Cuts a value to what is shown.
    #[must_use]
    pub fn cut(&self, value: Value) -> Value {
        match (self, value) {
            (Self::All, value) => value,
            (_, Value::Object(object)) => object
                .into_iter()
                .filter_map(|(name, value)| {
                    let cut = self.below(&name)?.cut(value);
                    Some((name, cut))
                })
                .collect(),
            (_, Value::Array(items)) => items.into_iter().map(|item| self.cut(item)).collect(),
            (_, value) => value,
        }
    }

    /// Refuses names the resource does not have.
    pub fn check(&self, resource: &Value) -> Result<(), Problem> {
        let unknown = match self {
            Self::All => None,
            Self::Only(paths) | Self::Except(paths) => paths.first_unknown(resource),
        };
        unknown.map_or(Ok(()), |name| Err(Self::unknown(&name)))
    }

    /// Refuses names of which `known` says no.
    pub fn check_names(&self, known: impl Fn(&str) -> bool) -> Result<(), Problem> {
        let (Self::Only(paths) | Self::Except(paths)) = self else { return Ok(()) };
        let unknown = paths.0.keys().find(|name| !known(name));
        unknown.map_or(Ok(()), |name| Err(Self::unknown(name)))
    }

    fn unknown(name: &str) -> Problem {
        let message = format!("The field '{name}' does not exist on this resource.");
        Problem::schema(vec![FieldError::new("fields", message)])
    }
}
