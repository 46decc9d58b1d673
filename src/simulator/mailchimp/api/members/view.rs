//! How a member is shown, field by field, without building what was not asked for.

use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::simulator::mailchimp::api::fields::Selection;
use crate::simulator::mailchimp::audience::email::Hash;
use crate::simulator::mailchimp::audience::member::{Member, Slot};
use crate::simulator::mailchimp::audience::merge::{MergeField, MergeValue};
use crate::simulator::mailchimp::audience::roster::Roster;
use crate::simulator::mailchimp::audience::{Audience, PERMISSIONS};

/// The most tags the member resource shows.
const TAGS_SHOWN: usize = 50;

/// A member as the API shows it.
#[derive(Debug)]
pub struct MemberView<'a> {
    audience: &'a Audience,
    slot: Slot,
    member: &'a Member,
    selection: &'a Selection<'a>,
}

/// How one field is shown.
type Field = for<'a> fn(&'a MemberView<'a>) -> Shown<'a>;

/// What a field holds. The plain ones are written without being built first.
enum Shown<'a> {
    Text(&'a str),
    Written(String),
    Key(Hash),
    Flag(bool),
    Merges,
    /// Everything else; null leaves the field out.
    Tree(Value),
}

/// The fields of a member, in Mailchimp's order.
const FIELDS: &[(&str, Field)] = &[
    ("id", |v| Shown::Key(Roster::id(v.member))),
    ("email_address", |v| Shown::Text(&v.member.detail.email)),
    ("unique_email_id", |v| Shown::Written(v.audience.unique_email_id(&v.member.detail.email))),
    ("contact_id", |v| Shown::Key(v.audience.roster.contact_id(v.slot))),
    ("full_name", |v| Shown::Written(v.full_name())),
    ("web_id", |v| Shown::Tree(json!(v.audience.member_web_id(v.slot)))),
    ("email_type", |v| Shown::Text(if v.member.detail.html { "html" } else { "text" })),
    ("status", |v| Shown::Text(v.member.status.name())),
    ("unsubscribe_reason", |v| absent_if_empty(&v.member.detail.unsubscribe_reason)),
    ("consents_to_one_to_one_messaging", |_| Shown::Flag(true)),
    ("sms_phone_number", |_| Shown::Text("")),
    ("sms_subscription_status", |_| Shown::Text("")),
    ("sms_subscription_last_updated", |_| Shown::Text("")),
    ("merge_fields", |_| Shown::Merges),
    ("stats", |_| Shown::Tree(json!({"avg_open_rate": 0, "avg_click_rate": 0}))),
    ("ip_signup", |v| ip(v.member.detail.ip_signup)),
    ("timestamp_signup", |v| Shown::Written(v.member.timestamp_signup.text())),
    ("ip_opt", |v| ip(v.member.detail.ip_opt)),
    ("timestamp_opt", |v| Shown::Written(v.member.timestamp_opt.text())),
    ("member_rating", |_| Shown::Tree(json!(2))),
    ("last_changed", |v| Shown::Written(v.member.last_changed.text())),
    ("language", |v| Shown::Text(&v.member.detail.language)),
    ("vip", |v| Shown::Flag(v.member.detail.vip)),
    ("email_client", |_| Shown::Text("")),
    ("location", |_| Shown::Tree(location())),
    ("marketing_permissions", |v| Shown::Tree(v.marketing_permissions())),
    ("source", |v| Shown::Text(v.member.detail.source.name())),
    ("tags_count", |v| Shown::Tree(json!(v.member.detail.tags.len()))),
    ("tags", |v| Shown::Tree(v.tags())),
    ("list_id", |v| Shown::Text(&v.audience.id)),
    ("_links", |v| Shown::Tree(v.links())),
];

/// Fields a member has only sometimes, which may be asked for all the same.
const OPTIONAL: [&str; 2] = ["interests", "last_note"];

/// Tells whether a member can have this field.
#[must_use]
pub fn knows(name: &str) -> bool {
    OPTIONAL.contains(&name) || FIELDS.iter().any(|(field, _)| *field == name)
}

impl<'a> MemberView<'a> {
    /// Looks at a member; nothing if the slot is empty.
    #[must_use]
    pub fn new(audience: &'a Audience, slot: Slot, selection: &'a Selection<'a>) -> Option<Self> {
        Some(Self { audience, slot, member: audience.roster.get(slot)?, selection })
    }

    fn full_name(&self) -> String {
        let part = |tag: &str| -> Option<String> {
            let field = self.audience.merge_fields.iter().find(|field| field.tag == tag)?;
            Some(self.member.merge(field.merge_id)?.json().as_str()?.to_owned())
        };
        let parts: Vec<_> = [part("FNAME"), part("LNAME")].into_iter().flatten().collect();
        parts.join(" ")
    }

    fn marketing_permissions(&self) -> Value {
        if !self.audience.marketing_permissions {
            return Value::Null;
        }
        let ids = self.audience.permission_ids();
        let shown = ids.iter().zip(PERMISSIONS).enumerate().map(|(bit, (id, text))| {
            let enabled = self.member.detail.permissions & (1 << bit) != 0;
            json!({"marketing_permission_id": id, "text": text, "enabled": enabled})
        });
        shown.collect()
    }

    fn tags(&self) -> Value {
        let shown = self.member.detail.tags.iter().take(TAGS_SHOWN);
        shown.map(|(id, _)| json!({"id": id, "name": self.audience.tag_name(*id)})).collect()
    }

    fn links(&self) -> Value {
        let id = hex::encode(Roster::id(self.member));
        let href =
            format!("https://us6.api.mailchimp.com/3.0/lists/{}/members/{id}", self.audience.id);
        json!([{"rel": "self", "href": href, "method": "GET"}])
    }
}

impl Serialize for MemberView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, field) in FIELDS {
            let Some(selection) = self.selection.below(name) else { continue };
            match field(self) {
                Shown::Tree(Value::Null) => {}
                Shown::Tree(value) => map.serialize_entry(name, &selection.cut(value))?,
                Shown::Text(text) => map.serialize_entry(name, text)?,
                Shown::Written(text) => map.serialize_entry(name, &text)?,
                Shown::Key(key) => map.serialize_entry(name, hex_of(&key, &mut [0; 32]))?,
                Shown::Flag(flag) => map.serialize_entry(name, &flag)?,
                Shown::Merges => map.serialize_entry(name, &Merges { view: self, selection })?,
            }
        }
        map.end()
    }
}

/// The merge fields of a member, those that were asked for, by name.
struct Merges<'a> {
    view: &'a MemberView<'a>,
    selection: Selection<'a>,
}

impl Serialize for Merges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut fields: Vec<&MergeField> = self.view.audience.merge_fields.iter().collect();
        fields.sort_unstable_by_key(|field| &field.tag);
        for field in fields {
            let Some(selection) = self.selection.below(&field.tag) else { continue };
            match self.view.member.merge(field.merge_id) {
                None => map.serialize_entry(&field.tag, "")?,
                Some(MergeValue::Text(text)) => map.serialize_entry(&field.tag, text)?,
                Some(value) => map.serialize_entry(&field.tag, &selection.cut(value.json()))?,
            }
        }
        map.end()
    }
}

fn hex_of<'a>(key: &Hash, text: &'a mut [u8; 32]) -> &'a str {
    hex::encode_to_slice(key, text).ok();
    str::from_utf8(text).unwrap_or_default()
}

fn ip(ip: Option<IpAddr>) -> Shown<'static> {
    Shown::Written(ip.map(|ip| ip.to_string()).unwrap_or_default())
}

fn absent_if_empty(text: &str) -> Shown<'_> {
    if text.is_empty() { Shown::Tree(Value::Null) } else { Shown::Text(text) }
}

fn location() -> Value {
    json!({
        "latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0,
        "country_code": "", "timezone": "", "region": "",
    })
}
