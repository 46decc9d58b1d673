//! Carrying a plan out: intent first, then the request, then what became of it (L17).

use std::collections::BTreeSet;

use futures::stream::{FuturesUnordered, StreamExt};
use uuid::Uuid;

use super::tenure::Tenure;
use super::{ManagedList, ReconcileError, Reconciler};
use crate::domain::{Personal, RunId, Verb};
use crate::providers::{Job, JobState, Lot, LotResult, MemberWrite, Outcome, Refusal};
use crate::store::{OpState, OperationRow};

/// Operations taken up at a time.
const PAGE: u32 = 5_000;
/// Wait between two looks at a provider's job.
const JOB_POLL: std::time::Duration = std::time::Duration::from_secs(2);
/// Looks at a job before it is left to the next run: an hour.
const JOB_LOOKS: usize = 1_800;

impl Reconciler {
    /// Carries out every operation of the run that is free to go.
    pub(super) async fn execute(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let mut after = -1;
        let mut done = 0;
        loop {
            let page =
                self.store.operations_page(run, &list.row, after, PAGE, OpState::Planned).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.ordinal;
            done += page.len() as u64;
            self.execute_page(tenure, list, page).await?;
            self.progress.at(&list.row.slug, "changes made", done, None);
            if self.stop.is_asked() {
                return Ok(());
            }
        }
    }

    /// Sends one page in lots, as many at a time as the provider allows. The first error stops
    /// new lots; those under way are still recorded.
    async fn execute_page(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        page: Vec<OperationRow>,
    ) -> Result<(), ReconcileError> {
        let mut page = self.ask_in_turn(tenure, list, page).await?;
        let unsent = self.find_addresses(list, &mut page).await?;
        let writes = page.iter().filter_map(|row| write(list, row)).collect();
        let mut lots = list.port.lots(writes).into_iter();
        let rows = Rows::of(page);
        let ids: Vec<Uuid> = unsent.iter().map(|(id, _)| *id).collect();
        self.record(tenure, list, &rows, &ids, unsent).await?;
        let mut under_way = FuturesUnordered::new();
        let mut failed = None;
        loop {
            while failed.is_none()
                && !self.stop.is_asked()
                && under_way.len() < list.port.capabilities().in_flight
            {
                let Some(lot) = lots.next() else { break };
                under_way.push(self.execute_lot(tenure, list, lot, &rows));
            }
            match under_way.next().await {
                None => break,
                Some(Ok(())) => {}
                Some(Err(error)) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads the addresses of those whom we know by a hash only: strangers, and erased people who
    /// are there again (L15, L22). Returns what becomes of those who have none.
    async fn find_addresses(
        &self,
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
        for (row, member) in known.into_iter().zip(list.port.members(&keys).await?) {
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

    async fn execute_lot(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        lot: Lot,
        rows: &Rows,
    ) -> Result<(), ReconcileError> {
        let mut lot = lot;
        tenure.renew().await?;
        let ids: Vec<Uuid> = lot.writes.iter().map(|write| write.id).collect();
        let asks = lot.writes.iter().any(|write| write.text.is_some());
        if let Some(opens) = self.opens(list).filter(|_| asks) {
            let store = &self.store;
            return Ok(store
                .operations_put_off(&tenure.lease, list.row.clinic, &ids, opens)
                .await?);
        }
        let ids = self.store.operations_submitted(&tenure.lease, list.row.clinic, &ids).await?;
        if ids.is_empty() {
            return Ok(());
        }
        let going: BTreeSet<Uuid> = ids.iter().copied().collect();
        lot.writes.retain(|write| going.contains(&write.id));
        match list.port.send(&lot).await {
            Ok(LotResult::Done(outcomes)) => self.record(tenure, list, rows, &ids, outcomes).await,
            Ok(LotResult::Accepted(job)) => {
                self.store.operations_job(&tenure.lease, list.row.clinic, &ids, &job.0).await?;
                self.follow(tenure, list, rows, &ids, &job).await
            }
            Err(error) => {
                if error.is_doubtful() {
                    self.record(tenure, list, rows, &ids, doubtful(&ids)).await?;
                } else {
                    self.store.operations_unsent(&tenure.lease, list.row.clinic, &ids).await?;
                }
                Err(error.into())
            }
        }
    }

    /// Follows a job to its end; Ctrl-C leaves it to the next run, which knows its id.
    async fn follow(
        &self,
        tenure: &Tenure<'_>,
        list: &ManagedList,
        rows: &Rows,
        ids: &[Uuid],
        job: &Job,
    ) -> Result<(), ReconcileError> {
        for _ in 0..JOB_LOOKS {
            match list.port.job(job).await? {
                JobState::Done(outcomes) => {
                    return self.record(tenure, list, rows, ids, outcomes).await;
                }
                JobState::Lost => {
                    return self.record(tenure, list, rows, ids, doubtful(ids)).await;
                }
                JobState::Running if self.stop.is_asked() => return Ok(()),
                JobState::Running => {
                    tenure.renew().await?;
                    self.clock.sleep(JOB_POLL).await;
                }
            }
        }
        Ok(())
    }

    /// Settles what an earlier run left behind: jobs are followed, the rest is in doubt.
    pub(super) async fn settle_open_operations(
        &self,
        tenure: &Tenure<'_>,
        run: RunId,
        list: &ManagedList,
    ) -> Result<(), ReconcileError> {
        let open = self.store.operations_open(&list.row).await?;
        let rows = Rows::of(open);
        for (job, ids) in rows.by_job() {
            match job {
                Some(job) => self.follow(tenure, list, &rows, &ids, &Job(job)).await?,
                None => self.record(tenure, list, &rows, &ids, doubtful(&ids)).await?,
            }
        }
        Ok(self.store.operations_supersede(&tenure.lease, run, &list.row).await?)
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

fn doubtful(ids: &[Uuid]) -> Vec<(Uuid, Outcome)> {
    ids.iter().map(|id| (*id, Outcome::Doubtful)).collect()
}
