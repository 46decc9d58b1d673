//! Form bodies from outside: decoded within bounds, whatever is sent.

use std::collections::BTreeMap;
use std::fmt;

use percent_encoding::percent_decode;

use super::Malformed;

/// More fields than any provider sends.
const MOST_FIELDS: usize = 1_000;
/// A field's name with its brackets, such as `data[merges][GROUPINGS][0][name]`.
const LONGEST_NAME: usize = 512;
/// Brackets within brackets.
const DEEPEST: usize = 8;

/// The fields of a form, by name; of a name that comes twice the last one counts.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Form(BTreeMap<String, String>);

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("fields", &self.0.len()).finish()
    }
}

impl Form {
    /// Decodes `application/x-www-form-urlencoded`; nested names stay as they are written.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        Self::read(body, false)
    }

    /// Decodes a form in which no name may come twice: where a signature covers names and texts
    /// without what parts them, one field could be passed off as two.
    pub fn decode_each_once(body: &[u8]) -> Result<Self, Malformed> {
        Self::read(body, true)
    }

    fn read(body: &[u8], each_once: bool) -> Result<Self, Malformed> {
        let mut fields = BTreeMap::new();
        let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
        for (number, pair) in pairs.enumerate() {
            if number >= MOST_FIELDS {
                return Err(Malformed { what: "more fields than any provider sends" });
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            if name.len() > LONGEST_NAME || name.matches('[').count() > DEEPEST {
                return Err(Malformed { what: "a field's name is too long or too deep" });
            }
            let before = fields.insert(name, decoded(halves.next().unwrap_or_default())?);
            if each_once && before.is_some() {
                return Err(Malformed { what: "a field comes twice" });
            }
        }
        Ok(Self(fields))
    }

    /// Returns the field's text; none where it is missing or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
    }
}

fn decoded(text: &[u8]) -> Result<String, Malformed> {
    let spaced: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let text = percent_decode(&spaced).decode_utf8();
    Ok(text.map_err(|_| Malformed { what: "a field is no UTF-8" })?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_are_read_as_they_are_written() {
        let form =
            Form::decode(b"type=upemail&data%5Bmerges%5D%5BA%5D%5B0%5D=x%20y&data[e]=a%2Bb+c");
        let form = form.unwrap();
        assert_eq!(form.get("data[merges][A][0]"), Some("x y"));
        assert_eq!(form.get("data[e]"), Some("a+b c"));
        assert_eq!(form.get("data[f]"), None);
    }

    #[test]
    fn a_field_that_comes_twice_counts_last_or_is_refused() {
        let twice = b"From=%2B1&To=x&From=%2B2";
        assert_eq!(Form::decode(twice).unwrap().get("From"), Some("+2"));
        assert!(Form::decode_each_once(twice).is_err());
        assert!(Form::decode_each_once(b"From=%2B1&To=x").is_ok());
    }

    #[test]
    fn endless_and_deep_forms_are_refused() {
        assert!(Form::decode("a=1&".repeat(1_001).as_bytes()).is_err());
        assert!(Form::decode("a=1&".repeat(1_000).as_bytes()).is_ok());
        assert!(Form::decode(format!("a{}=1", "[x]".repeat(9)).as_bytes()).is_err());
        assert!(Form::decode("a".repeat(513).as_bytes()).is_err());
        assert!(Form::decode(b"a=%ff").is_err());
    }
}
