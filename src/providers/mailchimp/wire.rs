//! What Mailchimp sends, read tolerantly: empty texts for none, fields missing, lists for maps.
//!
//! What holds personal data has no `Debug`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::domain::{Address, Entry, MemberKey, MemberStatus, Personal};
use crate::providers::{Member, ProviderError};

/// `GET /`.
#[derive(Debug, Deserialize)]
pub struct Root {
    /// The id of the account.
    pub account_id: String,
}

/// `GET /lists`.
#[derive(Debug, Deserialize)]
pub struct Lists {
    /// The lists.
    #[serde(default)]
    pub lists: Vec<List>,
}

/// `GET /lists/{id}`.
#[derive(Debug, Deserialize)]
pub struct List {
    /// The id of the list.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether sign-ups on Mailchimp's own forms must be confirmed; the API does not enforce it.
    #[serde(default)]
    pub double_optin: bool,
}

/// `GET /lists/{id}/merge-fields`.
#[derive(Debug, Deserialize)]
pub struct MergeFields {
    /// The fields.
    pub merge_fields: Vec<MergeField>,
}

/// One merge field.
#[derive(Debug, Deserialize)]
pub struct MergeField {
    /// Its name, such as `FNAME`.
    pub tag: String,
    /// Whether it must be filled.
    #[serde(default)]
    pub required: bool,
}

/// `GET /lists/{id}/members`.
#[derive(Deserialize)]
pub struct Members {
    /// One page of members; missing where `fields` left nothing of it.
    #[serde(default)]
    pub members: Vec<RawMember>,
    /// How many match in all.
    pub total_items: u64,
}

/// `POST /lists/{id}`: always 200 where the request is well-formed.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct BulkReply {
    /// Members that were added.
    pub new_members: Vec<RawMember>,
    /// Members that were there.
    pub updated_members: Vec<RawMember>,
    /// Members that were refused.
    pub errors: Vec<BulkError>,
}

/// One refusal of `POST /lists/{id}`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct BulkError {
    /// The address as sent, at times in escaped quotes.
    pub email_address: String,
    /// The reason as a sentence; the only place that tells refusals apart.
    #[serde(deserialize_with = "text")]
    pub error: Option<String>,
    /// `ERROR_CONTACT_EXISTS` or `ERROR_GENERIC`.
    #[serde(deserialize_with = "text")]
    pub error_code: Option<String>,
    /// The merge field at fault.
    #[serde(deserialize_with = "text")]
    pub field: Option<String>,
}

/// A member, as far as we ask for it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RawMember {
    #[serde(deserialize_with = "text")]
    contact_id: Option<String>,
    /// The hash of its address, which the paths for tags and erasure want.
    #[serde(deserialize_with = "text")]
    pub id: Option<String>,
    /// Its address as it was first sent, upper case kept.
    #[serde(deserialize_with = "text")]
    pub email_address: Option<String>,
    #[serde(deserialize_with = "text")]
    status: Option<String>,
    #[serde(deserialize_with = "instant")]
    last_changed: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    timestamp_signup: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "instant")]
    timestamp_opt: Option<DateTime<Utc>>,
    #[serde(deserialize_with = "text")]
    source: Option<String>,
    #[serde(deserialize_with = "text")]
    unsubscribe_reason: Option<String>,
    merge_fields: Value,
    tags: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tag {
    name: String,
}

impl RawMember {
    /// Returns its stable id: `contact_id`, which survives a change of address, else `id`. A path
    /// takes either.
    pub fn key(&self) -> Option<MemberKey> {
        self.contact_id.as_ref().or(self.id.as_ref()).cloned().map(MemberKey)
    }

    /// Returns its status, if it is one that is documented.
    pub fn status(&self) -> Option<MemberStatus> {
        Some(match self.status.as_deref()? {
            "pending" => MemberStatus::Pending,
            "subscribed" => MemberStatus::Subscribed,
            "unsubscribed" => MemberStatus::Unsubscribed,
            "cleaned" => MemberStatus::Cleaned,
            "archived" => MemberStatus::Archived,
            "transactional" => MemberStatus::NonSubscribed,
            _ => return None,
        })
    }

    /// Turns it into the port's member with the merge fields named in `fields`.
    pub fn into_member(self, fields: &BTreeSet<String>) -> Result<Member, ProviderError> {
        let missing = |what| ProviderError::Unreadable { what };
        Ok(Member {
            key: self.key().ok_or(missing("a member without an id"))?,
            address: self.email_address.as_deref().and_then(|raw| Address::email(raw).ok()),
            status: self.status().ok_or(missing("a member without a status that we know"))?,
            last_changed: self.last_changed,
            signed_up_at: self.timestamp_signup,
            opted_in_at: self.timestamp_opt,
            entry: entry(self.source.as_deref(), self.timestamp_signup.is_some()),
            complained: complained(self.unsubscribe_reason.as_deref()),
            fields: merge_fields(&self.merge_fields, fields),
            tags: self.tags.into_iter().map(|tag| tag.name).filter(|n| !n.is_empty()).collect(),
        })
    }
}

/// Tells who brought a member in, by its `source` ("API - Generic", "Admin Add", …).
///
/// A form counts as the contact's own act only with a sign-up time, which Mailchimp sets when a
/// form is sent and leaves empty for members added over the API (recorded answers).
fn entry(source: Option<&str>, signed_up: bool) -> Entry {
    const STAFF: &[&str] = &["import", "admin", "copy/paste", "csv"];
    const FORMS: &[&str] =
        &["signup form", "sign-up form", "hosted", "embed", "popup", "pop-up", "landing page"];
    let source = source.unwrap_or_default().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| source.contains(word));
    match () {
        () if source.starts_with("api") => Entry::Api,
        () if says(STAFF) => Entry::Staff,
        () if says(FORMS) && signed_up => Entry::Contact,
        () => Entry::Unknown,
    }
}

fn complained(reason: Option<&str>) -> bool {
    let reason = reason.unwrap_or_default().to_lowercase();
    reason.contains("abuse") || reason.contains("spam")
}

/// An empty map comes as `[]`; address fields are objects, which no mapping of ours fills.
fn merge_fields(raw: &Value, wanted: &BTreeSet<String>) -> BTreeMap<String, Personal> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(Personal::new(text)),
        Value::Number(number) => Some(Personal::new(&number.to_string())),
        Value::Null => Some(Personal::default()),
        _ => None,
    };
    let filled = raw.as_object().into_iter().flatten();
    filled
        .filter(|(name, _)| wanted.contains(*name))
        .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
        .collect()
}

/// Formats an instant as Mailchimp reads it: UTC in whole seconds. It ignores offsets, and
/// fractions of more than three digits made it return everything.
pub fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.filter(|text| !text.is_empty()))
}

fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = text(from)?;
    Ok(text.and_then(|text| DateTime::parse_from_rfc3339(&text).ok()).map(|at| at.to_utc()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn member(raw: Value) -> Result<Member, ProviderError> {
        let raw: RawMember = serde_json::from_value(raw).unwrap();
        raw.into_member(&BTreeSet::from(["FNAME".to_owned(), "AGE".to_owned()]))
    }

    #[test]
    fn a_member_made_over_the_api_is_read_as_recorded() {
        let member = member(json!({
            "id": "5eb0", "contact_id": "c1", "email_address": "Ann@Mail.test",
            "status": "subscribed", "source": "API - Generic", "unsubscribe_reason": null,
            "timestamp_signup": "", "timestamp_opt": "2022-02-23T22:51:58+00:00",
            "last_changed": "2022-02-23T22:52:00+00:00",
            "merge_fields": {"FNAME": " Ann ", "AGE": 41, "LNAME": "Lee", "ADDRESS": {}},
            "tags": [{"id": 1, "name": "recall"}], "_links": [],
        }))
        .unwrap();
        assert_eq!(member.key, MemberKey("c1".to_owned()));
        assert_eq!(member.address.unwrap().expose(), "ann@mail.test");
        assert_eq!((member.status, member.entry), (MemberStatus::Subscribed, Entry::Api));
        assert_eq!(member.signed_up_at, None);
        assert_eq!(member.opted_in_at.unwrap().timestamp(), 1_645_656_718);
        let fields: Vec<_> = member.fields.iter().map(|(k, v)| (k.as_str(), v.expose())).collect();
        assert_eq!(fields, [("AGE", "41"), ("FNAME", "Ann")]);
        assert_eq!(member.tags, BTreeSet::from(["recall".to_owned()]));
    }

    #[test]
    fn what_is_missing_or_strange_does_not_stop_a_page_but_a_lost_status_does() {
        let bare = member(json!({"id": "5eb0", "status": "cleaned", "merge_fields": []})).unwrap();
        assert_eq!(bare.key, MemberKey("5eb0".to_owned()));
        assert_eq!((bare.address, bare.entry), (None, Entry::Unknown));
        let odd = member(json!({"id": "5eb0", "status": "archived", "email_address": "no"}));
        assert_eq!(odd.unwrap().address, None);
        assert!(member(json!({"id": "5eb0", "status": "on fire"})).is_err());
        assert!(member(json!({"status": "subscribed"})).is_err());
    }

    #[test]
    fn only_a_form_with_a_sign_up_time_is_the_contacts_own_act() {
        for (source, signed_up, expected) in [
            ("API - Generic", true, Entry::Api),
            ("API - Listwarden", false, Entry::Api),
            ("Admin Add", true, Entry::Staff),
            ("List Import from Copy/Pasted File", true, Entry::Staff),
            ("Hosted Signup Form", true, Entry::Contact),
            ("Embed Form", true, Entry::Contact),
            ("POPUP", true, Entry::Contact),
            ("Hosted Signup Form", false, Entry::Unknown),
            ("Some Shop", true, Entry::Unknown),
            ("", true, Entry::Unknown),
        ] {
            assert_eq!(entry(Some(source), signed_up), expected, "{source}");
        }
        assert_eq!(entry(None, true), Entry::Unknown);
    }

    #[test]
    fn a_spam_report_is_a_complaint() {
        assert!(complained(Some("N/A (Reported as Spam)")));
        assert!(complained(Some("abuse")));
        assert!(!complained(Some("I no longer want to receive these emails")));
        assert!(!complained(None));
    }
}
