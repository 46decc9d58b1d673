//! Writes that go by single calls, and erasures that a read confirms.

use super::super::Mailchimp;
use super::super::api::Call;
use super::outcome::{Mark, Step, outcome, together};
use super::steps::{Way, readdressed, way};
use crate::providers::{LotResult, MemberWrite, Outcome, ProviderError, Refusal};

impl Mailchimp {
    pub(super) async fn send_singly(
        &self,
        writes: &[MemberWrite],
    ) -> Result<LotResult, ProviderError> {
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
}

#[cfg(test)]
mod tests {
    use super::super::super::scripted::{Reply, scripted};
    use super::super::tests::write;
    use crate::domain::operation::Payload;
    use crate::domain::{MemberStatus, Verb};

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
}
