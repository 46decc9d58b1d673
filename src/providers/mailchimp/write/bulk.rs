//! Many new members in one request: `POST /lists/{id}`.
//!
//! The answer is 200 even when every member of it is refused; each has its own outcome in it.

use std::collections::HashMap;

use http::Method;
use serde_json::{Value, json};

use super::super::api::problem::{other, refusal_in};
use super::super::api::{Call, parse};
use super::super::wire::{BulkError, BulkReply, RawMember};
use super::super::{Mailchimp, wire};
use super::outcome::reported;
use super::steps::entrant;
use crate::domain::Address;
use crate::providers::http::{Failure, plain};
use crate::providers::{LotResult, MemberWrite, Outcome, ProviderError, Refusal};

/// The most members that one request may carry.
pub const MOST: usize = 500;

/// Names that Mailchimp refuses in bulk and takes singly (help page on role-based addresses).
const ROLES: &[&str] = &[
    "abuse",
    "admin",
    "billing",
    "compliance",
    "devnull",
    "dns",
    "ftp",
    "hostmaster",
    "inoc",
    "ispfeedback",
    "ispsupport",
    "list",
    "list-request",
    "maildaemon",
    "no-reply",
    "noc",
    "noreply",
    "null",
    "phish",
    "phishing",
    "postmaster",
    "privacy",
    "registrar",
    "root",
    "security",
    "spam",
    "support",
    "sysadmin",
    "tech",
    "undisclosed-recipients",
    "unsubscribe",
    "usenet",
    "uucp",
    "webmaster",
    "www",
];

/// Tells whether an address belongs to a role rather than a person.
pub fn is_role(address: &Address) -> bool {
    let name = address.expose().split('@').next().unwrap_or_default();
    ROLES.contains(&name)
}

impl Mailchimp {
    /// Adds members; whoever is there already is left alone (`update_existing: false`), so that an
    /// invitation planned for nobody changes nobody.
    pub(super) async fn send_bulk(
        &self,
        writes: &[MemberWrite],
    ) -> Result<LotResult, ProviderError> {
        let members: Vec<Value> = writes
            .iter()
            .filter_map(|write| Some(entrant(write, write.verb.leads_to()?).into()))
            .collect();
        let call = Call::new(Method::POST, &["lists", &self.list])
            .with("skip_merge_validation", "false")
            .body(json!({ "members": members, "update_existing": false }));
        let answer = self.connection.write(&call).await.map_err(Failure::of_list)?;
        let reply: BulkReply = parse(&answer).map_err(Failure::of_list)?;
        let reply = ByAddress::from(reply);
        let outcomes = writes.iter().map(|write| (write.id, reply.outcome(write)));
        Ok(LotResult::Done(outcomes.collect()))
    }
}

/// The reply, to be asked by address.
struct ByAddress {
    members: HashMap<String, RawMember>,
    errors: HashMap<String, BulkError>,
}

impl From<BulkReply> for ByAddress {
    fn from(reply: BulkReply) -> Self {
        let members = reply.new_members.into_iter().chain(reply.updated_members);
        let named = |raw: RawMember| Some((normal(raw.email_address.as_deref()?), raw));
        let errors = reply.errors.into_iter();
        Self {
            members: members.filter_map(named).collect(),
            errors: errors.map(|error| (normal(&error.email_address), error)).collect(),
        }
    }
}

impl ByAddress {
    /// A member in no part of the reply was skipped in silence: only a read can tell.
    fn outcome(&self, write: &MemberWrite) -> Outcome {
        let address = write.address.expose();
        match (self.members.get(address), self.errors.get(address)) {
            (Some(raw), _) => reported(raw, write.verb.leads_to()),
            (None, Some(error)) => Outcome::Refused(refusal(error)),
            (None, None) => Outcome::Doubtful,
        }
    }
}

/// Reads why one member was refused: the code, then the sentence, then the field.
fn refusal(error: &wire::BulkError) -> Refusal {
    let code = error.error_code.as_deref().unwrap_or_default();
    if code == "ERROR_CONTACT_EXISTS" {
        return Refusal::WrongState;
    }
    let field = error.field.as_deref().filter(|field| *field != "email_address");
    refusal_in(error.error.as_deref().unwrap_or_default())
        .or_else(|| field.map(|field| Refusal::Field { field: plain(field) }))
        .unwrap_or_else(|| other(200, code))
}

/// Addresses come back as sent, in another case, or in escaped quotes.
fn normal(raw: &str) -> String {
    let bare = raw.trim_matches(|c: char| c == '"' || c == '\\' || c.is_whitespace());
    Address::email(bare).map_or_else(|_| bare.to_lowercase(), |a| a.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::write;
    use super::*;
    use crate::domain::{MemberStatus, Verb};

    fn outcome(reply: Value) -> String {
        let reply = ByAddress::from(serde_json::from_value::<BulkReply>(reply).unwrap());
        format!("{:?}", reply.outcome(&write(Verb::Invite, MemberStatus::Absent)))
    }

    #[test]
    fn each_member_finds_its_own_outcome_in_the_reply() {
        let member = |status: &str| json!({"email_address": "Ann@Mail.Test", "contact_id": "c1", "status": status});
        let error = |code: &str, error: &str, field: &str| json!({"errors": [{"email_address": "\"ANN@mail.test\"", "error": error, "error_code": code, "field": field}]});
        for (reply, expected) in [
            (
                json!({"new_members": [member("pending")]}),
                "Done { member: Some(MemberKey(***)), status: Pending }",
            ),
            (json!({"updated_members": [member("unsubscribed")]}), "Refused(OptedOut)"),
            (json!({"new_members": [member("subscribed")]}), "Refused(WrongState)"),
            (json!({}), "Doubtful"),
            (
                error("ERROR_CONTACT_EXISTS", "x is already a list member", ""),
                "Refused(WrongState)",
            ),
            (
                error("ERROR_GENERIC", "x was permanently deleted and cannot be re-imported", ""),
                "Refused(Forgotten)",
            ),
            (error("ERROR_GENERIC", "x looks fake or invalid", ""), "Refused(InvalidAddress)"),
            (
                error("ERROR_GENERIC", "Please enter a value", "FNAME"),
                r#"Refused(Field { field: "FNAME" })"#,
            ),
            (
                error("ERROR_GENERIC", "something else", ""),
                r#"Refused(Other { status: 200, title: "ERROR_GENERIC" })"#,
            ),
        ] {
            assert_eq!(outcome(reply), expected);
        }
    }

    #[test]
    fn a_role_is_no_person() {
        assert!(is_role(&Address::email("admin@mail.test").unwrap()));
        assert!(!is_role(&Address::email("info@mail.test").unwrap()));
    }
}
