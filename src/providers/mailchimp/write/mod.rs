//! Writing: which way each write goes, how lots are made of them, and what came of each.

mod bulk;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use self::steps::{Mark, Step, Way, outcome, readdressed, together, way};
use super::Mailchimp;
use super::api::Call;
use super::batches::{Answer, Progress, Report};
use crate::domain::{MemberKey, Verb};
use crate::providers::{
    Job, JobState, Lot, LotResult, MemberWrite, Outcome, ProviderError, Refusal,
};

/// New members in one request.
const BULK: &str = "bulk";
/// One member, by single calls.
const CALL: &str = "call";
/// Many members, as a job.
const JOB: &str = "job";
/// The most writes one job carries.
const JOB_SIZE: usize = 5_000;

/// Sorts writes into lots, removals first.
pub fn lots(writes: Vec<MemberWrite>, list: &str, single_call_limit: usize) -> Vec<Lot> {
    let (bulk, others): (Vec<_>, Vec<_>) = writes.into_iter().partition(goes_in_bulk);
    let (mut free, mut ordered): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|write| way(list, write).any_order());
    let mut lots = Vec::new();
    if free.len() >= single_call_limit {
        lots.extend(packed(JOB, free, JOB_SIZE));
    } else {
        ordered.append(&mut free);
    }
    lots.extend(packed(CALL, ordered, 1));
    lots.extend(packed(BULK, bulk, bulk::MOST));
    lots.sort_by_key(|lot| !lot.writes.iter().any(|write| write.verb.removes()));
    lots
}

fn goes_in_bulk(write: &MemberWrite) -> bool {
    let enters = matches!(write.verb, Verb::Invite | Verb::Subscribe);
    enters && !write.from.is_present() && !bulk::is_role(&write.address)
}

/// Fills lots of at most `most` writes in order, none of them with an address twice.
fn packed(route: &'static str, writes: Vec<MemberWrite>, most: usize) -> Vec<Lot> {
    let mut lots: Vec<Lot> = Vec::new();
    let mut addresses = BTreeSet::new();
    for write in writes {
        let fits = lots.last().is_some_and(|lot| lot.writes.len() < most);
        if !fits || addresses.contains(&write.address) {
            addresses.clear();
            lots.push(Lot { route, writes: Vec::new() });
        }
        addresses.insert(write.address.clone());
        if let Some(lot) = lots.last_mut() {
            lot.writes.push(write);
        }
    }
    lots
}

impl Mailchimp {
    pub(super) async fn send_lot(&self, lot: &Lot) -> Result<LotResult, ProviderError> {
        match lot.route {
            BULK => self.send_bulk(&lot.writes).await,
            JOB => self.send_job(&lot.writes).await,
            _ => self.send_singly(&lot.writes).await,
        }
    }

    async fn send_singly(&self, writes: &[MemberWrite]) -> Result<LotResult, ProviderError> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            outcomes.push((write.id, self.send_one(write).await?));
        }
        Ok(LotResult::Done(outcomes))
    }

    async fn send_one(&self, write: &MemberWrite) -> Result<Outcome, ProviderError> {
        let steps = match way(&self.list, write) {
            Way::Settled(outcome) => return Ok(outcome),
            Way::Steps(steps) => steps,
        };
        let mut taken = Vec::new();
        for (mark, call) in steps {
            let outcome = match self.take(write, &mark, &call).await {
                // Once a step was taken, an error of the next leaves the write in doubt.
                Err(_) if !taken.is_empty() => return Ok(Outcome::Doubtful),
                outcome => outcome?,
            };
            if !matches!(outcome, Outcome::Done { .. }) {
                let untouched = taken.is_empty();
                return Ok(if untouched { outcome } else { Outcome::Doubtful });
            }
            taken.push((mark, outcome));
        }
        Ok(together(taken).unwrap_or(Outcome::Doubtful))
    }

    async fn take(
        &self,
        write: &MemberWrite,
        mark: &Mark,
        call: &Call,
    ) -> Result<Outcome, ProviderError> {
        match mark.step {
            Step::Erase => self.erase(write, mark, call).await,
            Step::Tags => self.tag(write, mark, call).await,
            _ => self.answer(mark, call).await,
        }
    }

    async fn answer(&self, mark: &Mark, call: &Call) -> Result<Outcome, ProviderError> {
        match self.connection.write(call).await {
            Ok(body) => outcome(mark, Ok(&body)),
            Err(failure) => outcome(mark, Err(failure)),
        }
    }

    /// Tags by the hash of our address; where that is unknown, by the id the member has now.
    async fn tag(
        &self,
        write: &MemberWrite,
        mark: &Mark,
        call: &Call,
    ) -> Result<Outcome, ProviderError> {
        let outcome = self.answer(mark, call).await?;
        if outcome != Outcome::Refused(Refusal::WrongState) {
            return Ok(outcome);
        }
        match self.call_by_own_id(write, mark).await? {
            Some(call) => self.answer(mark, &call).await,
            None => Ok(Outcome::Absent),
        }
    }

    /// Erases by the hash of our address, then reads the member, which must be gone. Where it is
    /// there under an address that was changed at the provider, it is erased by its own id.
    async fn erase(
        &self,
        write: &MemberWrite,
        mark: &Mark,
        call: &Call,
    ) -> Result<Outcome, ProviderError> {
        let first = self.answer(mark, call).await?;
        if matches!(first, Outcome::Refused(_)) {
            return Ok(first);
        }
        let erased = first != Outcome::Absent;
        match self.call_by_own_id(write, mark).await {
            Ok(None) => Ok(first),
            Ok(Some(again)) if again != *call => self.erase_again(mark, &again).await,
            Err(error) if !erased => Err(error),
            Ok(Some(_)) | Err(_) => Ok(Outcome::Doubtful),
        }
    }

    async fn erase_again(&self, mark: &Mark, call: &Call) -> Result<Outcome, ProviderError> {
        let second = self.answer(mark, call).await;
        let gone = self.raw_member(&mark.id).await;
        Ok(match (second, gone) {
            (Ok(outcome @ Outcome::Done { .. }), Ok(None)) => outcome,
            (Ok(refused @ Outcome::Refused(_)), _) => refused,
            _ => Outcome::Doubtful,
        })
    }

    /// Reads the member and builds the same step by its own id; none where there is no member.
    async fn call_by_own_id(
        &self,
        write: &MemberWrite,
        mark: &Mark,
    ) -> Result<Option<Call>, ProviderError> {
        let Some(raw) = self.raw_member(&mark.id).await? else { return Ok(None) };
        let id = raw.id.as_deref().unwrap_or(&mark.id);
        Ok(readdressed(&self.list, write, mark.step, id))
    }

    async fn send_job(&self, writes: &[MemberWrite]) -> Result<LotResult, ProviderError> {
        let steps = writes.iter().flat_map(|write| match way(&self.list, write) {
            Way::Settled(_) => Vec::new(),
            Way::Steps(steps) => steps,
        });
        let calls: Vec<_> = steps.map(|(mark, call)| (mark.to_string(), call)).collect();
        self.connection.batch_write(&calls).await.map(|id| LotResult::Accepted(Job(id)))
    }

    pub(super) async fn look_at_job(&self, job: &Job) -> Result<JobState, ProviderError> {
        match self.connection.batch_look(&job.0).await? {
            Progress::Running => Ok(JobState::Running),
            Progress::Lost => Ok(JobState::Lost),
            Progress::Finished(report) => self.job_outcomes(&report).await.map(JobState::Done),
        }
    }

    /// Erasures are verified by reads before they count.
    async fn job_outcomes(&self, report: &Report) -> Result<Vec<(Uuid, Outcome)>, ProviderError> {
        let mut writes: BTreeMap<Uuid, Vec<(Mark, Outcome)>> = BTreeMap::new();
        let mut erased = Vec::new();
        for (id, answer) in report {
            let Ok(mark) = id.parse::<Mark>() else { continue };
            let outcome = in_job(&mark, answer);
            let gone = matches!(outcome, Outcome::Done { .. } | Outcome::Absent);
            if gone && mark.step == Step::Erase {
                erased.push((mark.write, MemberKey(mark.id.clone())));
            }
            writes.entry(mark.write).or_default().push((mark, outcome));
        }
        let found = self.still_there(erased).await?;
        let outcomes = writes.into_iter().filter_map(|(write, steps)| {
            let outcome = together(steps)?;
            Some((write, if found.contains(&write) { Outcome::Doubtful } else { outcome }))
        });
        Ok(outcomes.collect())
    }

    async fn still_there(
        &self,
        erased: Vec<(Uuid, MemberKey)>,
    ) -> Result<BTreeSet<Uuid>, ProviderError> {
        let (writes, keys): (Vec<Uuid>, Vec<MemberKey>) = erased.into_iter().unzip();
        let members = self.read_members(&keys).await?;
        let found = writes.into_iter().zip(members).filter(|(_, member)| member.is_some());
        Ok(found.map(|(write, _)| write).collect())
    }
}

/// Reads one answer of a job; what is not certain there is in doubt.
fn in_job(mark: &Mark, answer: &Answer) -> Outcome {
    let outcome = match answer.outcome() {
        Ok(body) => outcome(mark, Ok(body)),
        Err(Some(failure)) => outcome(mark, Err(failure)),
        Err(None) => return Outcome::Doubtful,
    };
    outcome.unwrap_or(Outcome::Doubtful)
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Reply, scripted};
    use super::*;
    use crate::domain::operation::Payload;
    use crate::domain::{Address, MemberStatus};

    pub(super) fn write(verb: Verb, from: MemberStatus) -> MemberWrite {
        numbered(verb, from, 0)
    }

    fn numbered(verb: Verb, from: MemberStatus, number: u128) -> MemberWrite {
        let name = if number == 0 { "ann".to_owned() } else { format!("ann{number}") };
        MemberWrite {
            id: Uuid::from_u128(number),
            verb,
            from,
            member: from.is_present().then(|| MemberKey("c1".to_owned())),
            address: Address::email(&format!("{name}@mail.test")).unwrap(),
            payload: None,
        }
    }

    fn many(verb: Verb, from: MemberStatus, count: u128) -> Vec<MemberWrite> {
        (1..=count).map(|number| numbered(verb, from, number)).collect()
    }

    fn shape(writes: Vec<MemberWrite>) -> Vec<(&'static str, usize)> {
        lots(writes, "a1", 200).into_iter().map(|lot| (lot.route, lot.writes.len())).collect()
    }

    #[test]
    fn a_thousand_invitations_are_two_requests() {
        let invitations = many(Verb::Invite, MemberStatus::Absent, 1_000);
        assert_eq!(shape(invitations), [(BULK, 500), (BULK, 500)]);
    }

    #[test]
    fn removals_go_singly_while_few_and_as_a_job_once_many() {
        let archive = |count| many(Verb::Archive, MemberStatus::Subscribed, count);
        assert_eq!(shape(archive(199)), vec![(CALL, 1); 199]);
        assert_eq!(shape(archive(200)), [(JOB, 200)]);
        let pending = many(Verb::Archive, MemberStatus::Pending, 200);
        assert_eq!(shape(pending), vec![(CALL, 1); 200], "two steps need their order");
    }

    #[test]
    fn removals_come_first_and_an_address_comes_once_in_a_lot() {
        let mut writes = many(Verb::Invite, MemberStatus::Absent, 2);
        writes.push(write(Verb::Unsubscribe, MemberStatus::Subscribed));
        writes.push(numbered(Verb::Invite, MemberStatus::Absent, 2));
        assert_eq!(shape(writes), [(CALL, 1), (BULK, 2), (BULK, 1)]);
    }

    #[test]
    fn a_role_address_is_invited_singly() {
        let mut role = write(Verb::Invite, MemberStatus::Absent);
        role.address = Address::email("admin@mail.test").unwrap();
        assert_eq!(shape(vec![role]), [(CALL, 1)]);
    }

    const GONE: Reply = Reply::Json(404, r#"{"title":"Resource Not Found","status":404}"#);
    const ANN: Reply = Reply::Json(200, r#"{"contact_id":"c1","id":"5eb0","status":"subscribed"}"#);
    const DONE: Reply = Reply::Json(204, "");

    async fn sent(verb: Verb, from: MemberStatus, replies: Vec<Reply>) -> (String, usize) {
        let (connection, transport, _) = scripted(replies);
        let mut write = write(verb, from);
        let tags = [("recall".to_owned(), true)].into();
        write.payload = (verb == Verb::Update).then(|| Payload { tags, ..Payload::default() });
        let said = match connection.list("a1").send_one(&write).await {
            Ok(outcome) => format!("{outcome:?}"),
            Err(error) => format!("{error:?}"),
        };
        (said, transport.asked().len())
    }

    #[tokio::test]
    async fn an_erasure_is_what_a_read_confirms() {
        let forgotten = "Done { member: None, status: Forgotten }";
        for (replies, said) in [
            (vec![DONE, GONE], forgotten),
            (vec![GONE, GONE], "Absent"),
            (vec![GONE, ANN, DONE, GONE], forgotten),
            (vec![DONE, ANN, DONE, GONE], forgotten),
            (vec![DONE, ANN, DONE, ANN], "Doubtful"),
            (vec![DONE, ANN, Reply::Broken, GONE], "Doubtful"),
            (vec![DONE, Reply::Json(401, "{}")], "Doubtful"),
            (vec![GONE, Reply::Json(401, "{}")], "Unauthorized"),
            (vec![Reply::Broken], "Doubtful(Some(Broken(None)))"),
        ] {
            let requests = replies.len();
            let erased = sent(Verb::Erase, MemberStatus::Subscribed, replies).await;
            assert_eq!(erased, (said.to_owned(), requests));
        }
    }

    #[tokio::test]
    async fn tags_find_a_member_whose_address_was_changed() {
        for (replies, said) in [
            (vec![DONE], "Done { member: None, status: Subscribed }"),
            (vec![GONE, ANN, DONE], "Done { member: None, status: Subscribed }"),
            (vec![GONE, GONE], "Absent"),
        ] {
            let requests = replies.len();
            let tagged = sent(Verb::Update, MemberStatus::Subscribed, replies).await;
            assert_eq!(tagged, (said.to_owned(), requests));
        }
    }

    #[tokio::test]
    async fn a_pending_member_half_archived_is_in_doubt() {
        const OUT: Reply = Reply::Json(200, r#"{"contact_id":"c1","status":"unsubscribed"}"#);
        const CANNOT: Reply =
            Reply::Json(405, r#"{"detail":"This list member cannot be removed."}"#);
        for (replies, said) in [
            (vec![OUT, DONE], "Done { member: None, status: Archived }"),
            (vec![OUT, Reply::Json(401, "{}")], "Doubtful"),
            (vec![OUT, CANNOT], "Doubtful"),
            (vec![CANNOT], "Refused(WrongState)"),
            (vec![Reply::Json(401, "{}")], "Unauthorized"),
            (vec![GONE], "Absent"),
        ] {
            let requests = replies.len();
            let archived = sent(Verb::Archive, MemberStatus::Pending, replies).await;
            assert_eq!(archived, (said.to_owned(), requests));
        }
    }

    #[tokio::test]
    async fn what_a_job_does_not_answer_has_no_outcome() {
        let steps = |write: &MemberWrite| match way("a1", write) {
            Way::Steps(steps) => steps.into_iter().map(|(mark, _)| mark).collect::<Vec<_>>(),
            Way::Settled(_) => Vec::new(),
        };
        let archive = numbered(Verb::Archive, MemberStatus::Subscribed, 1);
        let update = MemberWrite {
            payload: Some(Payload {
                fields: [("FNAME".to_owned(), crate::domain::Personal::new("Ann"))].into(),
                tags: [("recall".to_owned(), true)].into(),
            }),
            ..numbered(Verb::Update, MemberStatus::Subscribed, 2)
        };
        let lines = [(steps(&archive)[0].clone(), 204), (steps(&update)[1].clone(), 204)];
        let report: Report = lines
            .iter()
            .map(|(mark, status)| {
                let line = serde_json::json!({"status_code": status, "response": ""});
                (mark.to_string(), serde_json::from_value(line).unwrap())
            })
            .collect();
        let (connection, _, _) = scripted(Vec::new());
        let outcomes = connection.list("a1").job_outcomes(&report).await.unwrap();
        let archived = Outcome::Done { member: None, status: MemberStatus::Archived };
        assert_eq!(outcomes, [(archive.id, archived)]);
    }
}
