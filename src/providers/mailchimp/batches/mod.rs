//! Jobs (`/batches`): many operations in one request, answered later in a file.
//!
//! Nothing is promised about the order of operations within a job, so only writes that need none
//! are put into one.

mod file;

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::problem::judge;
use super::api::{Call, Connection, parse};
use crate::providers::ProviderError;
use crate::providers::http::{Answer as Judged, Failure, Setback};

/// How often a result file is asked for, each time at a fresh address.
const FETCHES: u32 = 4;

/// The answers of a finished job, by operation id.
pub type Report = BTreeMap<String, Answer>;

/// The answer to one operation; personal, so without `Debug`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    status_code: u16,
    operation_id: String,
    response: Option<String>,
}

impl Answer {
    /// Returns the body where it worked, the failure where it will not work; `Err(None)` where
    /// nothing is certain.
    pub fn outcome(&self) -> Result<&[u8], Option<Failure>> {
        let body = self.response.as_deref().unwrap_or_default().as_bytes();
        StatusCode::from_u16(self.status_code).map_err(|_| None)?;
        let status = self.status_code;
        match judge(&Judged { status, json: true, body, retry_after: None }) {
            Ok(()) => Ok(body),
            Err(Setback::Failed(failure)) => Err(Some(failure)),
            Err(Setback::Trouble(_)) => Err(None),
        }
    }
}

/// How a job goes.
pub enum Progress {
    /// Not finished.
    Running,
    /// Finished, with these answers.
    Finished(Report),
    /// The provider does not know it: results are kept for seven days.
    Lost,
}

#[derive(Debug, Deserialize)]
struct Batch {
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    response_body_url: Option<String>,
}

impl Connection {
    /// Starts a job of writes and returns its id.
    pub(super) async fn batch_write(
        &self,
        calls: &[(String, Call)],
    ) -> Result<String, ProviderError> {
        let answer = self.write(&start(calls)).await.map_err(Failure::of_account)?;
        parse::<Batch>(&answer).map(|batch| batch.id).map_err(Failure::of_account)
    }

    /// Runs a job of reads to its end. To start it twice does no harm.
    pub(super) async fn batch_read(
        &self,
        calls: &[(String, Call)],
    ) -> Result<Report, ProviderError> {
        let batch: Batch = self.read(&start(calls)).await.map_err(Failure::of_account)?;
        for pause in self.settings().job_pauses() {
            self.clock().sleep(pause).await;
            match self.batch_look(&batch.id).await? {
                Progress::Running => {}
                Progress::Finished(report) => return Ok(report),
                Progress::Lost => break,
            }
        }
        Err(ProviderError::Unavailable(None))
    }

    /// Looks once at a job, and reads its answers where it is finished.
    ///
    /// The address of the file expires after ten minutes and may answer 400 for a moment, so each
    /// try asks for a new one.
    pub(super) async fn batch_look(&self, id: &str) -> Result<Progress, ProviderError> {
        let call = Call::get(&["batches", id]).with("fields", "id,status,response_body_url");
        let mut fetched = 0;
        loop {
            let batch: Batch = match self.read(&call).await {
                Err(Failure::NotFound) => return Ok(Progress::Lost),
                answer => answer.map_err(Failure::of_account)?,
            };
            let url = batch.response_body_url.filter(|url| !url.is_empty());
            let (true, Some(url)) = (batch.status == "finished", url) else {
                return Ok(Progress::Running);
            };
            fetched += 1;
            match self.fetch(&url).await {
                Ok(bytes) => return file::answers(&bytes).map(Progress::Finished),
                Err(error) if fetched == FETCHES => return Err(error),
                Err(_) => {
                    let pause = std::time::Duration::from_secs(u64::from(fetched));
                    self.clock().sleep(self.clock().jittered(pause)).await;
                }
            }
        }
    }
}

fn start(calls: &[(String, Call)]) -> Call {
    let operations: Vec<Value> = calls.iter().map(|(id, call)| call.operation(id)).collect();
    Call::new(Method::POST, &["batches"]).body(json!({ "operations": operations }))
}

#[cfg(test)]
mod tests {
    use super::super::scripted::{Reply, scripted};
    use super::*;

    const STARTED: Reply = Reply::Json(200, r#"{"id":"b1","status":"started"}"#);
    const EARLY: Reply = Reply::Json(
        200,
        r#"{"id":"b1","status":"finalizing","response_body_url":"https://files.test/1"}"#,
    );
    const FINISHED: Reply = Reply::Json(
        200,
        r#"{"id":"b1","status":"finished","response_body_url":"https://files.test/1"}"#,
    );

    async fn look(replies: Vec<Reply>) -> (String, usize) {
        let (connection, transport, _) = scripted(replies);
        let said = match connection.batch_look("b1").await {
            Ok(Progress::Running) => "running".to_owned(),
            Ok(Progress::Finished(report)) => format!("finished with {}", report.len()),
            Ok(Progress::Lost) => "lost".to_owned(),
            Err(error) => format!("{error:?}"),
        };
        (said, transport.asked().len())
    }

    #[tokio::test]
    async fn a_job_is_running_finished_or_lost() {
        let empty: &'static [u8] = Box::leak(file::tests::result(&["[]"]).into_boxed_slice());
        let fetched = Reply::File(empty);
        for (replies, said, requests) in [
            (vec![STARTED], "running", 1),
            (vec![EARLY], "running", 1),
            (vec![FINISHED, fetched], "finished with 0", 2),
            (vec![FINISHED, Reply::Html(400), FINISHED, fetched], "finished with 0", 4),
            (vec![FINISHED, Reply::Broken, FINISHED, fetched], "finished with 0", 4),
            ([FINISHED, Reply::Html(400)].repeat(4), "Unavailable(None)", 8),
            (vec![Reply::Json(404, r#"{"title":"Resource Not Found"}"#)], "lost", 1),
        ] {
            assert_eq!(look(replies).await, (said.to_owned(), requests));
        }
    }

    #[tokio::test]
    async fn a_job_that_reads_is_given_up_when_its_patience_ends() {
        let running = vec![STARTED; 40];
        let (connection, _, clock) = scripted(running);
        let error = connection.batch_read(&[]).await;
        assert!(matches!(error, Err(ProviderError::Unavailable(None))));
        let waited = crate::clock::Clock::now(&*clock) - chrono::DateTime::UNIX_EPOCH;
        assert!(waited.num_seconds() <= 900, "{waited}");
    }
}
