//! Reads single values: text, yes or no, tags, addresses.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::{Address, AddressError, Channel};

/// Why a value could not be read: the end of a sentence that begins with the column's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

/// Reads text; numbers become text too. Blank is absent.
pub(super) fn text(value: Option<&Value>) -> Result<Option<String>, Unreadable> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Array(_) | Value::Object(_)) => {
            return Err(Unreadable("is a list or a structure: cast it to text in the view"));
        }
    };
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Reads yes or no, in the forms that real databases hold. Blank is absent.
pub(super) fn flag(value: Option<&Value>) -> Result<Option<bool>, Unreadable> {
    const WHY: Unreadable =
        Unreadable("is neither yes nor no: use true or false, 1 or 0, or leave it empty");
    match text(value).map_err(|_| WHY)?.map(|text| text.to_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "t" | "yes" | "y" | "on" | "1" | "1.0") => Ok(Some(true)),
        Some("false" | "f" | "no" | "n" | "off" | "0" | "0.0") => Ok(Some(false)),
        Some(_) => Err(WHY),
    }
}

/// Reads tags: a list, a list as JSON text, or words between commas.
pub(super) fn tags(value: Option<&Value>) -> Result<BTreeSet<String>, Unreadable> {
    const WHY: Unreadable =
        Unreadable("is no list: give a JSON array of texts, or words between commas");
    match value {
        Some(Value::Array(items)) => items.iter().map(|item| tag(item).ok_or(WHY)).collect(),
        Some(Value::String(text)) if text.trim_start().starts_with('[') => {
            let items: Vec<Value> = serde_json::from_str(text).map_err(|_| WHY)?;
            tags(Some(&Value::Array(items)))
        }
        other => {
            let text = text(other).map_err(|_| WHY)?.unwrap_or_default();
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(words.map(str::to_owned).collect())
        }
    }
}

fn tag(item: &Value) -> Option<String> {
    text(Some(item)).ok().flatten()
}

/// Reads an address. A line break in it is refused even at its end, where trimming would hide it.
pub(super) fn address(
    value: Option<&Value>,
    channel: Channel,
    country: Option<&str>,
) -> Result<Option<Address>, String> {
    if let Some(Value::String(raw)) = value
        && raw.chars().any(char::is_control)
    {
        return Err(AddressError::Unprintable.to_string());
    }
    let Some(raw) = text(value).map_err(|why| why.0.to_owned())? else { return Ok(None) };
    Address::parse(channel, &raw, country).map(Some).map_err(|why| why.to_string())
}
