//! Writing: additions and removals of many in one request, invitations one by one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use uuid::Uuid;

use super::api::Call;
use super::{Sinch, numbers};
use crate::domain::{MemberKey, MemberStatus, Verb};
use crate::providers::http::Failure;
use crate::providers::{
    Lot, LotResult, MemberWrite, Outcome, ProviderError, Refusal, TextSender, TextSent,
};

/// Changes of the group.
const GROUP: &str = "group";
/// A text that asks for a confirmation.
const TEXT: &str = "text";
/// The most numbers one request adds or removes (Sinch docs, SMS REST API, Update a group).
const MOST: usize = 10_000;

/// Sorts writes into lots, changes of the group first; a number comes once in a lot.
pub fn lots(writes: Vec<MemberWrite>) -> Vec<Lot> {
    let (texts, changes): (Vec<_>, Vec<_>) =
        writes.into_iter().partition(|write| write.verb == Verb::Invite);
    let mut lots: Vec<Lot> = Vec::new();
    let mut there = BTreeSet::new();
    for write in changes {
        let fits = lots.last().is_some_and(|lot| lot.writes.len() < MOST);
        if !fits || there.contains(&write.address) {
            there.clear();
            lots.push(Lot { route: GROUP, writes: Vec::new() });
        }
        there.insert(write.address.clone());
        if let Some(lot) = lots.last_mut() {
            lot.writes.push(write);
        }
    }
    lots.extend(texts.into_iter().map(|write| Lot { route: TEXT, writes: vec![write] }));
    lots
}

type Outcomes = Vec<(Uuid, Outcome)>;

impl Sinch {
    pub(super) async fn send_lot(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        let outcomes = if lot.route == TEXT {
            let mut outcomes = Outcomes::new();
            for write in &lot.writes {
                outcomes.push((write.id, self.invite(write).await?));
            }
            outcomes
        } else {
            self.change(&lot.writes).await?
        };
        Ok(LotResult::Done(outcomes))
    }

    /// Sends the text that asks for a confirmation; there is at most one.
    ///
    /// Sinch takes a text to somebody who opted out and says so only in its report.
    async fn invite(&self, write: &MemberWrite) -> Result<Outcome, ProviderError> {
        let Some(text) = &write.text else {
            let title = "an invitation without a text".to_owned();
            return Ok(Outcome::Refused(Refusal::Other { status: 0, title }));
        };
        match self.connection.text(write.id, &write.address, text).await {
            Ok(TextSent::Sent(_)) => Ok(done(write, MemberStatus::Pending)),
            Ok(TextSent::Refused(refusal)) => Ok(Outcome::Refused(refusal)),
            Err(error) if error.is_doubtful() => Ok(Outcome::Doubtful),
            Err(error) => Err(error),
        }
    }

    /// Changes the group by all writes at once. A number that Sinch does not take refuses the whole
    /// request and is not named: then each half is sent by itself.
    async fn change(&self, writes: &[MemberWrite]) -> Result<Outcomes, ProviderError> {
        let mut outcomes = Outcomes::new();
        let mut waiting = vec![writes];
        while let Some(writes) = waiting.pop() {
            match self.update(writes).await {
                Ok(()) => outcomes.extend(writes.iter().map(|write| (write.id, reached(write)))),
                Err(Failure::Refused { refusal, .. }) if writes.len() <= 1 => {
                    let refused = Outcome::Refused(refusal);
                    outcomes.extend(writes.iter().map(|write| (write.id, refused.clone())));
                }
                Err(Failure::Refused { .. }) => {
                    let (first, second) = writes.split_at(writes.len() / 2);
                    waiting.extend([second, first]);
                }
                // Part of the lot has its outcome; of the rest a read must tell.
                Err(_) if !outcomes.is_empty() => {
                    let rest = waiting.into_iter().chain([writes]).flatten();
                    outcomes.extend(rest.map(|write| (write.id, Outcome::Doubtful)));
                    break;
                }
                Err(failure) => return Err(failure.of_list()),
            }
        }
        self.verify(writes, &mut outcomes).await;
        Ok(outcomes)
    }

    /// Adds and removes in one request. Sinch adds first and removes then, so whoever is removed by
    /// us is out even if a keyword let them in meanwhile.
    async fn update(&self, writes: &[MemberWrite]) -> Result<(), Failure> {
        let of = |wanted: fn(Verb) -> bool| -> Vec<&str> {
            let writes = writes.iter().filter(|write| wanted(write.verb));
            writes.map(|write| write.address.expose()).collect()
        };
        let add = of(|verb| verb == Verb::Subscribe);
        let remove = of(Verb::removes);
        if add.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let body = json!({ "add": add, "remove": remove });
        let call = Call::post(&["groups", &self.group], body);
        self.connection.write(&call).await.map(drop)
    }

    /// An erasure is what a read confirms: the members are read once for all of the lot.
    async fn verify(&self, writes: &[MemberWrite], outcomes: &mut Outcomes) {
        let erased = writes.iter().filter(|write| write.verb == Verb::Erase);
        let erased: BTreeMap<Uuid, MemberKey> =
            erased.map(|write| (write.id, numbers::key(&write.address))).collect();
        if erased.is_empty() {
            return;
        }
        let there = self.read_keys().await.ok();
        for (id, outcome) in outcomes {
            let Some(key) = erased.get(id) else { continue };
            let gone = there.as_ref().is_some_and(|there| !there.contains(key));
            if !gone && matches!(outcome, Outcome::Done { .. }) {
                *outcome = Outcome::Doubtful;
            }
        }
    }
}

/// What a write that was taken leads to. There is nothing to update at a number, and who is off a
/// group leaves nothing behind.
fn reached(write: &MemberWrite) -> Outcome {
    let status = match write.verb {
        Verb::Subscribe => MemberStatus::Subscribed,
        Verb::Unsubscribe | Verb::Archive => MemberStatus::Absent,
        Verb::Erase => MemberStatus::Forgotten,
        Verb::Update | Verb::Invite => write.from,
    };
    done(write, status)
}

fn done(write: &MemberWrite, status: MemberStatus) -> Outcome {
    Outcome::Done { member: Some(numbers::key(&write.address)), status }
}

#[cfg(test)]
mod tests {
    use super::super::api::tests::{TOKEN, scripted};
    use super::*;
    use crate::domain::{Address, Personal};
    use crate::providers::http::scripted::Reply;

    const GROUP_OK: Reply = Reply::Json(200, "{}");
    const NOBODY: Reply = Reply::Json(200, "[]");
    const ANN: Reply = Reply::Json(200, r#"["447911100001"]"#);
    const BAD: Reply = Reply::Json(400, r#"{"code":"syntax_invalid_parameter_format"}"#);
    const SENT: Reply = Reply::Json(201, r#"{"id":"b1"}"#);

    fn write(verb: Verb, number: u128) -> MemberWrite {
        MemberWrite {
            id: Uuid::from_u128(number),
            verb,
            from: MemberStatus::Absent,
            member: None,
            address: Address::mobile(&format!("+4479111{number:05}"), None).unwrap(),
            payload: None,
            text: Some(Personal::new("Reply YES")),
        }
    }

    fn told(id: Uuid, outcome: &Outcome) -> String {
        let what = match outcome {
            Outcome::Done { status, .. } => status.to_string(),
            other => format!("{other:?}"),
        };
        format!("{}: {what}", id.as_u128())
    }

    async fn sent(writes: Vec<MemberWrite>, replies: Vec<Reply>) -> (String, Vec<String>) {
        let (connection, transport, _) = scripted([vec![TOKEN], replies].concat());
        let list = connection.list("g1");
        let mut said = Vec::new();
        for lot in lots(writes) {
            match list.send_lot(&lot).await {
                Ok(LotResult::Done(outcomes)) => {
                    said.extend(outcomes.iter().map(|(id, outcome)| told(*id, outcome)));
                }
                other => said.push(format!("{other:?}")),
            }
        }
        said.sort();
        let bodies = transport.bodies().into_iter().skip(1);
        let bodies = bodies.map(|body| String::from_utf8_lossy(&body).into_owned()).collect();
        (said.join(", "), bodies)
    }

    #[tokio::test]
    async fn additions_and_removals_are_one_request() {
        let writes =
            vec![write(Verb::Subscribe, 1), write(Verb::Archive, 2), write(Verb::Update, 3)];
        let (said, bodies) = sent(writes, vec![GROUP_OK]).await;
        assert_eq!(said, "1: subscribed, 2: absent, 3: absent");
        assert_eq!(bodies, [r#"{"add":["+447911100001"],"remove":["+447911100002"]}"#]);
        let (said, bodies) = sent(vec![write(Verb::Update, 3)], Vec::new()).await;
        assert_eq!((said.as_str(), bodies.len()), ("3: absent", 0));
    }

    #[test]
    fn a_number_comes_once_in_a_lot_and_a_lot_is_as_large_as_sinch_takes() {
        let mut writes: Vec<_> = (0..10_001).map(|n| write(Verb::Archive, n)).collect();
        writes.push(write(Verb::Subscribe, 10_000));
        writes.push(write(Verb::Invite, 1));
        let shape: Vec<_> = lots(writes).iter().map(|lot| (lot.route, lot.writes.len())).collect();
        assert_eq!(shape, [(GROUP, 10_000), (GROUP, 1), (GROUP, 1), (TEXT, 1)]);
    }

    #[tokio::test]
    async fn one_number_that_is_not_taken_does_not_keep_the_others_out() {
        let writes = (1..=4).map(|n| write(Verb::Subscribe, n)).collect();
        let replies = vec![BAD, GROUP_OK, BAD, BAD, GROUP_OK];
        let (said, bodies) = sent(writes, replies).await;
        assert_eq!(said, "1: subscribed, 2: subscribed, 3: Refused(InvalidAddress), 4: subscribed");
        assert_eq!(bodies.len(), 5);
    }

    #[tokio::test]
    async fn what_was_done_counts_and_the_rest_is_in_doubt() {
        let writes: Vec<_> = (1..=2).map(|n| write(Verb::Subscribe, n)).collect();
        let (said, _) = sent(writes.clone(), vec![BAD, GROUP_OK, Reply::Broken]).await;
        assert_eq!(said, "1: subscribed, 2: Doubtful");
        let (said, _) = sent(writes.clone(), vec![Reply::Broken]).await;
        assert!(said.contains("Doubtful"), "{said}");
        let (said, _) = sent(writes, vec![Reply::Json(404, "{}")]).await;
        assert_eq!(said, "Err(ListGone)");
    }

    #[tokio::test]
    async fn an_erasure_is_what_a_read_confirms() {
        for (replies, said) in [
            (vec![GROUP_OK, NOBODY], "1: forgotten"),
            (vec![GROUP_OK, ANN], "1: Doubtful"),
            (vec![GROUP_OK, Reply::Json(404, "{}")], "1: Doubtful"),
        ] {
            assert_eq!(sent(vec![write(Verb::Erase, 1)], replies).await.0, said);
        }
    }

    #[tokio::test]
    async fn an_invitation_in_doubt_is_looked_for_and_never_sent_again() {
        const REFERENCE: &str = "00000000000000000000000000000001";
        let ours =
            r#"{"batches":[{"id":"b","client_reference":"00000000000000000000000000000001"}]}"#;
        let other = r#"{"batches":[{"id":"b","client_reference":"another"}]}"#;
        let none = r#"{"batches":[]}"#;
        for (replies, said) in [
            (vec![SENT], "1: pending"),
            (vec![Reply::Later(429, 3), SENT], "1: pending"),
            (vec![Reply::Broken, Reply::Json(200, ours)], "1: pending"),
            (vec![Reply::Broken, Reply::Json(200, other)], "1: Doubtful"),
            (vec![Reply::Html(502), Reply::Json(200, none)], "1: Doubtful"),
            (vec![Reply::Broken, Reply::Json(404, "{}")], "1: Doubtful"),
            (vec![BAD], "1: Refused(InvalidAddress)"),
        ] {
            let requests = replies.len();
            let (told, bodies) = sent(vec![write(Verb::Invite, 1)], replies).await;
            assert_eq!((told.as_str(), bodies.len()), (said, requests));
            assert!(bodies[0].contains(REFERENCE) && bodies[0].contains("447911000001"));
        }
        let mut silent = write(Verb::Invite, 1);
        silent.text = None;
        let (said, bodies) = sent(vec![silent], Vec::new()).await;
        assert!(said.contains("without a text") && bodies.is_empty());
    }
}
