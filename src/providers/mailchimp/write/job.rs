//! Writes that go as one job, and what its answers say of each.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::super::Mailchimp;
use super::super::batches::{Answer, Progress, Report};
use super::outcome::{Mark, Step, outcome, together};
use super::steps::{Way, way};
use crate::domain::MemberKey;
use crate::providers::{Job, JobState, LotResult, MemberWrite, Outcome, ProviderError};

impl Mailchimp {
    pub(super) async fn send_job(
        &self,
        writes: &[MemberWrite],
    ) -> Result<LotResult, ProviderError> {
        let steps = writes.iter().flat_map(|write| match way(&self.list, write) {
            Way::Settled(_) => Vec::new(),
            Way::Steps(steps) => steps,
        });
        let calls: Vec<_> = steps.map(|(mark, call)| (mark.to_string(), call)).collect();
        self.connection.batch_write(&calls).await.map(|id| LotResult::Accepted(Job(id)))
    }

    pub(in super::super) async fn look_at_job(&self, job: &Job) -> Result<JobState, ProviderError> {
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
    use super::super::super::scripted::{Reply, scripted};
    use super::super::tests::numbered;
    use super::*;
    use crate::domain::operation::Payload;
    use crate::domain::{MemberStatus, Verb};

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

    #[tokio::test]
    async fn an_erasure_in_a_job_counts_once_a_read_finds_nobody() {
        const GONE: Reply = Reply::Json(404, r#"{"title":"Resource Not Found"}"#);
        const ANN: Reply = Reply::Json(200, r#"{"contact_id":"c1","status":"subscribed"}"#);
        const LIST: Reply = Reply::Json(200, r#"{"id":"a1"}"#);
        const NOT_FOUND: &str = r#"{"title":"Resource Not Found"}"#;
        const REFUSED: &str = r#"{"title":"Invalid Action"}"#;
        let erase = numbered(Verb::Erase, MemberStatus::Subscribed, 1);
        let Way::Steps(steps) = way("a1", &erase) else { panic!("an erasure has a call") };
        for (status, response, replies, said) in [
            (204, "", vec![GONE, LIST], "Done { member: None, status: Forgotten }"),
            (204, "", vec![ANN], "Doubtful"),
            (404, NOT_FOUND, vec![GONE, LIST], "Absent"),
            (404, NOT_FOUND, vec![ANN], "Doubtful"),
            (500, "{}", vec![], "Doubtful"),
            (400, REFUSED, vec![], r#"Refused(Other { status: 400, title: "Invalid Action" })"#),
        ] {
            let line = serde_json::json!({"status_code": status, "response": response});
            let answer = serde_json::from_value(line).unwrap();
            let report = Report::from([(steps[0].0.to_string(), answer)]);
            let (connection, _, _) = scripted(replies);
            let outcomes = connection.list("a1").job_outcomes(&report).await.unwrap();
            assert_eq!(format!("{:?}", outcomes[0].1), said);
        }
    }
}
