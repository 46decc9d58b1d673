//! Merge fields: their definitions, and values that obey them.

use serde_json::{Map, Value, json};

use super::refusal::FieldError;

/// The type of a merge field, in Mailchimp's words.
pub const TYPES: &[&str] = &[
    "text", "number", "address", "phone", "date", "url", "imageurl", "radio", "dropdown",
    "birthday", "zip",
];

/// The parts of a postal address, in Mailchimp's order.
const ADDRESS_PARTS: [&str; 6] = ["addr1", "addr2", "city", "state", "zip", "country"];

/// The parts an address cannot do without.
const ADDRESS_REQUIRED: [&str; 4] = ["addr1", "city", "state", "zip"];

/// The most bytes a text keeps.
const TEXT_LIMIT: usize = 255;

/// The definition of a merge field.
#[derive(Debug, Clone)]
pub struct MergeField {
    /// The number Mailchimp gave it.
    pub merge_id: u16,
    /// The tag members carry it under.
    pub tag: String,
    /// The name staff see.
    pub name: String,
    /// One of [`TYPES`].
    pub kind: String,
    /// Refuses writes that leave it empty.
    pub required: bool,
    /// Shown on forms.
    pub public: bool,
}

impl MergeField {
    /// Defines a field that is not required.
    #[must_use]
    pub fn new(merge_id: u16, tag: &str, name: &str, kind: &str) -> Self {
        Self {
            merge_id,
            tag: tag.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            required: false,
            public: true,
        }
    }

    /// Reads a value a caller sent; `lenient` takes malformed values as text.
    pub fn read(&self, value: &Value, lenient: bool) -> Result<MergeValue, FieldError> {
        match (self.kind.as_str(), value) {
            (_, Value::Null) => Ok(MergeValue::empty()),
            (_, Value::String(text)) if text.is_empty() => Ok(MergeValue::empty()),
            ("number", Value::Number(number)) => {
                Ok(MergeValue::Number(number.as_f64().unwrap_or_default()))
            }
            ("number", Value::String(text)) => match text.parse() {
                Ok(number) => Ok(MergeValue::Number(number)),
                Err(_) => self.text(text, false, "Please enter a number", lenient),
            },
            ("address", Value::Object(parts)) => self.address(parts, lenient),
            ("date", Value::String(text)) => {
                self.text(text, is_date(text), "Please enter a date", lenient)
            }
            ("birthday", Value::String(text)) => {
                self.text(text, is_birthday(text), "Please enter a valid birthday", lenient)
            }
            ("zip", Value::String(text)) => {
                let valid = text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
                self.text(text, valid, "Please enter a valid zip code", lenient)
            }
            (_, Value::String(text)) => self.text(text, true, "", lenient),
            (_, other) => self.text(&other.to_string(), true, "", lenient),
        }
    }

    fn text(
        &self,
        text: &str,
        valid: bool,
        message: &str,
        lenient: bool,
    ) -> Result<MergeValue, FieldError> {
        if valid || lenient {
            Ok(MergeValue::Text(truncated(text).into()))
        } else {
            Err(FieldError::new(&self.tag, message))
        }
    }

    fn address(&self, parts: &Map<String, Value>, lenient: bool) -> Result<MergeValue, FieldError> {
        let part = |name: &str| parts.get(name).and_then(Value::as_str).unwrap_or_default();
        if !lenient && ADDRESS_REQUIRED.iter().any(|name| part(name).is_empty()) {
            return Err(FieldError::new(&self.tag, "Please enter a complete address"));
        }
        Ok(MergeValue::Address(Box::new(ADDRESS_PARTS.map(|name| part(name).into()))))
    }

    /// Shows the definition as the API does.
    #[must_use]
    pub fn json(&self, list_id: &str) -> Value {
        json!({
            "merge_id": self.merge_id,
            "tag": self.tag,
            "name": self.name,
            "type": self.kind,
            "required": self.required,
            "default_value": "",
            "public": self.public,
            "display_order": self.merge_id + 1,
            "options": if self.kind == "text" { json!({"size": 25}) } else { json!({}) },
            "help_text": "",
            "list_id": list_id,
            "_links": [],
        })
    }
}

/// A member's value of one merge field.
#[derive(Debug, Clone, PartialEq)]
pub enum MergeValue {
    /// Everything but numbers and addresses.
    Text(Box<str>),
    /// A number.
    Number(f64),
    /// The parts of an address, in Mailchimp's order.
    Address(Box<[Box<str>; 6]>),
}

impl MergeValue {
    /// Nothing; Mailchimp shows it as an empty text.
    #[must_use]
    pub fn empty() -> Self {
        Self::Text("".into())
    }

    /// Tells whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    /// Shows the value as the API does.
    #[must_use]
    pub fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                serde_json::from_str(&format!("{number:.0}")).unwrap_or_default()
            }
            Self::Number(number) => json!(number),
            Self::Address(parts) => ADDRESS_PARTS
                .iter()
                .zip(parts.iter())
                .map(|(name, part)| ((*name).to_owned(), json!(part)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

/// Cuts a text to the bytes Mailchimp keeps, between characters.
fn truncated(text: &str) -> &str {
    let mut end = text.len().min(TEXT_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn is_date(text: &str) -> bool {
    let day = text.get(..10).unwrap_or(text);
    ["%Y-%m-%d", "%m/%d/%Y"].iter().any(|f| chrono::NaiveDate::parse_from_str(day, f).is_ok())
}

/// Month and day; the leap year lets 02/29 pass.
fn is_birthday(text: &str) -> bool {
    chrono::NaiveDate::parse_from_str(&format!("2024/{text}"), "%Y/%m/%d").is_ok()
}
