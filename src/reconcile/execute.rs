//! Carrying a plan out: intent first, then the request, then what became of it (L17).

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{Instrument, info_span};
use uuid::Uuid;

use super::tenure::Tenure;
use super::under_way::UnderWay;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{MemberKey, MemberStatus, Personal, RunId, Verb};
use crate::providers::{Job, JobState, Lot, LotResult, MemberWrite, Outcome, Refusal};
use crate::store::{OpState, OperationRow};

/// Operations taken up at a time.
const PAGE: u32 = 5_000;
/// Wait before a provider's job is looked at again, doubled each time: a small one is done soon.
const JOB_POLL: Duration = Duration::from_millis(100);
/// The longest such wait.
const JOB_POLL_MOST: Duration = Duration::from_secs(2);
/// How long a job is followed before it is left to the next run.
const JOB_PATIENCE: Duration = Duration::from_hours(1);

impl Reconciler {
    /// Carries out every operation of the run that is free to go. Unless everybody was `just_read`,
    /// whoever is to leave is read once more.
    pub(super) async fn execute(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList,
        just_read: bool,
    ) -> Result<(), ReconcileError> {
        let mut after = -1;
        let mut done = 0;
        loop {
            let page =
                self.store.operations_page(run, &list.row, after, PAGE, OpState::Planned).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.ordinal;
            done += page.len() as u64;
            if !just_read {
                Box::pin(self.look_again(tenure, list, &page)).await?;
            }
            Box::pin(self.execute_page(tenure, list, page)).await?;
            self.progress.at(&list.row.slug, "changes made", done, None);
            if self.stop.is_asked() {
                return Ok(());
            }
        }
    }

    /// Sends one page in lots, as many at a time as the provider allows, and records together what
    /// came of those that were answered meanwhile. The first error stops new lots; those under way
    /// are still recorded.
    async fn execute_page(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        page: Vec<OperationRow>,
    ) -> Result<(), ReconcileError> {
        let mut page = self.ask_in_turn(tenure, list, page).await?;
        let unsent = self.find_addresses(tenure, list, &mut page).await?;
        let writes = page.iter().filter_map(|row| write(list, row)).collect();
        let mut lots = list.port.lots(writes).into_iter();
        let rows = Rows::of(page);
        let ids: Vec<Uuid> = unsent.iter().map(|(id, _)| *id).collect();
        self.record(tenure, list, &rows, &ids, unsent).await?;
        let mut under_way = UnderWay::new();
        let mut failed = None;
        loop {
            while failed.is_none() && !self.stop.is_asked() {
                let free = list.port.capabilities().in_flight.saturating_sub(under_way.count());
                let next: Vec<Lot> = lots.by_ref().take(free).collect();
                if next.is_empty() {
                    break;
                }
                match under_way.beside(self.submit(tenure, list, next)).await {
                    Ok(lots) => {
                        for lot in lots {
                            let span = info_span!("lot", operations = lot.writes.len());
                            under_way.begin(self.send(tenure, list, lot).instrument(span));
                        }
                    }
                    Err(error) => failed = Some(error),
                }
            }
            let Some(mut answers) = under_way.next().await else { break };
            while let Some(answer) = under_way.ended() {
                answers.add(answer);
            }
            let settled = under_way.beside(self.settle(tenure, list, &rows, answers)).await;
            failed = failed.or(settled.err());
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads those again who are to leave, but for their own no: that nothing was heard of them is a
    /// hint, and what we do would cover up a no that a page of changes left out (L13 to L15). Whoever
    /// stands otherwise is planned again.
    async fn look_again(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        page: &[OperationRow],
    ) -> Result<(), ReconcileError> {
        let leaves = |row: &&OperationRow| {
            let listed = row.contact.is_some() && row.op.from.is_listed();
            listed && row.op.verb.removes() && !row.op.reason.is_opt_out()
        };
        let leaving = page.iter().filter(leaves);
        let (from, keys): (Vec<MemberStatus>, Vec<MemberKey>) =
            leaving.filter_map(|row| Some((row.op.from, row.member.clone()?))).unzip();
        let shows_noes = list.port.capabilities().shows.contains(&MemberStatus::Unsubscribed);
        if keys.is_empty() || !shows_noes {
            return Ok(());
        }
        let asked_at = self.clock.now();
        let members = tenure.beside(list.port.members(&keys)).await?;
        let read = members.into_iter().zip(from);
        let others = read.filter_map(|(found, from)| found.filter(|member| member.status != from));
        self.store_members(tenure, list, others.collect(), asked_at).await.map(drop)
    }

    /// Reads the addresses of those whom we know by a hash only: strangers, and erased people who
    /// are there again (L15, L22). Returns what becomes of those who have none.
    async fn find_addresses(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        page: &mut [OperationRow],
    ) -> Result<Vec<(Uuid, Outcome)>, ReconcileError> {
        let nameless = page.iter_mut().filter(|row| row.address.is_none());
        let (known, unknown): (Vec<_>, Vec<_>) = nameless.partition(|row| row.member.is_some());
        let mut unsent: Vec<_> = unknown.iter().map(|row| (row.id, Outcome::Absent)).collect();
        let keys: Vec<_> = known.iter().filter_map(|row| row.member.clone()).collect();
        if keys.is_empty() {
            return Ok(unsent);
        }
        let members = tenure.beside(list.port.members(&keys)).await?;
        for (row, member) in known.into_iter().zip(members) {
            row.address = member.as_ref().and_then(|member| member.address.clone());
            match member {
                None => unsent.push((row.id, Outcome::Absent)),
                Some(_) if row.address.is_none() => {
                    unsent.push((row.id, Outcome::Refused(Refusal::InvalidAddress)));
                }
                Some(_) => {}
            }
        }
        Ok(unsent)
    }

    /// Notes that lots are about to be sent, together; returns of each what is to go still.
    async fn submit(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        mut lots: Vec<Lot>,
    ) -> Result<Vec<Lot>, ReconcileError> {
        tenure.renew().await?;
        let (store, clinic) = (&self.store, list.row.clinic);
        if let Some(opens) = self.opens(list) {
            let asks = |lot: &mut Lot| lot.writes.iter().any(|write| write.text.is_some());
            let put_off: Vec<Lot> = lots.extract_if(.., asks).collect();
            store.operations_put_off(&tenure.lease, clinic, &ids(&put_off), opens).await?;
        }
        let going = store.operations_submitted(&tenure.lease, clinic, &ids(&lots)).await?;
        let going: BTreeSet<Uuid> = going.into_iter().collect();
        for lot in &mut lots {
            lot.writes.retain(|write| going.contains(&write.id));
        }
        lots.retain(|lot| !lot.writes.is_empty());
        Ok(lots)
    }

    /// Sends a lot and waits for what becomes of it.
    async fn send(&self, tenure: &Tenure<'_>, list: &ManagedList, lot: Lot) -> Answers {
        let ids = ids(std::slice::from_ref(&lot));
        match list.port.send(&lot).await {
            Ok(LotResult::Done(outcomes)) => Answers { ids, outcomes, ..Answers::default() },
            Ok(LotResult::Accepted(job)) => match self.entrust(tenure, list, &ids, &job).await {
                Ok(Some(outcomes)) => Answers { ids, outcomes, ..Answers::default() },
                Ok(None) => Answers::default(),
                Err(error) => Answers { failed: Some(error), ..Answers::default() },
            },
            Err(error) if error.is_doubtful() => {
                Answers { ids, failed: Some(error.into()), ..Answers::default() }
            }
            Err(error) => Answers { unsent: ids, failed: Some(error.into()), ..Answers::default() },
        }
    }

    /// Records answers together; returns the first error among them.
    async fn settle(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        rows: &Rows,
        answers: Answers,
    ) -> Result<(), ReconcileError> {
        if !answers.ids.is_empty() {
            self.record(tenure, list, rows, &answers.ids, answers.outcomes).await?;
        }
        let (clinic, unsent) = (list.row.clinic, &answers.unsent);
        self.store.operations_unsent(&tenure.lease, clinic, unsent).await?;
        answers.failed.map_or(Ok(()), Err)
    }

    /// Notes the job that the provider made of a lot, and follows it.
    async fn entrust(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        ids: &[Uuid],
        job: &Job,
    ) -> Result<Option<Vec<(Uuid, Outcome)>>, ReconcileError> {
        self.store.operations_job(&tenure.lease, list.row.clinic, ids, &job.0).await?;
        self.follow(tenure, list, job).await
    }

    /// Follows a job to its end, and returns what it says; a lost one says nothing of anybody. None
    /// where it is left to the next run, which knows its id: after Ctrl-C, or an hour.
    async fn follow(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        job: &Job,
    ) -> Result<Option<Vec<(Uuid, Outcome)>>, ReconcileError> {
        let (mut waited, mut wait) = (Duration::ZERO, JOB_POLL);
        while waited < JOB_PATIENCE {
            match list.port.job(job).await? {
                JobState::Done(outcomes) => return Ok(Some(outcomes)),
                JobState::Lost => return Ok(Some(Vec::new())),
                JobState::Running if self.stop.is_asked() => return Ok(None),
                JobState::Running => {
                    tenure.renew().await?;
                    self.clock.sleep(wait).await;
                    waited += wait;
                    wait = (wait * 2).min(JOB_POLL_MOST);
                }
            }
        }
        Ok(None)
    }

    /// Settles what an earlier run left behind: jobs are followed, the rest is in doubt.
    pub(super) async fn settle_open_operations(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        self.settle_sent(tenure, list).await?;
        Ok(self.store.operations_supersede(&tenure.lease, run, &list.row).await?)
    }

    /// Follows up what an earlier run sent; of what nothing is heard the outcome is in doubt.
    pub(super) async fn settle_sent(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let open = self.store.operations_open(&list.row).await?;
        let rows = Rows::of(open);
        for (job, ids) in rows.by_job() {
            let outcomes = match job {
                Some(job) => self.follow(tenure, list, &Job(job)).await?,
                None => Some(Vec::new()),
            };
            if let Some(outcomes) = outcomes {
                self.record(tenure, list, &rows, &ids, outcomes).await?;
            }
        }
        Ok(())
    }
}

/// What came of lots that were sent.
#[derive(Default)]
struct Answers {
    /// Operations that were answered, or may have been done.
    ids: Vec<Uuid>,
    /// What became of them; one without is in doubt.
    outcomes: Vec<(Uuid, Outcome)>,
    /// Operations that were certainly not sent.
    unsent: Vec<Uuid>,
    /// The first error.
    failed: Option<ReconcileError>,
}

impl Answers {
    fn add(&mut self, other: Self) {
        self.ids.extend(other.ids);
        self.outcomes.extend(other.outcomes);
        self.unsent.extend(other.unsent);
        self.failed = self.failed.take().or(other.failed);
    }
}

/// Operations by id, for those who get outcomes back.
#[derive(Debug)]
pub(super) struct Rows(std::collections::BTreeMap<Uuid, OperationRow>);

impl Rows {
    fn of(rows: Vec<OperationRow>) -> Self {
        Self(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    pub(super) fn get(&self, id: &Uuid) -> Option<&OperationRow> {
        self.0.get(id)
    }

    fn by_job(&self) -> std::collections::BTreeMap<Option<String>, Vec<Uuid>> {
        let mut jobs: std::collections::BTreeMap<_, Vec<Uuid>> = std::collections::BTreeMap::new();
        for row in self.0.values() {
            jobs.entry(row.job.clone()).or_default().push(row.id);
        }
        jobs
    }
}

fn write(list: &ManagedList, row: &OperationRow) -> Option<MemberWrite> {
    let asking = list.policy.asking.as_ref().filter(|_| row.op.verb == Verb::Invite);
    Some(MemberWrite {
        id: row.id,
        verb: row.op.verb,
        from: row.op.from,
        member: row.member.clone(),
        address: row.address.clone()?,
        payload: row.op.payload.clone(),
        text: asking.map(|asking| Personal::new(&asking.text)),
    })
}

fn ids(lots: &[Lot]) -> Vec<Uuid> {
    lots.iter().flat_map(|lot| &lot.writes).map(|write| write.id).collect()
}
