//! The form body of a delivery, with PHP's bracketed keys.

use url::form_urlencoded::Serializer;

use super::change::Change;
use crate::simulator::mailchimp::audience::Audience;
use crate::simulator::mailchimp::audience::member::{Member, Slot, Stamp};
use crate::simulator::mailchimp::audience::merge::MergeValue;

/// The fields of a form, in order.
pub type Fields = Vec<(String, String)>;

/// Encodes fields as a browser does.
#[must_use]
pub fn encode(fields: &[(String, String)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Audience {
    /// Writes the fields of one event.
    pub(in crate::simulator::mailchimp) fn form_fields(
        &self,
        slot: Slot,
        member: &Member,
        change: &Change,
        now: Stamp,
    ) -> Fields {
        let mut form = Form(Vec::new());
        form.0.push(("type".to_owned(), change.event().to_owned()));
        form.0.push(("fired_at".to_owned(), now.fired_at()));
        match change {
            Change::Subscribe => self.member_fields(&mut form, slot, member, true),
            Change::Profile => self.member_fields(&mut form, slot, member, false),
            Change::Unsubscribe { deleted, reason, campaign } => {
                form.data("action", if *deleted { "delete" } else { "unsub" });
                form.data("reason", reason.name());
                self.member_fields(&mut form, slot, member, false);
                form.optional("campaign_id", campaign.as_deref());
            }
            Change::Upemail { from } => {
                form.data("list_id", &self.id);
                form.data("new_id", &self.unique_email_id(&member.detail.email));
                form.data("new_email", &member.detail.email);
                form.data("old_email", from);
            }
            Change::Cleaned { reason, campaign } => {
                form.data("list_id", &self.id);
                form.optional("campaign_id", campaign.as_deref());
                form.data("reason", reason.name());
                form.data("email", &member.detail.email);
            }
        }
        form.0
    }

    fn member_fields(&self, form: &mut Form, slot: Slot, member: &Member, signup: bool) {
        let detail = &member.detail;
        let ip = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
        form.data("id", &self.unique_email_id(&detail.email));
        form.data("list_id", &self.id);
        form.data("email", &detail.email);
        form.data("email_type", if detail.html { "html" } else { "text" });
        form.data("ip_opt", &ip(detail.ip_opt));
        if signup {
            form.data("ip_signup", &ip(detail.ip_signup));
        }
        form.data("web_id", &self.member_web_id(slot).to_string());
        form.data("merges][EMAIL", &detail.email);
        for field in &self.merge_fields {
            form.merge(&field.tag, member.merge(field.merge_id));
        }
        form.data("merges][INTERESTS", "");
    }
}

struct Form(Fields);

impl Form {
    fn data(&mut self, key: &str, value: &str) {
        self.0.push((format!("data[{key}]"), value.to_owned()));
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.data(key, value);
        }
    }

    fn merge(&mut self, tag: &str, value: Option<&MergeValue>) {
        match value.map(MergeValue::json) {
            None => self.data(&format!("merges][{tag}"), ""),
            Some(serde_json::Value::Object(parts)) => {
                for (part, text) in &parts {
                    let text = text.as_str().unwrap_or_default();
                    self.data(&format!("merges][{tag}][{part}"), text);
                }
            }
            Some(serde_json::Value::String(text)) => self.data(&format!("merges][{tag}"), &text),
            Some(other) => self.data(&format!("merges][{tag}"), &other.to_string()),
        }
    }
}
