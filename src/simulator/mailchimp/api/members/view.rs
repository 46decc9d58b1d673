//! How a member is shown, field by field, without building what was not asked for.

use std::net::IpAddr;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::simulator::mailchimp::api::fields::Selection;
use crate::simulator::mailchimp::audience::member::{Member, Slot};
use crate::simulator::mailchimp::audience::merge::MergeValue;
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

/// How one field is shown; null leaves it out.
type Field = fn(&MemberView) -> Value;

/// The fields of a member, in Mailchimp's order.
const FIELDS: &[(&str, Field)] = &[
    ("id", |v| json!(hex::encode(Roster::id(v.member)))),
    ("email_address", |v| json!(v.member.detail.email)),
    ("unique_email_id", |v| json!(v.audience.unique_email_id(&v.member.detail.email))),
    ("contact_id", |v| json!(hex::encode(v.audience.roster.contact_id(v.slot)))),
    ("full_name", |v| json!(v.full_name())),
    ("web_id", |v| json!(v.audience.member_web_id(v.slot))),
    ("email_type", |v| json!(if v.member.detail.html { "html" } else { "text" })),
    ("status", |v| json!(v.member.status.name())),
    ("unsubscribe_reason", |v| absent_if_empty(&v.member.detail.unsubscribe_reason)),
    ("consents_to_one_to_one_messaging", |_| json!(true)),
    ("sms_phone_number", |_| json!("")),
    ("sms_subscription_status", |_| json!("")),
    ("sms_subscription_last_updated", |_| json!("")),
    ("merge_fields", |v| v.merge_fields()),
    ("stats", |_| json!({"avg_open_rate": 0, "avg_click_rate": 0})),
    ("ip_signup", |v| ip(v.member.detail.ip_signup)),
    ("timestamp_signup", |v| json!(v.member.timestamp_signup.text())),
    ("ip_opt", |v| ip(v.member.detail.ip_opt)),
    ("timestamp_opt", |v| json!(v.member.timestamp_opt.text())),
    ("member_rating", |_| json!(2)),
    ("last_changed", |v| json!(v.member.last_changed.text())),
    ("language", |v| json!(v.member.detail.language)),
    ("vip", |v| json!(v.member.detail.vip)),
    ("email_client", |_| json!("")),
    ("location", |_| location()),
    ("marketing_permissions", |v| v.marketing_permissions()),
    ("source", |v| json!(v.member.detail.source.name())),
    ("tags_count", |v| json!(v.member.detail.tags.len())),
    ("tags", |v| v.tags()),
    ("list_id", |v| json!(v.audience.id)),
    ("_links", |v| v.links()),
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

    fn merge_fields(&self) -> Value {
        let value = |id| self.member.merge(id).map_or_else(|| json!(""), MergeValue::json);
        let fields = &self.audience.merge_fields;
        fields.iter().map(|f| (f.tag.clone(), value(f.merge_id))).collect::<Map<_, _>>().into()
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
            let value = field(self);
            if !value.is_null() {
                map.serialize_entry(name, &selection.cut(value))?;
            }
        }
        map.end()
    }
}

fn ip(ip: Option<IpAddr>) -> Value {
    json!(ip.map(|ip| ip.to_string()).unwrap_or_default())
}

fn absent_if_empty(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn location() -> Value {
    json!({
        "latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0,
        "country_code": "", "timezone": "", "region": "",
    })
}
