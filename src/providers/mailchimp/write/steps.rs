//! One write as the calls it takes, whether they go singly or within a job.

use http::Method;
use serde_json::{Map, Value, json};

use super::super::api::Call;
use super::super::hash;
use super::outcome::{Mark, Step};
use crate::domain::operation::Payload;
use crate::domain::{MemberStatus, Verb};
use crate::providers::{MemberWrite, Outcome, Refusal};

/// How a write goes to the provider.
#[derive(Debug, PartialEq)]
pub enum Way {
    /// It needs no request.
    Settled(Outcome),
    /// By these calls, in this order.
    Steps(Vec<(Mark, Call)>),
}

impl Way {
    /// Tells whether its calls may run in any order, as they do within a job.
    pub fn any_order(&self) -> bool {
        let Self::Steps(steps) = self else { return false };
        !steps.iter().any(|(mark, _)| mark.step == Step::Archive && mark.of > 1)
    }
}

/// Finds the calls for one write.
///
/// - An archive of a pending member needs two: Mailchimp archives nobody who is pending (405).
///   A cleaned member cannot be archived at all.
/// - `PATCH` never creates: an update of somebody who is gone adds nobody. That is why updates do
///   not go through `POST /lists/{id}`, which creates what it does not find.
/// - `POST` brings back an archived member (recorded) and refuses one that is there; `PUT` with a
///   `status` is the only way to invite an unsubscribed one, whom the bulk endpoint skips in
///   silence.
pub fn way(list: &str, write: &MemberWrite) -> Way {
    let builder = Builder { list, write, hash: hash(&write.address) };
    let steps = match write.verb {
        Verb::Update => builder.update(),
        Verb::Invite => builder.enter(MemberStatus::Pending),
        Verb::Subscribe => builder.enter(MemberStatus::Subscribed),
        Verb::Unsubscribe => vec![builder.unsubscribe()],
        Verb::Archive if write.from == MemberStatus::Cleaned => {
            return Way::Settled(Outcome::Refused(Refusal::WrongState));
        }
        Verb::Archive if write.from == MemberStatus::Pending => {
            vec![builder.unsubscribe(), builder.archive()]
        }
        Verb::Archive => vec![builder.archive()],
        Verb::Erase => vec![builder.erase()],
    };
    if steps.is_empty() {
        return Way::Settled(Outcome::Done { member: write.member.clone(), status: write.from });
    }
    let of = u8::try_from(steps.len()).unwrap_or(u8::MAX);
    let id = write.member.as_ref().map_or_else(|| builder.hash.clone(), |key| key.0.clone());
    let mark =
        |(step, status, call)| (Mark { write: write.id, step, of, status, id: id.clone() }, call);
    Way::Steps(steps.into_iter().map(mark).collect())
}

struct Builder<'a> {
    list: &'a str,
    write: &'a MemberWrite,
    hash: String,
}

type Built = (Step, MemberStatus, Call);

impl Builder<'_> {
    fn update(&self) -> Vec<Built> {
        let fields = fields(self.write.payload.as_ref()).map(|fields| {
            let call = self.known(Method::PATCH).body(json!({ "merge_fields": fields }));
            (Step::Fields, self.write.from, call)
        });
        fields.into_iter().chain(self.tags()).collect()
    }

    fn enter(&self, status: MemberStatus) -> Vec<Built> {
        let archived = self.write.from == MemberStatus::Archived;
        let mut body = entrant(self.write, status);
        if archived || !self.write.from.is_present() {
            if archived {
                body.remove("tags");
            }
            let call = Call::new(Method::POST, &["lists", self.list, "members"]);
            let enter = (Step::Enter, status, call.body(body.into()));
            return std::iter::once(enter).chain(self.tags().filter(|_| archived)).collect();
        }
        body.remove("tags"); // PUT ignores them for members that exist
        body.insert("status_if_new".to_owned(), json!(status.word()));
        let call = self.hashed(Method::PUT, &[]).body(body.into());
        std::iter::once((Step::Enter, status, call)).chain(self.tags()).collect()
    }

    fn unsubscribe(&self) -> Built {
        let call = self
            .known(Method::PATCH)
            .with("skip_merge_validation", "true")
            .body(json!({ "status": "unsubscribed" }));
        (Step::Unsubscribe, MemberStatus::Unsubscribed, call)
    }

    fn archive(&self) -> Built {
        (Step::Archive, MemberStatus::Archived, self.known(Method::DELETE))
    }

    fn erase(&self) -> Built {
        let call = self.hashed(Method::POST, &["actions", "delete-permanent"]);
        (Step::Erase, MemberStatus::Forgotten, call)
    }

    /// `is_syncing` keeps the change from starting automations.
    fn tags(&self) -> Option<Built> {
        let tags = &self.write.payload.as_ref()?.tags;
        let tags: Vec<Value> = tags
            .iter()
            .map(|(name, on)| json!({ "name": name, "status": if *on { "active" } else { "inactive" } }))
            .collect();
        let body = json!({ "tags": tags, "is_syncing": true });
        let call = self.hashed(Method::POST, &["tags"]).body(body);
        (!tags.is_empty()).then_some((Step::Tags, self.write.from, call))
    }

    /// A call by the stable id where it is known: it survives a change of address.
    fn known(&self, method: Method) -> Call {
        let id = self.write.member.as_ref().map_or(self.hash.as_str(), |key| &key.0);
        Call::new(method, &["lists", self.list, "members", id])
    }

    /// A call by the hash of the address: the only id that tags and erasure are documented with,
    /// and the one that lets a `PUT` change nobody's address.
    fn hashed(&self, method: Method, rest: &[&str]) -> Call {
        member_call(method, self.list, &self.hash, rest)
    }
}

fn member_call(method: Method, list: &str, id: &str, rest: &[&str]) -> Call {
    Call::new(method, &[&["lists", list, "members", id], rest].concat())
}

/// Addresses `step` of `write` to the member's own `id`, where the hash of our address failed.
pub fn readdressed(list: &str, write: &MemberWrite, step: Step, id: &str) -> Option<Call> {
    let builder = Builder { list, write, hash: id.to_owned() };
    match step {
        Step::Tags => builder.tags().map(|(_, _, call)| call),
        Step::Erase => Some(builder.erase().2),
        _ => None,
    }
}

/// The body of a member that enters.
pub fn entrant(write: &MemberWrite, status: MemberStatus) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("email_address".to_owned(), json!(write.address.expose()));
    body.insert("status".to_owned(), json!(status.word()));
    if let Some(fields) = fields(write.payload.as_ref()) {
        body.insert("merge_fields".to_owned(), fields);
    }
    let tags = write.payload.iter().flat_map(|payload| &payload.tags);
    let tags: Vec<&str> = tags.filter(|(_, on)| **on).map(|(name, _)| name.as_str()).collect();
    if !tags.is_empty() {
        body.insert("tags".to_owned(), json!(tags));
    }
    body
}

/// The merge fields to send; none rather than an empty map, which Mailchimp refuses.
fn fields(payload: Option<&Payload>) -> Option<Value> {
    let fields = &payload?.fields;
    let map: Map<String, Value> =
        fields.iter().map(|(name, text)| (name.clone(), json!(text.expose()))).collect();
    (!map.is_empty()).then(|| map.into())
}

#[cfg(test)]
mod tests {
    use super::super::tests::write;
    use super::*;
    use crate::domain::Personal;

    fn routes(write: &MemberWrite) -> Vec<String> {
        match way("a1", write) {
            Way::Settled(outcome) => vec![format!("{outcome:?}")],
            Way::Steps(steps) => steps
                .iter()
                .map(|(_, call)| {
                    let body = call.payload().unwrap_or_default();
                    format!("{} {} {body}", call.method(), call.target()).trim_end().to_owned()
                })
                .collect(),
        }
    }

    fn hashed(text: &str) -> String {
        text.replace("{ann}", &hash(&write(Verb::Update, MemberStatus::Absent).address))
    }

    #[test]
    fn every_verb_has_its_calls() {
        use MemberStatus::{Archived, Cleaned, Pending, Subscribed, Unsubscribed};
        for (verb, from, expected) in [
            (Verb::Archive, Subscribed, vec!["DELETE /lists/a1/members/c1"]),
            (
                Verb::Archive,
                Pending,
                vec![
                    r#"PATCH /lists/a1/members/c1?skip_merge_validation=true {"status":"unsubscribed"}"#,
                    "DELETE /lists/a1/members/c1",
                ],
            ),
            (Verb::Archive, Cleaned, vec!["Refused(WrongState)"]),
            (
                Verb::Unsubscribe,
                Subscribed,
                vec![
                    r#"PATCH /lists/a1/members/c1?skip_merge_validation=true {"status":"unsubscribed"}"#,
                ],
            ),
            (
                Verb::Erase,
                Subscribed,
                vec!["POST /lists/a1/members/{ann}/actions/delete-permanent"],
            ),
            (
                Verb::Invite,
                Archived,
                vec![
                    r#"POST /lists/a1/members {"email_address":"ann@mail.test","status":"pending"}"#,
                ],
            ),
            (
                Verb::Invite,
                Unsubscribed,
                vec![
                    r#"PUT /lists/a1/members/{ann} {"email_address":"ann@mail.test","status":"pending","status_if_new":"pending"}"#,
                ],
            ),
            (
                Verb::Update,
                Subscribed,
                vec!["Done { member: Some(MemberKey(***)), status: Subscribed }"],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(hashed).collect();
            assert_eq!(routes(&write(verb, from)), expected, "{verb} from {from}");
        }
    }

    #[test]
    fn an_update_sends_fields_and_tags_and_never_a_status() {
        let mut update = write(Verb::Update, MemberStatus::Subscribed);
        update.payload = Some(Payload {
            fields: [("FNAME".to_owned(), Personal::new("Ann"))].into(),
            tags: [("new".to_owned(), true), ("old".to_owned(), false)].into(),
        });
        assert_eq!(
            routes(&update),
            [
                r#"PATCH /lists/a1/members/c1 {"merge_fields":{"FNAME":"Ann"}}"#.to_owned(),
                hashed(
                    r#"POST /lists/a1/members/{ann}/tags {"is_syncing":true,"tags":[{"name":"new","status":"active"},{"name":"old","status":"inactive"}]}"#
                ),
            ]
        );
    }

    #[test]
    fn only_the_archive_of_a_pending_member_needs_an_order() {
        let any = |verb, from| way("a1", &write(verb, from)).any_order();
        assert!(any(Verb::Archive, MemberStatus::Subscribed));
        assert!(any(Verb::Erase, MemberStatus::Pending));
        assert!(!any(Verb::Archive, MemberStatus::Pending));
        assert!(!any(Verb::Archive, MemberStatus::Cleaned));
    }
}
