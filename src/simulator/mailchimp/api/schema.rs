//! Reading bodies as the schema of the API does, with its own words for what is wrong.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::query::parse_stamp;
use crate::simulator::mailchimp::audience::entry::Entry;
use crate::simulator::mailchimp::audience::member::{Stamp, Status};
use crate::simulator::mailchimp::audience::refusal::FieldError;
use crate::simulator::mailchimp::door::problem::Problem;

/// The statuses a new or replaced member may take; nobody is archived by status.
pub const WRITABLE: [Status; 5] = [
    Status::Subscribed,
    Status::Unsubscribed,
    Status::Cleaned,
    Status::Pending,
    Status::Transactional,
];

/// The statuses a PATCH may set.
pub const PATCHABLE: [Status; 4] =
    [Status::Subscribed, Status::Unsubscribed, Status::Cleaned, Status::Pending];

/// The type each field of a member must have.
const MEMBER: &[(&str, &str)] = &[
    ("email_address", "string"),
    ("email_type", "string"),
    ("status", "string"),
    ("status_if_new", "string"),
    ("merge_fields", "object"),
    ("interests", "object"),
    ("language", "string"),
    ("vip", "boolean"),
    ("location", "object"),
    ("marketing_permissions", "array"),
    ("ip_signup", "string"),
    ("timestamp_signup", "string"),
    ("ip_opt", "string"),
    ("timestamp_opt", "string"),
    ("tags", "array"),
];

/// Reads what a body says about a member.
pub fn member(body: &Value, statuses: &[Status]) -> Result<Entry, Problem> {
    let mut reader = Reader::new(body, MEMBER)?;
    let entry = Entry {
        email: reader.text("email_address").map(|text| text.trim().to_owned()),
        status: reader.status("status", statuses),
        status_if_new: reader.status("status_if_new", &WRITABLE),
        html: reader.text("email_type").map(|kind| kind != "text"),
        merges: reader.object("merge_fields").cloned(),
        language: reader.text("language").map(str::to_owned),
        vip: reader.body.get("vip").and_then(Value::as_bool),
        ip_signup: reader.ip("ip_signup"),
        timestamp_signup: reader.stamp("timestamp_signup"),
        ip_opt: reader.ip("ip_opt"),
        timestamp_opt: reader.stamp("timestamp_opt"),
        permissions: reader.permissions(),
        tags: reader.tags(),
    };
    reader.done().map(|()| entry)
}

/// Reads an object field by field and collects what is wrong with it.
#[derive(Debug)]
pub struct Reader<'a> {
    body: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    /// Checks that a body is an object whose fields have the types of `schema`.
    pub fn new(body: &'a Value, schema: &[(&str, &str)]) -> Result<Self, Problem> {
        let Value::Object(object) = body else {
            return Err(Problem::schema(vec![mismatch("", "object", body)]));
        };
        let wrong = |&(field, expected): &(&str, &str)| {
            let value = object.get(field)?;
            (type_of(value) != expected).then(|| mismatch(field, expected, value))
        };
        let errors: Vec<_> = schema.iter().filter_map(wrong).collect();
        if errors.is_empty() {
            Ok(Self { body: object, errors })
        } else {
            Err(Problem::schema(errors))
        }
    }

    /// Returns a text.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&'a str> {
        self.body.get(field).and_then(Value::as_str)
    }

    /// Returns an object.
    #[must_use]
    pub fn object(&self, field: &str) -> Option<&'a Map<String, Value>> {
        self.body.get(field).and_then(Value::as_object)
    }

    /// Records that something is wrong with a field.
    pub fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, message));
    }

    /// Ends the reading.
    pub fn done(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::schema(self.errors)) }
    }

    fn status(&mut self, field: &str, allowed: &[Status]) -> Option<Status> {
        let text = self.text(field)?;
        let status = Status::parse(text).filter(|status| allowed.contains(status));
        if status.is_none() {
            let names: Vec<_> = allowed.iter().map(|status| status.name()).collect();
            let accepted = names.join(", ");
            self.refuse(
                field,
                format!("Data presented is not one of the accepted values: {accepted}"),
            );
        }
        status
    }

    fn ip(&mut self, field: &str) -> Option<IpAddr> {
        let text = self.text(field).filter(|text| !text.is_empty())?;
        let ip = text.parse().ok();
        if ip.is_none() {
            self.refuse(field, "Invalid IP address");
        }
        ip
    }

    fn stamp(&mut self, field: &str) -> Option<Stamp> {
        let text = self.text(field).filter(|text| !text.is_empty())?;
        let stamp = parse_stamp(text);
        if stamp.is_none() {
            self.refuse(field, "Data did not match any of the schemas described in anyOf.");
        }
        stamp
    }

    fn permissions(&self) -> Vec<(String, bool)> {
        let items = self.body.get("marketing_permissions").and_then(Value::as_array);
        let read = |item: &Value| {
            let id = item.get("marketing_permission_id")?.as_str()?.to_owned();
            Some((id, item.get("enabled")?.as_bool()?))
        };
        items.into_iter().flatten().filter_map(read).collect()
    }

    fn tags(&self) -> Vec<String> {
        let items = self.body.get("tags").and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|tag| Some(tag.as_str()?.to_owned())).collect()
    }
}

fn mismatch(field: &str, expected: &str, value: &Value) -> FieldError {
    let found = if value.is_null() { "NULL" } else { type_of(value) };
    FieldError::new(field, format!("Schema describes {expected}, {found} found instead"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
